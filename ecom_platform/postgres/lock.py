"""The ingest lock: one stream at a time works on a landing zone.

Belongs here: a session-level advisory lock and the wait for it. It saves work; the promises do
not rest on it, since a unit of work asks the ledger first. It ends with its connection, so a
killed program never leaves it behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from ecom_platform.errors import LockedError
from ecom_platform.postgres.connection import Connection, Database

_INGEST_LOCK = 4_917_205_004
_POLL_SECONDS = 0.5
# What the live mode calls the connection that holds the lock for it.
LIVE_APPLICATION_NAME = "ecom_platform live"


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
    row = connection.execute(
        "SELECT l.pid, a.application_name, a.backend_start FROM pg_locks AS l"
        " LEFT JOIN pg_stat_activity AS a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND ((l.classid::bigint << 32) | l.objid::bigint) = %s",
        (_INGEST_LOCK,),
    ).fetchone()
    return None if row is None else Holder(*row)


def held_by_live(connection: Connection) -> bool:
    """Whether the live mode holds the ingest lock of this database."""
    who = holder(connection)
    return who is not None and who.live


@contextmanager
def ingest_lock(
    database: Database, wait_seconds: float, on_wait: Callable[[str], None] = lambda holder: None
) -> Iterator[None]:
    """Hold the lock; waits up to ``wait_seconds``, telling ``on_wait`` once who holds it.

    Raises :class:`LockedError` when the wait is over.
    """
    deadline = time.monotonic() + wait_seconds
    told = False
    with database.open(autocommit=True) as connection:
        while not _try(connection):
            who = str(holder(connection) or "another program")
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"Another ingest holds the lock of {database.description}: {who}.",
                    f"Wait until it ends, or raise ECOM_LOCK_WAIT_SECONDS (now {wait_seconds:g}).",
                )
            if not told:
                on_wait(who)
                told = True
            time.sleep(_POLL_SECONDS)
        yield


def _try(connection: Connection) -> bool:
    return connection.execute("SELECT pg_try_advisory_lock(%s)", (_INGEST_LOCK,)).fetchone() == (True,)
