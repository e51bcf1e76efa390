"""The figures of one run, gathered from where they were measured, and what follows from them by arithmetic.

Belongs here: reading a run's figures from the tables, wall time by part, and the rows that go into
``performance_metrics``. Does not belong here: judging them (``verdict``), or showing them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ecom_platform.reporting.sampler import PARTS as PROCESSES
from ecom_platform.reporting.sampler import WORKERS
from ecom_platform.store import metrics
from ecom_platform.store.connection import Connection
from ecom_platform.store.metrics import BatchRow, Files, Metric, Relation

# Where the time of a micro-batch goes, in the order in which it is spent.
WAITING, LISTING, PLANNING = "waiting", "listing", "planning"
DECODE, COPY, COMMIT = "decode", "copy", "commit"
TASKS, BOOKKEEPING = "task overhead", "bookkeeping"
PARTS = (WAITING, LISTING, PLANNING, DECODE, COPY, COMMIT, TASKS, BOOKKEEPING)

QUANTILES = tuple(step / 20 for step in range(21))

# Figures of the run as a whole that are compared with the last runs, with what they are called and
# whether more of it is better; None: neither.
COMPARED: dict[str, tuple[str, str, bool | None]] = {
    "rows_per_second": ("Rows per second", "rows/s", True),
    "stream_seconds": ("Stream", "s", False),
    "latency_mean_seconds": ("Latency, mean", "s", False),
    "latency_p95_seconds": ("Latency, 95%", "s", False),
    "processor_seconds": ("Processor time", "s", False),
    "memory_peak_bytes": ("Memory, at the most", "bytes", False),
    "csv_bytes": ("CSV files", "bytes", None),
    "generate_rows_per_second": ("Generated per second", "rows/s", True),
    "rows_rejected": ("Rows rejected", "rows", False),
    "rows_duplicate": ("Duplicates", "rows", False),
}
GROWTH = ("table_bytes", "index_bytes")
# Derived figures that may have no part left when they are derived again.
MAY_VANISH = ("rejects",)
# Figures by part that are shown one by one, beside processor time.
LABELLED = ("memory_peak_bytes", "duplicates", "rejects", "table_bytes", "index_bytes")


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that was measured of a run, and the same figures of the runs before it."""

    run_id: str
    batches: list[BatchRow]
    files: Files
    rejects: list[tuple[str, int]]
    relations: list[Relation]
    measured: list[Metric]
    history: dict[str, list[float]]

    @property
    def started_at(self) -> datetime:
        return self.batches[0].started_at

    @property
    def finished_at(self) -> datetime:
        return max(batch.finished_at for batch in self.batches)

    @property
    def seconds(self) -> float:
        """From the start of the first micro-batch to the end of the last."""
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def rows_per_second(self) -> float:
        return self.files.rows_read / self.seconds if self.seconds else 0.0

    def value(self, name: str, part: str = "") -> float | None:
        """The newest measured value of a figure."""
        values = [row.value for row in self.measured if (row.name, row.part) == (name, part)]
        return values[-1] if values else None

    def parts(self, name: str) -> dict[str, float]:
        """A figure by its parts, such as a process each."""
        return {row.part: row.value for row in self.measured if row.name == name and row.part}

    def series(self, name: str) -> dict[str, list[tuple[datetime, float]]]:
        """A figure over time, by its parts."""
        found: dict[str, list[tuple[datetime, float]]] = {}
        for row in self.measured:
            if row.name == name and row.part and row.measured_at is not None:
                found.setdefault(row.part, []).append((row.measured_at, row.value))
        return found

    @property
    def cpu_by_process(self) -> dict[str, float]:
        """Processor time by process: of those that the sampler saw on this host, and of workers elsewhere."""
        sampled = self.parts("cpu_seconds")
        used = [batch.worker_cpu_ms for batch in self.batches if batch.worker_cpu_ms is not None]
        if WORKERS not in sampled and used:
            sampled[WORKERS] = sum(used) / 1000
        return {part: sampled[part] for part in PROCESSES if part in sampled}

    @property
    def cores(self) -> int:
        """Processors of this host."""
        return int(self.value("cores") or 1)

    @property
    def slots(self) -> int:
        """Tasks that could run at once, on whatever hosts: the most of any micro-batch."""
        return max((batch.slots or self.cores for batch in self.batches), default=1)

    @property
    def trigger_seconds(self) -> float:
        """The interval of the live mode's trigger; 0: a bounded run, or not known."""
        return max((batch.trigger_ms or 0.0 for batch in self.batches), default=0.0) / 1000


def gather(connection: Connection, run_id: str, tables: Sequence[str] = ()) -> Run:
    """The figures of ``run_id``, which has micro-batches. ``tables``: further ones whose sizes are told."""
    return Run(
        run_id=run_id,
        batches=metrics.batches(connection, run_id),
        files=metrics.files(connection, run_id),
        rejects=metrics.rejects(connection, run_id),
        relations=metrics.sizes(connection, tables),
        measured=metrics.of_run(connection, run_id),
        history=metrics.history(connection, [*COMPARED, *GROWTH], run_id),
    )


