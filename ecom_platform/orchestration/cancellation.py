"""Ending a run of this process from another of its threads, so that Dagster's history says so.

Belongs here: that a run which was interrupted is CANCELED, and stays it. Does not belong here: signals
(``interrupts``), and runs whose process is gone (``stale_runs``). Dagster is not imported: whoever
interrupts a run does not wait for that.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg

_MESSAGE = "This run was interrupted: its command was ended by Ctrl-C or a signal."
# Between a run's beginning and its row in Dagster's history.
_ROW_SECONDS = 2.0


class Cancellation:
    """May be asked for at any moment, before the run as well: then it never begins."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._storing = threading.RLock()
        self._instance: dg.DagsterInstance | None = None
        self._asked = False

    def begin(self, instance: dg.DagsterInstance) -> None:
        """The run's row is about to be made, with ``instance``."""
        with self._storing:
            if self._asked:
                raise KeyboardInterrupt
            self._instance = instance
            self._guard(instance)

    def _guard(self, instance: Any) -> None:
        """An event that the run stores after its cancellation would give it another state again."""
        store = instance.handle_new_event

        def guarded(*arguments: Any, **named: Any) -> Any:
            with self._storing:
                return store(*arguments, **named)

        instance.handle_new_event = guarded

    def cancel(self) -> str | None:
        """End the run in Dagster's history; gives its id if there was one.

        No other thread stores an event of it from here on: the process is expected to end.
        """
        self._storing.acquire()
        self._asked = True
        instance = self._instance
        if instance is None:
            self._storing.release()
            return None
        deadline = time.monotonic() + _ROW_SECONDS
        while (run := instance.get_run_by_id(self._run_id)) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if run is None:
            return None
        if not run.is_finished:
            instance.report_run_canceled(run, _MESSAGE)
            if instance.event_log_storage.supports_global_concurrency_limits:
                instance.event_log_storage.free_concurrency_slots_for_run(self._run_id)
        return self._run_id
