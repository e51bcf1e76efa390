"""A feed by another name, and a feed that is no more: in the ledger, and its table.

Belongs here: everything in the database that has a feed's name, changed in one transaction. Does not belong
here: its folders and its declaration (``tables.renaming``, ``tables.removing``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from psycopg.errors import DependentObjectsStillExist, DuplicateTable, InsufficientPrivilege

from ecom_platform.errors import FeedError
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.travel import from_data
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.feed_tables import move_table, record_applied
from ecom_platform.store.ledger import FileState
from ecom_platform.store.statements import queries


def rename_feed(database: Database, old: str, feed: Feed, source: str) -> bool:
    """Let the feed ``old`` be called as ``feed`` is, and its table as that declares; whether there was one.

    What its rows are stays as it was applied: only the names are taken from ``feed``. ``source`` is that of
    the platform's own alerts. Raises
    :class:`FeedError`, with nothing changed, where both names have a table.
    """
    try:
        with database.transaction() as connection:
            queries("feeds").lock_feeds(connection)
            known = {name for (name,) in queries("rename").known_feeds(connection, old=old, new=feed.name)}
            if known == {old, feed.name}:
                raise FeedError(
                    f"The feeds {old} and {feed.name} have a table each.",
                    f"Give {old} another name; or take the other out: `ecom feeds remove {feed.name}`.",
                )
            if old in known:
                _rename_table(connection, database, old, feed)
            names = {"old": old, "new": feed.name}
            for what in ("files", "rejects", "audits", "notes", "whole_checks"):
                getattr(queries("rename"), f"rename_{what}")(connection, **names)
            queries("rename").rename_file_alerts(connection, **names, source=source)
            said = f"the feed is called {feed.name} now"
            queries("rename").close_alerts(connection, asset=old, source=source, resolution=said)
            return old in known
    except DuplicateTable as error:
        raise FeedError(
            f"The feed {old} cannot have the table {FeedTable(feed).qualified}: there is one.",
            "Name another in its declaration (`table: schema.name`), or rename that one.",
        ) from error
    except InsufficientPrivilege as error:
        raise _not_allowed(old, "renamed", error) from error


def _not_allowed(name: str, what: str, error: Exception) -> FeedError:
    return FeedError(
        f"The feed {name} cannot be {what} by this role: {str(error).splitlines()[0]}.",
        "Run it as the role that owns the tables; nothing was changed.",
    )


def _rename_table(connection: Connection, database: Database, old: str, feed: Feed) -> None:
    schema, name, declaration, _ = queries("feeds").applied(connection, feed=old)
    before = from_data(declaration)
    table = FeedTable(replace(before, name=feed.name, table=feed.table, schema=feed.schema))
    target = feed.schema or database.schema
    move_table(connection, (schema, name), (target, feed.table))
    connection.execute(table.query("drop_triggers", "rename"))
    queries("rename").rename_feed(connection, old=old, new=feed.name)
    connection.execute(table.query("create_triggers", "feeds"))
    record_applied(connection, table, target)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What there is of a feed in the database: its table, where it has one, with rows; files and rejects of
    the ledger."""

    table: str | None
    rows: int
    files: list[FileState]
    claimed: int
    rejects: int

    @property
    def nothing(self) -> bool:
        """Whether nothing would be lost with it."""
        return not (self.rows or self.files or self.rejects)


def holdings(database: Database, name: str) -> Holdings:
    """What the feed has."""
    with database.transaction() as connection:
        return _holdings(connection, name)


def _holdings(connection: Connection, name: str) -> Holdings:
    applied = queries("feeds").applied(connection, feed=name)
    table, rows = None, 0
    if applied is not None and queries("feeds").table_there(connection, schema=applied[0], name=applied[1]):
        table = f"{applied[0]}.{applied[1]}"
        found = FeedTable(replace(from_data(applied[2]), schema=applied[0], table=applied[1]))
        row = connection.execute(found.query("stored_rows", "scope")).fetchone()
        rows = 0 if row is None else int(row[0])
    _, claimed, _, rejects = queries("rename").holdings(connection, feed=name)
    files = [FileState(*row) for row in queries("rename").files_of_feed(connection, feed=name)]
    return Holdings(table, rows, files, int(claimed), int(rejects))


def remove_feed(database: Database, name: str, seen: Iterable[FileState], source: str) -> None:
    """Drop the feed's table and forget its ledger, in one transaction.

    ``seen``: the files that it had; ``source`` as above. Raises :class:`FeedError`, with nothing changed,
    where it has others by now, or something depends on the table.
    """
    try:
        with database.transaction() as connection:
            queries("feeds").lock_feeds(connection)
            there = _holdings(connection, name)
            if [file.file_id for file in there.files] != [file.file_id for file in seen]:
                raise FeedError(
                    f"Files of the feed {name} came meanwhile.", "Nothing was removed: see again what it has."
                )
            if there.table is not None:
                applied = queries("feeds").applied(connection, feed=name)
                found = FeedTable(replace(from_data(applied[2]), schema=applied[0], table=applied[1]))
                connection.execute(found.query("drop_table", "feeds"))
            for what in ("rejects", "files", "notes", "whole_checks", "feed"):
                getattr(queries("rename"), f"forget_{what}")(connection, feed=name)
            said = "the feed was removed"
            queries("rename").close_alerts(connection, asset=name, source=source, resolution=said)
    except DependentObjectsStillExist as error:
        detail = (error.diag.message_detail or "").replace("\n", "; ")
        raise FeedError(
            f"The table of the feed {name} cannot be dropped: {detail}.",
            "Drop what depends on it first; nothing was removed.",
        ) from error
    except InsufficientPrivilege as error:
        raise _not_allowed(name, "removed", error) from error
