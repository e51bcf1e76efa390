"""A program that ends with the one that started it, however that one ends.

    python -m ecom_platform.processes.guardian DESCRIPTOR group|process COMMAND...

The guardian runs COMMAND in a session of its own, with itself as the session's leader, and reads from a
pipe whose other end is held by nobody but the starter. Whatever ends the starter (a closed terminal, a
signal, SIGKILL, a crash) closes that end; the guardian then ends every process of the session. Signals for
the terminal's foreground do not reach it.

A session, since it is what a process stays in unless it leaves on purpose: Spark's workers make process
groups of their own and orphans change their parent, while PostgreSQL's keeper, which outlives whoever
needed it first, is not in it. Where there is no `prctl`, all of this works the same; with it, the program
is told even when starter and guardian are killed in one moment.

Belongs here: this one process, and ending the processes of a session. Does not belong here: what is
started and started again (``supervision``). It imports little, since one runs beside each program.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from types import FrameType

import psutil

# For each way of ending a program: a signal, and how long to wait for the session to be empty after it.
Steps = tuple[tuple[signal.Signals, float], ...]
STEPS: dict[str, Steps] = {
    # Dagster's services and their runs: each process gets the signal that Ctrl-C would send.
    "group": ((signal.SIGINT, 15.0), (signal.SIGTERM, 5.0)),
    # A program that ends its own children in good order: `ecom stream`, a micro-batch in hand.
    "process": ((signal.SIGTERM, 60.0),),
}
SIGNALLED = 128
# How long what a program leaves behind may take to end by itself.
_ORPHANS_SECONDS = 5.0
_PERIOD_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1


def members(session: int) -> list[int]:
    """The processes of a session that still run; one that has ended and is not yet buried does not count."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


def kill_session(session: int) -> None:
    """SIGKILL to every process of a session but this one, until there is none."""
    while others := [pid for pid in members(session) if pid != os.getpid()]:
        for pid in others:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PERIOD_SECONDS)


def end_session(process: subprocess.Popen[bytes], way: str) -> None:
    """End ``process``, which leads its group, and everything else of our session; this process stays."""
    session = os.getsid(0)
    for signum, seconds in STEPS[way]:
        for pid in _asked(session, process, way):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signum)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if process.poll() is not None and way == "process":
                deadline = min(deadline, time.monotonic() + _ORPHANS_SECONDS)
            if members(session) == [os.getpid()]:
                return
            time.sleep(_PERIOD_SECONDS)
    kill_session(session)


def _asked(session: int, process: subprocess.Popen[bytes], way: str) -> list[int]:
    """Who is sent a signal. No process that is buried: its id may be another's by now."""
    if way == "process":
        return [process.pid] if process.poll() is None else []
    group = []
    for pid in members(session):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) == process.pid:
                group.append(pid)
    return group


def guard(descriptor: int, way: str, command: list[str]) -> int:
    """Run ``command`` until it ends or the pipe is closed; the exit code as a shell has it."""
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    # Handlers, since what is ignored would be ignored by the program as well.
    for signum in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, _nothing)
    terminated: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _: terminated.append(signum))
    os.set_inheritable(descriptor, False)
    guardian = os.getpid()
    process = subprocess.Popen(
        command,
        process_group=0,
        preexec_fn=lambda: _die_with(guardian),  # safe: this process has one thread
    )
    while process.poll() is None and not terminated:
        readable, _, _ = select.select([descriptor, woken], [], [])
        if descriptor in readable:
            break
        os.read(woken, 4096)
    end_session(process, way)
    code = process.wait()
    return code if code >= 0 else SIGNALLED - code


def _nothing(signum: int, frame: FrameType | None) -> None:
    """A signal that wakes and does no more."""


def _die_with(guardian: int) -> None:
    """In the new process: have the kernel tell it when the guardian has been killed, where it can (Linux)."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != guardian:
        os._exit(SIGNALLED + signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(guard(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
