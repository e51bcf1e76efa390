"""Whether a folder can be written.

Belongs here: proving it, and telling it without making anything. Does not belong here: what is to be written
there.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from ecom_platform.errors import StorageError


def make_writable(folder: Path) -> None:
    """Make ``folder`` and write a file in it; raises :class:`StorageError`.

    Root passes every permission check, so writing is the only test that counts.
    """
    probe = folder / f".writable-{datetime.now(UTC):%H%M%S%f}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StorageError(
            f"The folder {folder} cannot be written: {error.strerror}.",
            "Make it writable, or set ECOM_LANDING_DIR (ECOM_HOME for the rest) to a folder that is.",
        ) from error


def may_be_written(folder: Path, variable: str) -> str:
    """The folder, and whether it is there, in words; raises :class:`StorageError` naming the ``variable``.

    Asked of the system, and of the folder above where it is not there yet; only :func:`make_writable` proves
    it.
    """
    remedy = f"Make it writable, or set {variable} to a folder that is."
    try:
        there = existing(folder)
        if not there.is_dir():
            raise StorageError(f"{there} is no folder, so {folder} cannot be one.", remedy)
        read_only = os.statvfs(there).f_flag & os.ST_RDONLY
    except OSError as error:
        raise StorageError(f"The folder {folder} cannot be used: {error.strerror}.", remedy) from error
    if read_only or not os.access(there, os.W_OK | os.X_OK):
        reason = "its file system is read-only" if read_only else "this user may not"
        raise StorageError(f"The folder {there} cannot be written: {reason}.", remedy)
    return f"{folder}, writable" if there == folder else f"{folder}, made when needed"


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    while not folder.exists():
        folder = folder.parent
    return folder
