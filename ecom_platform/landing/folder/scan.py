"""Looking at the landing folder: what rests there and may be taken, what is still being written.

Belongs here: reading the folder and the pure decision about each entry. Does not belong here:
moving anything (``zone``), or the ledger (``claim``).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.landing.landed import LandedFile, refusal, shown, unfinished_by
from ecom_platform.store.outcome import Stamp

# Two looks closer together than this cannot tell a resting file from one being written.
LOOK_INTERVAL_SECONDS = 0.5
# How long a file has to rest whose writer has paused for longer than all others have to.
PATIENT_SECONDS = 5.0

# What this program itself has there.
_OURS = ".ecom"
_OUR_PREFIXES, _OUR_SUFFIXES = (".writable-",), (".requeued",)


@dataclass(frozen=True, slots=True)
class Listing:
    """One look at the folder. ``refused`` gives the reason why an entry will never be taken, ``unfinished``
    by what its name says that it is not finished; names that could not be shown are written out."""

    files: dict[str, LandedFile]
    refused: dict[str, str]
    unfinished: dict[str, str] = field(default_factory=dict)


def may_read(path: str) -> bool:
    """Whether this process may open a file for reading. Root may open every one."""
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def look(folder: Path, readable: Callable[[str], bool] = may_read, feeds: Collection[str] = ()) -> Listing:
    """List ``folder`` once, and the folders in it that are called as one of ``feeds``, with theirs.

    Raises :class:`StorageError`: unreadable is not the same as empty.
    """
    files: dict[str, LandedFile] = {}
    refused: dict[str, str] = {}
    unfinished: dict[str, str] = {}
    try:
        folders = [("", folder)]
        while folders:
            prefix, inside = folders.pop()
            around = inside.stat()
            with os.scandir(inside) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    mark = unfinished_by(entry.name)
                    if mark is not None:
                        if not _is_ours(entry.name):
                            unfinished[shown(name)] = f"unfinished, by its name ({mark})"
                    elif (prefix or entry.name in feeds) and _is_folder(entry):
                        folders.append((f"{name}/", inside / entry.name))
                    else:
                        _sort(entry, name, around, files, refused, readable)
    except OSError as error:
        raise StorageError(
            f"The landing folder {folder} cannot be read: {error.strerror}.",
            "Check that it exists and that this user may read it, or correct ECOM_LANDING_DIR.",
        ) from error
    return Listing(files, refused, unfinished)


def _is_ours(name: str) -> bool:
    return name == _OURS or name.startswith(_OUR_PREFIXES) or name.endswith(_OUR_SUFFIXES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except FileNotFoundError:
        return False


def _sort(
    entry: os.DirEntry[str],
    name: str,
    around: os.stat_result,
    files: dict[str, LandedFile],
    refused: dict[str, str],
    readable: Callable[[str], bool],
) -> None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return  # taken away since it was listed
    # A run that claimed what it cannot open would fail, and so would every run after it.
    reason = (
        refusal(entry.name, status.st_mode)
        or unmovable(status, around)
        or unreadable(Path(entry.path), readable)
    )
    if reason is None:
        stamp = Stamp.of(status)
        files[name] = LandedFile(name, stamp.size, stamp.mtime_ns, status.st_ctime_ns, stamp.inode)
    else:
        refused[shown(name)] = reason


def unmovable(status: os.stat_result, folder: os.stat_result) -> str | None:
    """Why a file cannot be renamed out of ``folder``, or ``None``. A claim finds the reasons that do not
    show: a file may be immutable, or a mount of its own."""
    user = os.geteuid()
    if folder.st_mode & stat.S_ISVTX and user not in (0, status.st_uid, folder.st_uid):
        return f"another user's ({status.st_uid}), which cannot be moved out of a folder with the sticky bit"
    return None


def unreadable(path: Path, readable: Callable[[str], bool] = may_read) -> str | None:
    """Why this process cannot open a file, or ``None``; as soon as it may, the file is taken."""
    if readable(str(path)):
        return None
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    owner, mode = status.st_uid, stat.S_IMODE(status.st_mode)
    return f"not readable for this user (its owner is {owner}, its mode {mode:04o})"


def rests(now: LandedFile, before: LandedFile | None, clock: float, settle_seconds: float) -> bool:
    """Whether a file is at rest: unchanged between two looks, and old enough.

    A modification time in the future can not become old enough; there the two looks decide.
    With ``settle_seconds`` 0 the producer renames into place and every file is at rest.
    """
    if settle_seconds == 0:
        return True
    age = clock - now.mtime_ns / 1e9
    return now.same_content(before) and (age >= settle_seconds or age < 0)


def patient(settle_seconds: float) -> float:
    """How long a file has to rest whose writer is known to pause."""
    return max(PATIENT_SECONDS, 3 * settle_seconds)
