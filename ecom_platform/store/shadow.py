"""A feed's table made anew beside the one that is in use, and put in its place.

Belongs here: the schema in which the new table is filled by the same unit of work as any, with a ledger and
rejects of its own; what the old table has that the new one needs; and the one transaction in which they
change places. Does not belong here: which files, and where they lie (``tables.rebuilding``).

Killed at any moment, the old table is whole until that transaction is committed, and the new one after it.
What was filled so far stays, with a comment that says of which declaration and which files it is; begun for
others, it is thrown away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg import Error
from psycopg.errors import DependentObjectsStillExist, InsufficientPrivilege, LockNotAvailable

from ecom_platform.errors import FeedError
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.feeds.travel import declaration_hash, from_data, to_data
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.conninfo import literal, quoted
from ecom_platform.store.corrected_rows import CorrectedRows, Replays
from ecom_platform.store.feed_table import RESERVED, FeedTable
from ecom_platform.store.feed_tables import record_applied
from ecom_platform.store.ledger import FileState
from ecom_platform.store.sink import UNIT_LOCK
from ecom_platform.store.statements import queries, text
from ecom_platform.store.table_changes import ChangeKind, changes_between
from ecom_platform.variable_reader import with_schema

_LOCK_WAIT = "10min"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The ledger's sums over a feed that was rebuilt, and where rows are kept that the new table lacks."""

    files: int
    read: int
    inserted: int
    updated: int
    stale: int
    duplicate: int
    rejected: int
    kept_in: str | None


