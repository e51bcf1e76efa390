"""Waiting for what no system call waits for: another process's file, lock or end.

Belongs here: looking again until it is so or the time is up. Does not belong here: how long (whoever
waits knows).
"""

from __future__ import annotations

import time
from collections.abc import Callable

_PERIOD_SECONDS = 0.01


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether ``condition`` came true in time; it is asked at least once."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PERIOD_SECONDS)
    return True