def wall_seconds(batches: Sequence[BatchRow], cores: int) -> list[dict[str, float]]:
    """Seconds of each micro-batch by part; ``cores`` stands in for slots that were not recorded.

    Times of tasks are sums over tasks that ran side by side. Together they are scaled to what they took:
    the sum divided by as many as can have run at once, or the longest task where that is more (one large
    file beside small ones). *Task overhead* is what is left of the batch itself: starting tasks, sending
    results back, moving files away.

    The time since the batch before for which Spark does not account is *waiting* for the trigger, up to
    the trigger's interval; beyond that nothing had landed, which is nobody's time. A bounded run has no
    trigger: what lies between its batches is *bookkeeping*.
    """
    result = []
    before: BatchRow | None = None
    for batch in batches:
        share = _side_by_side(batch, cores) / 1000
        spent = {
            LISTING: batch.listing_ms / 1000,
            PLANNING: batch.planning_ms / 1000,
            DECODE: batch.decode_ms * share,
            COPY: batch.store_ms * share,
            COMMIT: batch.commit_ms * share,
            BOOKKEEPING: batch.bookkeeping_ms / 1000,
            WAITING: 0.0,
        }
        spent[TASKS] = max(batch.duration_ms / 1000 - spent[DECODE] - spent[COPY] - spent[COMMIT], 0.0)
        gap = (batch.started_at - before.finished_at).total_seconds() if before else 0.0
        rest = max(gap - spent[LISTING] - spent[PLANNING] - spent[BOOKKEEPING], 0.0)
        if batch.trigger_ms:
            spent[WAITING] = min(rest, batch.trigger_ms / 1000)
        elif batch.trigger_ms is not None:
            spent[BOOKKEEPING] += rest
        result.append({part: spent[part] for part in PARTS})
        before = batch
    return result


def _side_by_side(batch: BatchRow, cores: int) -> float:
    """By which the sums over the tasks of a batch are multiplied to be the time that they took."""
    summed = batch.decode_ms + batch.store_ms + batch.commit_ms
    if not summed:
        return 0.0
    evenly = summed / max(min(batch.tasks, batch.slots or cores), 1)
    return max(evenly, batch.longest_task_ms or 0.0) / summed


def latency_metrics(
    latencies: Sequence[tuple[float, int]], quantiles: Sequence[float | None]
) -> list[Metric]:
    """Latency from landing to commit, a record each: the mean, and the values at :data:`QUANTILES`."""
    rows = sum(weight for _, weight in latencies)
    if not rows:
        return []
    mean = sum(value * weight for value, weight in latencies) / rows
    named = {f"p{round(q * 100):02}": value for q, value in zip(QUANTILES, quantiles, strict=True)}
    curve = [
        Metric("latency_seconds", value, "s", part) for part, value in named.items() if value is not None
    ]
    whole = [Metric(f"latency_{part}_seconds", named[part] or 0.0, "s") for part in ("p50", "p95")]
    return [Metric("latency_mean_seconds", mean, "s"), *whole, *curve]


def derived_metrics(run: Run) -> list[Metric]:
    """The figures that follow from the tables, as rows of ``performance_metrics``."""
    files = run.files
    found = [
        Metric("stream_seconds", run.seconds, "s"),
        Metric("rows_per_second", run.rows_per_second, "rows/s"),
        Metric("batches", len(run.batches), "batches"),
        Metric("files", files.loaded + files.quarantined, "files"),
        Metric("csv_bytes", files.csv_bytes, "bytes"),
        Metric("rows_read", files.rows_read, "rows"),
        Metric("rows_inserted", files.rows_inserted, "rows"),
        Metric("rows_duplicate", files.rows_duplicate, "rows"),
        Metric("rows_rejected", files.rows_rejected, "rows"),
        Metric("worker_peak_bytes", max(batch.worker_peak_bytes for batch in run.batches), "bytes"),
    ]
    if run.cpu_by_process:
        found.append(Metric("processor_seconds", sum(run.cpu_by_process.values()), "s"))
    for part in PARTS:
        seconds = sum(spent[part] for spent in wall_seconds(run.batches, run.cores))
        found.append(Metric("part_seconds", seconds, "s", part))
    for cause, rows in duplicates(files).items():
        found.append(Metric("duplicates", rows, "rows", cause))
    for reason, rows in run.rejects:
        found.append(Metric("rejects", rows, "rows", reason))
    for relation in run.relations:
        found.append(Metric("table_bytes", relation.table_bytes, "bytes", relation.name))
        found.append(Metric("index_bytes", relation.index_bytes, "bytes", relation.name))
    of_feeds = [relation for relation in run.relations if relation.of_feed]
    if of_feeds:
        found.append(Metric("table_bytes", sum(one.table_bytes for one in of_feeds), "bytes"))
        found.append(Metric("index_bytes", sum(one.index_bytes for one in of_feeds), "bytes"))
    return found


def labelled(run: Run) -> dict[str, float]:
    """Every figure under a label of its own that is the same in each run, as the UI plots them over runs.

    Those of the run as a whole by their name; by process, cause or table as ``name_part``.
    """
    found = {row.name: row.value for row in run.measured if not row.part}
    by_part = {"cpu_seconds": run.cpu_by_process}
    by_part |= {name: run.parts(name) for name in LABELLED}
    for name, parts in by_part.items():
        found |= {f"{name}_{_snake_case(part)}": value for part, value in parts.items()}
    return found


def _snake_case(part: str) -> str:
    return re.sub(r"\W+", "_", part).lower()


def duplicates(files: Files) -> dict[str, int]:
    """Duplicates of a run by their cause."""
    return {
        "within a file": files.within_file,
        "across files": files.across_files,
        "file dropped again": files.redropped_file,
    }
