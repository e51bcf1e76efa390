"""Locks between processes that share one machine.

Belongs here: ``flock`` on a file, which the kernel drops when its holder dies, however it dies. Does
not belong here: what each lock means (``folder``), and the lock of an ingest, which has to
reach other machines (``lock``).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self


class FileLock:
    """An ``flock`` on ``path``; the file is opened when the lock is asked for and closed with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def fileno(self) -> int:
        """The open file, for a program that is to hold the lock as well; ``ValueError`` while not held."""
        if self._descriptor is None:
            raise ValueError(f"{self._path} is not locked by this process")
        return self._descriptor

    def in_place(self) -> bool:
        """Whether the locked file is the one that others would lock: it may have been removed since."""
        try:
            return self._descriptor is not None and os.path.samestat(
                os.fstat(self._descriptor), self._path.stat()
            )
        except FileNotFoundError:
            return False

    def shared(self) -> None:
        self._lock(fcntl.LOCK_SH)

    def exclusive(self) -> None:
        self._lock(fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        return self._lock(fcntl.LOCK_SH | fcntl.LOCK_NB)

    def try_exclusive(self) -> bool:
        return self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _lock(self, operation: int) -> bool:
        # Python opens files closed on exec.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Unlock, also where a forked child still has the file open."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self.close()

    def close(self) -> None:
        """Let go of the file, which keeps the lock of whoever else has it open."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock exclusively."""
    with FileLock(path) as lock:
        return not lock.try_shared()
