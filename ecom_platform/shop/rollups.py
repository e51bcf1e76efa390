"""``hourly_sales`` and ``conversion_funnel``: figures of the events, kept up to date by what changed.

Belongs here: taking in what changed since the last time, counting a range of days anew, and holding a
rollup against the events. Does not belong here: the SQL, and noting what changed, which triggers do
(migration 0005); when any of it happens (``sales_figures``).

One rule holds after every commit: a rollup is what a full count says at the snapshot of its last
refresh, and its notes are exactly what changed since. A refresh reads both at one snapshot, adds the
notes and deletes them, in one transaction; so its cost follows the changes and not the table, and in
whatever order other transactions commit, none is missed or counted twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, TypeVar

from psycopg import IsolationLevel
from psycopg.errors import InsufficientPrivilege, LockNotAvailable

from ecom_platform.shop import SQL
from ecom_platform.store.audit import Finding, named
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.scope import looking
from ecom_platform.store.statements import queries

_T = TypeVar("_T")

HOURLY_SALES, CONVERSION_FUNNEL = "hourly_sales", "conversion_funnel"

_EVER = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Days:
    """Days (UTC) to be counted anew, both ends included; ``None``: without that end."""

    first: date | None = None
    last: date | None = None

    def bounds(self) -> tuple[datetime, datetime]:
        """The moment the range begins, and the first one after it."""
        first = _EVER[0] if self.first is None else _midnight(self.first)
        after = _EVER[1] if self.last is None else _midnight(self.last + timedelta(days=1))
        return first, after


@dataclass(frozen=True, slots=True)
class Refresh:
    """What one refresh did: files and single rows that were pending, and events that it counted."""

    files: int
    notes: int
    events: int
    recounted: int
    seconds: float


def refresh(database: Database, rollup: str, recount: Days | None = None) -> Refresh:
    """Take in what changed since the last refresh; then count the days of ``recount`` anew.

    Another refresh of the same rollup waits for this one; neither readers nor loads do.
    """
    started = time.perf_counter()
    _summarize(database)
    with database.open() as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        _run(connection, f"lock_{rollup}")
        events = _take_changes(connection, rollup)
        _apply(connection, rollup)
        files = int(_ask().settle_files(connection, rollup=rollup))
        notes = int(_ask().settle_events(connection, rollup=rollup))
        recounted = 0 if recount is None else _count_anew(connection, rollup, recount)
    return Refresh(files, notes, events, recounted, time.perf_counter() - started)


def refresh_all(
    database: Database, rollups: Sequence[str], recount: Days | None = None
) -> Iterator[tuple[str, Refresh]]:
    """:func:`refresh` of several rollups side by side, each on its own connection, in the order given.

    One that fails does not keep the others from being stored: its error is raised after they were given.
    """
    return _side_by_side(rollups, lambda rollup: refresh(database, rollup, recount))


def first_day(database: Database) -> date | None:
    """The first day (UTC) that has figures."""
    with database.transaction() as connection:
        day: date | None = _ask().first_day(connection)
    return day


def reconciles_all(
    database: Database, checks: Mapping[str, str], *, whole_up_to: int | None = None
) -> Iterator[tuple[str, Finding]]:
    """:func:`reconciles` side by side; ``checks`` has the name of the check for each rollup."""
    return _side_by_side(
        list(checks), lambda rollup: reconciles(database, rollup, checks[rollup], whole_up_to=whole_up_to)
    )


def _side_by_side(rollups: Sequence[str], work: Callable[[str], _T]) -> Iterator[tuple[str, _T]]:
    failure: BaseException | None = None
    with ThreadPoolExecutor(max(1, len(rollups)), thread_name_prefix="rollup") as threads:
        futures = [(rollup, threads.submit(work, rollup)) for rollup in rollups]
        for rollup, future in futures:
            error = future.exception()
            if error is None:
                yield rollup, future.result()
            else:
                failure = failure or error
    if failure is not None:
        raise failure


def reconciles(database: Database, rollup: str, check: str, *, whole_up_to: int | None = None) -> Finding:
    """The rollup, with what it has yet to take in, agrees with the events day by day.

    Read at one snapshot, so that a load that commits meanwhile makes no difference. Of a table that is not
    looked at as a whole (``scope``): the two rollups, which are counted apart, agree with each other.
    """
    with looking(database, rollup, whole_up_to=whole_up_to) as look:
        whole = look.scope.whole
        hold = _hold_against_events if whole else _hold_against_each_other
        expected, found, differing = hold(look.connection, rollup)
        passed = expected == found and not differing
        look.found_right(passed)
    unit = "revenue" if whole and rollup == HOURLY_SALES else "events"
    return Finding(
        check,
        passed,
        f"{expected} {unit}",
        f"{found} {unit}" + (f", {len(differing)} days differ" if differing else ""),
        "Every day agrees with the table of events."
        if whole
        else "Steps of every day and category agree with the other figures, which are counted apart.",
        look.scope.details() | named((day.isoformat(), text) for day, text in differing),
    )


def _hold_against_events(connection: Connection, rollup: str) -> tuple[Any, Any, list[tuple[date, str]]]:
    _take_changes(connection, rollup)
    expected, found = getattr(_ask(), f"{rollup}_totals")(connection)
    return (
        expected,
        found,
        list(getattr(_ask(), f"days_that_differ_in_{rollup}")(connection)),
    )


def _hold_against_each_other(connection: Connection, rollup: str) -> tuple[Any, Any, list[tuple[date, str]]]:
    _run(connection, "create_steps")
    for side in (HOURLY_SALES, CONVERSION_FUNNEL):
        _take_changes(connection, side)
        getattr(_ask(), f"add_steps_of_{side}")(connection)
        _run(connection, "drop_changed_events")
    expected, found = _ask().step_totals(connection, rollup=rollup)
    return expected, found, list(_ask().steps_that_disagree(connection, rollup=rollup))


def _summarize(database: Database) -> None:
    """Let the block-range index say where new files lie, which autovacuum does only once a minute.

    Without it every block since then is read. A vacuum that holds the lock does the same by itself.
    """
    with (
        database.open(autocommit=True) as connection,
        suppress(LockNotAvailable, InsufficientPrivilege),
    ):
        _run(connection, "summarize_files")


def _take_changes(connection: Connection, rollup: str) -> int:
    """Fill the temporary table of changed events; returns how many there are."""
    _run(connection, "create_changed_events")
    _run(connection, "look_up_files")
    _ask().fill_changed_events(connection, rollup=rollup)
    _run(connection, "plan_freely")
    _run(connection, "analyze_changed_events")
    return int(_ask().changed_events(connection))


def _apply(connection: Connection, rollup: str) -> None:
    getattr(_ask(), f"apply_{rollup}")(connection)
    _run(connection, f"prune_{rollup}")


def _count_anew(connection: Connection, rollup: str, days: Days) -> int:
    first, after = days.bounds()
    getattr(_ask(), f"clear_{rollup}")(connection, first=first, after=after)
    _run(connection, "empty_changed_events")
    count = int(_ask().fill_with_range(connection, first=first, after=after))
    _run(connection, "analyze_changed_events")
    _apply(connection, rollup)
    return count


def _ask() -> Any:
    return queries("rollups", SQL)


def _run(connection: Connection, script: str) -> None:
    getattr(_ask(), script)(connection)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time_of_day(), UTC)
