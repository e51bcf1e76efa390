"""What to do after a failed attempt at a unit of work.

Belongs here: which errors pass, and how long to wait; whose fault a refusal is. Does not belong here: the
attempt (``sink``), or the words about what cannot be helped (``refusals``).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from ecom_platform.errors import StorageError
from ecom_platform.store import adbc
from ecom_platform.store.newer_rows import RowGoneError
from ecom_platform.store.refusals import refusal

log = logging.getLogger(__name__)

CONNECTION_RETRY_SECONDS = 120.0
# How often a connection may be lost that had worked: if it is our own unit that ends it, not for ever.
LOST_RETRIES = 8
CONFLICT_RETRIES = 8
_SERIALIZATION = frozenset({"40001", "40P01"})
_LOCK_NOT_AVAILABLE = "55P03"
_CONNECTION_CLASSES = ("08", "57P")
_NO_ROOM = frozenset({"53100", "53200"})
# Data and integrity, WITH CHECK OPTION, limits such as the size of an index entry; triggers, types.
_REFUSAL_CLASSES = ("22", "23", "44", "54")
_REFUSALS = frozenset({"P0001", "P0004", "42804"})


class Retry:
    """What to do after a failed attempt: wait and try again, step back, or give up."""

    def __init__(self) -> None:
        self.alone = False
        self._conflicts = 0
        self._attempts = 0
        self._losses = 0
        self._deadline: float | None = None

    def noting_success(self, hook: Callable[[str], None]) -> Callable[[str], None]:
        """``hook``, and with each step the connection is known to work."""

        def noting(step: str) -> None:
            self._deadline = None
            hook(step)

        return noting

    def after(self, error: Exception) -> None:
        """Sleep as long as fits the error; raises it when another attempt makes no sense."""
        sqlstate = getattr(error, "sqlstate", None)
        if isinstance(error, RowGoneError) or sqlstate in _SERIALIZATION or sqlstate == _LOCK_NOT_AVAILABLE:
            self.alone = self.alone or sqlstate is not None
            self._conflicts += 1
            if self._conflicts > CONFLICT_RETRIES:
                raise error
            self._sleep(0.05 if sqlstate else 0.5, self._conflicts, error)
        elif _connection_lost(error, sqlstate):
            now = time.monotonic()
            if self._deadline is None:
                # It worked until now: another restart than the last one, if there was one.
                self._deadline = now + CONNECTION_RETRY_SECONDS
                self._losses += 1
                self._attempts = 0
            if now > self._deadline or self._losses > LOST_RETRIES:
                raise error
            self._attempts += 1
            self._sleep(0.1, self._attempts, error)
        elif sqlstate in _NO_ROOM:
            raise StorageError(
                f"PostgreSQL has no room left: {' '.join(str(error).split())[:300]}",
                "Free space on its disk; nothing of the failed unit was stored.",
            ) from error
        else:
            refused = refusal(error)
            if refused is not None:
                raise refused from error
            raise error

    @staticmethod
    def _sleep(base: float, attempt: int, error: Exception) -> None:
        delay = min(base * 2 ** (attempt - 1), 5.0) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
        log.warning("unit of work: %s; trying again in %.1f s", " ".join(str(error).split())[:300], delay)
        time.sleep(delay)


def _connection_lost(error: Exception, sqlstate: str | None) -> bool:
    """ADBC reports a broken connection without a SQLSTATE, as an OperationalError."""
    if sqlstate is None:
        return isinstance(error, adbc.OperationalError)
    return sqlstate.startswith(_CONNECTION_CLASSES)


def is_refusal(sqlstate: str | None) -> bool:
    """Whether it is the rows that PostgreSQL does not take, and others it would."""
    return sqlstate is not None and (sqlstate.startswith(_REFUSAL_CLASSES) or sqlstate in _REFUSALS)
