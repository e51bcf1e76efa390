"""The postmaster: the server's first process, as its pid file tells of it.

Belongs here: whether it is alive, in which state, and how it is stopped. Does not belong here: who
may stop it (``folder``) and how it is started (``startup``, ``keeper``).

Source: the lines of ``postmaster.pid`` are described in PostgreSQL's ``utils/pidfile.h``; the three
ways to shut down and their signals in the chapter "Shutting Down the Server" of its manual.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from pathlib import Path

import psutil

from ecom_platform.errors import DatabaseError
from ecom_platform.server.polling import wait_until
from ecom_platform.waits import announced

# Lines of the pid file, counted from 0.
_PID, _SOCKET_FOLDER, _STATE = 0, 4, 7

# A fast shutdown writes every changed page; after that an immediate one, and then no more asking.
_STOP_STEPS = ((signal.SIGINT, 120.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))

# No process has this number (the kernel's limit is 2**22), and a pid_t can hold it.
_NO_PID = 2**31 - 2

_log = logging.getLogger(__name__)


class Postmaster:
    """The server of the data folder ``data``."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._pid_file = data / "postmaster.pid"

    def pid(self) -> int | None:
        """Its number, if it is alive."""
        number = self._line(_PID)
        return int(number) if number.isdigit() and self._is_server(int(number)) else None

    def state(self) -> str:
        """``starting``, ``ready`` or ``stopping``, as the server says; empty before it says so."""
        return self._line(_STATE).strip()

    def socket_folder(self) -> Path | None:
        """Where the running server has its socket."""
        if self.pid() is None:
            return None
        folder = self._line(_SOCKET_FOLDER)
        return Path(folder) if folder else None

    def left_behind(self) -> bool:
        """Whether there is a pid file: without a server, it tells of a crash."""
        return self._pid_file.exists()

    def stop(self) -> bool:
        """End the server, the gentle way first. Returns whether one was running."""
        pid = self.pid()
        if pid is None:
            return False
        at_most = sum(seconds for _, seconds in _STOP_STEPS)
        with announced(lambda: f"PostgreSQL (process {pid}) to stop", at_most):
            for number, seconds in _STOP_STEPS:
                self._signal(pid, number)
                if wait_until(lambda: not self._is_server(pid), seconds):
                    break
                _log.warning(
                    "PostgreSQL (process %d) did not end within %.0f s of %s.", pid, seconds, number.name
                )
        return True

    def forget_dead(self) -> None:
        """Keep a pid file of a dead server from naming a process that has its number now.

        PostgreSQL refuses to start while *any* process has that number. The rest of the file stays: by it
        PostgreSQL finds shared memory that processes of the dead server may still be using.
        """
        lines = self._lines()
        if not any(lines) or self.pid() is not None:
            return
        lines[_PID] = str(_NO_PID)  # the last line stays empty, so the text keeps its final line break
        owner = self._pid_file.stat()
        aside = self._data.parent / self._pid_file.name
        aside.write_text("\n".join(lines), "utf-8", "surrogateescape")
        aside.chmod(0o600)
        os.chown(aside, owner.st_uid, owner.st_gid)
        aside.replace(self._pid_file)

    def _line(self, index: int) -> str:
        lines = self._lines()
        return lines[index] if len(lines) > index else ""

    def _lines(self) -> list[str]:
        """The lines of the pid file; none if it is not there (any more)."""
        try:
            return self._pid_file.read_text("utf-8", "surrogateescape").split("\n")
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _signal(self, pid: int, number: signal.Signals) -> None:
        try:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        except PermissionError as error:
            raise DatabaseError(
                f"The PostgreSQL server in {self._data.parent} (process {pid}) belongs to another user.",
                "Stop it as the user who started it.",
            ) from error

    def _is_server(self, pid: int) -> bool:
        """Whether the process is the server of this data folder, and not one that has its number now.

        A dead process nobody has waited for has no command line, so it does not count.
        """
        try:
            process = psutil.Process(pid)
            command = process.cmdline()
            if len(command) < 3 or Path(command[0]).name != "postgres" or command[1] != "-D":
                return False
            # It keeps working in its data folder when that is moved.
            return command[2] == str(self._data) or Path(process.cwd()).samefile(self._data)
        except (psutil.Error, OSError):
            return False
