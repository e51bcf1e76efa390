"""Figures of one timed run: seconds, and what its processes took.

Belongs here: the clock and the sampler. Does not belong here: what is run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

_PERIOD_SECONDS = 0.25


@dataclass(slots=True)
class Usage:
    """``peak_bytes`` is the largest sum of unshared memory (USS) of all descendants at one moment."""

    seconds: float = 0.0
    peak_bytes: int = 0


@contextmanager
def measured() -> Iterator[Usage]:
    """Time the block and watch the processes it starts, PostgreSQL's excepted."""
    usage = Usage()
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(usage, done), daemon=True)
    watcher.start()
    started = time.perf_counter()
    try:
        yield usage
    finally:
        usage.seconds = time.perf_counter() - started
        done.set()
        watcher.join()


def _watch(usage: Usage, done: threading.Event) -> None:
    own = psutil.Process()
    while not done.wait(_PERIOD_SECONDS):
        usage.peak_bytes = max(usage.peak_bytes, sum(map(_bytes, own.children(recursive=True))))


def _bytes(process: psutil.Process) -> int:
    try:
        return 0 if process.name() == "postgres" else int(process.memory_full_info().uss)
    except psutil.Error:
        return 0
