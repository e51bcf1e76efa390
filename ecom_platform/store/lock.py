"""The ingest lock: one stream at a time works on a landing zone.

Belongs here: a session-level advisory lock, who holds it, and the wait for it. It saves work; the
promises do not rest on it, since a unit of work asks the ledger first. It ends with its
connection, so a killed program never leaves it behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import psycopg

from ecom_platform.errors import LockedError
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.statements import queries
from ecom_platform.waits import spoken

# What PostgreSQL's own views call the live mode's hold on the lock.
LIVE_APPLICATION_NAME = "ecom_platform live"
POLL_SECONDS = 0.5

_INGEST_LOCK = 4_917_205_004
_SOMEBODY = "another program"

_log = logging.getLogger(__name__)


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

    def take(
        self,
        patience: float | None,
        on_wait: Callable[[str], None],
        meanwhile: Callable[[Holder | None], bool | None] = lambda holder: None,
        pause: Callable[[float], object] = time.sleep,
    ) -> bool:
        """Take the lock as soon as it is free; whether it was taken.

        ``on_wait`` is told who holds it, and who does when that changes. ``meanwhile`` is asked again and
        again, with the holder: ``False`` ends the wait, ``True`` begins the patience anew, since there is
        progress.
        ``patience`` in seconds, ``None`` without end; raises :class:`LockedError` when it is over.
        """
        begun, told = time.monotonic(), None
        while not self.try_take():
            who = self.holder()
            verdict = meanwhile(who)
            if verdict is False:
                return False
            if verdict:
                begun = time.monotonic()
            if patience is not None and time.monotonic() - begun >= patience:
                raise LockedError(
                    f"Another ingest holds the lock of {self.database.description}: {who or _SOMEBODY}.",
                    f"Wait until it ends, or raise ECOM_LOCK_WAIT_SECONDS (now {patience:g}).",
                )
            name = str(who or _SOMEBODY)
            if name != told:
                on_wait(name)
                told = name
            pause(POLL_SECONDS)
        return True


@contextmanager
def ingest_lock(
    database: Database, wait_seconds: float, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock; waits up to ``wait_seconds``, telling ``on_wait`` (the log) who holds it.

    Raises :class:`LockedError` when the wait is over.
    """

    def warn(who: str) -> None:
        _log.warning("Waiting for the ingest lock, held by %s; for %s at most.", who, spoken(wait_seconds))

    with IngestLock(database) as lock:
        lock.take(wait_seconds, on_wait or warn)
        yield
