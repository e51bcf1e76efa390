"""How much of the table a check looks at.

Belongs here: deciding between the whole of a feed's table and what changed since the check last found it
right, and remembering that. Does not belong here: the checks themselves (``audit``, ``rollups``).

A small table is looked at as a whole each time. Of one with more than ``ECOM_WHOLE_CHECK_ROWS`` rows a run
looks at the files whose rows came, went or were changed since (triggers note them, migration 0009), so its
cost follows the load and not the table; and at the whole again when that is more than a day ago, when the
last look at the whole did not find it right, or when somebody asks for the check itself, as the daily audit
does. Rows that were *added* past the platform leave no note: the whole shows them. What was wrong is
therefore right again only when it was looked at again: by its note, or with the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from psycopg import IsolationLevel

from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.statements import queries

# A day, and the time by which a daily audit may begin later or take longer than the one before.
WHOLE_EVERY_SECONDS = 25 * 3600.0


@dataclass(frozen=True, slots=True)
class Scope:
    """What one look covers. ``whole_at``: when the whole was last found right, if it rests on that."""

    check: str
    whole: bool
    whole_at: datetime | None = None

    def details(self) -> dict[str, str | int]:
        """For the finding: what was looked at, if it was not the whole."""
        if self.whole:
            return {}
        return {
            "looked_at": "what changed since the whole table was",
            "whole_table_looked_at": f"{self.whole_at:%Y-%m-%d %H:%M:%S} UTC",
        }


class Look:
    """One look at one snapshot."""

    def __init__(self, connection: Connection, scope: Scope, table: FeedTable | None) -> None:
        self.connection, self.scope, self._table = connection, scope, table
        self._right = False

    def define_views(self) -> None:
        """Let ``looked_at`` and ``looked_at_files`` be the rows and the files that it is about.

        They go with the session, which ends with the look.
        """
        if self._table is None:
            raise ValueError(f"the check {self.scope.check} is about no table")
        if self.scope.whole:
            self.connection.execute(self._table.query("look_at_all", "scope"))
            return
        queries("scope").create_changed_files(self.connection)
        queries("scope").fill_changed_files(self.connection, check=self.scope.check)
        self.connection.execute(self._table.query("look_at_changed", "scope"))

    def found_right(self, right: bool) -> None:
        """Say how it ended: what was found right need not be looked at again until it changes."""
        self._right = right

    def settle(self) -> None:
        if not self._right:
            # What an earlier look found right is not what this one saw.
            queries("scope").forget_whole(self.connection, check=self.scope.check, whole=self.scope.whole)
            return
        queries("scope").forget_notes(self.connection, check=self.scope.check)
        if self.scope.whole:
            queries("scope").record_whole(self.connection, check=self.scope.check)


@contextmanager
def looking(
    database: Database, check: str, table: FeedTable | None = None, *, whole_up_to: int | None = None
) -> Iterator[Look]:
    """A connection at one snapshot, and what ``check`` is to look at: of ``table``, or of the ledger alone.

    ``whole_up_to``: rows up to which the whole table is looked at in any case; ``None``: whatever its size.
    Another look of the same check waits for this one; nobody else does.
    """
    check = check if table is None or table.feed.name == TOP_FEED else f"{check} of {table.feed.name}"
    with database.open(autocommit=True) as connection:
        queries("scope").lock_check(connection, check=check)
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            look = Look(connection, _decide(connection, check, table, whole_up_to), table)
            yield look
            look.settle()


def row_count(connection: Connection, table: FeedTable, whole_up_to: int | None) -> int:
    """Rows of the table: counted, or of a large one those of the ledger, to which a check holds it."""
    if _in_any_case(connection, table, whole_up_to):
        return stored_rows(connection, table)
    return _rows_by_the_ledger(connection, table)


def stored_rows(connection: Connection, table: FeedTable) -> int:
    """Rows of the table, counted."""
    row = connection.execute(table.query("stored_rows", "scope")).fetchone()
    return 0 if row is None else int(row[0])


def _rows_by_the_ledger(connection: Connection, table: FeedTable | None) -> int:
    feed = None if table is None else table.feed.name
    return int(queries("scope").rows_by_the_ledger(connection, feed=feed))


def _in_any_case(connection: Connection, table: FeedTable | None, whole_up_to: int | None) -> bool:
    return whole_up_to is None or _rows_by_the_ledger(connection, table) <= whole_up_to


def _decide(connection: Connection, check: str, table: FeedTable | None, whole_up_to: int | None) -> Scope:
    if _in_any_case(connection, table, whole_up_to):
        return Scope(check, whole=True)
    newest = queries("scope").newest_whole(connection, check=check)
    # One in the future is of a clock that was set back since.
    if newest is None or not 0 <= newest[1] <= WHOLE_EVERY_SECONDS:
        return Scope(check, whole=True)
    return Scope(check, whole=False, whole_at=newest[0])
