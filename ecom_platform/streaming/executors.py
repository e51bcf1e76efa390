"""What Spark's executors say of themselves: their tasks, garbage collection and heap, wherever they run.

Belongs here: asking the session's own store, which it keeps with its UI off. Does not belong here: Python
workers, which hand their figures in with each unit (``store.outcome``), or judging (``reporting``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from ecom_platform.store.metrics import Metric
from ecom_platform.streaming import spark_private

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExecutorUse:
    """One executor (``driver`` where tasks run in the driver's JVM). Seconds of tasks that ran side by side
    are added up; the heap's peak is the most that a look every half second saw while a task ran."""

    executor: str
    host: str
    tasks: int
    failed_tasks: int
    task_seconds: float
    gc_seconds: float
    heap_peak_bytes: int

    @property
    def name(self) -> str:
        return f"{self.executor} on {self.host}"


def executor_use(session: SparkSession) -> list[ExecutorUse]:
    """Every executor that has run a task in this session, those that are gone included."""
    try:
        listed = [_use(found) for found in spark_private.executors(session)]
    except (Py4JError, ConnectionError) as error:
        # A figure that is missing is no reason to fail a load.
        log.warning("Spark does not say what its executors did: %s", " ".join(str(error).split())[:200])
        return []
    return [use for use in listed if use.tasks or use.failed_tasks]


def since(before: Iterable[ExecutorUse], now: Sequence[ExecutorUse]) -> list[ExecutorUse]:
    """What was added to ``before``; a peak stays what it is."""
    known = {use.executor: use for use in before}
    added = []
    for use in now:
        old = known.get(use.executor)
        if old is not None:
            use = replace(
                use,
                tasks=use.tasks - old.tasks,
                failed_tasks=use.failed_tasks - old.failed_tasks,
                task_seconds=use.task_seconds - old.task_seconds,
                gc_seconds=use.gc_seconds - old.gc_seconds,
            )
        if use.tasks or use.failed_tasks:
            added.append(use)
    return added


def executor_metrics(uses: Sequence[ExecutorUse]) -> list[Metric]:
    """As rows of ``performance_metrics``: those of each executor, and of all together."""
    rows: list[Metric] = []
    for use in uses:
        rows += _metrics([use], use.name)
    return [*_metrics(uses, ""), *rows] if uses else []


def _metrics(uses: Sequence[ExecutorUse], part: str) -> list[Metric]:
    found = [
        Metric("executor_tasks", sum(use.tasks for use in uses), "tasks", part),
        Metric("executor_failed_tasks", sum(use.failed_tasks for use in uses), "tasks", part),
        Metric("executor_task_seconds", sum(use.task_seconds for use in uses), "s", part),
        Metric("executor_gc_seconds", sum(use.gc_seconds for use in uses), "s", part),
    ]
    heap = max(use.heap_peak_bytes for use in uses)
    # No look fell into a task, or an executor that does not look.
    return found if not heap else [*found, Metric("executor_heap_peak_bytes", heap, "bytes", part)]


def _use(summary: Any) -> ExecutorUse:
    """From a ``v1.ExecutorSummary``; times there are milliseconds."""
    peaks = summary.peakMemoryMetrics()
    heap = peaks.get().getMetricValue("JVMHeapMemory") if peaks.isDefined() else 0
    return ExecutorUse(
        executor=str(summary.id()),
        host=str(summary.hostPort()).rpartition(":")[0],
        tasks=int(summary.completedTasks()),
        failed_tasks=int(summary.failedTasks()),
        task_seconds=summary.totalDuration() / 1000,
        gc_seconds=summary.totalGCTime() / 1000,
        heap_peak_bytes=int(heap),
    )
