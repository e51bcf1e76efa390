"""Measured figures of a run: the table ``performance_metrics``, and what other tables know of a run.

Belongs here: storing figures, and the questions whose answers are figures. Does not belong here:
measuring processes, or what follows from a figure (both ``reporting``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.store.connection import Connection
from ecom_platform.store.feed_tables import applied_tables
from ecom_platform.store.statements import queries

# Those that grow with what is loaded, beside the tables of the feeds.
_TABLES = ("rejected_events", "ingested_files")


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. ``part`` says of what, where it is not of the run as a whole: a process, a reason."""

    name: str
    value: float
    unit: str
    part: str = ""
    measured_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One micro-batch. Times in milliseconds; those of tasks that ran side by side are added up.

    The last four are ``None`` where they were not recorded; ``trigger_ms`` is 0 in a bounded run.
    """

    number: int
    started_at: datetime
    finished_at: datetime
    files: int
    rows: int
    rows_rejected: int
    tasks: int
    duration_ms: float
    listing_ms: float
    planning_ms: float
    bookkeeping_ms: float
    decode_ms: float
    store_ms: float
    commit_ms: float
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    worker_peak_bytes: int
    longest_task_ms: float | None = None
    slots: int | None = None
    trigger_ms: float | None = None
    worker_cpu_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """Files that a run brought to a final state, and their rows; duplicates by their cause."""

    loaded: int
    quarantined: int
    csv_bytes: int
    rows_read: int
    rows_inserted: int
    rows_duplicate: int
    rows_rejected: int
    within_file: int
    across_files: int
    redropped_file: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What the server's statistics (``pg_stat_*``) count: the whole server's log in bytes, pages that went
    into it whole and checkpoints; blocks of this database that were read, from its own cache or not, and
    bytes of temporary files."""

    wal_bytes: float
    full_pages: int
    blocks_read: int
    blocks_hit: int
    temp_bytes: int
    checkpoints: int

    def since(self, before: Activity) -> Activity:
        """What was added to ``before``; nothing where the statistics were reset between."""
        pairs = zip(astuple(self), astuple(before), strict=True)
        return Activity(*(max(now - then, 0) for now, then in pairs))

    def metrics(self) -> list[Metric]:
        """As rows of ``performance_metrics``."""
        return [
            Metric("postgres_wal_bytes", self.wal_bytes, "bytes"),
            Metric("postgres_full_pages", self.full_pages, "pages"),
            Metric("postgres_blocks_read", self.blocks_read, "blocks"),
            Metric("postgres_blocks_hit", self.blocks_hit, "blocks"),
            Metric("postgres_temp_bytes", self.temp_bytes, "bytes"),
            Metric("postgres_checkpoints", self.checkpoints, "checkpoints"),
        ]


@dataclass(frozen=True, slots=True)
class Relation:
    """A table and its indexes, in bytes; whether it is that of a feed."""

    name: str
    table_bytes: int
    index_bytes: int
    of_feed: bool = False


def record(connection: Connection, run_id: str, metrics: Iterable[Metric], anew: Iterable[str] = ()) -> None:
    """Store figures of a run, in the place of earlier ones of the same names.

    Earlier ones of the names in ``anew`` go even if there are none of them any more.
    """
    rows = list(metrics)
    names = sorted({*anew, *(row.name for row in rows)})
    queries("metrics").forget_metrics(connection, run_id=run_id, names=names)
    queries("metrics").record_metrics(
        connection,
        run_id=run_id,
        names=[row.name for row in rows],
        parts=[row.part for row in rows],
        units=[row.unit for row in rows],
        values=[float(row.value) for row in rows],
        moments=[row.measured_at for row in rows],
    )


def of_run(connection: Connection, run_id: str) -> list[Metric]:
    """Every figure of a run, in the order in which they were stored."""
    return [Metric(*row) for row in queries("metrics").run_metrics(connection, run_id=run_id)]


def history(
    connection: Connection, names: Sequence[str], before: str, runs: int = 30
) -> dict[str, list[float]]:
    """The last values of each of ``names`` without those of the run ``before``, the oldest first."""
    found: dict[str, list[float]] = {name: [] for name in names}
    rows = queries("metrics").newest_metrics(connection, names=list(names), run_id=before, runs=runs)
    for name, value in rows:
        found[name].append(value)
    return found


def subject_run(connection: Connection, run_id: str) -> str | None:
    """``run_id`` if it loaded something, else the last run that did; ``None``: none ever did."""
    found = queries("metrics").subject_run(connection, run_id=run_id)
    return None if found is None else str(found)


def batches(connection: Connection, run_id: str) -> list[BatchRow]:
    """The micro-batches of a run that came to their end, in order."""
    return [BatchRow(*row) for row in queries("metrics").run_batches(connection, run_id=run_id)]


def files(connection: Connection, run_id: str) -> Files:
    return Files(*queries("metrics").run_files(connection, run_id=run_id))


def rejects(connection: Connection, run_id: str) -> list[tuple[str, int]]:
    """Rows that a run refused and that nobody has replayed, by reason, the most frequent first."""
    return [(reason, rows) for reason, rows in queries("metrics").run_rejects(connection, run_id=run_id)]


def sizes(connection: Connection, tables: Sequence[str] = ()) -> list[Relation]:
    """The tables of the feeds, the platform's and further ones, the largest first."""
    feeds = [TOP_FEED, *(table.qualified for table in applied_tables(connection))]
    rows = queries("metrics").relation_sizes(connection, names=[*_TABLES, *tables], feeds=feeds)
    return [Relation(*row) for row in rows]


def activity(connection: Connection) -> Activity:
    """The server's counters as they stand. What a session did is in them when its transaction has ended,
    a second later at the most."""
    named = queries("metrics")
    old = connection.info.server_version < 170000
    return Activity(*(named.server_activity_before_17 if old else named.server_activity)(connection))
