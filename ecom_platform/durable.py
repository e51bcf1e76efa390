"""Getting files and their names onto the disk, so that a loss of power does not take them.

Belongs here: which system call does that, and how many at a time. Does not belong here: when it has to be
done (the unit of work, ``landing``).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Calls that wait at the same time share one write of the file system's journal: 300 small files took a second
# one after the other, 0.03 s like this.
_THREADS = 16
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.EROFS, errno.ENOTSUP})


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk. Raises :class:`OSError`.

    Some file systems cannot do so, at all or with a folder; what is neither has nothing to write.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISREG(kind) or stat.S_ISDIR(kind):
            os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    finally:
        os.close(descriptor)


class Syncing:
    """Files that are on their way to the disk while their reader works; :meth:`wait` for them."""

    def __init__(self, paths: Iterable[Path]) -> None:
        wanted = sorted(set(paths))
        self._pool = ThreadPoolExecutor(min(_THREADS, len(wanted)) or 1, thread_name_prefix="fsync")
        self._calls = [self._pool.submit(sync, path) for path in wanted]

    def wait(self) -> None:
        """Return when all are there. Raises the :class:`OSError` of the first that cannot be."""
        try:
            for call in self._calls:
                call.result()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Begin no further ones; those that are being written are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def sync_all(paths: Iterable[Path]) -> None:
    """Write each of several, once. Raises :class:`OSError`."""
    Syncing(paths).wait()
