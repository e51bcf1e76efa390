"""Problems of files, from this platform's own tables: quarantined ones, and too many rejects.

Belongs here: one problem for all files of a run, and when it is over. Does not belong here: problems
that any Dagster project has (``orchestration.alerting``); projects of others do without this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from ecom_platform.alerts.outbox import DEFAULT_SOURCE
from ecom_platform.alerts.problem import Kind, Problem, Raised, Resolved, Sign
from ecom_platform.postgres import alerts as tables
from ecom_platform.postgres.connection import Connection

ASSET = "user_events"
NAMED_FILES = 20
_LOOK_BACK = timedelta(days=1)
_SHARES_LOOK_BACK = timedelta(hours=1)


def file_signs(
    connection: Connection,
    since: datetime,
    now: datetime,
    reject_share: float,
    ui_url: str,
    source: str = DEFAULT_SOURCE,
) -> Iterator[Sign]:
    """Signs of what became of files after ``since``, which is when the watch began."""
    fresh = tables.quarantined_files(connection, source, max(since, now - _LOOK_BACK))
    for _, rows in groupby(sorted(fresh, key=_run), key=_run):
        yield quarantined(list(rows), ui_url)
    for key in tables.mended_quarantines(connection, source):
        yield Resolved(key, "Every one of these files has been loaded under its name since.", now)
    hour = max(since, now - _SHARES_LOOK_BACK).replace(minute=0, second=0, microsecond=0)
    shares = tables.reject_shares(connection, max(since, hour))
    yield from rejects(shares, tables.open_keys(connection, source, Kind.REJECTS), reject_share, ui_url)
    for key in tables.open_keys(connection, source, Kind.REJECTS):
        yield from _replayed(connection, key, reject_share, now)


def _run(row: tuple[Any, ...]) -> str:
    return row[3] or ""


def quarantined(rows: list[tuple[Any, ...]], ui_url: str) -> Raised:
    """One problem for all files that one run put into quarantine."""
    ids = [file_id for file_id, *_ in rows]
    run_id = _run(rows[0]) or None
    what = f"the file {rows[0][1]} was" if len(rows) == 1 else f"{len(rows)} files were"
    problem = Problem(
        key=f"quarantine/{min(ids)}-{max(ids)}",
        kind=Kind.FILE_QUARANTINED,
        title=f"{ASSET}: {what} put into quarantine",
        asset=ASSET,
        expected="every file that lands can be read",
        found=f"{len(rows)} that cannot; first {rows[0][1]}: {rows[0][2]}",
        run_id=run_id,
        link=_link(ui_url, run_id),
        details={"files": [name for _, name, *_ in rows[:NAMED_FILES]], "file_ids": ids},
    )
    return Raised(problem, max(row[4] for row in rows))


def rejects(shares: list[tuple[Any, ...]], open_keys: list[str], limit: float, ui_url: str) -> Iterator[Sign]:
    """Signs from the share of rejects of each run and hour, given in order of time: raised where it is
    above ``limit``, over with the next that is not."""
    raised = list(open_keys)
    for run_id, hour, read, rejected, finished_at in shares:
        key = _key(run_id, hour)
        if rejected > limit * read:
            raised.append(key)
            yield Raised(_too_many(key, run_id, read, rejected, limit, ui_url), finished_at)
        else:
            for over in raised:
                if over != key:
                    resolution = (
                        f"A later run rejected {rejected:,} of {read:,} rows ({rejected / read:.1%})."
                    )
                    yield Resolved(over, resolution, finished_at)
            raised.clear()


def _too_many(key: str, run_id: str, read: int, rejected: int, limit: float, ui_url: str) -> Problem:
    return Problem(
        key=key,
        kind=Kind.REJECTS,
        title=f"{ASSET}: {rejected / read:.1%} of the rows were rejected",
        asset=ASSET,
        expected=f"at most {limit:.1%} of the rows rejected",
        found=f"{rejected:,} of {read:,} rows ({rejected / read:.1%})",
        run_id=run_id,
        link=_link(ui_url, run_id),
        details={"see": "ecom rejects list"},
    )


def _replayed(connection: Connection, key: str, limit: float, now: datetime) -> Iterator[Resolved]:
    _, run_id, hour = key.split("/")
    read, rejected = tables.reject_share(connection, run_id, datetime.fromisoformat(hour))
    if read and rejected <= limit * read:
        yield Resolved(key, f"After replays, {rejected:,} of {read:,} rows are rejected.", now)


def _key(run_id: str, hour: datetime) -> str:
    return f"rejects/{run_id}/{hour.astimezone(UTC).isoformat()}"


def _link(ui_url: str, run_id: str | None) -> str:
    return f"{ui_url}/runs/{run_id}" if run_id else f"{ui_url}/assets/{ASSET}"
