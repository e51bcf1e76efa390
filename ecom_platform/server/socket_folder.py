"""The private folder of the embedded server's socket, by which alone it is reached.

Belongs here: where it is, making it and removing it. Does not belong here: the server's other
settings (``data_folder``).

Source: ``sun_path`` in unix(7) holds 108 bytes on Linux and 104 on macOS, the closing zero included.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.server.account import Account

# The port is a part of the socket's name, and `postgresql.conf.template` sets it.
_SOCKET = ".s.PGSQL.5432"
_PATH_BYTES = 103


def choose(directory: Path) -> Path:
    """``run/`` in ``directory``, unless its path does not fit: then one in a private temporary folder."""
    run = directory / "run"
    if _fits(run):
        return run
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    name = f"ecom-{os.geteuid()}-{digest}"
    private = Path(tempfile.gettempdir()).resolve() / name / "run"
    return private if _fits(private) else Path("/tmp", name, "run")  # noqa: S108 - checked when made


def _fits(folder: Path) -> bool:
    # Drivers take a comma in the host for a list of hosts.
    path = os.fsencode(folder / _SOCKET)
    return len(path) <= _PATH_BYTES and b"," not in path


def make(folder: Path, directory: Path, account: Account) -> None:
    """Make ``folder`` the account's, and closed to everybody else."""
    if folder.parent != directory:
        _make_private(folder.parent, account.outer_mode)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    account.give(folder)


def _make_private(folder: Path, mode: int) -> None:
    """A folder in a place where anyone may make one: ours, or an error."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=mode)
    found = folder.lstat()  # not following a link that somebody has put there
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StorageError(
            f"{folder} for PostgreSQL's socket is there already and is not a folder of this user.",
            "Remove it, or set ECOM_HOME to a shorter path, which needs no such folder.",
        )
    folder.chmod(mode)


def remove_temporary(folder: Path, directory: Path) -> None:
    """Leave nothing in the temporary directory; a folder in ``directory`` stays."""
    if folder.parent == directory:
        return
    with contextlib.suppress(OSError):
        for left in (_SOCKET, f"{_SOCKET}.lock"):
            (folder / left).unlink(missing_ok=True)
        folder.rmdir()
        folder.parent.rmdir()
