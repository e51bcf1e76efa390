"""The embedded PostgreSQL server: started by its first user, stopped with its last.

Belongs here: being a user of one server in one folder, pinning it and stopping it. Does not belong
here: the files and locks (``folder``), how it starts (``startup``), connections
(``connection``), tables (``migrations``), and a PostgreSQL that somebody else runs.

A lock belongs to an open file, so a child that kept the file open would keep its parent a user: the
files are closed on exec (the JVM has none of them) and in children forked without exec. Such a child
is not a user; it has to acquire for itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from ecom_platform.errors import DatabaseError, LockedError, StorageError
from ecom_platform.file_lock import FileLock
from ecom_platform.server import data_folder, keeper, startup, users
from ecom_platform.server.data_folder import DATABASE, USER
from ecom_platform.server.folder import ServerFolder
from ecom_platform.server.polling import wait_until
from ecom_platform.server.programs import version
from ecom_platform.waits import announced, spoken

_START_LOCK_SECONDS = 30.0
# A fast shutdown that writes every page, and what follows where it does not end (postmaster).
_STOPPED_SECONDS = 150.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What ``ecom doctor`` shows of the server; ``version`` is that of the binaries."""

    running: bool
    pid: int | None
    pinned: bool
    version: str
    data_bytes: int


class EmbeddedServer:
    """The server whose whole state is ``directory``. One instance is one user at most."""

    def __init__(self, directory: Path) -> None:
        self._folder = ServerFolder(directory)
        self._mutex = threading.RLock()
        self._use = FileLock(self._folder.users_lock)
        _instances.add(self)

    @property
    def url(self) -> str:
        """Where drivers and ``psql`` connect to; it holds no secret.

        The empty ``hostaddr`` says that there is no other address, whatever PGHOSTADDR has.
        """
        folder = quote(os.fsencode(self._folder.socket_folder()))
        return f"postgresql://{USER}@/{DATABASE}?host={folder}&port=5432&hostaddr="

    def acquire(self) -> None:
        """Become a user of the server, starting it and making its database where needed.

        Doing so again is cheap and makes sure that the server still runs.
        """
        with self._mutex, self._reporting_storage():
            self._become_user()
            try:
                self._make_sure_it_runs()
            except BaseException:
                self._use.release()
                raise

    def release(self) -> None:
        """Stop using the server; the last user stops it, unless it is pinned."""
        with self._mutex:
            if self._use.held:
                self._use.release()
                self._folder.stop_if_unused()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def pin(self) -> None:
        """Let the server survive its last user, until :meth:`stop`. Starts it if need be.

        A pin belongs to a running server: it does not outlive a crash of the machine.
        """
        with self._mutex:
            was_user = self._use.held
            self.acquire()
            self._folder.pin_file.touch(mode=0o600)
            if not was_user:
                self.release()

    def stop(self) -> bool:
        """Stop the server, pinned or in use. Returns whether one was running."""
        folder = self._folder
        with self._mutex, self._reporting_storage():
            if not folder.path.is_dir():
                return False
            folder.pin_file.unlink(missing_ok=True)
            with FileLock(folder.stop_lock) as stopping, FileLock(folder.start_lock) as start:
                stopping.exclusive()
                stopped = self._stop_starting_ones(start)
                stopped |= folder.terminate()
                if start.held:
                    data_folder.sweep(folder)
            # Another process may have started a server, and with it a keeper, by now.
            wait_until(
                lambda: not folder.kept() or folder.postmaster.pid() is not None, 3 * keeper.PERIOD_SECONDS
            )
            return stopped

    def stop_when_unused(self, seconds: float) -> bool:
        """Stop the server as soon as nobody uses it. Returns whether one was running.

        Takes the pin back at once, so whoever leaves last may be who stops it. Raises
        :class:`LockedError`, which names the users, when the time is over.
        """
        folder = self._folder
        if not folder.users_lock.exists():
            return self.stop()
        was_running = folder.postmaster.pid() is not None

        def using() -> str:
            return f"{users.named(folder.users_lock)} to end, before PostgreSQL in {folder.path} is stopped"

        with self._mutex, self._reporting_storage(), announced(using, seconds):
            folder.pin_file.unlink(missing_ok=True)
            with FileLock(folder.users_lock) as lock:
                if not wait_until(lock.try_exclusive, seconds):
                    raise LockedError(
                        f"PostgreSQL in {folder.path} is in use by {users.named(folder.users_lock)}.",
                        "End it first, or stop the server all the same: `ecom stop --now`.",
                    )
                return self.stop() or was_running

    def status(self) -> ServerStatus:
        """What is known without starting anything."""
        with self._reporting_storage():
            pid = self._folder.postmaster.pid()
            return ServerStatus(
                running=pid is not None,
                pid=pid,
                pinned=pid is not None and self._folder.pin_file.exists(),
                version=version(),
                data_bytes=self._folder.data_bytes(),
            )

    @contextlib.contextmanager
    def _reporting_storage(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"The folder {self._folder.path} for PostgreSQL cannot be used: {error}.",
                "Make room on its disk or the folder writable, or set ECOM_HOME to another folder.",
            ) from error

    def _become_user(self) -> None:
        if self._use.held and self._use.in_place():
            return
        self._use.close()  # the folder was removed and may have been made anew
        path = self._folder.path
        if "\n" in str(path):
            raise StorageError(
                f"The folder {str(path)!r} for PostgreSQL has a line break in its name.",
                "Set ECOM_HOME to a folder without one: PostgreSQL's pid file would be misread.",
            )
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._use.try_shared():
            return

        def stopping() -> str:
            return f"PostgreSQL in {path}, which {users.named(self._folder.users_lock)} is stopping"

        with announced(stopping, _STOPPED_SECONDS):
            if not wait_until(self._use.try_shared, _STOPPED_SECONDS):
                raise self._not_had(stopping(), self._folder.users_lock, _STOPPED_SECONDS)

    def _make_sure_it_runs(self) -> None:
        folder = self._folder
        if folder.serves():
            return

        def starting() -> str:
            return f"PostgreSQL in {folder.path}, which {users.named(folder.start_lock)} is starting"

        with FileLock(folder.start_lock) as lock:
            if not lock.try_exclusive():
                with announced(starting, startup.READY_SECONDS):
                    # Whoever starts it may be suspended after it has: then the lock is not needed.
                    if not wait_until(lambda: folder.serves() or lock.try_exclusive(), startup.READY_SECONDS):
                        raise self._not_had(starting(), folder.start_lock, startup.READY_SECONDS)
            if not folder.serves():
                startup.start(folder)

    def _not_had(self, what: str, lock: Path, seconds: float) -> DatabaseError:
        return DatabaseError(
            f"{what}: it has not ended for {spoken(seconds)}.",
            f"Let {users.named(lock)} go on (`fg`, or `kill -CONT` and its number) or end it, and try again.",
        )

    def _stop_starting_ones(self, start: FileLock) -> bool:
        """Get ``start`` from a process that is starting the server, by stopping what it starts.

        Returns whether a server was stopped. A lock that is not had after a while is done without.
        """
        stopped = False
        deadline = time.monotonic() + _START_LOCK_SECONDS
        while not start.try_exclusive():
            stopped |= self._folder.terminate()
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        return stopped

    def _forget_after_fork(self) -> None:
        """In a child forked without exec: close the lock's file, which does not release the parent's lock."""
        self._mutex = threading.RLock()
        self._use.close()


_instances: weakref.WeakSet[EmbeddedServer] = weakref.WeakSet()


def _forget_locks_after_fork() -> None:
    for server in list(_instances):
        server._forget_after_fork()


os.register_at_fork(after_in_child=_forget_locks_after_fork)
