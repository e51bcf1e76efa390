"""Sending one message to one target, in another process.

Belongs here: the processes that send (``sending``): starting, asking, ending them, and the deadline of a
message. Does not belong here: which messages are sent, and when again (``dispatch``).

A target may answer a byte a second, or without end. What waits for it is a process, and processes can be
ended: after a message's deadline nothing of it is left, neither thread nor memory nor connection.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecom_platform.alerts.messages import Message
from ecom_platform.alerts.targets import Target

# From taking up a message to the target's answer, however many requests that takes.
DEADLINE_SECONDS = 45.0
# A process ends itself at the deadline. One that does not for so long is killed.
_GRACE_SECONDS = 5.0
_BODY_LIMIT = 30_000
# Also where the package is not installed, but found by a path of this process.
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from ecom_platform.alerts.sending import main; main()"
# Processes that wait for another message, at most; each ends itself when none comes.
_MOST_IDLE = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message; ``error`` is ``None`` when the target took it. ``refused``: it was there,
    and would not have this message; another one it may take."""

    error: str | None
    seconds: float
    refused: bool = False


class _EndedError(Exception):
    """The process has ended without an answer. ``unasked``: before it took the request up."""

    def __init__(self, unasked: bool) -> None:
        super().__init__()
        self.unasked = unasked


class _Process:
    """A process that sends, one request after the other."""

    def __init__(self) -> None:
        # -P: nothing from the working folder, whatever lies there. The URLs go in by a pipe: what a process
        # is started with, everybody on the machine can see.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, str(Path(__file__).resolve().parents[2])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._owner = os.getpid()

    @property
    def usable(self) -> bool:
        # In a fork of ours the pipes are somebody else's too.
        return self._owner == os.getpid() and self._process.poll() is None

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to a request; raises :class:`_EndedError` where there is none within ``seconds``."""
        try:
            assert self._process.stdin is not None  # noqa: S101 (opened above)
            self._process.stdin.write(json.dumps({**request, "seconds": seconds}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            self.end()
            raise _EndedError(unasked=True) from error
        line = self._read(time.monotonic() + seconds + _GRACE_SECONDS)
        if not line.endswith(b"\n"):
            # It ends itself in peace only when nobody has asked it for a while.
            raise _EndedError(unasked=self.end() == 0)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _read(self, deadline: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 (opened above)
        descriptor = self._process.stdout.fileno()
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(descriptor, 1 << 16) if ready else b""
            if not piece:
                break
            line += piece
        return line

    def end(self) -> int:
        """End it, if it has not ended; returns its exit code, which is negative for a signal."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        try:
            return self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait() or -signal.SIGKILL


class _Processes:
    """Processes that are kept for the next message."""

    def __init__(self) -> None:
        self._idle: list[_Process] = []
        self._lock = threading.Lock()

    def take(self, *, new: bool = False) -> _Process:
        with self._lock:
            while self._idle and not new:
                process = self._idle.pop()
                if process.usable:
                    return process
                process.end()
        return _Process()

    def give_back(self, process: _Process) -> None:
        with self._lock:
            if process.usable and len(self._idle) < _MOST_IDLE:
                self._idle.append(process)
                return
        process.end()

    def close(self) -> None:
        """End those that wait."""
        with self._lock:
            while self._idle:
                self._idle.pop().end()


_processes = _Processes()
atexit.register(_processes.close)


@dataclass(slots=True)
class Courier:
    """Sends to one target. Not for two threads at once: its process remembers the target's pace."""

    target: Target
    deadline_seconds: float | None = None
    _process: _Process | None = field(default=None, repr=False)

    @property
    def longest_body(self) -> int:
        """Characters of a message that the target takes, at most."""
        limit = int((self._ask({"do": "describe"}) or {}).get("longest") or 0)
        return min(limit, _BODY_LIMIT) if limit else _BODY_LIMIT

    def send(self, message: Message) -> Outcome:
        """Send ``message`` now; returns when the target has answered or the deadline has passed."""
        started = time.perf_counter()
        answer = self._ask(
            {"do": "send", "title": message.title, "body": message.body, "recovered": message.recovered}
        )
        seconds = time.perf_counter() - started
        if answer is None:
            return Outcome(f"its answer did not end within {self._seconds:g} s", seconds)
        return Outcome(answer["error"], seconds, bool(answer.get("refused")))

    def call(self) -> str | None:
        """Call the target's URL with GET; returns what went wrong."""
        answer = self._ask({"do": "call"})
        return f"its answer did not begin within {self._seconds:g} s" if answer is None else answer["error"]

    def close(self) -> None:
        """Let go of the process; the next message takes one again."""
        if self._process is not None:
            process, self._process = self._process, None
            _processes.give_back(process)

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()

    @property
    def _seconds(self) -> float:
        return DEADLINE_SECONDS if self.deadline_seconds is None else self.deadline_seconds

    def _ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer of a process that sends; ``None`` where there was none in time."""
        for attempt in range(2):
            if self._process is None:
                self._process = _processes.take(new=attempt > 0)
            try:
                return self._process.ask({**request, "url": self.target.url}, self._seconds)
            except _EndedError as ended:
                self._process = None
                if not ended.unasked:
                    break
        return None
