"""Waits that say what they wait for, once they are no longer short.

Belongs here: saying it, wherever the process's warnings go (for a command, the terminal). Does not belong
here: waiting, or how long at most, which whoever waits knows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SILENT_SECONDS = 2.0

_log = logging.getLogger(__name__)


@contextmanager
def announced(what: Callable[[], str], seconds: float) -> Iterator[None]:
    """While the block lasts, something is waited for: said after two seconds, with the most it may take.

    ``what`` is asked then: "PostgreSQL in .ecom/postgres, which process 4711 starts".
    """

    def say() -> None:
        _log.warning("Waiting for %s; for %s at most.", what(), spoken(seconds))

    timer = threading.Timer(SILENT_SECONDS, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def spoken(seconds: float) -> str:
    """A time as people say it."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
