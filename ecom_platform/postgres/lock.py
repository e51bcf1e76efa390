"""The ingest lock: one stream at a time works on a landing zone.

Belongs here: a session-level advisory lock, who holds it, and the wait for it. It saves work; the
promises do not rest on it, since a unit of work asks the ledger first. It ends with its
connection, so a killed program never leaves it behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import psycopg

from ecom_platform.errors import LockedError
from ecom_platform.postgres.connection import Connection, Database
from ecom_platform.postgres.statements import queries
from ecom_platform.waits import announced

# What PostgreSQL's own views call the live mode's hold on the lock.
LIVE_APPLICATION_NAME = "ecom_platform live"
POLL_SECONDS = 0.5

_INGEST_LOCK = 4_917_205_004


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the ingest lock, as far as PostgreSQL tells this user."""

    backend: int
    application_name: str | None
    since: datetime | None

    @property
    def live(self) -> bool:
        """Whether it is the live mode."""
        return self.application_name == LIVE_APPLICATION_NAME

    def __str__(self) -> str:
        since = f", since {self.since:%H:%M:%S} UTC" if self.since else ""
        return f"{self.application_name or 'another user'} (backend {self.backend}{since})"


def holder(connection: Connection) -> Holder | None:
    """Who holds the ingest lock of this database; ``None``: nobody."""
    row = queries("lock").holder(connection, key=_INGEST_LOCK)
    return None if row is None else Holder(*row)


def take_claims(connection: Connection, key: int) -> None:
    """Wait for a session lock of this schema's, ``key``: that of claims."""
    queries("lock").take_claims(connection, key=key)


class IngestLock:
    """A connection that may hold the lock; a context manager that closes it and so gives it back."""

    def __init__(self, database: Database, application_name: str | None = None) -> None:
        self.database = database
        self._connection: Connection = database.open(autocommit=True)
        if application_name is not None:
            queries("lock").call_it(self._connection, name=application_name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    def try_take(self) -> bool:
        """Take the lock unless somebody else holds it."""
        return bool(queries("lock").try_take(self._connection, key=_INGEST_LOCK))

    def holder(self) -> Holder | None:
        """Who holds the lock now; ``None`` if nobody does."""
        return holder(self._connection)

    def connected(self) -> bool:
        """Whether the connection, and with it the lock, is still there."""
        try:
            self._connection.execute("SELECT")
        except psycopg.Error:
            return False
        return True

    def refuse(self, who: Holder | None, wait_seconds: float) -> LockedError:
        """The error of a wait that is over."""
        return LockedError(
            f"Another ingest holds the lock of {self.database.description}: {who or 'another program'}.",
            f"Wait until it ends, or raise ECOM_LOCK_WAIT_SECONDS (now {wait_seconds:g}).",
        )


@contextmanager
def ingest_lock(
    database: Database, wait_seconds: float, on_wait: Callable[[str], None] = lambda holder: None
) -> Iterator[None]:
    """Hold the lock; waits up to ``wait_seconds``, telling ``on_wait`` once who holds it.

    Raises :class:`LockedError` when the wait is over.
    """
    deadline = time.monotonic() + wait_seconds
    told = False
    with IngestLock(database) as lock:
        with announced(
            lambda: f"another ingest, which holds the lock of {database.description}", wait_seconds
        ):
            while not lock.try_take():
                who = lock.holder()
                if time.monotonic() >= deadline:
                    raise lock.refuse(who, wait_seconds)
                if not told:
                    on_wait(str(who or "another program"))
                    told = True
                time.sleep(POLL_SECONDS)
        yield
