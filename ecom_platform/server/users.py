"""Who has a lock file open, for a person who wonders what is waited for.

Belongs here: finding such processes and naming them. Does not belong here: deciding anything by it; the
locks themselves do (``file_lock``).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil


def processes(lock: Path) -> list[str]:
    """The processes that have ``lock`` open, but for this one and the server's keeper."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and any(file.path == str(lock) for file in process.open_files()):
                command = process.cmdline()
                if not any("embedded.keeper" in argument for argument in command):
                    found.append(_named(process, command))
    return found


def named(lock: Path, otherwise: str = "another process") -> str:
    """The same in one phrase."""
    return " and ".join(processes(lock)) or otherwise


def _named(process: psutil.Process, command: list[str]) -> str:
    """Arguments are left out: one may be a password, or a page of SQL."""
    words = [Path(word).name for word in command]
    for number, word in enumerate(words[:3]):
        if word in ("ecom", "ecom_platform", "dagster"):
            name = " ".join(["ecom" if word == "ecom_platform" else word, *command[number + 1 : number + 2]])
            break
    else:
        name = words[0] if words else process.name()
    state = ", suspended" if process.status() == psutil.STATUS_STOPPED else ""
    return f"`{name}` (process {process.pid}{state})"
