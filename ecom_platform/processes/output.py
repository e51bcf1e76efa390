"""Standard output and standard error of a command, neither of which decides about its work.

Belongs here: streams that take what is printed whether or not somebody reads it, and the one JSON object
of ``--json``. Does not belong here: what is printed (``console``, ``commands``).

A disk that is full, a reader that has gone (``2>&1 | head -1``), a terminal that was stopped (Ctrl-S) or
descriptors that were closed (``>&-``) cost the text and nothing else. That a result could not be written
is known afterwards (:func:`undelivered`).

While a step of a run lasts, Dagster has descriptors 1 and 2 led into the step's log. What is meant for the
person goes past that, to copies of what they were at the beginning.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import select
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# How long a terminal may be stopped before what is shown there is left out.
_STALLED_SECONDS = 1.0
# A pipe that can be written to takes this much without blocking (POSIX: PIPE_BUF is 512 at least).
_CHUNK_BYTES = 512

_OUT, _ERR = 1, 2


class _Descriptor(io.FileIO):
    """A descriptor that takes everything; ``failure`` is why something of it was lost."""

    def __init__(self, descriptor: int, *, patient: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        # A result is waited for as long as its reader likes: the work is done by then.
        self._seconds = None if patient else _STALLED_SECONDS
        self._stalled = False
        self.failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        content = memoryview(data).cast("B")
        rest = content[:0] if _silent else content
        try:
            while rest and self._writable():
                rest = rest[os.write(self.fileno(), rest[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            pass  # somebody else has filled it since it was looked at
        except OSError as error:
            self.failure = self.failure or error
        return len(content)

    def _writable(self) -> bool:
        seconds = 0.0 if self._stalled else self._seconds
        self._stalled = not select.select([], [self.fileno()], [], seconds)[1]
        return not self._stalled


# What descriptors 1 and 2 were at the beginning.
_result: _Descriptor | None = None
_display: TextIO | None = None
_printed = False
_silent = False


def protect() -> None:
    """Put such streams in the place of this process's own, before anything is printed."""
    global _result, _display
    _fill_closed_descriptors()
    _result = _Descriptor(os.dup(_OUT), patient=True)
    _display = _text(_Descriptor(os.dup(_ERR), patient=False), sys.stderr)
    sys.stdout = _text(_Descriptor(_OUT, patient=True), sys.stdout)
    sys.stderr = _text(_Descriptor(_ERR, patient=False), sys.stderr)


def display() -> TextIO:
    """Where a person sees progress, also while a step's output is being kept."""
    return _display or sys.stderr


def _fill_closed_descriptors() -> None:
    """Otherwise the next file that is opened, a database perhaps, is what is printed to."""
    for descriptor in (0, _OUT, _ERR):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _text(descriptor: _Descriptor, before: TextIO | None) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    # A file name may hold anything, and so may a terminal's encoding.
    return io.TextIOWrapper(
        io.BufferedWriter(descriptor), encoding=encoding, errors="backslashreplace", line_buffering=True
    )


def print_json(result: Mapping[str, Any]) -> None:
    """Print the one object of ``--json``; whatever comes after it is left out."""
    global _printed
    if _printed:
        return
    _printed = True
    text = json.dumps(result) + "\n"
    if _result is None:
        sys.stdout.write(text)
    else:
        _result.write(text.encode())


def silence() -> None:
    """Nothing more is printed but last words: what is being torn down complains of it."""
    global _silent
    _silent = True


def print_at_once(text: str, result: Mapping[str, Any] | None) -> None:
    """The last words of a process that ends now.

    Past buffers and locks, which another thread or the interrupted code may be in.
    """
    global _silent
    _silent = False
    if result is not None:
        print_json(result)
    shown = display()
    # The line of a live display goes, the cursor that it has hidden comes back.
    clear = "\r\x1b[2K\x1b[?25h" if shown.isatty() else ""
    with contextlib.suppress(OSError, ValueError):
        _Descriptor(shown.fileno(), patient=False).write(f"{clear}{text}\n".encode())
    _silent = True


def undelivered() -> OSError | None:
    """Why a result was not written; a reader that has seen enough is no reason."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    failures = [stream.failure for stream in (_result, raw) if isinstance(stream, _Descriptor)]
    return next((f for f in failures if f is not None and f.errno != errno.EPIPE), None)
