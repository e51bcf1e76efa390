"""Keeping another program running for as long as a block lasts.

Belongs here: starting it, starting it again when it dies, ending it in good order or at once. Does not
belong here: that it ends when this process is killed (``guardian``), and which program it is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal

from ecom_platform.processes.guardian import SIGNALLED, STEPS, kill_session

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 60.0
# One that has lived this long has recovered: its next death begins with the shortest delay.
STEADY_SECONDS = 60.0
# The guardian itself needs a moment beyond what it gives its program.
_GRACE_SECONDS = 5.0

Way = Literal["group", "process"]


class Guarded:
    """A program in a session of its own that ends with this process, however this process ends.

    ``way`` says who is asked to end first: the program, or every process of its group. ``keep`` are open
    files that its guardian holds open for as long as anything of it runs, such as a lock.
    """

    def __init__(self, command: Sequence[str], way: Way, keep: Sequence[int] = ()) -> None:
        self._way = way
        theirs, self._ours = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ecom_platform.processes.guardian", str(theirs), way, *command],
                env=dict(os.environ),
                pass_fds=[theirs, *keep],
                start_new_session=True,
            )
        except BaseException:
            self.let_go()
            raise
        finally:
            os.close(theirs)

    def poll(self) -> int | None:
        """The exit code, once everything of the program is gone."""
        code = self._process.poll()
        if code is not None and code < 0:
            kill_session(self._process.pid)  # the guardian was killed
        return code

    def wait(self) -> int:
        """Returns the exit code when everything of the program is gone."""
        self._process.wait()
        code = self.poll()
        self.let_go()
        return code or 0

    def let_go(self) -> None:
        """Have the guardian end the program; returns at once, and doing so again changes nothing."""
        descriptor, self._ours = self._ours, -1
        if descriptor >= 0:
            os.close(descriptor)

    def end(self) -> None:
        """End the program in good order, or, past its time, at once; returns when it is gone."""
        self.let_go()
        try:
            self._process.wait(sum(seconds for _, seconds in STEPS[self._way]) + _GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the program at once, with all its processes; returns when they are gone."""
        self.let_go()
        kill_session(self._process.pid)
        self._process.wait()


def next_delay(delay: float, lived_seconds: float) -> float:
    """How long to wait before the start after this one."""
    return FIRST_DELAY_SECONDS if lived_seconds >= STEADY_SECONDS else min(2 * delay, LONGEST_DELAY_SECONDS)


@contextmanager
def companion(command: Sequence[str], say: Callable[[str], None]) -> Iterator[Companion]:
    """Run ``command`` beside the block; ended with SIGTERM at the block's end, and waited for."""
    running = Companion(command, say)
    try:
        yield running
    finally:
        running.end()


class Companion:
    """A guarded program that is started again when it dies, after a pause that grows."""

    def __init__(
        self,
        command: Sequence[str],
        say: Callable[[str], None],
        way: Way = "process",
        keep: Sequence[int] = (),
        name: str | None = None,
    ) -> None:
        self._command, self._say, self._way, self._keep = list(command), say, way, list(keep)
        self._name = name or " ".join(self._command[-2:])
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: Guarded | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def let_go(self) -> None:
        """Begin to end it; it is not started again."""
        if process := self._stop():
            process.let_go()

    def end(self) -> None:
        """End it in good order; returns when it is gone."""
        if process := self._stop():
            process.end()
        self._thread.join()

    def kill(self) -> None:
        """End it at once; returns when it is gone."""
        if process := self._stop():
            process.kill()
        self._thread.join()

    def poll(self) -> int | None:
        """0 once it was told to end and has, else ``None``: its deaths are nobody else's affair."""
        return None if self._thread.is_alive() else 0

    def _stop(self) -> Guarded | None:
        with self._lock:
            self._stopping.set()
            return self._process

    def _run(self) -> None:
        delay = FIRST_DELAY_SECONDS
        while (process := self._spawn()) is not None:
            started = time.monotonic()
            code = process.wait()
            if self._stopping.is_set():
                return
            lived = time.monotonic() - started
            if lived >= STEADY_SECONDS:
                delay = FIRST_DELAY_SECONDS
            self._say(f"{self._name} ended with {ending(code)}; starting it again in {delay:.0f} s")
            self._stopping.wait(delay)
            delay = next_delay(delay, lived)

    def _spawn(self) -> Guarded | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = Guarded(self._command, self._way, self._keep)
            return self._process


def ending(code: int) -> str:
    """An exit code as a shell has it, in words."""
    signum = -code if code < 0 else code - SIGNALLED
    if signum > 0:
        with suppress(ValueError):
            return signal.Signals(signum).name
    return f"exit code {code}"
