"""Serving every target from the outbox, each at its own pace.

Belongs here: one thread a target, so that a slow one delays nobody, and when to stop for now. Does
not belong here: what the outbox is (``outbox``), how a message is sent (``delivery``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from ecom_platform.alerts import outbox
from ecom_platform.alerts.delivery import Courier
from ecom_platform.alerts.messages import MOST_PROBLEMS, compose
from ecom_platform.alerts.targets import Target
from ecom_platform.postgres.connection import Connection, Database

log = logging.getLogger(__name__)

# A thread that has more to send goes on for so long without being asked again.
_SHIFT_SECONDS = 30.0
# Characters that a problem takes in a message at least, about.
_SHORT_PROBLEM = 100
# A target that refuses is left alone for a while, whatever else waits for it; at most so long.
_LONGEST_PAUSE_SECONDS = 60.0


class Dispatcher:
    """Delivers what is due, for as long as the process lives. Its threads end with the process."""

    def __init__(self, source: str = outbox.DEFAULT_SOURCE) -> None:
        self._source = source
        self._couriers: dict[str, Courier] = {}
        self._threads: dict[str, threading.Thread] = {}
        # Refusals of a target in a row, and when it may be asked again.
        self._refusals: dict[str, int] = {}
        self._resume: dict[str, float] = {}

    def dispatch(self, database: Database, targets: Sequence[Target], patience: float) -> list[str]:
        """Announce what is new, begin to serve each target that is not being served, wait ``patience``
        seconds at most; returns the names of those that still are."""
        with database.open() as connection:
            names = [target.name for target in targets]
            outbox.announce(connection, names, self._source)
            due = outbox.due(connection, names, self._source)
        for target in targets:
            if target.name in due:
                self._begin(database, target)
        deadline = time.monotonic() + patience
        for thread in list(self._threads.values()):
            thread.join(max(0.0, deadline - time.monotonic()))
        return [name for name, thread in self._threads.items() if thread.is_alive()]

    def _begin(self, database: Database, target: Target) -> None:
        running = self._threads.get(target.name)
        if running is not None and running.is_alive():
            return
        if time.monotonic() < self._resume.get(target.name, 0.0):
            return
        courier = self._couriers.get(target.name)
        if courier is None or courier.target != target:
            courier = self._couriers[target.name] = Courier(target)
        thread = threading.Thread(
            target=self._serve, args=(database, courier), name=f"alerts-{target.name}", daemon=True
        )
        self._threads[target.name] = thread
        thread.start()

    def _serve(self, database: Database, courier: Courier) -> None:
        deadline = time.monotonic() + _SHIFT_SECONDS
        try:
            with database.open() as connection:
                while time.monotonic() < deadline and self._send_some(connection, courier):
                    pass
        except Exception as error:
            # What was taken is due again when its lease ends. The text may hold what was being sent.
            log.warning("Alerts for %s: %s; tried again later", courier.target.name, type(error).__name__)

    def _send_some(self, connection: Connection, courier: Courier) -> bool:
        """Take some notices and send them; ``False`` when there are none, or the target refuses."""
        longest = courier.longest_body
        # Not more than a few messages' worth: what was taken is to be settled within the lease.
        most = max(1, min(MOST_PROBLEMS, longest // _SHORT_PROBLEM))
        notices = outbox.take(connection, courier.target.name, most, self._source)
        refused: str | None = None
        for message in compose(notices, longest):
            # After a refusal the rest is not tried: a target that is down costs one timeout, not many.
            error = refused or courier.send(message).error
            outbox.settle(connection, message.delivery_ids, error, message.attempts)
            if refused is None:
                self._note(courier.target.name, error)
                refused = error
        return bool(notices) and refused is None

    def _note(self, name: str, error: str | None) -> None:
        if error is None:
            self._refusals[name] = 0
            return
        self._refusals[name] = self._refusals.get(name, 0) + 1
        pause = min(outbox.retry_delay(self._refusals[name]), _LONGEST_PAUSE_SECONDS)
        self._resume[name] = time.monotonic() + pause
        log.warning("Alerts for %s were not delivered: %s; again in %.0f s", name, error, pause)
