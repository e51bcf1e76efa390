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
from ecom_platform.alerts.messages import MOST_PROBLEMS, Message, Notice, compose
from ecom_platform.alerts.targets import Target
from ecom_platform.store.connection import Connection, Database

log = logging.getLogger(__name__)

# A thread that has more to send goes on for so long without being asked again.
_SHIFT_SECONDS = 30.0
# Characters that a problem takes in a message at least, about.
_SHORT_PROBLEM = 100
# A notice that was not taken so often is tried alone before the others.
_ALONE_AFTER = 2
# So many single notices refused in a row, and the target is taken not to want any for now.
_MOST_MISSES = 5
# A target that refuses is left alone for a while, whatever else waits for it; at most so long.
_LONGEST_PAUSE_SECONDS = 60.0


class Shifts:
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
        finally:
            courier.close()

    def _send_some(self, connection: Connection, courier: Courier) -> bool:
        """Take some notices and send them; ``False`` when there are none, or the target takes none."""
        longest = courier.longest_body
        # Not more than a few messages' worth: what was taken is to be settled within the lease.
        most = max(1, min(MOST_PROBLEMS, longest // _SHORT_PROBLEM))
        notices = outbox.take(connection, courier.target.name, most, self._source)
        shift = _Shift(connection, courier, longest)
        shift.send(notices)
        if notices:
            self._note(courier.target.name, shift.error)
        return bool(notices) and shift.error is None

    def _note(self, name: str, error: str | None) -> None:
        if error is None:
            self._refusals[name] = 0
            return
        self._refusals[name] = self._refusals.get(name, 0) + 1
        pause = min(outbox.retry_delay(self._refusals[name]), _LONGEST_PAUSE_SECONDS)
        self._resume[name] = time.monotonic() + pause
        log.warning("Alerts for %s were not delivered: %s; again in %.0f s", name, error, pause)


class _Shift:
    """Sending what was taken, so that a message that is refused holds back no other.

    ``error``: why the target is to be left alone for now, if it is.
    """

    def __init__(self, connection: Connection, courier: Courier, longest: int) -> None:
        self._connection, self._courier, self._longest = connection, courier, longest
        self._took = False
        # Single notices that were refused, one after the other.
        self._misses = 0
        self.error: str | None = None

    def send(self, notices: Sequence[Notice]) -> None:
        """Send them in as few messages as possible; those that stand in the way of others, alone."""
        if not self._took and len(notices) > 1 and notices[0].attempts > _ALONE_AFTER:
            # Is it the target, or something that is said? One notice tells, at no cost to the others.
            self.send(notices[:1])
            notices = notices[1:]
        by_id = {notice.delivery_id: notice for notice in notices}
        for message in compose(notices, self._longest):
            if self.error is not None:
                # Not tried, so not one attempt more: a target that is down costs one timeout, not many.
                outbox.put_back(self._connection, message.delivery_ids)
                continue
            self._send(message, [by_id[number] for number in message.delivery_ids])

    def _send(self, message: Message, notices: Sequence[Notice]) -> None:
        outcome = self._courier.send(message)
        if outcome.error is None:
            self._took, self._misses = True, 0
        elif len(notices) > 1 and (outcome.refused or self._took):
            # The target is there: some of the notices are what it does not take.
            middle = len(notices) // 2
            self.send(notices[:middle])
            self.send(notices[middle:])
            return
        else:
            self._misses += 1
            if not (outcome.refused or self._took) or self._misses >= _MOST_MISSES:
                self.error = outcome.error
        outbox.settle(self._connection, message.delivery_ids, outcome.error, message.attempts)
