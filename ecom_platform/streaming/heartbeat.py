"""The heartbeat of the live mode: the database is told every few seconds that it is there.

Belongs here: the thread and its patience with a database that is away. Does not belong here: what is
written (``store.live_status``).
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable

from ecom_platform.store import live_status
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.live_status import HEARTBEAT_SECONDS, Pulse

log = logging.getLogger(__name__)

# At the end, how long to try to say goodbye to a database that does not answer.
_GOODBYE_SECONDS = 10.0


class Heartbeat:
    """One row of ``live_status``, kept up to date from :meth:`begin` to :meth:`end`."""

    def __init__(self, database: Database, run_id: str, pulse: Callable[[], Pulse]) -> None:
        self._database, self._run_id, self._pulse = database, run_id, pulse
        self._live_id: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-heartbeat", daemon=True)

    def begin(self) -> None:
        """Make the row and begin to beat; further calls do nothing."""
        if self._live_id is None:
            with self._database.transaction() as connection:
                self._live_id = live_status.begin(connection, self._run_id, socket.gethostname(), os.getpid())
            self._thread.start()

    def withdraw(self) -> None:
        """It was not to be: the process ends without having had the lock."""
        self._finish(live_status.withdraw)

    def end(self) -> None:
        """Say that the process stops because it was told to."""
        self._finish(live_status.end)

    def fall_silent(self) -> None:
        """Beat no more and say nothing: what goes on from here is missed, and somebody is told."""
        self._stopping.set()

    def _finish(self, write: Callable[[Connection, int], None]) -> None:
        if self._live_id is None:
            return
        self._stopping.set()
        self._thread.join()
        try:
            with self._database.open(wait_seconds=_GOODBYE_SECONDS) as connection:
                live_status.beat(connection, self._live_id, self._pulse())
                write(connection, self._live_id)
        except Exception as error:
            log.warning("it could not be written down that the live mode has stopped: %s", error)

    def _run(self) -> None:
        assert self._live_id is not None  # noqa: S101 (set before the thread starts)
        while not self._stopping.wait(HEARTBEAT_SECONDS):
            # A beat that fails is missed, and the next one is tried: whoever listens allows for that.
            try:
                with self._database.transaction() as connection:
                    live_status.beat(connection, self._live_id, self._pulse())
            except Exception as error:
                log.debug("no heartbeat: %s", error)
