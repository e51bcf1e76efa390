"""Getting files and their names onto the disk, so that a loss of power does not take them.

Belongs here: which system call does that. Does not belong here: when it is called (``zone``, the unit
of work).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk. Some file systems cannot do so with a folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def sync_all(folders: Iterable[Path]) -> None:
    """The same for each of several folders, once."""
    for folder in set(folders):
        sync(folder)
