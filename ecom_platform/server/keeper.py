"""The keeper: a small process that starts the embedded server and ends it after its last user.

Belongs here: the keeper's whole life and how it is started. Does not belong here: who is a user
(``server``).

The server is the keeper's child, and the keeper is nobody's. So a killed user is no parent of the
server, and there is somebody to notice that it was the last one.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ecom_platform.file_lock import FileLock
from ecom_platform.server.account import server_account
from ecom_platform.server.folder import ServerFolder
from ecom_platform.server.polling import wait_until
from ecom_platform.server.programs import binary

PERIOD_SECONDS = 0.5
_HANDOVER_SECONDS = 30.0


def start_keeper(folder: ServerFolder) -> None:
    """Returns when the keeper holds its lock, or has failed to and said so in the log."""
    package_parent = Path(__file__).resolve().parents[2]
    program = (
        "import sys; sys.path.append(sys.argv[1]); "
        "from ecom_platform.server.keeper import keep; keep(sys.argv[2])"
    )
    with folder.log.open() as log:
        subprocess.run(
            [sys.executable, "-P", "-c", program, str(package_parent), str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            # Ctrl-C goes to the session in the foreground, which is then not ours.
            start_new_session=True,
            check=False,
        )


def keep(directory: str) -> None:
    """The keeper's whole life. Called in a process that :func:`start_keeper` made, and nowhere else."""
    folder = ServerFolder(Path(directory))
    lock = FileLock(folder.keeper_lock)
    # A keeper whose server has ended needs a moment to end as well; one whose starter was killed
    # may just have brought its server up.
    wait_until(lambda: lock.try_exclusive() or folder.ready(), _HANDOVER_SECONDS)
    if not lock.held:
        sys.exit(f"{directory} has a keeper already.")
    # The starter waits for this process only: the keeper is nobody's child, so nobody has to bury it.
    if os.fork() == 0:
        try:
            _watch(folder)
        finally:
            lock.release()


def _watch(folder: ServerFolder) -> None:
    """Run the server, or adopt the one that runs, until it ends or nobody uses it."""
    child = None if folder.postmaster.pid() else _spawn(folder)
    while (pid := _living(folder, child)) is not None:
        _wait_for_end(pid, PERIOD_SECONDS)
        if not folder.path.is_dir():
            # Removed or moved away: nobody can find this server any more.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        folder.stop_if_unused()
        folder.log.bound()


def _spawn(folder: ServerFolder) -> subprocess.Popen[bytes]:
    account = server_account(folder.path)
    return subprocess.Popen(
        account.command(binary("postgres"), "-D", str(folder.data)),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        **account.options,
    )


def _living(folder: ServerFolder, child: subprocess.Popen[bytes] | None) -> int | None:
    """The server's process: our child, which is asked so that it is buried, or the adopted one."""
    if child is None:
        return folder.postmaster.pid()
    return child.pid if child.poll() is None else None


def _wait_for_end(pid: int, seconds: float) -> None:
    """Sleep, but not longer than the process lives, where the system can tell (Linux 5.3)."""
    pidfd_open: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    try:
        descriptor = pidfd_open(pid) if pidfd_open else None
    except OSError:
        descriptor = None
    if descriptor is None:
        time.sleep(seconds)
        return
    try:
        select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)
