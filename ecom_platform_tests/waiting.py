"""Waiting for what another process or thread does. A timing is never asserted: patience is for a stalled
machine, and the test goes on as soon as it may."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 120


def wait_until(condition: Callable[[], bool], said: Callable[[], str] = lambda: "") -> None:
    """Return when ``condition`` holds; fail with what ``said`` says if it does not come to hold."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {said()}"
        time.sleep(0.05)
