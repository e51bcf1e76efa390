"""How the cost of a load grows with the table: into one table, up to each size in turn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import plots, workload
from benchmarks.measure import measured
from benchmarks.paths.platform import ingest
from benchmarks.results import Findings
from benchmarks.server import running

# The rate at a size is that of the last rows before it.
WINDOW_ROWS = 2_000_000
# A point of the plot.
_PLOT_ROWS = 1_000_000
_COLUMNS = (
    "rows in the table",
    "rows/s of the last 2M",
    "rows/s of the step's stream",
    "checks and start-up",
    "peak memory of the tree",
    "one Python worker's peak",
    "table + indexes",
    "one day's range",
)
_COMMITS = """
SELECT finished_at, rows_read FROM ingested_files WHERE state = 'loaded' ORDER BY finished_at, file_id
"""
_STEP = """
SELECT min(started_at), max(worker_peak_bytes) FROM stream_batches
WHERE run_id = (SELECT run_id FROM stream_batches ORDER BY batch_id DESC LIMIT 1)
"""
_SIZE = "SELECT pg_table_size('user_events'), pg_indexes_size('user_events')"
_RANGE = """
EXPLAIN (ANALYZE, FORMAT JSON)
SELECT count(*), sum(price) FROM user_events WHERE event_time >= %s AND event_time < %s
"""


@dataclass(frozen=True, slots=True)
class Step:
    """The load up to ``rows`` in the table."""

    rows: int
    window_rate: float
    step_rate: float
    around_seconds: float
    peak_bytes: int
    worker_peak_bytes: int
    table_bytes: int
    index_bytes: int
    range_ms: float
    range_index: str | None


def run(folder: Path, say: Callable[[str], None], *, sizes: Sequence[int], rows_per_file: int) -> Findings:
    """Load up to each of ``sizes``, by `ecom ingest`, checks included."""
    home = folder / "scratch"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    steps: list[Step] = []
    with running(folder / "postgres") as server, server.database("growth") as address:
        for number, (before, size) in enumerate(zip((0, *sizes), sizes, strict=False)):
            as_of = workload.AS_OF - timedelta(days=90 * (len(sizes) - 1 - number))
            data = workload.prepare(
                folder / "data", size - before, rows_per_file, workload.SEED + number, as_of
            )
            workload.copy_into(data, home / "landing")
            with measured() as usage:
                summary = ingest(address, home)
            with psycopg.connect(address.url, options="-c timezone=UTC") as connection:
                step = _step(connection, before, size, usage.seconds, usage.peak_bytes, as_of)
                commits = list(_cumulative(connection))
            steps.append(step)
            say(f"{size:,} rows: {step.window_rate:,.0f} rows/s; {summary['rows']}, {summary['checks']}")
    shutil.rmtree(home)
    findings = Findings("growth", "One table, loaded up to each size", _COLUMNS)
    findings.figures = [asdict(step) for step in steps]
    findings.rows = [_row(step) for step in steps]
    curve = list(_curve(commits))
    if curve:
        title = "Rows a second as the table grows"
        findings.plots["growth.svg"] = plots.line(title, curve, "million rows in the table", "rows/s")
    return findings


def _step(connection: Any, before: int, size: int, seconds: float, peak_bytes: int, as_of: datetime) -> Step:
    ((began, worker_peak),) = connection.execute(_STEP).fetchall()
    commits = list(_cumulative(connection))
    ended = commits[-1][0]
    streamed = (ended - began).total_seconds()
    # The commit that the last rows follow, or the start of the stream where the step is no longer.
    marks = [(at, rows) for at, rows in commits if before < rows <= size - WINDOW_ROWS]
    since, rows = marks[-1] if marks else (began, before)
    ((table_bytes, index_bytes),) = connection.execute(_SIZE).fetchall()
    range_ms, index = _range(connection, as_of - timedelta(days=45))
    return Step(
        rows=size,
        window_rate=(size - rows) / (ended - since).total_seconds(),
        step_rate=(size - before) / streamed,
        around_seconds=seconds - streamed,
        peak_bytes=peak_bytes,
        worker_peak_bytes=worker_peak,
        table_bytes=table_bytes,
        index_bytes=index_bytes,
        range_ms=range_ms,
        range_index=index,
    )


def _cumulative(connection: Any) -> Iterator[tuple[datetime, int]]:
    """When the table had how many rows; files of one transaction are one entry."""
    total = 0
    previous: datetime | None = None
    for finished_at, rows in connection.execute(_COMMITS).fetchall():
        if previous is not None and finished_at - previous > timedelta(milliseconds=50):
            yield previous, total
        total += rows
        previous = finished_at
    if previous is not None:
        yield previous, total


def _curve(commits: Sequence[tuple[datetime, int]]) -> Iterator[tuple[float, float]]:
    """Millions of rows and rows/s, a point a million rows; the pauses between steps are left out."""
    since = commits[0]
    for at, rows in commits[1:]:
        seconds = (at - since[0]).total_seconds()
        if rows - since[1] >= _PLOT_ROWS:
            rate = (rows - since[1]) / seconds
            yield rows / 1e6, rate
            since = (at, rows)


def _range(connection: Any, day: datetime) -> tuple[float, str | None]:
    """Milliseconds of a query over one day, and the index it used."""
    plans: list[Any] = []
    for _ in range(3):
        ((plan,),) = connection.execute(_RANGE, (day, day + timedelta(days=1))).fetchall()
        plans.append(plan[0])
    fastest = min(plans, key=lambda plan: plan["Execution Time"])
    text = json.dumps(fastest)
    index = "user_events_time" if '"Index Name": "user_events_time"' in text else None
    return fastest["Execution Time"], index


def _row(step: Step) -> Sequence[str]:
    mib = 2**20
    return (
        f"{step.rows:,}",
        f"{step.window_rate:,.0f}",
        f"{step.step_rate:,.0f}",
        f"{step.around_seconds:.1f} s",
        f"{step.peak_bytes / mib:,.0f} MiB",
        f"{step.worker_peak_bytes / mib:,.0f} MiB",
        f"{step.table_bytes / mib:,.0f} + {step.index_bytes / mib:,.0f} MiB",
        f"{step.range_ms:,.0f} ms by {step.range_index or 'a scan of the table'}",
    )
