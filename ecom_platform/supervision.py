"""Keeping another program running for as long as a block lasts.

Belongs here: starting it, starting it again when it dies, ending it gracefully. Does not belong here:
which program that is, which ``cli`` decides.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 60.0
# One that has lived this long has recovered: its next death begins with the shortest delay.
STEADY_SECONDS = 60.0
# For a micro-batch in hand; then the program is killed.
GRACE_SECONDS = 60.0


def next_delay(delay: float, lived_seconds: float) -> float:
    """How long to wait before the start after this one."""
    return FIRST_DELAY_SECONDS if lived_seconds >= STEADY_SECONDS else min(2 * delay, LONGEST_DELAY_SECONDS)


@contextmanager
def companion(command: Sequence[str], say: Callable[[str], None]) -> Iterator[None]:
    """Run ``command`` beside the block; ended with SIGTERM at the block's end, and waited for."""
    supervisor = _Supervisor(command, say)
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop()


class _Supervisor:
    def __init__(self, command: Sequence[str], say: Callable[[str], None]) -> None:
        self._command, self._say = list(command), say
        self._name = " ".join(self._command[-2:])
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join()

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
            self._say(f"{self._name} ended with {_ending(code)}; starting it again in {delay:.0f} s")
            self._stopping.wait(delay)
            delay = next_delay(delay, lived)

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            # A session of its own: Ctrl-C is for the one who supervises.
            self._process = subprocess.Popen(self._command, env=dict(os.environ), start_new_session=True)
            return self._process


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
