"""Problems of files, from this platform's own tables: quarantined ones, and too many rejects.

Belongs here: what is one problem, into which later files and runs are folded, and when it is over: when
the person who was told of it has put it right. Does not belong here: problems that any Dagster project has
(``orchestration.alerting``), where files lie (``landing``); projects of others do without this module.

A problem that nobody puts right stays open, so what comes after a pause is a problem of its own: it would
otherwise be folded into the old one, and told to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ecom_platform.alerts.outbox import DEFAULT_SOURCE
from ecom_platform.alerts.problem import Kind, Problem, Raised, Resolved, Sign, Window
from ecom_platform.store import alerts as tables
from ecom_platform.store.alerts import OpenProblem, RejectShare
from ecom_platform.store.connection import Connection

KINDS = (Kind.FILE_QUARANTINED, Kind.REJECTS)
# The check that shows the rejects of the newest run.
_CHECK = "few_rows_rejected"
NAMED_FILES = 20
# After so long without another file in quarantine, the next one is a problem of its own.
QUIET = timedelta(hours=1)
# A long transaction can bring to light what was finished before the last tick: look further back.
_LOOK_BACK = timedelta(hours=1)
# Files that a problem knows by id. Far more than are quarantined within the look back.
_KNOWN_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Watched:
    """A feed whose files are watched: its asset is called as it is. ``reject_share`` is how many of its rows
    may be refused, 0 to 1, ``ui_url`` where Dagster's pages are."""

    connection: Connection
    feed: str
    reject_share: float
    ui_url: str
    source: str = DEFAULT_SOURCE

    def key(self, kind: str) -> str:
        """What the keys of its problems begin with."""
        return f"{kind}/{self.feed}"


def watched_feeds(
    connection: Connection, window: Window, now: datetime, source: str = DEFAULT_SOURCE
) -> list[str]:
    """Feeds of which there may be something to tell."""
    return tables.feeds_to_look_at(connection, source, KINDS, min(window.since, now - _LOOK_BACK))


def file_signs(
    of: Watched,
    window: Window,
    now: datetime,
    *,
    quarantine: str = "the folder quarantine/",
    taken_out: Callable[[int, str], bool] = lambda file_id, name: False,
) -> Iterator[Sign]:
    """Signs of what became of a feed's files in ``window``.

    ``quarantine`` says where unreadable files lie, ``taken_out`` whether somebody has taken one away.
    """
    since = min(window.since, now - _LOOK_BACK)
    known = tables.open_problems(of.connection, of.source, Kind.FILE_QUARANTINED, of.feed)
    fresh = tables.quarantined_files(of.connection, of.source, of.feed, max(window.began, since))
    yield from _quarantines(of, known, fresh, now, quarantine)
    if not fresh:
        for problem in known:
            yield from _quarantine_over(of.connection, problem, now, taken_out)
    hour = since.replace(minute=0, second=0, microsecond=0)
    yield from _rejects(of, max(window.began, hour))


# -- quarantine ----------------------------------------------------------------------------------


def _quarantines(
    of: Watched, known: Sequence[OpenProblem], fresh: Sequence[tuple[Any, ...]], now: datetime, where: str
) -> Iterator[Sign]:
    if not fresh:
        return
    recent = [problem for problem in known if problem.last_event_at > now - QUIET]
    before = max(recent, key=lambda problem: problem.last_event_at, default=None)
    # Of now, not of the file's time: a file whose transaction ended late is news all the same.
    yield Raised(quarantined(of, fresh, before, where), now)


def quarantined(
    of: Watched, rows: Sequence[tuple[Any, ...]], before: OpenProblem | None, where: str
) -> Problem:
    """The problem of all files that were put into quarantine, those of ``before`` among them.

    ``rows``: file_id, name, reason, run_id or None, finished_at; in the order of file_id.
    """
    details = before.details if before is not None else {}
    ids = [*details.get("file_ids", ()), *(row[0] for row in rows)]
    number = details.get("files_in_all", 0) + len(rows)
    files = [*details.get("files", ()), *(f"{row[1]}: {row[2]}" for row in rows)][:NAMED_FILES]
    _, name, reason, run_id, finished_at = rows[0] if before is None else rows[-1]
    what = f"the file {name} was" if number == 1 else f"{number:,} files were"
    which = "first" if before is None else "newest"
    return Problem(
        key=before.key if before is not None else f"{of.key('quarantine')}/{rows[0][0]}",
        kind=Kind.FILE_QUARANTINED,
        title=f"{of.feed}: {what} put into quarantine",
        asset=of.feed,
        expected="every file that lands can be read",
        found=f"{number:,} that cannot; {which} {name}, {_time(finished_at)}: {reason}",
        run_id=run_id,
        link=_link(of, run_id),
        details={"files": files, "where": where, "files_in_all": number, "file_ids": ids[-_KNOWN_FILES:]},
        remedy="None of their rows was loaded. Correct each file and drop it again under its name, or delete"
        " it from quarantine if it is not wanted. `ecom trace FILE` says what became of one. It is over when"
        " each was loaded or deleted.",
    )


