"""The sign of life for a dead man's switch outside: while it comes, the platform watches.

Belongs here: calling the URL about once a minute without ever waiting for it. Does not belong here:
deciding that all is well, which is the caller's.
"""

from __future__ import annotations

import logging
import threading
import time

from ecom_platform.alerts.delivery import Courier
from ecom_platform.alerts.targets import Target

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0
# Less than the time between two calls, so that there is never more than one.
_DEADLINE_SECONDS = 20.0
# A tick comes every five to ten seconds: better a little early than a whole tick late.
_EARLY_SECONDS = 10.0


class DeadMansSwitch:
    """Calls ``url`` when :meth:`beat` is called and the last call is about a minute old."""

    def __init__(self, interval: float = INTERVAL_SECONDS) -> None:
        self._interval = interval
        self._last: float | None = None

    def beat(self, url: str, now: float | None = None) -> bool:
        """Call ``url`` in the background if it is time; returns whether it was."""
        now = time.monotonic() if now is None else now
        if self._last is not None and now - self._last < self._interval - _EARLY_SECONDS:
            return False
        self._last = now
        threading.Thread(target=_call, args=(url,), name="heartbeat", daemon=True).start()
        return True


def _call(url: str) -> None:
    courier = Courier(Target("heartbeat", url), _DEADLINE_SECONDS)
    try:
        error = courier.call()
    except Exception as failure:
        # The text may quote the URL, which may hold a token.
        error = type(failure).__name__
    finally:
        courier.close()
    if error is not None:
        log.warning("The heartbeat URL did not answer: %s", error)
