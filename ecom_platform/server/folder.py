"""One embedded server's folder: what is in it, and the locks by which processes share the server.

Belongs here: the files, the state that they tell, and stopping the server, which users and keeper
both do. Does not belong here: a user's life (``server``), starting (``startup``).

Four files carry the protocol; all locks are ``flock``, which the kernel drops when a process dies,
however it dies:

``users.lock``
    Shared by every user for as long as it uses the server. Who gets it exclusively knows that nobody
    uses the server, and only such a process stops it (``stop()`` excepted, which asks nobody). A user
    arriving meanwhile waits for its shared lock until the server is down, then starts it again.
``start.lock``
    Exclusive while a process looks whether the server runs, and starts it.
``stop.lock``
    Exclusive while ``stop()`` runs, so that a process starting the server gives up instead of trying again.
``keeper.lock``
    Exclusive for the life of the *keeper*: a small process in a session of its own that starts the
    server as its child, stops it when the last user was killed, and ends with it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ecom_platform.file_lock import FileLock, is_locked
from ecom_platform.server import socket_folder
from ecom_platform.server.log import ServerLog
from ecom_platform.server.postmaster import Postmaster


class ServerFolder:
    """The folder ``path``, which need not exist, and what can be known and done without being a user."""

    def __init__(self, path: Path) -> None:
        # One name for one folder, whatever links lead to it.
        self.path = path.resolve()
        self.data = self.path / "data"
        self.pin_file = self.path / "pinned"
        self.users_lock = self.path / "users.lock"
        self.start_lock = self.path / "start.lock"
        self.stop_lock = self.path / "stop.lock"
        self.keeper_lock = self.path / "keeper.lock"
        self.log = ServerLog(self.path / "server.log")
        self.postmaster = Postmaster(self.data)

    def serves(self) -> bool:
        """Whether the server answers and has its keeper."""
        return self.ready() and self.kept()

    def ready(self) -> bool:
        return self.postmaster.pid() is not None and self.postmaster.state() == "ready"

    def kept(self) -> bool:
        return is_locked(self.keeper_lock)

    def being_stopped(self) -> bool:
        return is_locked(self.stop_lock)

    def socket_folder(self) -> Path:
        """The folder of the server's socket, or of the one that would be started now."""
        chosen = socket_folder.choose(self.path)
        if chosen.parent == self.path:
            return chosen
        # The running server knows best: TMPDIR may have been another one where it was started.
        return self.postmaster.socket_folder() or chosen

    def data_bytes(self) -> int:
        """The size of all files of the data folder; files that vanish meanwhile do not count."""
        total = 0
        for parent, _, names in os.walk(self.data):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    total += Path(parent, name).lstat().st_size
        return total

    def terminate(self) -> bool:
        """Stop the server, whoever uses it. Returns whether one was running."""
        folder = self.socket_folder()
        stopped = self.postmaster.stop()
        socket_folder.remove_temporary(folder, self.path)
        return stopped

    def stop_if_unused(self) -> None:
        """Stop the server if nobody uses it and it is not pinned, keeping new users out meanwhile."""
        # Somebody who removes the folder is not to find a new file in it.
        if self.pin_file.exists() or not self.users_lock.exists():
            return
        with FileLock(self.users_lock) as users:
            # Looked at again: a user who has pinned the server and left did so before we got the lock.
            if users.try_exclusive() and not self.pin_file.exists():
                self.terminate()
