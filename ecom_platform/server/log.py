"""The embedded server's log, which the keeper's own complaints go to as well.

Belongs here: opening it, bounding it, and the error that quotes its end. Does not belong here: what
PostgreSQL logs (``postgresql.conf.template``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ecom_platform.errors import DatabaseError, EcomError, StorageError

_LIMIT_BYTES = 8 * 1024**2
_TAIL_BYTES = 16 * 1024
_ROOM_NEEDED_BYTES = 128 * 1024**2


class ServerLog:
    """The file ``path``, in the server's folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """For a program to append to, closed to other users."""
        with self._path.open("ab") as log:
            self._path.chmod(0o600)
            yield log

    def bound(self) -> None:
        """Move a long log aside. Its writers append to the open file, so it is emptied, not replaced."""
        if self._path.exists() and self._path.stat().st_size > _LIMIT_BYTES:
            shutil.copyfile(self._path, self._path.with_suffix(".log.1"))
            os.truncate(self._path, 0)

    def tail(self, lines: int = 8) -> str:
        """The last lines as one; nothing if there is no log yet."""
        try:
            with self._path.open("rb") as log:
                log.seek(max(0, self._path.stat().st_size - _TAIL_BYTES))
                return _last_lines(log.read(), lines)
        except FileNotFoundError:
            return ""

    def failure(self, what: str, output: bytes | None = None) -> EcomError:
        """The error for a failed program of PostgreSQL, quoting what it said last, here or in ``output``."""
        said = self.tail() if output is None else _last_lines(output, 8)
        folder = self._path.parent
        message = f"PostgreSQL in {folder} {what}. It said last: {said or '(nothing)'}"
        free = shutil.disk_usage(folder).free
        if free < _ROOM_NEEDED_BYTES:
            return StorageError(
                f"{message} Its disk has {free // 1024**2} MB left.",
                "Make room, or set ECOM_HOME to a folder on another disk.",
            )
        return DatabaseError(
            message, f"Read {self._path}; `ecom stop` ends what may be left, then try again."
        )


def _last_lines(text: bytes, count: int) -> str:
    lines = text.decode(errors="replace").splitlines()[-count:]
    return " | ".join(line.strip() for line in lines if line.strip())
