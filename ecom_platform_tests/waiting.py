"""Waiting for what another process or thread does. A timing is never asserted: patience is for a stalled
machine, and the test goes on as soon as it may."""

from __future__ import annotations

import time
from collections.abc import Callable

from ecom_platform.postgres import adbc
from ecom_platform.postgres.connection import Database

PATIENCE_SECONDS = 120


def wait_until(condition: Callable[[], bool], said: Callable[[], str] = lambda: "") -> None:
    """Return when ``condition`` holds; fail with what ``said`` says if it does not come to hold."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {said()}"
        time.sleep(0.05)


_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type IN ('client backend', 'parallel worker')
"""


def wait_until_counted(database: Database) -> None:
    """Return when PostgreSQL's statistics of ``database`` have what was done so far.

    A backend hands its counts in when it ends, before it is gone from view, or after idle seconds.
    """
    adbc.close_kept()

    def alone() -> bool:
        with database.open() as connection:
            return connection.execute(_OTHERS).fetchone() == (0,)

    wait_until(alone)
