"""The table of a feed held against its declaration: what is there, and what would have to be done.

Belongs here: looking, and refusing a table that is somebody else's, gone or altered by hand. Does not belong
here: what a change of the declaration means (``table_changes``), or making one (``feed_tables``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ecom_platform.errors import FeedError
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.feeds.travel import declaration_hash, from_data, to_data
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.conninfo import quoted
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.statements import queries
from ecom_platform.store.table_changes import ChangeKind, TableChange, changes_between

# As format_type has them.
_SPELLED = {"timestamptz": "timestamp with time zone", "timestamp": "timestamp without time zone"}


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What a feed's table is to what is declared. ``known`` and ``name`` are where it is now; ``applied`` is
    the fingerprint of the declaration that it was last brought to, ``None`` where there is no table yet."""

    feed: str
    known: str
    name: str
    applied: str | None
    changes: list[TableChange] = field(default_factory=list)

    def of(self, *kinds: ChangeKind) -> list[TableChange]:
        return [change for change in self.changes if change.kind in kinds]


def plan_table(database: Database, feed: Feed) -> TablePlan:
    """What would have to be done for the table of ``feed`` to be as it is declared; changes nothing.

    Raises :class:`FeedError` where the table is somebody else's, gone, or altered by hand.
    """
    if feed.name == TOP_FEED:
        return TablePlan(feed.name, database.schema, feed.table, declaration_hash(feed))
    with database.transaction() as connection:
        return plan_of(connection, FeedTable(feed), feed.schema or database.schema)


def plan_of(connection: Connection, table: FeedTable, schema: str) -> TablePlan:
    """The same on a connection; ``schema`` is where the table is declared to be."""
    where = {"schema": schema, "name": table.name}
    owner = queries("feeds").owner_of_table(connection, **where, feed=table.feed.name)
    if owner is not None:
        raise FeedError(
            f"The table {table.qualified} of the feed {table.feed.name} is that of the feed {owner}.",
            "Give one of them another table (`table: schema.name`).",
        )
    applied = queries("feeds").applied(connection, feed=table.feed.name)
    if applied is None:
        _refuse_foreign(connection, table, schema, queries("feeds").table_there(connection, **where))
        made = TableChange(ChangeKind.MAKES, "table", f"{table.qualified} is not there yet")
        return TablePlan(table.feed.name, schema, table.name, None, [made])
    known, name, declaration, fingerprint = applied
    before = from_data(declaration)
    changes = changes_between(table, to_data(before))
    if not queries("feeds").table_there(connection, schema=known, name=name):
        raise FeedError(
            f"The table {quoted(name)} of the feed {table.feed.name} is gone: it was dropped or renamed.",
            "Restore it from a backup, or give it its name again. To begin anew: `ecom feeds remove "
            f"{table.feed.name} --drop-table --yes` keeps its files aside, and the declaration.",
        )
    found = _columns(connection, known, name)
    if not any(change.kind is ChangeKind.LOSES for change in changes):
        _refuse_altered(connection, table, FeedTable(before), found, (known, name))
    changes = [change for change in changes if not _is_done(connection, change, table, found, (known, name))]
    larger = [change for change in changes if change.kind in (ChangeKind.LOSES, ChangeKind.REWRITES)]
    if larger and _is_unused(connection, table, known, name):
        words = ", ".join(dict.fromkeys(change.word for change in larger))
        what = f"nothing was loaded by it yet, so it is made anew ({words})"
        changes = [TableChange(ChangeKind.MAKES, "table", what)]
        return TablePlan(table.feed.name, known, name, str(fingerprint), changes)
    if (known, name) != (schema, table.name):
        renamed = f"{known}.{name} to {schema}.{table.name}"
        changes.insert(0, TableChange(ChangeKind.RENAMES, "table", renamed))
    return TablePlan(table.feed.name, known, name, str(fingerprint), changes)


def _columns(connection: Connection, schema: str, name: str) -> dict[str, tuple[str, bool, bool]]:
    """Of each column its type, whether a load has to give a value, and whether it may not be null."""
    rows = queries("feeds").columns(connection, schema=schema, name=name)
    return {column: (kind, wanted, never_null) for column, kind, wanted, never_null in rows}


def _is_unused(connection: Connection, table: FeedTable, schema: str, name: str) -> bool:
    """A declaration may change as it likes as long as nothing was loaded by it: any load makes the tables of
    all feeds, also of one that is still being written."""
    there = FeedTable(replace(table.feed, schema=schema, table=name))
    unused = connection.execute(there.query("is_unused", "feeds")).fetchone()
    return unused is not None and bool(unused[0])


def _is_done(
    connection: Connection,
    change: TableChange,
    table: FeedTable,
    found: dict[str, tuple[str, bool, bool]],
    where: tuple[str, str],
) -> bool:
    """Whether somebody has made this change to the table already."""
    if change.kind is ChangeKind.REWRITES and change.word == "roles.time" and table.time_column is not None:
        return bool(
            queries("feeds").is_indexed(
                connection, schema=where[0], name=where[1], column=table.time_column.name
            )
        )
    column = "extra" if change.word == "extra" else change.word.removeprefix("columns.").removesuffix(".type")
    if not change.action or column not in found:
        return False
    kind, _, never_null = found[column]
    if change.action.endswith(("DROP NOT NULL", "SET NOT NULL")):
        return never_null == change.action.endswith("SET NOT NULL")
    return kind == _spelled(table.types[column])


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


def _refuse_altered(
    connection: Connection,
    table: FeedTable,
    before: FeedTable,
    found: dict[str, tuple[str, bool, bool]],
    where: tuple[str, str],
) -> None:
    """Raises where the table is neither as it is declared nor as it was."""
    declared = {**before.types, **table.types}
    expected = {name: {_spelled(kind)} for name, kind in declared.items()}
    for name, kind in before.types.items():
        expected[name].add(_spelled(kind))
    expected |= {name: {_spelled(kind)} for name, kind in before.lineage.items()}
    there_before = {*before.types, *before.lineage}
    problems = [
        *(f"{name} is missing" for name in there_before if name not in found),
        *(
            f"{name} is {found[name][0]}, not {_spelled(declared.get(name, 'bigint'))}"
            for name, kinds in expected.items()
            if name in found and found[name][0] not in kinds
        ),
        *(
            f"{name} has to have a value, and no feed gives it one"
            for name, (_, wanted, _) in found.items()
            if name not in expected and wanted
        ),
    ]
    key = [name for (name,) in queries("feeds").key(connection, schema=where[0], name=where[1])]
    if set(key) != set(before.key):
        problems.append(f"its primary key is {', '.join(key) or 'gone'}, not {', '.join(before.key)}")
    if problems:
        raise FeedError(
            f"The table {table.qualified} of the feed {table.feed.name} was altered: {'; '.join(problems)}.",
            f"Alter it back; or `ecom feeds rebuild {table.feed.name}`. The feed's files wait until then.",
        )


def _spelled(kind: str) -> str:
    return _SPELLED.get(kind, kind)
