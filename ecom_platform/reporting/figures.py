"""The figures of one run, gathered from where they were measured, and what follows from them by arithmetic.

Belongs here: reading a run's figures from the tables, wall time by part, and the rows that go into
``performance_metrics``. Does not belong here: judging them (``verdict``), or showing them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ecom_platform.postgres import metrics
from ecom_platform.postgres.connection import Connection
from ecom_platform.postgres.metrics import Batch, Files, Generated, Metric, Relation

# Where the time of a micro-batch goes, in the order in which it is spent.
WAITING, LISTING, PLANNING = "waiting", "listing", "planning"
DECODE, COPY, COMMIT = "decode", "copy", "commit"
TASKS, BOOKKEEPING = "task overhead", "bookkeeping"
PARTS = (WAITING, LISTING, PLANNING, DECODE, COPY, COMMIT, TASKS, BOOKKEEPING)

QUANTILES = tuple(step / 20 for step in range(21))

# Figures of the run as a whole that are compared with the last runs, with what they are called and
# whether more of it is better.
COMPARED: dict[str, tuple[str, str, bool]] = {
    "rows_per_second": ("Rows per second", "rows/s", True),
    "stream_seconds": ("Stream", "s", False),
    "latency_p95_seconds": ("Latency, 95%", "s", False),
    "cpu_seconds": ("Processor time", "s", False),
    "generate_rows_per_second": ("Generated per second", "rows/s", True),
    "rows_rejected": ("Rows rejected", "rows", False),
    "rows_duplicate": ("Duplicates", "rows", False),
}
GROWTH = ("table_bytes", "index_bytes")


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that was measured of a run, and the same figures of the runs before it."""

    run_id: str
    batches: list[Batch]
    files: Files
    rejects: list[tuple[str, int]]
    generated: Generated | None
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
    def cores(self) -> int:
        return int(self.value("cores") or 1)


def gather(connection: Connection, run_id: str) -> Run:
    """The figures of ``run_id``, which has micro-batches."""
    return Run(
        run_id=run_id,
        batches=metrics.batches(connection, run_id),
        files=metrics.files(connection, run_id),
        rejects=metrics.rejects(connection, run_id),
        generated=metrics.generated(connection, run_id),
        relations=metrics.sizes(connection),
        measured=metrics.of_run(connection, run_id),
        history=metrics.history(connection, [*COMPARED, *GROWTH], run_id),
    )


def wall_seconds(batches: Sequence[Batch], cores: int) -> list[dict[str, float]]:
    """Seconds of each micro-batch by part.

    Times of tasks are sums over tasks that ran side by side, so they are divided by as many as can have.
    *Waiting* is the time since the batch before for which neither Spark nor a task accounts: that for the
    trigger. *Task overhead* is what is left of the batch itself: starting tasks, sending results back,
    moving files away.
    """
    result = []
    before: Batch | None = None
    for batch in batches:
        side_by_side = max(min(batch.tasks, cores), 1) * 1000
        spent = {
            LISTING: batch.listing_ms / 1000,
            PLANNING: batch.planning_ms / 1000,
            DECODE: batch.decode_ms / side_by_side,
            COPY: batch.store_ms / side_by_side,
            COMMIT: batch.commit_ms / side_by_side,
            BOOKKEEPING: batch.bookkeeping_ms / 1000,
        }
        spent[TASKS] = max(batch.duration_ms / 1000 - spent[DECODE] - spent[COPY] - spent[COMMIT], 0.0)
        gap = (batch.started_at - before.finished_at).total_seconds() if before else 0.0
        spent[WAITING] = max(gap - spent[LISTING] - spent[PLANNING] - spent[BOOKKEEPING], 0.0)
        result.append({part: spent[part] for part in PARTS})
        before = batch
    return result


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
    if run.generated is not None:
        made = run.generated
        found.append(Metric("generate_seconds", made.seconds, "s"))
        found.append(Metric("generate_rows_per_second", made.events / max(made.seconds, 1e-9), "rows/s"))
    for part in PARTS:
        seconds = sum(spent[part] for spent in wall_seconds(run.batches, run.cores))
        found.append(Metric("part_seconds", seconds, "s", part))
    for cause, rows in duplicates(files).items():
        found.append(Metric("duplicates", rows, "rows", cause))
    for reason, rows in run.rejects:
        found.append(Metric("rejects", rows, "rows", reason))
    for relation in run.relations:
        whole = relation.name == "user_events"
        for name, size in (("table_bytes", relation.table_bytes), ("index_bytes", relation.index_bytes)):
            found.append(Metric(name, size, "bytes", relation.name))
            if whole:
                found.append(Metric(name, size, "bytes"))
    return found


def duplicates(files: Files) -> dict[str, int]:
    """Duplicates of a run by their cause."""
    return {
        "within a file": files.within_file,
        "across files": files.across_files,
        "file dropped again": files.redropped_file,
    }
