"""Handing claimed files to the running query: as many unit files as one micro-batch takes, no more.

Belongs here: which claimed files wait, which are in hand, and when the next ones are written down for
Spark. Does not belong here: claiming (``claimer``), or how files are cut into units (``units``).

Files that wait here, and not in unit files, are cut when the query is ready for them: one task for
many small files after a pause, none of them held up by an early one. And the folder that Spark lists
stays as short as one micro-batch, however long the backlog.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from ecom_platform.store.ledger import ClaimedFile
from ecom_platform.streaming.units import BatchPlan, plan_units, write_unit


class Dispatcher:
    """Between the claimer and the query; safe to use from both their threads."""

    def __init__(self, folder: Path, plan: BatchPlan, parallelism: int) -> None:
        self._folder, self._plan, self._parallelism = folder, plan, parallelism
        self._lock = threading.Lock()
        self._numbers = count()
        self._waiting: deque[ClaimedFile] = deque()
        self._in_hand: dict[Path, set[int]] = {}

    def add(self, files: Iterable[ClaimedFile]) -> None:
        """Claimed files; handed to the query at once if it has nothing to do."""
        with self._lock:
            self._waiting.extend(files)
            self._hand_over()

    def finished(self, file_ids: Iterable[int]) -> None:
        """A micro-batch has brought these files to a final state; hand over the next ones."""
        done = set(file_ids)
        with self._lock:
            # Units are loaded as a whole.
            for path in [path for path, ids in self._in_hand.items() if ids & done]:
                del self._in_hand[path]
                path.unlink(missing_ok=True)
            self._hand_over()

    def backlog(self) -> tuple[int, int]:
        """Files that wait to be handed over, and their bytes."""
        with self._lock:
            return len(self._waiting), sum(file.size_bytes for file in self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is in hand."""
        with self._lock:
            return not self._waiting and not self._in_hand

    def _hand_over(self) -> None:
        if self._in_hand or not self._waiting:
            return
        plan = self._plan
        units = plan_units(self._waiting, self._parallelism, plan.files_per_unit, plan.unit_bytes)
        for unit in units[: plan.units_per_batch]:
            taken = {file.file_id for file in unit}
            self._waiting = deque(file for file in self._waiting if file.file_id not in taken)
            self._write(unit)

    def _write(self, unit: Sequence[ClaimedFile]) -> None:
        path = write_unit(self._folder, next(self._numbers), unit)
        self._in_hand[path] = {file.file_id for file in unit}
