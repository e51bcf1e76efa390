"""Making the tables of feeds, and holding what is there against what is declared.

Belongs here: creating a feed's table once, and refusing one that is somebody else's, was altered, or was
made from another declaration. Does not belong here: a table's statements (``feed_table``), what a declaration
may say (``feeds``), or the tables of the platform itself (``migrations``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg.errors import InsufficientPrivilege
from psycopg.types.json import Jsonb

from ecom_platform.errors import FeedError
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.feeds.travel import declaration_hash, from_data, shape_of, to_data
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.statements import queries

# As format_type has them.
_SPELLED = {"timestamptz": "timestamp with time zone", "timestamp": "timestamp without time zone"}


def prepare_table(database: Database, feed: Feed) -> None:
    """Let the table of ``feed`` be there as it is declared: made if it is not.

    Raises :class:`FeedError` where a load of this feed would be wrong or refused. Nothing is changed then.
    """
    if feed.name == TOP_FEED:
        return
    table, schema = FeedTable(feed), feed.schema or database.schema
    try:
        with database.transaction() as connection:
            queries("feeds").lock_feeds(connection)
            applied = _as_applied(connection, table, schema)
            if applied is None:
                _make(connection, table)
            if applied != declaration_hash(feed):
                _record(connection, table, schema)
    except InsufficientPrivilege as error:
        raise FeedError(
            f"The feed {feed.name} has no table yet, and this role may not make {table.qualified}: "
            f"{str(error).splitlines()[0]}.",
            "Run `ecom migrate` as the role that owns the tables; the feed's files wait until then.",
        ) from error


def _as_applied(connection: Connection, table: FeedTable, schema: str) -> str | None:
    """The fingerprint of what the table was last declared to be; ``None`` where there is no table yet."""
    where = {"schema": schema, "name": table.name}
    owner = queries("feeds").owner_of_table(connection, **where, feed=table.feed.name)
    if owner is not None:
        raise FeedError(
            f"The table {table.qualified} of the feed {table.feed.name} is that of the feed {owner}.",
            "Give one of them another table (`table: schema.name`).",
        )
    there = queries("feeds").table_there(connection, **where)
    applied = queries("feeds").applied(connection, feed=table.feed.name)
    if applied is None:
        _refuse_foreign(connection, table, schema, there)
        return None
    _refuse_redeclared(table, schema, applied)
    if not there:
        raise FeedError(
            f"The table {table.qualified} of the feed {table.feed.name} is gone: it was dropped or renamed.",
            "Restore it from a backup, or give it its name again.",
        )
    _refuse_altered(connection, table, schema)
    _refuse_forbidden(connection, table, schema)
    return str(applied[3])


def _refuse_foreign(connection: Connection, table: FeedTable, schema: str, there: bool) -> None:
    if there:
        raise FeedError(
            f"The feed {table.feed.name} would have the table {table.qualified}, which is there already "
            "and was not made for it.",
            "Name another one in its declaration (`table: schema.name`), or rename that one.",
        )
    if not queries("feeds").schema_there(connection, schema=schema):
        raise FeedError(
            f"The schema {schema} that the feed {table.feed.name} names for its table does not exist.",
            f"As the owner of the database: CREATE SCHEMA {schema}; or correct `table`.",
        )


def _refuse_redeclared(table: FeedTable, schema: str, applied: tuple[Any, ...]) -> None:
    """What rows are and by what they are known stays as it was when the table was made."""
    known, name, declaration, _ = applied
    now, before = shape_of(to_data(table.feed)), shape_of(declaration)
    if (known, name) != (schema, table.name):
        raise FeedError(
            f"The feed {table.feed.name} has the table {known}.{name}, and its declaration now says "
            f"{schema}.{table.name}.",
            f"Say `table: {known}.{name}` again, or ALTER TABLE … RENAME and the row of `feeds` with it.",
        )
    changed = sorted(word for word in now.keys() | before.keys() if now.get(word) != before.get(word))
    if changed:
        raise FeedError(
            f"The declaration of the feed {table.feed.name} is not the one that its table was made from: "
            f"{', '.join(changed)} changed.",
            "Declare it as it was; or give the new one another name, and load the files into that.",
        )


def _refuse_altered(connection: Connection, table: FeedTable, schema: str) -> None:
    where = {"schema": schema, "name": table.name}
    found = {name: (kind, wanted) for name, kind, wanted in queries("feeds").columns(connection, **where)}
    expected = {name: _spelled(kind) for name, kind in table.types.items()}
    expected |= {"file_id": "bigint", "ingested_at": _spelled("timestamptz")}
    problems = [
        *(f"{name} is missing" for name in expected if name not in found),
        *(
            f"{name} is {found[name][0]}, not {kind}"
            for name, kind in expected.items()
            if name in found and found[name][0] != kind
        ),
        *(
            f"{name} has to have a value, and no feed gives it one"
            for name, (_, wanted) in found.items()
            if name not in expected and wanted
        ),
    ]
    key = [name for (name,) in queries("feeds").key(connection, **where)]
    if set(key) != set(table.key):
        problems.append(f"its primary key is {', '.join(key) or 'gone'}, not {', '.join(table.key)}")
    if problems:
        raise FeedError(
            f"The table {table.qualified} of the feed {table.feed.name} was altered: {'; '.join(problems)}.",
            "Alter it back; the feed's files wait until then.",
        )


def _refuse_forbidden(connection: Connection, table: FeedTable, schema: str) -> None:
    """A role that may not load one feed's table loads the others."""
    missing = queries("feeds").missing_privileges(connection, schema=schema, name=table.name)
    wanted = [privilege for (privilege,) in missing]
    if wanted:
        named = ", ".join(wanted)
        raise FeedError(
            f"This role may not load the table {table.qualified} of the feed {table.feed.name}: it lacks "
            f"{named}.",
            f"As its owner: GRANT {named} ON {table.qualified} TO the role of ECOM_POSTGRES_URL.",
        )


def _spelled(kind: str) -> str:
    return _SPELLED.get(kind, kind)


def _make(connection: Connection, table: FeedTable) -> None:
    names = ["create_table", "create_indexes", "create_triggers"]
    if table.time_column is not None:
        names.insert(2, "create_time_index")
    for name in names:
        connection.execute(table.query(name, "feeds"))


def _record(connection: Connection, table: FeedTable, schema: str) -> None:
    queries("feeds").record_applied(
        connection,
        feed=table.feed.name,
        schema=schema,
        name=table.name,
        declaration=Jsonb(to_data(table.feed)),
        hash=declaration_hash(table.feed),
    )


def applied_tables(connection: Connection) -> list[FeedTable]:
    """The tables of all feeds that have one here, by the declarations that they were made from."""
    return [
        FeedTable(from_data(declaration)) for _, declaration in queries("feeds").applied_feeds(connection)
    ]


def tables_of(database: Database, feeds: Iterable[Feed]) -> tuple[list[Feed], dict[str, FeedError]]:
    """Prepare the table of each feed: those that can be loaded, and why the others cannot."""
    ready, refused = [], {}
    for feed in feeds:
        try:
            prepare_table(database, feed)
            ready.append(feed)
        except FeedError as error:
            refused[feed.name] = error
    return ready, refused
