"""Problems of files, from this platform's own tables: quarantined ones, and too many rejects.

Belongs here: one problem of each kind, into which later files and runs are folded while it is open, and
when it is over. Does not belong here: problems that any Dagster project has (``orchestration.alerting``);
projects of others do without this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ecom_platform.alerts.outbox import DEFAULT_SOURCE
from ecom_platform.alerts.problem import Kind, Problem, Raised, Resolved, Sign, Window
from ecom_platform.postgres import alerts as tables
from ecom_platform.postgres.alerts import OpenProblem
from ecom_platform.postgres.connection import Connection

ASSET = "user_events"
QUARANTINE_KEY = f"quarantine/{ASSET}"
REJECTS_KEY = f"rejects/{ASSET}"
NAMED_FILES = 20
# So long without another file in quarantine ends the problem, whatever became of those that are there.
QUIET = timedelta(hours=1)
# A long transaction can bring to light what was finished before the last tick: look further back.
_LOOK_BACK = timedelta(hours=1)
# Files that a problem knows by id. Far more than are quarantined within the look back.
_KNOWN_FILES = 20_000


def file_signs(
    connection: Connection,
    window: Window,
    now: datetime,
    reject_share: float,
    ui_url: str,
    source: str = DEFAULT_SOURCE,
) -> Iterator[Sign]:
    """Signs of what became of files in ``window``."""
    since = min(window.since, now - _LOOK_BACK)
    yield from _quarantines(connection, max(window.began, since), now, ui_url, source)
    hour = since.replace(minute=0, second=0, microsecond=0)
    yield from _rejects(connection, max(window.began, hour), reject_share, ui_url, source)


# -- quarantine ----------------------------------------------------------------------------------


def _quarantines(
    connection: Connection, since: datetime, now: datetime, ui_url: str, source: str
) -> Iterator[Sign]:
    known = tables.open_problems(connection, source, Kind.FILE_QUARANTINED)
    fresh = tables.quarantined_files(connection, source, since)
    if fresh:
        before = next((problem for problem in known if problem.key == QUARANTINE_KEY), None)
        # Of now, not of the file's time: a file whose transaction ended late is news all the same.
        yield Raised(quarantined(fresh, before, ui_url), now)
    for problem in known:
        if not (fresh and problem.key == QUARANTINE_KEY):
            yield from _quarantine_over(connection, problem, now)


def quarantined(rows: Sequence[tuple[Any, ...]], before: OpenProblem | None, ui_url: str) -> Problem:
    """The problem of all files that were put into quarantine, those of ``before`` among them.

    ``rows``: file_id, name, reason, run_id or None, finished_at; in the order of file_id.
    """
    details = before.details if before is not None else {}
    ids = [*details.get("file_ids", ()), *(row[0] for row in rows)]
    number = details.get("files_in_all", 0) + len(rows)
    names = [*details.get("files", ()), *(row[1] for row in rows)][:NAMED_FILES]
    _, name, reason, run_id, finished_at = rows[0] if before is None else rows[-1]
    what = f"the file {name} was" if number == 1 else f"{number:,} files were"
    which = "first" if before is None else "newest"
    return Problem(
        key=QUARANTINE_KEY,
        kind=Kind.FILE_QUARANTINED,
        title=f"{ASSET}: {what} put into quarantine",
        asset=ASSET,
        expected="every file that lands can be read",
        found=f"{number:,} that cannot; {which} {name}, {_time(finished_at)}: {reason}",
        run_id=run_id,
        link=_link(ui_url, run_id),
        details={"files": names, "files_in_all": number, "file_ids": ids[-_KNOWN_FILES:]},
    )


def _quarantine_over(connection: Connection, problem: OpenProblem, now: datetime) -> Iterator[Resolved]:
    ids = problem.details.get("file_ids", ())
    number = problem.details.get("files_in_all", len(ids))
    left = tables.not_loaded_since(connection, ids)
    if left == 0 and number == len(ids):
        yield Resolved(problem.key, "Every one of these files has been loaded under its name since.", now)
    elif problem.last_event_at <= now - QUIET:
        minutes = QUIET.total_seconds() / 60
        yield Resolved(
            problem.key,
            f"No file was put into quarantine for {minutes:.0f} minutes. Of the newest {len(ids):,} that"
            f" were, {left:,} have not been loaded under their names.",
            now,
        )


# -- rejects -------------------------------------------------------------------------------------


def _rejects(
    connection: Connection, since: datetime, limit: float, ui_url: str, source: str
) -> Iterator[Sign]:
    known = tables.open_problems(connection, source, Kind.REJECTS)
    first = next((problem for problem in known if problem.key == REJECTS_KEY), None)
    keys = {REJECTS_KEY, *(problem.key for problem in known)}
    for run_id, hour, read, rejected, finished_at in tables.reject_shares(connection, since):
        if rejected > limit * read:
            total = _total(connection, first) if first is not None else ""
            problem = _too_many(run_id, read, rejected, total, limit, ui_url)
            yield Raised(problem, finished_at)
        else:
            resolution = f"The newest run that loaded anything rejected {_share(rejected, read)}"
            for key in keys:
                yield Resolved(key, f"{resolution} since {hour:%H:%M} UTC.", finished_at)
    newest = tables.newest_reject_share(connection) if known else None
    if newest is not None:
        read, rejected, finished_at = newest
        if rejected <= limit * read:
            # A replay changes what is counted, not when it was loaded.
            for over in known:
                after = max(finished_at, over.last_event_at) + timedelta(microseconds=1)
                yield Resolved(over.key, f"After replays, {_share(rejected, read)} are rejected.", after)


def _total(connection: Connection, first: OpenProblem) -> str:
    hour = first.occurred_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    read, rejected, runs = tables.rejects_since(connection, hour)
    return f"; since {_time(hour)}, {_share(rejected, read)} in {runs:,} runs" if runs > 1 else ""


def _too_many(run_id: str | None, read: int, rejected: int, total: str, limit: float, ui_url: str) -> Problem:
    return Problem(
        key=REJECTS_KEY,
        kind=Kind.REJECTS,
        title=f"{ASSET}: {rejected / read:.1%} of the rows were rejected",
        asset=ASSET,
        expected=f"at most {limit:.1%} of the rows rejected",
        found=_share(rejected, read) + total,
        run_id=run_id,
        link=_link(ui_url, run_id),
        details={"see": "ecom rejects list"},
    )


def _share(rejected: int, read: int) -> str:
    return f"{rejected:,} of {read:,} rows ({rejected / read:.1%})"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _link(ui_url: str, run_id: str | None) -> str:
    return f"{ui_url}/runs/{run_id}" if run_id else f"{ui_url}/assets/{ASSET}"
