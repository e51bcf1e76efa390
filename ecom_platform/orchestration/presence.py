"""Whether the process of a run is still there.

Belongs here: a lock on a file of the run's own, held by the process that executes it for as long as
it lives, and the question whether it is held. The kernel drops it however the process ends: no pid
that may be somebody else's by now, no clock, no heartbeat that a busy process misses. Does not
belong here: what follows when the process is gone (``stale_runs``).

``home`` is the folder of Dagster's instance on this machine, ``DAGSTER_HOME``.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.file_lock import FileLock, is_locked

_SUFFIX = ".lock"
# Held to the end of the process, not of the run's last resource: in between the run is not over yet.
_held: dict[str, FileLock] = {}


class Presence(Enum):
    """What is known of a run's process; a run of another machine has no file here."""

    HERE = "here"
    GONE = "gone"
    UNKNOWN = "unknown"


def _folder(home: Path) -> Path:
    return home / "presence"


def _file(home: Path, run_id: str) -> Path:
    return _folder(home) / f"{run_id}{_SUFFIX}"


def appear(home: Path, run_id: str) -> None:
    """Show that this process executes the run; doing so again changes nothing."""
    if run_id in _held:
        return
    path = _file(home, run_id)
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.exclusive()
    except OSError as error:
        raise StorageError(
            f"The folder {path.parent} cannot be written: {error.strerror}.",
            "Make it writable, or set DAGSTER_HOME (else ECOM_HOME) to a folder that is.",
        ) from error
    _held[run_id] = lock


def leave(home: Path, run_id: str) -> None:
    """The run has ended and this process goes on."""
    lock = _held.pop(run_id, None)
    if lock is not None:
        _file(home, run_id).unlink(missing_ok=True)
        lock.release()


def presence(home: Path, run_id: str) -> Presence:
    """Whether the process that executes the run is still there."""
    path = _file(home, run_id)
    if not path.exists():
        return Presence.UNKNOWN
    return Presence.HERE if is_locked(path) else Presence.GONE


def known(home: Path) -> list[str]:
    """The runs whose process was seen on this machine and that nobody has forgotten yet."""
    return [path.name.removesuffix(_SUFFIX) for path in _folder(home).glob(f"*{_SUFFIX}")]


def forget(home: Path, run_id: str) -> None:
    """Remove the file of a run that has ended."""
    _file(home, run_id).unlink(missing_ok=True)


def _forget_after_fork() -> None:
    """A child forked without exec must not keep its parent's runs alive."""
    for lock in _held.values():
        lock.close()
    _held.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
