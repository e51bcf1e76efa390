"""Ctrl-C: a command ends at once, with one line and 130, at whatever moment it comes.

Belongs here: who hears a signal, and the end of the process. Does not belong here: what has to be put
right before (whoever waits for the work knows).

``KeyboardInterrupt`` is raised between any two instructions, an import's included: it has left import
locks behind that other threads then waited for, and Dagster and PySpark each put handlers of their own in
the place of Python's. So nothing is raised here. Long work runs in a thread of its own, since handlers
can be replaced by the main thread alone, which does nothing but wait. A process may end at any moment
without loss: its transactions are rolled back, its locks are dropped by the kernel.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType
from typing import NoReturn, TypeVar

from ecom_platform.processes.output import print_at_once, silence

MESSAGE = "Interrupted. What was committed stays; the rest is loaded by the next run."
# For putting right what should be: a process that was asked to end does within a few seconds.
_FAREWELL_SECONDS = 3.0
# A signal between Python's last look for one and the wait it then begins is heard after the wait: so every
# wait of the main thread is a short one.
_LOOK_SECONDS = 0.2
# How often one looks for what has been started meanwhile.
_ROUNDS = 20

T = TypeVar("T")


def listen() -> None:
    """From now on Ctrl-C ends the process, also where a shell started it with SIGINT ignored."""
    signal.signal(signal.SIGINT, lambda signum, _: end(signum))


def end(signum: int, run_id: str | None = None) -> NoReturn:
    """End the process here, with the line and the exit code of the signal."""
    error = {"code": "interrupted", "message": MESSAGE, "remedy": "Run the command again."}
    as_json = "--json" in sys.argv[1:]
    print_at_once(MESSAGE, {"run_id": run_id, "success": False, "error": error} if as_json else None)
    os._exit(128 + signum)


def interruptible(work: Callable[[], T], farewell: Callable[[], str | None]) -> T:
    """What ``work`` returns or raises, or the end of the process when a signal comes first.

    ``farewell`` then has a moment for what should not stay as it is, and gives the id of the run, if there
    was one. A second signal ends the process without it.
    """
    import psutil  # noqa: F401 (not when there is no time)

    news: SimpleQueue[int] = SimpleQueue()
    results: list[T] = []
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            results.append(work())
        except BaseException as failure:
            failures.append(failure)
        news.put(0)

    with _told(news):
        Thread(target=attempt, name="work", daemon=True).start()
        signum = _next(news)
        if signum:
            _leave(signum, farewell)
    if not news.empty():
        end(news.get())
    if failures:
        raise failures[0]
    return results[0]


def _next(news: SimpleQueue[int]) -> int:
    while True:
        with suppress(Empty):
            return news.get(timeout=_LOOK_SECONDS)


@contextmanager
def handled(call: Callable[[int], None], *signals: signal.Signals) -> Iterator[Callable[[], None]]:
    """Have ``call`` called with the number of each of these ``signals`` that comes while the block lasts.

    Gives a function that listens anew, for when somebody else has taken them. SIGINT is heard also where a
    shell has it ignored for what it starts in the background; a hangup stays ignored where somebody asked
    for that (`nohup`).
    """

    def handle(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        call(signum)

    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    wanted = [signum for signum in signals if not (signum is signal.SIGHUP and ignored)]

    def listen() -> None:
        for signum in wanted:
            signal.signal(signum, handle)

    previous = {signum: signal.getsignal(signum) for signum in wanted}
    listen()
    try:
        yield listen
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


@contextmanager
def _told(news: SimpleQueue[int]) -> Iterator[None]:
    """Signals are put into ``news``; a second one ends the process on the spot."""
    seen: list[int] = []

    def call(signum: int) -> None:
        if seen:
            end(signum)
        seen.append(signum)
        news.put(signum)  # a SimpleQueue may be put to while the interrupted code is in it

    with handled(call, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield


def _leave(signum: int, farewell: Callable[[], str | None]) -> NoReturn:
    silence()
    run_ids: list[str | None] = []

    def attempt() -> None:
        with suppress(Exception):  # nobody is left to be told
            run_ids.append(farewell())

    thread = Thread(target=attempt, name="farewell", daemon=True)
    thread.start()
    given_up = time.monotonic() + _FAREWELL_SECONDS
    while thread.is_alive() and (left := given_up - time.monotonic()) > 0:
        thread.join(min(left, _LOOK_SECONDS))
    _kill_children()
    end(signum, run_ids[0] if run_ids else None)


def _kill_children() -> None:
    """The JVM, its workers, what copies a step's output to the terminal; and what they start meanwhile."""
    import psutil

    found: dict[int, psutil.Process] = {}
    for _ in range(_ROUNDS):
        children = psutil.Process().children(recursive=True)
        fresh = [child for child in children if child.pid not in found and _ours(child.pid)]
        if not fresh:
            break
        for child in fresh:
            found[child.pid] = child
            # One that is killed while it starts another leaves that one behind, with nobody above it.
            with suppress(psutil.Error):
                child.suspend()
    for child in found.values():
        with suppress(psutil.Error):
            child.kill()
    psutil.wait_procs(list(found.values()), timeout=0.5)


def _ours(pid: int) -> bool:
    """What has a session of its own, as PostgreSQL does, is no part of this process."""
    try:
        return os.getsid(pid) == os.getsid(0)
    except ProcessLookupError:
        return False
