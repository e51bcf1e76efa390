"""Waiting for what another process or thread does. A timing is never asserted: patience is for a stalled
machine, and the test goes on as soon as it may."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from ecom_platform.store import adbc, spare_connections
from ecom_platform.store.connection import Database

PATIENCE_SECONDS = 240


# Between two looks, where a look is cheap; and where it is a question to a busy server or to each process.
LOOK_SECONDS, COSTLY_LOOK_SECONDS = 0.05, 0.5


def wait_until(
    condition: Callable[[], object], said: Callable[[], str] = lambda: "", every: float = LOOK_SECONDS
) -> None:
    """Return when ``condition`` holds; else fail with its source and what ``said`` says."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {PATIENCE_SECONDS} s: {_source(condition)} {said()}")
        time.sleep(every)


def _source(condition: Callable[[], object]) -> str:
    """The state that is waited for, as it is written in the test."""
    try:
        return " ".join(inspect.getsource(condition).split())
    except (OSError, TypeError):
        return repr(condition)


def wait_until_it_has_looked(process: psutil.Process, times: int = 3) -> None:
    """Return when a thread of a process that waits and looks in turn has gone to sleep so many times more."""
    before = _pauses(process.pid)

    def has_looked() -> bool:
        return any(pauses >= before.get(thread, 0) + times for thread, pauses in _pauses(process.pid).items())

    wait_until(has_looked)


def _pauses(pid: int) -> dict[str, int]:
    """How often each thread of a process went to sleep of its own accord, by the kernel's account."""
    found = {}
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with suppress(OSError):
            counted = re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", status.read_text(), re.MULTILINE)
            found[status.parent.name] = int(counted[1]) if counted else 0
    return found


_WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def somebody_waits(database: Database) -> bool:
    """Whether a connection waits for a lock that another one has."""
    with database.open() as connection:
        return connection.execute(_WAITING).fetchone() != (0,)


_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type IN ('client backend', 'parallel worker') AND application_name <> 'tests'
"""


def wait_until_counted(database: Database) -> None:
    """Return when PostgreSQL's statistics of ``database`` have what was done so far.

    A backend hands its counts in when it ends, before it is gone from view, or after idle seconds.
    """
    adbc.close_kept()
    spare_connections.close_spares()

    def alone() -> bool:
        with database.open() as connection:
            return connection.execute(_OTHERS).fetchone() == (0,)

    wait_until(alone)
