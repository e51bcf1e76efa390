"""How PostgreSQL is reached.

Belongs here: opening psycopg connections, turning their failures into errors a person can act
on, and the form of a URL that may be shown. Does not belong here: what is asked of the database
(``ledger``, ``sink``, ``audit``) or how the embedded server is run (``embedded``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecom_platform.errors import DatabaseError

CONNECT_TIMEOUT_SECONDS = 10
APPLICATION_NAME = "ecom_platform"

# A machine that vanishes would otherwise keep its transaction, and the ledger rows it has locked, for
# the two hours that TCP takes to notice by default. On a Unix socket these have no effect.
_SESSION_OPTIONS = (
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3 -c timezone=UTC"
)

Connection = psycopg.Connection[tuple[Any, ...]]


def describe(url: str) -> str:
    """``user@host:port/database`` of a connection URL, without its password."""
    parts = conninfo_to_dict(url)
    host, port = parts.get("host", "localhost"), parts.get("port", 5432)
    where = "local socket" if str(host).startswith("/") else f"{host}:{port}"
    return f"{parts.get('user', 'default user')}@{where}/{parts.get('dbname', 'default database')}"


def _explain(url: str, error: psycopg.Error) -> DatabaseError:
    """A refusal of PostgreSQL in words that name the setting; libpq's text holds no password."""
    reason = " ".join(str(error).split()).rstrip(".?")
    if isinstance(error, psycopg.errors.InvalidPassword) or "password" in reason:
        remedy = "Check the user and the password in ECOM_POSTGRES_URL."
    else:
        remedy = (
            "Check that the server of ECOM_POSTGRES_URL runs and can be reached, or unset it for the "
            "embedded one."
        )
    return DatabaseError(f"PostgreSQL at {describe(url)} cannot be used: {reason}.", remedy)


@dataclass(frozen=True, slots=True)
class Database:
    """One database, named by a libpq URL that is never shown."""

    url: str = field(repr=False)
    # The same database as executors elsewhere reach it, where that is another address.
    executor_url: str | None = field(default=None, repr=False)

    @property
    def task_url(self) -> str:
        """The URL for tasks."""
        return self.executor_url or self.url

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
        try:
            return psycopg.connect(conninfo(self.url), autocommit=autocommit)
        except psycopg.OperationalError as error:
            raise _explain(self.url, error) from None
        except psycopg.ProgrammingError:
            # Not chained: the text of the original quotes the URL.
            raise DatabaseError(
                "ECOM_POSTGRES_URL is not a valid PostgreSQL URL.",
                "It must look like postgresql://user:password@host:5432/database.",
            ) from None

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


def conninfo(url: str) -> str:
    """``url`` with the platform's own defaults, for psycopg and ADBC alike."""
    parts: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": APPLICATION_NAME,
        **conninfo_to_dict(url),
    }
    parts["options"] = f"{_SESSION_OPTIONS} {parts.get('options') or ''}".strip()
    return make_conninfo(**parts)
