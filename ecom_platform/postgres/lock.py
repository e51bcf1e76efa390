"""The ingest lock: one stream at a time works on a landing zone.

Belongs here: a session-level advisory lock and the wait for it. It saves work; the promises do
not rest on it, since a unit of work asks the ledger first. It ends with its connection, so a
killed program never leaves it behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ecom_platform.errors import LockedError
from ecom_platform.postgres.connection import Connection, Database

_INGEST_LOCK = 4_917_205_004
_POLL_SECONDS = 0.5


def _holder(connection: Connection) -> str:
    """Who holds the lock, as far as PostgreSQL tells this user."""
    row = connection.execute(
        "SELECT a.pid, a.application_name, a.backend_start FROM pg_locks AS l"
        " JOIN pg_stat_activity AS a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND ((l.classid::bigint << 32) | l.objid::bigint) = %s",
        (_INGEST_LOCK,),
    ).fetchone()
    return "another program" if row is None else f"{row[1]} (backend {row[0]}, since {row[2]:%H:%M:%S} UTC)"


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
            holder = _holder(connection)
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"Another ingest holds the lock of {database.description}: {holder}.",
                    f"Wait until it ends, or raise ECOM_LOCK_WAIT_SECONDS (now {wait_seconds:g}).",
                )
            if not told:
                on_wait(holder)
                told = True
            time.sleep(_POLL_SECONDS)
        yield


def _try(connection: Connection) -> bool:
    return connection.execute("SELECT pg_try_advisory_lock(%s)", (_INGEST_LOCK,)).fetchone() == (True,)
