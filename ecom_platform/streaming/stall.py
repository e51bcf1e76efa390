"""For how long there has been work and none of it was finished.

Belongs here: telling a query that is stuck from one that has nothing to do, or much. Does not belong
here: when that is too long (``store.live_status``).
"""

from __future__ import annotations

import time


class Stall:
    """Asked now and then, by one thread. A long backlog that shrinks is none: each micro-batch counts."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._batches = 0

    def seconds(self, work: bool, batches: int, now: float | None = None) -> float:
        """Seconds since there was no work, or another number of finished ``batches``."""
        now = time.monotonic() if now is None else now
        if not work:
            self._since = None
        elif self._since is None or batches != self._batches:
            self._since = now
        self._batches = batches
        return 0.0 if self._since is None else now - self._since
