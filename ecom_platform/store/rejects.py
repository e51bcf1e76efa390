"""Rows that were refused: showing them, and loading those that have become valid.

Belongs here: the groups, and the replay of one reject, which is one transaction: the reject marked,
the event stored (or found to be stored already), the counts of its file moved from rejected to
inserted or duplicate. Does not belong here: where a corrected row comes from (``oncall.corrections``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import pyarrow as pa
from psycopg import DataError, IntegrityError
from psycopg.errors import ProgramLimitExceeded, RaiseException, WithCheckOptionViolation

from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.feeds.reasons import Reason
from ecom_platform.store.connection import Connection
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.outcome import header_names
from ecom_platform.store.statements import queries

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class RejectGroup:
    """The open rejects of a feed that have one reason in one ``column`` (``None``: the record as a whole),
    with the first of them as an example."""

    feed: str
    reason: str
    column: str | None
    rows: int
    file_name: str
    line_number: int
    raw: bytes
    # What PostgreSQL said of the example, where it refused it.
    message: str | None = None

    @property
    def description(self) -> str:
        return described(self.reason)


@dataclass(frozen=True, slots=True)
class OpenReject:
    """A reject that has not been replayed. ``header``: the columns in the order of its file, if known.
    ``element``: the how-manieth of its line, where lines are exploded."""

    reject_id: int
    file_id: int
    file_name: str
    line_number: int
    element: int | None
    raw: bytes
    reason: str
    header: tuple[str, ...] | None


def described(reason: str) -> str:
    """A reason in a sentence, whichever feed it is of."""
    known: dict[str, str] = {str(code): code.description for code in Reason}
    return known.get(reason, reason)


class ReplayVerdict(StrEnum):
    """What became of a reject that was tried again."""

    INSERTED = "inserted"
    UPDATED = "updated"
    STALE = "stale: a later row of the same key is stored"
    DUPLICATE = "duplicate"
    STILL_CONFLICTS = "still conflicts"
    STILL_REJECTED = "still rejected"
    ORDER_UNKNOWN = "still rejected: the order of the columns of its file is not known, and the file is gone"
    FILE_GONE = "still rejected: what the row is known by needs its file, which is gone or another by now"
    NUMBER_TAKEN = "still rejected: another row has the number that was to be its own"
    NOT_DECLARED = "still rejected: its feed has no declaration that can be used"
    GONE = "replayed meanwhile"


def groups(connection: Connection) -> list[RejectGroup]:
    """The open rejects by feed, reason and column, the most frequent first."""
    rows = queries("oncall").reject_groups(connection)
    return [
        RejectGroup(feed, reason, column, count, name, line, bytes(raw), message)
        for feed, reason, column, count, name, line, raw, message in rows
    ]


def feeds_with_rejects(connection: Connection) -> dict[str, int]:
    """How many open rejects each feed has that has any."""
    return dict(queries("oncall").feeds_with_rejects(connection))


def open_rejects(connection: Connection, feed: str = TOP_FEED) -> Iterator[OpenReject]:
    """The open rejects of a feed, in the order they were refused; bounded memory."""
    after = 0
    while True:
        page = [
            OpenReject(key, file_id, name, line, element, bytes(raw), reason, header_names(header))
            for key, file_id, name, line, element, raw, reason, header in queries("oncall").open_rejects(
                connection, feed=feed, after=after, limit=_PAGE
            )
        ]
        if not page:
            return
        yield from page
        after = page[-1].reject_id


def replay(
    connection: Connection,
    table: FeedTable,
    reject_id: int,
    row: pa.RecordBatch,
    *,
    one_more: bool = False,
) -> ReplayVerdict:
    """Store ``row``, one decoded row of the feed, in the place of a reject; the caller commits.

    Safe to repeat and to run beside another replay: the reject's row is locked first. ``one_more``: it is one
    more of its like in its file, so one that the file has stored already is another, and nothing is changed.
    """
    locked = queries("oncall").lock_reject(connection, reject_id=reject_id)
    if locked is None:
        return ReplayVerdict.GONE
    file_id, reason, line = locked
    values = _values(table, row)
    try:
        with connection.transaction():
            queries("replay").refuse_at_once(connection)
            if table.updates:
                verdict = _let_the_newer_stay(connection, table, values, line, file_id)
            else:
                given = [*values.values(), file_id]
                inserted = connection.execute(table.query("insert_row", "replay"), given).rowcount
                verdict = ReplayVerdict.INSERTED if inserted else ReplayVerdict.DUPLICATE
    except (DataError, IntegrityError, RaiseException, ProgramLimitExceeded, WithCheckOptionViolation):
        return ReplayVerdict.STILL_REJECTED
    if verdict is ReplayVerdict.DUPLICATE and not table.updates:
        if table.compared and not _same_content(connection, table, values):
            return ReplayVerdict.STILL_CONFLICTS
        if one_more and stored_in(connection, table, row) == file_id:
            return ReplayVerdict.NUMBER_TAKEN
    if verdict is ReplayVerdict.INSERTED:
        _note(connection, table, values, file_id)
    queries("oncall").mark_replayed(connection, reject_id=reject_id)
    queries("oncall").account_replayed(
        connection,
        file_id=file_id,
        verdict=verdict.name.lower(),
        conflicting=int(reason == Reason.ID_CONFLICT),
    )
    if verdict is ReplayVerdict.INSERTED:
        settle = "settle_lost_of_newer" if table.updates else "settle_lost"
        connection.execute(table.query(settle, "replay"), [*_key(table, values), file_id])
    return verdict


def _let_the_newer_stay(
    connection: Connection, table: FeedTable, values: dict[str, Any], line: int, file_id: int
) -> ReplayVerdict:
    """Store a row of this line of this file, unless one that is behind it in the order of rows is stored."""
    key, given = _key(table, values), [*values.values(), line, file_id]
    connection.execute(table.query("lock_stored", "replay"), key)
    beside = connection.execute(table.query("beside_stored", "replay"), given).fetchone()
    if beside is None:
        inserted = connection.execute(table.query("insert_row_with_line", "replay"), given).rowcount
        if inserted:
            return ReplayVerdict.INSERTED
        # A unit of work has stored it meanwhile.
        return _let_the_newer_stay(connection, table, values, line, file_id)
    owner, same, later = beside
    if later:
        connection.execute(table.query("replace_row", "replay"), [*given, *key])
        if owner != file_id:
            queries("replay").note_replaced(connection, file_id=owner, by_file_id=file_id)
    if same:
        return ReplayVerdict.DUPLICATE
    return ReplayVerdict.UPDATED if later else ReplayVerdict.STALE


def _note(connection: Connection, table: FeedTable, values: dict[str, Any], file_id: int) -> None:
    """Of a row that was stored on behalf of a file that had been loaded before: for the checks that look at
    what changed, and for whoever has a function that wants to know."""
    queries("replay").note_unchecked(connection, feed=table.feed.name, file_id=file_id)
    if queries("replay").is_there(connection, name=table.told_of_replays):
        connection.execute(table.query("tell_of_replay", "replay"), _key(table, values))


def is_stored(connection: Connection, table: FeedTable, row: pa.RecordBatch) -> bool:
    """Whether ``row``, one decoded row of the feed, is in the table with exactly these values."""
    return _same_content(connection, table, _values(table, row))


def _same_content(connection: Connection, table: FeedTable, values: dict[str, Any]) -> bool:
    given = [*values.values(), *_key(table, values)]
    found = connection.execute(table.query("same_content", "replay"), given).fetchone()
    return found is not None and bool(found[0])


def _key(table: FeedTable, values: dict[str, Any]) -> list[Any]:
    return [values[name] for name in table.key]


def key_of_row(table: FeedTable, row: pa.RecordBatch) -> list[Any]:
    """The values of the key of ``row``, one decoded row of the feed."""
    return _key(table, _values(table, row))


def stored_in(connection: Connection, table: FeedTable, row: pa.RecordBatch) -> int | None:
    """The file that the row of the table is from which has the key of ``row``; ``None`` if there is none."""
    found = connection.execute(table.query("file_of_key", "replay"), key_of_row(table, row)).fetchone()
    return None if found is None else int(found[0])


def _values(table: FeedTable, row: pa.RecordBatch) -> dict[str, Any]:
    """By column, as psycopg takes them."""
    (found,) = row.select(list(table.types)).to_pylist()
    kinds = table.types
    return {
        name: UUID(bytes=value) if kinds[name] == "uuid" and value is not None else value
        for name, value in found.items()
    }
