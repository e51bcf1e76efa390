"""`ecom stream` from the terminal: prerequisites, signals, what is shown, a graceful end.

Belongs here: what makes a process out of the live mode. Does not belong here: what it does
(``streaming.live``), what is printed how (``console``).
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecom_platform.errors import JvmLostError, StorageError
from ecom_platform.processes.interrupts import handled
from ecom_platform.processes.services import folder_identity
from ecom_platform.settings import load_settings

INTERRUPTED = 130
# For whoever talks to a JVM that has ended to notice, and to end this process in good order.
_FAREWELL_SECONDS = 10.0
# How often the folder it lives in is looked at.
_HOME_SECONDS = 0.5


def run_live() -> int:
    """Run the live mode until Ctrl-C or SIGTERM; returns 0 after a graceful end.

    Raises :class:`EcomError` for what is found out before it begins, and when it cannot go on.
    """
    settings = load_settings()
    from ecom_platform.cli.console import LiveDisplay
    from ecom_platform.cli.doctor import require
    from ecom_platform.store.provision import provide_lasting
    from ecom_platform.store.schema import require_writable

    stopping = threading.Event()
    with _on_signals(stopping) as listen, LiveDisplay() as display:
        require(settings, 0)
        end_without(settings.home, display.say)
        display.say("starting PostgreSQL" if settings.embedded else "connecting to PostgreSQL")
        with provide_lasting(settings) as (database, revive):
            require_writable(database)
            display.say("starting Spark")
            from ecom_platform.streaming.live import LiveMode
            from ecom_platform.streaming.session import close_session, open_session, warm_up, when_jvm_ends

            closing = threading.Event()
            watched = threading.Event()

            def session() -> Any:
                opened = open_session(settings)
                listen()  # Spark takes Ctrl-C for itself where it is started
                if not watched.is_set():
                    watched.set()
                    when_jvm_ends(lambda: _end_without_spark(closing, display.say))
                return opened

            warm_up(settings)
            live = LiveMode(
                settings,
                database,
                session,
                str(uuid.uuid4()),
                revive=revive,
                say=display.say,
                on_progress=display.progress,
            )
            _stop_when(stopping, live.stop, display.say)
            try:
                live.run()
            finally:
                closing.set()
                close_session()
        display.say("stopped")
    return 0


def _end_without_spark(closing: threading.Event, say: Callable[[str], None]) -> None:
    """End the process soon after its JVM: what talks to the JVM usually notices and says so itself, but a
    thread has been seen to wait for an answer for ever."""
    if not closing.wait(_FAREWELL_SECONDS):
        say("Error: Spark's Java process cannot be reached any more, and nothing here has noticed.")
        os._exit(JvmLostError.exit_code)


def end_without(home: Path, say: Callable[[str], None]) -> None:
    """End the process at once when its folder is gone or another one: it could write nothing down any more,
    and would try again, and say so, for ever. What is not committed is loaded by the next start."""
    at_first = folder_identity(home)

    def watch() -> None:
        identity = at_first  # it may not have been made yet
        while identity is None or folder_identity(home) == identity:
            identity = identity or folder_identity(home)
            time.sleep(_HOME_SECONDS)
        say(
            f"Error: The folder {home} was removed or replaced beneath `ecom stream`, which has ended. "
            "Start it again; it begins with what is in the folder then."
        )
        os._exit(StorageError.exit_code)

    threading.Thread(target=watch, name="home-watch", daemon=True).start()


def _stop_when(stopping: threading.Event, stop: Callable[[], None], say: Callable[[str], None]) -> None:
    def wait() -> None:
        stopping.wait()
        say("stopping after the micro-batch in hand (again to stop at once)")
        stop()

    threading.Thread(target=wait, name="stopper", daemon=True).start()


@contextmanager
def _on_signals(stopping: threading.Event) -> Iterator[Callable[[], None]]:
    """The first signal sets ``stopping``; a second one ends the process on the spot.

    Gives a function that listens anew, for when somebody else has taken the signals.
    """

    def call(signum: int) -> None:  # noqa: ARG001
        if stopping.is_set():
            # What is in hand is rolled back, and the next start takes it up again.
            os._exit(INTERRUPTED)
        stopping.set()

    with handled(call, signal.SIGINT, signal.SIGTERM) as listen:
        yield listen
