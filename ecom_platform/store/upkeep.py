"""Which tables want a VACUUM or an ANALYZE, and giving it to them.

Belongs here: the rule, from PostgreSQL's own statistics. Autovacuum does the same where a server runs all
day; the embedded one often runs for seconds, too short for it. Does not belong here: when it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from psycopg import sql

from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.statements import queries

# As autovacuum: a share of the table, and at least so many rows that it matters.
SHARE = 0.10
MIN_ROWS = 1_000


class Hint(StrEnum):
    """What a table wants."""

    VACUUM = "vacuum"
    ANALYZE = "analyze"


@dataclass(frozen=True, slots=True)
class TableState:
    """What PostgreSQL counts of a table."""

    name: str
    live_rows: int
    dead_rows: int
    changed_rows: int
    analyzed: bool


def hint(table: TableState) -> Hint | None:
    """VACUUM where a tenth of the rows is dead, ANALYZE where a tenth changed or nobody ever looked."""
    enough = max(MIN_ROWS, SHARE * (table.live_rows + table.dead_rows))
    if table.dead_rows >= enough:
        return Hint.VACUUM
    if table.changed_rows >= enough or (table.changed_rows >= MIN_ROWS and not table.analyzed):
        return Hint.ANALYZE
    return None


def states(connection: Connection) -> list[TableState]:
    return [TableState(*row) for row in queries("upkeep").table_states(connection)]


def tend(database: Database) -> dict[str, Hint]:
    """Give every table what it wants; returns what that was. Neither reads nor loads wait for it."""
    with database.open(autocommit=True) as connection:
        wanted = {table.name: wish for table in states(connection) if (wish := hint(table)) is not None}
        for name, wish in wanted.items():
            statement = sql.SQL(getattr(queries("upkeep"), wish.value).sql)
            connection.execute(statement.format(table=sql.Identifier(name)))
    return wanted
