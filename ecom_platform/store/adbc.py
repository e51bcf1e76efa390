"""A PostgreSQL session over ADBC, which sends and takes Arrow in PostgreSQL's binary COPY format.

Belongs here: running statements on one connection whose transaction is the caller's. Does not
belong here: any statement (``sink``).

This uses ADBC's own bindings rather than its DB-API: that one imports pyarrow.dataset and with
it pandas, a second in every new Python worker, and begins transactions by itself, which leaves no
room for savepoints.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import pyarrow as pa

from ecom_platform.store.connection import require_encoding
from ecom_platform.store.conninfo import conninfo, libpq_environment, schema_of
from ecom_platform.store.statements import text

Error = adbc.Error
OperationalError = adbc.OperationalError

_TARGET_TABLE = "adbc.ingest.target_table"
_TARGET_SCHEMA = "adbc.ingest.target_db_schema"
_MODE = "adbc.ingest.mode"
_APPEND = "adbc.ingest.mode.append"
_TEMPORARY = "adbc.ingest.temporary"
# Rows that travel to the driver together.
_BATCH_ROWS = 65_536
# A backend remembers something of every table it has seen, temporary ones as well.
MAX_USES = 1_000


class Session:
    """One connection in autocommit mode, so that BEGIN, savepoints and COMMIT are statements.

    Every method raises :class:`Error`, with PostgreSQL's SQLSTATE in ``sqlstate``; a broken
    connection is an :class:`OperationalError` without one.
    """

    def __init__(self, connection: adbc.AdbcConnection, schema: str) -> None:
        self._connection = connection
        self._schema = schema

    def run(self, sql: str, *parameters: object) -> None:
        """Execute a statement whose result does not matter."""
        with self._statement(sql, parameters) as statement:
            statement.execute_update()

    def table(self, sql: str, *parameters: object) -> pa.Table:
        """Execute a query; its result, typed as PostgreSQL's columns are."""
        with self._statement(sql, parameters) as statement:
            stream, _ = statement.execute_query()
            with pa.RecordBatchReader.from_stream(stream) as reader:
                return reader.read_all()

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Execute a query; its result as one dict a row."""
        rows: list[dict[str, Any]] = self.table(sql, *parameters).to_pylist()
        return rows

    def copy(self, table: str, rows: pa.Table, *, temporary: bool = False, schema: str | None = None) -> None:
        """COPY ``rows`` into the columns of ``table`` that have their names; by default of our schema."""
        with adbc.AdbcStatement(self._connection) as statement:
            options = {_TARGET_TABLE: table, _MODE: _APPEND}
            options |= {_TEMPORARY: "true"} if temporary else {_TARGET_SCHEMA: schema or self._schema}
            statement.set_options(**options)
            statement.bind_stream(rows.to_reader(_BATCH_ROWS))
            statement.execute_update()

    @contextmanager
    def _statement(self, sql: str, parameters: tuple[object, ...]) -> Iterator[adbc.AdbcStatement]:
        with adbc.AdbcStatement(self._connection) as statement:
            statement.set_sql_query(sql)
            if parameters:
                values = {str(number): [value] for number, value in enumerate(parameters)}
                statement.prepare()
                statement.bind(pa.record_batch(values))
            yield statement


class _Kept:
    """A connection that outlives its session, to be used by the next one of this process."""

    def __init__(self, url: str) -> None:
        self.owner = (os.getpid(), url)
        self.uses = 0
        self.schema = schema_of(url)
        with libpq_environment(url):
            self._database = adbc_driver_postgresql.connect(conninfo(url))
            try:
                self.connection = adbc.AdbcConnection(self._database)
            except BaseException:
                self._database.close()
                raise
        try:
            session = Session(self.connection, self.schema)
            (row,) = session.rows(text("session", "begin"), self.schema)
            require_encoding(url, row["encoding"])
            if row["limited"]:
                session.table(text("session", "lift_limits"))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.connection.close()
        self._database.close()


# At most one, and never used by a process that was forked from its owner.
_kept: list[_Kept] = []


@contextmanager
def open_session(url: str) -> Iterator[Session]:
    """A session on the database of ``url``.

    Its connection is kept for the next session of this process: connecting takes ADBC several
    queries, 0.1 s of work for both sides. It is closed if the block fails, so that what is kept is
    sound, and after :data:`MAX_USES`; one that PostgreSQL has closed meanwhile fails at its first
    statement like any lost connection.
    """
    kept = _take(url)
    try:
        yield Session(kept.connection, kept.schema)
    except BaseException:
        kept.close()
        raise
    kept.uses += 1
    _keep(kept)


def _take(url: str) -> _Kept:
    try:
        kept = _kept.pop()
    except IndexError:
        return _Kept(url)
    if kept.owner == (os.getpid(), url):
        return kept
    if kept.owner[0] == os.getpid():
        kept.close()
    else:
        _inherited.append(kept)
    return _Kept(url)


# Connections of a parent process: closing one would close the parent's.
_inherited: list[_Kept] = []


def _keep(kept: _Kept) -> None:
    if kept.uses < MAX_USES and not _kept:
        _kept.append(kept)
    else:
        kept.close()


def close_kept() -> None:
    """Close what is kept, before the process ends."""
    while _kept:
        kept = _kept.pop()
        if kept.owner[0] == os.getpid():
            kept.close()


atexit.register(close_kept)
