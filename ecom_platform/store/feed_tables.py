"""Making the tables of feeds, and holding what is there against what is declared.

Belongs here: creating a feed's table once, making what a changed declaration asks of it, and refusing a table
that was made from another declaration. Does not belong here: what is to do (``table_plans``), a table's
statements (``feed_table``), what a declaration may say (``feeds``), or the tables of the platform itself
(``migrations``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from psycopg.errors import (
    DependentObjectsStillExist,
    DuplicateTable,
    FeatureNotSupported,
    InsufficientPrivilege,
    LockNotAvailable,
    NotNullViolation,
)
from psycopg.types.json import Jsonb

from ecom_platform.errors import FeedError
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.feeds.travel import declaration_hash, from_data, to_data
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.conninfo import quoted
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.statements import queries, text
from ecom_platform.store.table_changes import ChangeKind
from ecom_platform.store.table_plans import TablePlan, plan_of, plan_table

# A table that is in use is widened by a later load: whoever waits for its lock holds up all who come after.
_INGEST_LOCK_WAIT = "2s"
_APPLY_LOCK_WAIT = "1min"
# What PostgreSQL refuses of a change that is right by itself.
_REFUSED = (DependentObjectsStillExist, DuplicateTable, FeatureNotSupported, NotNullViolation)


def apply_table(database: Database, feed: Feed) -> TablePlan:
    """Do all of :func:`plan_table` that loses nothing, in one transaction; returns what was done.

    Raises :class:`FeedError`, with nothing changed, where something would be lost or PostgreSQL refuses.
    """
    if feed.name == TOP_FEED:
        return plan_table(database, feed)
    return _bring(database, feed, by_itself=False)


def prepare_table(database: Database, feed: Feed) -> None:
    """Let the table of ``feed`` be there as it is declared: made if it is not, widened where that touches no
    row.

    Raises :class:`FeedError` where a load of this feed would be wrong or refused. Nothing is changed then.
    """
    if feed.name != TOP_FEED:
        _bring(database, feed, by_itself=True)


def _bring(database: Database, feed: Feed, *, by_itself: bool) -> TablePlan:
    table, schema = FeedTable(feed), feed.schema or database.schema
    plan: TablePlan | None = None
    try:
        with database.transaction() as connection:
            queries("feeds").lock_feeds(connection)
            wait = _INGEST_LOCK_WAIT if by_itself else _APPLY_LOCK_WAIT
            queries("lock").wait_at_most(connection, wait=wait)
            plan = plan_of(connection, table, schema)
            if plan.applied is not None and plan.of(ChangeKind.MAKES):
                there = FeedTable(replace(feed, schema=plan.known, table=plan.name))
                connection.execute(there.query("drop_table", "feeds"))
                plan = replace(plan, applied=None)
            _refuse_redeclared(table, plan, by_itself)
            if plan.applied is None:
                _make(connection, table)
            else:
                _alter(connection, table, schema, plan)
                _refuse_forbidden(connection, table, schema)
            if plan.applied != declaration_hash(feed):
                record_applied(connection, table, schema)
            return plan
    except InsufficientPrivilege as error:
        raise _not_allowed(table, plan, error) from error
    except LockNotAvailable as error:
        raise FeedError(
            f"The table {table.qualified} of the feed {feed.name} is in use, and was not changed as its "
            "declaration says.",
            f"`ecom feeds apply {feed.name}` waits longer; pg_stat_activity shows who uses it.",
        ) from error
    except _REFUSED as error:
        raise _refused_by_database(table, error) from error


def _not_allowed(table: FeedTable, plan: TablePlan | None, error: InsufficientPrivilege) -> FeedError:
    name, said = table.feed.name, str(error).splitlines()[0]
    if plan is None or plan.applied is None:
        problem = f"has no table yet, and this role may not make {table.qualified}"
    else:
        words = ", ".join(change.word for change in plan.changes)
        problem = f"has a table that this role may not change as the declaration now says ({words})"
    return FeedError(
        f"The feed {name} {problem}: {said}.",
        f"Run `ecom feeds apply {name}` as the role that owns the tables; the feed's files wait until then.",
    )


def _refused_by_database(table: FeedTable, error: Exception) -> FeedError:
    detail = getattr(getattr(error, "diag", None), "message_detail", None)
    said = "; ".join([str(error).splitlines()[0], *([detail] if detail else [])])
    return FeedError(
        f"The table {table.qualified} of the feed {table.feed.name} was not changed, since PostgreSQL "
        f"refuses: {said}.",
        "Take away what stands against it (a view that depends on a column is dropped and made anew, rows "
        f"without a value get one), or `ecom feeds rebuild {table.feed.name}`.",
    )


def _refuse_redeclared(table: FeedTable, plan: TablePlan, by_itself: bool) -> None:
    """What rows are and by what they are known stays as it was when the table was made."""
    name = table.feed.name
    changed = list(dict.fromkeys(change.word for change in plan.of(ChangeKind.LOSES)))
    if changed:
        what = "; ".join(f"{change.word}: {change.what}" for change in plan.of(ChangeKind.LOSES))
        raise FeedError(
            f"The declaration of the feed {name} is not the one that its table was made from: "
            f"{', '.join(changed)} changed ({what}).",
            f"Declare it as it was; or `ecom feeds rebuild {name}` loads the archive into a new table.",
        )
    larger = plan.of(ChangeKind.REWRITES, ChangeKind.RENAMES)
    if larger and by_itself:
        what = "; ".join(f"{change.word}: {change.what}" for change in larger)
        raise FeedError(
            f"The table {table.qualified} of the feed {name} has to be changed for its declaration, which "
            f"takes as long as it is large: {what}.",
            f"Run `ecom feeds apply {name}` as the tables' owner; the feed's files wait until then.",
        )


def _alter(connection: Connection, table: FeedTable, schema: str, plan: TablePlan) -> None:
    """The changes of a plan that loses nothing; of all types one rewriting."""
    if plan.of(ChangeKind.RENAMES):
        move_table(connection, (plan.known, plan.name), (schema, table.name))
    actions = [change.action for change in plan.changes if change.action]
    if actions:
        connection.execute(f"ALTER TABLE {table.qualified} {', '.join(actions)}".encode())
    if any(change.kind is ChangeKind.REWRITES and change.word == "roles.time" for change in plan.changes):
        connection.execute(table.query("create_time_index", "feeds"))


def move_table(connection: Connection, old: tuple[str, str], new: tuple[str, str]) -> None:
    """Let a table have another schema and name, and with it the indexes that are named after it."""

    def change(statement: str, schema: str, name: str, new_name: str) -> None:
        there = f"{quoted(schema)}.{quoted(name)}"
        connection.execute(text("feeds", statement).format(old=there, new=quoted(new_name)).encode())

    if old[0] != new[0]:
        change("set_schema", *old, new[0])
    if old[1] == new[1]:
        return
    change("rename_table", new[0], old[1], new[1])
    for (index,) in queries("feeds").index_names(connection, schema=new[0], name=new[1], before=old[1]):
        called = f"{new[1]}{index[len(old[1]) :]}"[:63]
        change("rename_index", new[0], index, called)


def _refuse_forbidden(connection: Connection, table: FeedTable, schema: str) -> None:
    """A role that may not load one feed's table loads the others."""
    missing = queries("feeds").missing_privileges(
        connection, schema=schema, name=table.name, updates=table.updates
    )
    wanted = [privilege for (privilege,) in missing]
    if wanted:
        named = ", ".join(wanted)
        raise FeedError(
            f"This role may not load the table {table.qualified} of the feed {table.feed.name}: it lacks "
            f"{named}.",
            f"As its owner: GRANT {named} ON {table.qualified} TO the role of ECOM_POSTGRES_URL.",
        )


def _make(connection: Connection, table: FeedTable) -> None:
    names = ["create_table", "create_indexes", "create_triggers"]
    if table.time_column is not None:
        names.insert(2, "create_time_index")
    for name in names:
        connection.execute(table.query(name, "feeds"))
    grant_as_ledger(connection, table)


def grant_as_ledger(connection: Connection, table: FeedTable) -> None:
    """Let whoever reads or writes the ledger do so with the table."""
    statements = connection.execute(table.query("grants_of_ledger", "feeds")).fetchall()
    for (statement,) in statements:
        connection.execute(statement.encode())


def record_applied(connection: Connection, table: FeedTable, schema: str) -> None:
    """Write down that the table is as ``table`` declares it."""
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


def applied_names(connection: Connection) -> list[str]:
    """The feeds that have a table here, whether they are declared or not."""
    return [name for name, _ in queries("feeds").applied_feeds(connection)]


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
