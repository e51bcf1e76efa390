"""Starting the embedded server, also after a crash and while others stop it.

Belongs here: the attempts, the wait for recovery, and what is said when it fails. Does not belong
here: the process that runs the server (``keeper``), its files (``data_folder``).
"""

from __future__ import annotations

import logging
import time

from ecom_platform.errors import DatabaseError
from ecom_platform.server import data_folder, socket_folder
from ecom_platform.server.account import server_account
from ecom_platform.server.folder import ServerFolder
from ecom_platform.server.keeper import start_keeper
from ecom_platform.waits import announced

# Crash recovery replays up to max_wal_size of log; on a slow disk that takes minutes.
READY_SECONDS = 900.0
# Processes of a killed server may hold its shared memory for a moment.
_ORPHAN_SECONDS = 15.0
_ATTEMPTS = 3

_log = logging.getLogger(__name__)


def start(folder: ServerFolder) -> None:
    """Start the server, more than once if it is stopped or its keeper killed. Only under ``start.lock``."""

    def starting() -> str:
        said = folder.log.tail(lines=1).strip()
        return f"PostgreSQL in {folder.path} to start" + (f" (it says: {said})" if said else "")

    with announced(starting, READY_SECONDS):
        _start(folder)


def _start(folder: ServerFolder) -> None:
    begun = time.monotonic()
    crashed = folder.postmaster.left_behind()
    attempts = 1
    while not _start_once(folder):
        if folder.being_stopped():
            raise DatabaseError(
                f"PostgreSQL in {folder.path} was stopped (`ecom stop`) while it was starting.",
                "Try again.",
            )
        # What is left of a crashed server ends by itself, but takes its time.
        patient = crashed and time.monotonic() - begun < _ORPHAN_SECONDS
        if attempts >= _ATTEMPTS and not patient:
            raise folder.log.failure("did not start")
        _log.info("PostgreSQL in %s did not start; trying again.", folder.path)
        attempts += 1
        time.sleep(0.2)


def _start_once(folder: ServerFolder) -> bool:
    """Start the keeper, which starts the server. Returns whether the server became ready."""
    if folder.postmaster.state() == "stopping":
        folder.terminate()
    running = folder.postmaster.pid() is not None
    if not running:
        folder.pin_file.unlink(missing_ok=True)
        _prepare(folder)
    if not (running and folder.kept()):
        start_keeper(folder)
    return _wait_until_ready(folder)


def _prepare(folder: ServerFolder) -> None:
    """Everything a start needs: who runs it, the data folder, the socket's folder, the configuration."""
    account = server_account(folder.path)
    data_folder.prepare(folder, account)
    socket_folder.make(folder.socket_folder(), folder.path, account)
    data_folder.configure(folder, account)


def _wait_until_ready(folder: ServerFolder) -> bool:
    """Wait for the server, and for its recovery after a crash; False if server or keeper ended."""
    begun = time.monotonic()
    while not folder.ready():
        if not folder.kept():
            return False
        if time.monotonic() - begun > READY_SECONDS:
            raise folder.log.failure(f"was not ready after {READY_SECONDS:.0f} s")
        time.sleep(0.01)
    return True