class Shadow:
    """The new table of ``feed`` while it is filled. ``database`` is where the feed is."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._main, self.feed, self._table = database, feed, FeedTable(feed)
        self._target = feed.schema or database.schema
        mark = hashlib.sha256(database.schema.encode()).hexdigest()[:6]
        self._schema = f"ecom_rebuild_{feed.name}_{mark}"
        # There is one schema in it, so the feed's own is not said.
        self._inside = FeedTable(replace(feed, schema=None))
        self.database = Database(with_schema(database.url, self._schema))
        with database.open() as connection:
            # As PostgreSQL's own definitions write it: in quotes only where it has to be.
            self._old = str(queries("rebuild").spelled(connection, schema=self._target, name=feed.table))
        self._names = {
            "shadow": quoted(self._schema),
            "main": quoted(database.schema),
            "target": quoted(self._target),
            "name": quoted(feed.table),
            "old": self._old,
            "old_text": literal(self._old),
            "new_text": literal(f"{quoted(self._schema)}.{quoted(feed.table)}"),
            "feed_text": literal(feed.name),
            "hash_text": literal(declaration_hash(feed)),
        }

        self._corrected = CorrectedRows(self._table, self._sql)

    def _sql(self, name: str, **more: str) -> bytes:
        statement = text("rebuild", name)
        for place, value in {**self._names, **more}.items():
            statement = statement.replace(f"{{{place}}}", value)
        return statement.encode()

    # -- before ----------------------------------------------------------------------------------

    def files(self) -> list[FileState]:
        """The loaded files of the feed, in the order in which they are loaded again."""
        with self._main.open() as connection:
            rows = queries("rebuild").loaded_of_feed(connection, feed=self.feed.name)
            return [FileState(*row) for row in rows]

    def strange_rows(self) -> int:
        """Rows of the old table that are of no file: somebody has written them."""
        with self._main.open() as connection:
            row = connection.execute(self._sql("strange_rows")).fetchone()
        return 0 if row is None else int(row[0])

    def require_old(self) -> None:
        """Raises :class:`FeedError` where there is no table of the feed by its declared name."""
        if self.feed.name == TOP_FEED:
            return
        with self._main.open() as connection:
            applied = queries("feeds").applied(connection, feed=self.feed.name)
        if applied is None:
            raise FeedError(
                f"The feed {self.feed.name} has no table yet.",
                f"There is nothing to rebuild: `ecom feeds apply {self.feed.name}` makes it.",
            )
        if (applied[0], applied[1]) != (self._target, self.feed.table):
            raise FeedError(
                f"The feed {self.feed.name} has the table {applied[0]}.{applied[1]}, and its declaration now "
                f"says {self._target}.{self.feed.table}.",
                f"Say `table: {applied[0]}.{applied[1]}` again, rebuild, and rename it after that.",
            )

    def begin(self, files: Sequence[FileState], left_out: Collection[int]) -> bool:
        """Make the schema, unless it is there for this declaration and these files; whether it was."""
        about = _about(self.feed, files, left_out)
        try:
            with self._main.transaction() as connection:
                if queries("rebuild").shadow_comment(connection, shadow=self._schema) == about:
                    return True
                connection.execute(self._sql("drop_shadow"))
                connection.execute(self._sql("create_shadow"))
                connection.execute(f"COMMENT ON SCHEMA {quoted(self._schema)} IS {literal(about)}".encode())
                self._make_table(connection)
                wanted = [file.file_id for file in files if file.file_id not in left_out]
                connection.execute(self._sql("fill_shadow_ledger"), [wanted])
        except InsufficientPrivilege as error:
            raise self._not_allowed(error) from error
        self._require_droppable()
        return False

    def _not_allowed(self, error: Exception) -> FeedError:
        return FeedError(
            f"The table {self._old} of the feed {self.feed.name} cannot be rebuilt by this role: "
            f"{str(error).splitlines()[0]}.",
            "Run it as the role that owns the tables; it needs CREATE on the database, for a schema in which "
            "the new table is filled.",
        )

    def _make_table(self, connection: Connection) -> None:
        if self.feed.name == TOP_FEED:
            connection.execute(self._sql("create_like_old"))
            for (statement,) in connection.execute(self._sql("primary_key_of"), []).fetchall():
                connection.execute(statement.encode())
            expected, time = {*self._table.types, *RESERVED}, None
        else:
            names = ["create_table", "create_indexes", "create_triggers"]
            if self._inside.time_column is not None:
                names.append("create_time_index")
            for name in names:
                connection.execute(self._inside.query(name, "feeds"))
            applied = queries("feeds").applied(connection, feed=self.feed.name)
            before = FeedTable(from_data(applied[2]))
            expected = {*before.types, *self._table.types, *RESERVED}
            time = None if before.time_column is None else before.time_column.name
        self._refuse_uncarried(
            name for (name,) in connection.execute(self._sql("not_carried"), [sorted(expected)])
        )
        for what, statement in connection.execute(self._sql("carried"), {"time": time}).fetchall():
            try:
                with connection.transaction():
                    connection.execute(statement.encode())
            except Error as error:
                self._refuse_uncarried([f"{what} ({str(error).splitlines()[0]})"], error)

    def _refuse_uncarried(self, found: Iterable[str], error: Exception | None = None) -> None:
        named = ", ".join(found)
        if named:
            raise FeedError(
                f"The table {self._old} of the feed {self.feed.name} has what a new one cannot be given: "
                f"{named}.",
                "Take it away, rebuild, and make it again for the new table.",
            ) from error

    def _require_droppable(self) -> None:
        """Raises :class:`FeedError` with the names of what depends on the old table."""
        with self._main.open() as connection:
            self._drop_old(connection)
            connection.rollback()

    def _drop_old(self, connection: Connection) -> None:
        queries("lock").wait_at_most(connection, wait=_LOCK_WAIT)
        try:
            connection.execute(self._sql("drop_old"))
        except DependentObjectsStillExist as error:
            detail = (error.diag.message_detail or "").replace("\n", "; ")
            raise FeedError(
                f"The table {self._old} of the feed {self.feed.name} cannot be replaced: {detail}.",
                "Drop what depends on it, rebuild, and make it again for the new table.",
            ) from error

    # -- meanwhile -------------------------------------------------------------------------------

    def loaded(self) -> list[FileState]:
        """The files as they are in the ledger of the new table."""
        with self.database.open() as connection:
            return [FileState(*row) for row in connection.execute(self._sql("shadow_files"))]

    def replays(self) -> Replays:
        """What replays of rejects have stored that the files do not hold."""
        with self._main.open() as connection:
            return self._replays(connection)

    def _replays(self, connection: Connection) -> Replays:
        return self._corrected.look(connection, same_meaning=self._same_meaning(connection))

    def _same_meaning(self, connection: Connection) -> bool:
        """Whether a row of the old table means the same in the new one."""
        if self.feed.name == TOP_FEED:
            return True
        before = to_data(from_data(queries("feeds").applied(connection, feed=self.feed.name)[2]))
        changes = changes_between(self._table, before)
        return not any(change.kind is ChangeKind.LOSES for change in changes)

    # -- at the end ------------------------------------------------------------------------------

    def put_in_place(
        self, files: Sequence[FileState], replays: Replays, left_out: Mapping[int, str], *, keep: bool
    ) -> Rebuilt:
        """Let the new table be the feed's, in one transaction. Files that were ``left_out`` are quarantined
        by the ledger's word from then on, for a reason each; ``keep`` rows that the new table does not have
        in a table of their own.

        Raises :class:`FeedError`, with nothing changed, where somebody has loaded or replayed meanwhile.
        """
        try:
            with self._main.transaction() as connection:
                queries("lock").wait_at_most(connection, wait=_LOCK_WAIT)
                queries("rebuild").unit_lock(connection, key=UNIT_LOCK)
                queries("feeds").lock_feeds(connection)
                connection.execute(self._sql("lock_old"))
                self._require_as_begun(connection, files, replays)
                return self._swap(connection, replays, left_out, keep)
        except InsufficientPrivilege as error:
            raise self._not_allowed(error) from error
        except LockNotAvailable as error:
            raise FeedError(
                f"The table {self._old} of the feed {self.feed.name} is in use for longer than {_LOCK_WAIT}.",
                "End who uses it (pg_stat_activity), and rebuild again: what was filled is there.",
            ) from error

    def _require_as_begun(self, connection: Connection, files: Sequence[FileState], replays: Replays) -> None:
        rows = queries("rebuild").loaded_of_feed(connection, feed=self.feed.name)
        same = [file.file_id for file in files] == [row[0] for row in rows]
        if not same or self._replays(connection) != replays:
            raise FeedError(
                f"Files of the feed {self.feed.name} were loaded, or rejects replayed, while its table was "
                "rebuilt.",
                "Nothing was changed: rebuild again.",
            )

    def _swap(
        self, connection: Connection, replays: Replays, left_out: Mapping[int, str], keep: bool
    ) -> Rebuilt:
        there = [name for (name,) in connection.execute(self._sql("columns_of_old"))]
        self._corrected.carry(connection, replays, there)
        kept = self._keep(connection, replays) if keep else None
        (owner,) = connection.execute(self._sql("owner_of_old")).fetchone() or ("",)
        for name in ("remember_ends", "empty_old"):
            connection.execute(self._sql(name))
        self._drop_old(connection)
        for name in (
            "put_in_place",
            "unsettle_files",
            "renew_rejects",
            "settle_rebuilt",
            "renew_replaced",
            "forget_lost",
        ):
            connection.execute(self._sql(name))
        connection.execute(self._sql("settle_left_out"), [list(left_out), list(left_out.values())])
        connection.execute(f"ALTER TABLE {self._old} OWNER TO {owner}".encode())
        if self.feed.name != TOP_FEED:
            record_applied(connection, self._table, self._target)
        connection.execute(self._sql("drop_shadow"))
        sums = queries("rebuild").totals_of_feed(connection, feed=self.feed.name)
        files, read, inserted, updated, stale, duplicate, rejected = (int(value) for value in sums)
        return Rebuilt(files, read, inserted, updated, stale, duplicate, rejected, kept)

    def _keep(self, connection: Connection, replays: Replays) -> str | None:
        """The name of a table of what the new one lacks; ``None`` where that is nothing."""
        number, name = 1, f"{self.feed.table[:50]}_left_out"
        while queries("feeds").table_there(connection, schema=self._target, name=name):
            number += 1
            name = f"{self.feed.table[:50]}_left_out_{number}"
        kept = f"{quoted(self._target)}.{quoted(name)}"
        corrected = sorted({file_id for file_id, _, _ in replays.reopened})
        connection.execute(self._sql("keep_left_out", kept=kept), [corrected])
        (some,) = connection.execute(self._sql("kept_any", kept=kept)).fetchone() or (False,)
        if some:
            return f"{self._target}.{name}"
        connection.execute(f"DROP TABLE {kept}".encode())
        return None

    def abandon(self) -> None:
        """Throw away what was filled."""
        with self._main.transaction() as connection:
            connection.execute(self._sql("drop_shadow"))


def _about(feed: Feed, files: Iterable[FileState], left_out: Collection[int]) -> str:
    """By what a rebuilding that was begun is known again."""
    parts = [declaration_hash(feed), *(f"{file.file_id} {file.sha256}" for file in files), "without"]
    said = "\n".join([*parts, *map(str, sorted(left_out))])
    return f"ecom_platform rebuild {hashlib.sha256(said.encode()).hexdigest()}"