def _quarantine_over(
    connection: Connection, problem: OpenProblem, now: datetime, taken_out: Callable[[int, str], bool]
) -> Iterator[Resolved]:
    ids = problem.details.get("file_ids", ())
    number = problem.details.get("files_in_all", len(ids))
    left = tables.not_loaded_since(connection, ids)
    if number > len(ids) or not all(taken_out(file_id, name) for file_id, name in left):
        return
    if not left:
        done = "has been loaded under its name since"
    elif len(left) == number:
        done = "was taken out of quarantine, and has not been loaded"
    else:
        done = (
            f"has been loaded under its name since, but for {len(left):,} that were taken out of quarantine"
        )
    yield Resolved(problem.key, f"Every one of these files {done}.", now)


# -- rejects -------------------------------------------------------------------------------------


def _rejects(of: Watched, since: datetime) -> Iterator[Sign]:
    connection, limit = of.connection, of.reject_share
    known = tables.open_problems(connection, of.source, Kind.REJECTS, of.feed)
    current = max(known, key=lambda problem: problem.last_event_at, default=None)
    for share in tables.reject_shares(connection, of.feed, since, limit):
        if not share.above or any(_holds(problem, share) for problem in [*known, current] if problem):
            continue
        if current is not None and tables.well_between(
            connection, of.feed, current.last_event_at, share.finished_at, limit
        ):
            current = None  # runs were well again: what is wrong now is another problem
        problem = _too_many(of, share, current)
        yield Raised(problem, share.finished_at)
        begun = share.finished_at if current is None else current.occurred_at
        current = OpenProblem(problem.key, begun, share.finished_at, {})
    for before in known:
        if current is None or current.key != before.key or current.last_event_at == before.last_event_at:
            yield from _rejects_over(of, before)


def _holds(problem: OpenProblem, share: RejectShare) -> bool:
    """Whether the run and hour are among those that the problem is of."""
    return _hour(problem.occurred_at) <= share.finished_at <= problem.last_event_at


def _rejects_over(of: Watched, problem: OpenProblem) -> Iterator[Resolved]:
    """Over when the rows that were told of are no longer refused, not when later ones are better."""
    refused = tables.refused_between(
        of.connection, of.feed, _hour(problem.occurred_at), problem.last_event_at, of.reject_share
    )
    if refused.above:
        return
    left = _share(refused.rejected, refused.read) if refused.rejected else "none"
    # A replay changes what is counted, not when it was loaded.
    at = problem.last_event_at + timedelta(microseconds=1)
    yield Resolved(problem.key, f"Of the rows of these runs, {left} are still rejected.", at)


def _too_many(of: Watched, share: RejectShare, before: OpenProblem | None) -> Problem:
    connection, limit = of.connection, of.reject_share
    begun = share.hour if before is None else _hour(before.occurred_at)
    refused = tables.refused_between(connection, of.feed, begun, share.finished_at, limit)
    total = (
        f"; since {_time(begun)}, {_share(refused.rejected, refused.read)} in {refused.runs:,} runs"
        if refused.runs > 1
        else ""
    )
    files = tables.refused_files(connection, of.feed, begun, share.finished_at, NAMED_FILES)
    title, found = f"{share.rejected / share.read:.1%} of the rows", _share(share.rejected, share.read)
    if share.rejected <= limit * share.read and files:
        # Not of the run as a whole, but of one of its files.
        name, read, rejected, _ = max(files, key=lambda file: file[2] / file[1])
        title = f"{rejected / read:.1%} of the rows of {name}"
        found += f"; of {name} alone {_share(rejected, read)}"
    new = f"{of.key('rejects')}/{share.hour:%Y%m%dT%H}/{share.run_id or 'live'}"
    return Problem(
        key=new if before is None else before.key,
        kind=Kind.REJECTS,
        title=f"{of.feed}: {title} were rejected",
        asset=of.feed,
        expected=f"at most {limit:.1%} of the rows rejected, of a run and of each file",
        found=found + total,
        run_id=share.run_id,
        # The run's own page says that it succeeded; the live mode's rejects no check has looked at.
        link=f"{of.ui_url}/assets/{of.feed}" + (f"?view=checks&checkDetail={_CHECK}" if share.run_id else ""),
        details={
            "files": [
                f"{name}: {rejected:,} of {read:,} rows: {reasons}" for name, read, rejected, reasons in files
            ]
        },
        remedy="The other rows are loaded. `ecom rejects list` shows each reason with an example. Correct the"
        " rows in a CSV file and load them with `ecom rejects replay --fixed FILE`, or as they are, after a"
        f" rule was widened, without --fixed. It is over when no more than {limit:.1%} of them are rejected.",
    )


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _share(rejected: int, read: int) -> str:
    return f"{rejected:,} of {read:,} rows ({rejected / read:.1%})"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _link(of: Watched, run_id: str | None) -> str:
    return f"{of.ui_url}/runs/{run_id}" if run_id else f"{of.ui_url}/assets/{of.feed}"
