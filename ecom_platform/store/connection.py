"""How PostgreSQL is reached.

Belongs here: opening psycopg connections, turning their failures into errors a person can act
on, and the form of a URL that may be shown. Does not belong here: what a driver is told
(``conninfo``), what is asked of the database (``ledger``, ``sink``, ``audit``) or how the embedded
server is run (``embedded``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import pq

from ecom_platform.errors import DatabaseError
from ecom_platform.settings import DEFAULT_SCHEMA
from ecom_platform.store import spare_connections
from ecom_platform.store.conninfo import (
    conninfo,
    is_embedded,
    libpq_environment,
    libpq_variables,
    parts_of,
    schema_of,
)
from ecom_platform.store.spare_connections import SpareableConnection
from ecom_platform.store.statements import text
from ecom_platform.variable_reader import with_schema

ENCODING = "UTF8"

Connection = psycopg.Connection[tuple[Any, ...]]


def describe(url: str) -> str:
    """``user@host:port/database`` of a connection URL, without its password; the schema if it is another."""
    parts = parts_of(url)
    if not is_embedded(url):
        # What libpq takes from the environment where the URL leaves it open.
        named = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
        found = {part: os.environ[name] for part, name in named.items() if os.environ.get(name)}
        parts = {**found, **parts}
    host, port = parts.get("host", "localhost"), parts.get("port", 5432)
    where = "local socket" if str(host).startswith("/") else f"{host}:{port}"
    shown = f"{parts.get('user', 'default user')}@{where}/{parts.get('dbname', 'default database')}"
    schema = schema_of(url)
    return shown if schema == DEFAULT_SCHEMA else f"{shown} (schema {schema})"


def _explain(url: str, error: psycopg.Error) -> DatabaseError:
    """A refusal of PostgreSQL in words that name the setting; libpq's text holds no password."""
    reason = " ".join(str(error).split()).rstrip(".?")
    if is_embedded(url):
        remedy = "`ecom stop` ends the embedded server, and the next command starts it anew."
    elif isinstance(error, psycopg.errors.InvalidPassword) or "password" in reason:
        remedy = "Check the user and the password in ECOM_POSTGRES_URL."
    elif "unsupported startup parameter" in reason:
        remedy = (
            "This is a connection pooler, which refuses `options`: take them out of ECOM_POSTGRES_URL and "
            "PGOPTIONS, or name the server itself."
        )
    else:
        remedy = (
            "Check that the server of ECOM_POSTGRES_URL runs and can be reached, or unset it for the "
            "embedded one."
        )
    return DatabaseError(f"PostgreSQL at {describe(url)} cannot be used: {reason}.", remedy)


def require_encoding(url: str, encoding: str) -> None:
    """Raises :class:`DatabaseError` for a database that could not hold every text, or would not check it."""
    if encoding != ENCODING:
        raise DatabaseError(
            f"The database {describe(url)} has the encoding {encoding}; {ENCODING} is needed.",
            "Make another, CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and name it in "
            "ECOM_POSTGRES_URL.",
        )


@dataclass(frozen=True, slots=True)
class Database:
    """One schema of one database, named by a libpq URL that is never shown."""

    url: str = field(repr=False)
    # The same database as executors elsewhere reach it, where that is another address.
    executor_url: str | None = field(default=None, repr=False)

    @property
    def task_url(self) -> str:
        """The URL for tasks; the schema is always this one."""
        if self.executor_url is None or schema_of(self.executor_url) == self.schema:
            return self.executor_url or self.url
        return with_schema(self.executor_url, self.schema)

    @property
    def schema(self) -> str:
        """The one that every table is in."""
        return schema_of(self.url)

    @property
    def description(self) -> str:
        return describe(self.url)

    def open(self, *, autocommit: bool = False, wait_seconds: float = 0.0) -> Connection:
        """A new connection, in UTC; the caller closes it. Raises :class:`DatabaseError`.

        A server that cannot be reached is asked again for ``wait_seconds``: within a stream a
        restart of PostgreSQL is a pause, not a failure.
        """
        deadline = time.monotonic() + wait_seconds
        delay = 0.1
        while True:
            try:
                return self._open(autocommit)
            except DatabaseError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(delay)
            delay = min(delay * 2, 2.0)

    def _open(self, autocommit: bool) -> Connection:
        options = conninfo(self.url)
        purpose = (options, libpq_variables(self.url))
        connection = spare_connections.take(purpose)
        if connection is not None:
            try:
                return self._begun(connection, autocommit, purpose)
            except DatabaseError:
                pass  # the server went while it lay idle: what a new one says is what holds
        return self._begun(self._connected(options), autocommit, purpose)

    def _connected(self, options: str) -> SpareableConnection:
        # psycopg reads this one itself, from Python's own copy of the environment.
        own: dict[str, Any] = {}
        if is_embedded(self.url) and pq.version() >= 160_000:
            own["load_balance_hosts"] = "disable"
        try:
            with libpq_environment(self.url):
                return SpareableConnection.connect(options, autocommit=True, **own)
        except psycopg.OperationalError as error:
            raise _explain(self.url, error) from None

    def _begun(self, connection: SpareableConnection, autocommit: bool, purpose: Hashable) -> Connection:
        try:
            encoding, backend = _begin(connection, self.schema)
            require_encoding(self.url, encoding)
            # What a pool has lent is given back as soon as it can be.
            own = backend == connection.info.backend_pid
            connection.purpose = purpose if own else None
            if not own:
                self._refuse_shared_backend(connection, backend)
            connection.autocommit = autocommit
        except BaseException as error:
            connection.close()
            if isinstance(error, psycopg.OperationalError):
                raise _explain(self.url, error) from None
            raise
        return connection

    def _refuse_shared_backend(self, connection: Connection, backend: int) -> None:
        """A pooler stands between, since the process is not the one that it gave at the start.

        One that hands a session's process to another session between two transactions loses what is set in
        a session, temporary tables and session locks: it is found out by a second session that takes one.
        """
        with (
            libpq_environment(self.url),
            psycopg.connect(conninfo(self.url), prepare_threshold=None) as other,
        ):
            (theirs,) = other.execute("SELECT pg_backend_pid()").fetchone() or (None,)
            (ours,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (None,)
        if not backend == ours != theirs:
            raise DatabaseError(
                f"PostgreSQL at {self.description} is reached through a connection pooler in transaction "
                "mode, in which settings, temporary tables and locks of a session are lost.",
                "Name the server itself in ECOM_POSTGRES_URL, or a pool in session mode.",
            )

    def identity(self) -> str:
        """Which database of which server this is, whatever address it was reached by."""
        with self.open() as connection:
            row = connection.execute(
                "SELECT system_identifier || '/' || current_database() FROM pg_control_system()"
            ).fetchone()
        return "" if row is None else str(row[0])

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose work is committed at the end, or rolled back on an exception."""
        with self.open() as connection:
            yield connection


def _begin(connection: Connection, schema: str) -> tuple[str, int]:
    """Tell a session what the platform rests on; returns the database's encoding and the backend's number."""
    # Bound by the server, and not prepared: a pooler may pass the statement on to any session.
    row = psycopg.RawCursor(connection).execute(text("session", "begin"), (schema,), prepare=False).fetchone()
    if row is None:
        raise DatabaseError("PostgreSQL gave no answer to a first statement.", "Try again.")
    encoding, backend, limited = row[:3]
    if limited:
        connection.execute(text("session", "lift_limits").encode(), prepare=False)
    return str(encoding), int(backend)
