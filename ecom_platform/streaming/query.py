"""The streaming query: claimed files in, rows of ``user_events`` out.

Belongs here: starting the query, what happens to each micro-batch, and turning its end into a
result or an error. Does not belong here: deciding what is loaded (``landing``), how a unit is
stored (``postgres.sink``).

The query's checkpoint is scratch. The ledger knows which files are finished, in the same
transaction as their rows, so a query always starts from the oldest unfinished file with a new
checkpoint; one that is stale, damaged or deleted can neither lose nor repeat anything.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from ecom_platform.errors import EcomError, IngestError, StorageError
from ecom_platform.landing.claim import finish
from ecom_platform.landing.zone import LandingZone
from ecom_platform.postgres import ledger
from ecom_platform.postgres.connection import Database
from ecom_platform.postgres.sink import FileOutcome, UnitFile, UnitResult, load_unit
from ecom_platform.streaming.source import (
    FORMAT,
    RECONNECT_SECONDS,
    SourceConfig,
    ledger_source,
)

log = logging.getLogger(__name__)

QUERY_NAME = "user_events"
# Files of a micro-batch unless ECOM_BATCH_FILES says otherwise: as many as keep a batch short
# enough to stop after, and few enough that planning them costs nothing.
DEFAULT_BATCH_FILES = 2_000
_RESULT = "result string"


@dataclass(frozen=True, slots=True)
class StreamJob:
    """What one run of the query works on."""

    database: Database
    zone: LandingZone
    checkpoints: Path
    run_id: str
    batch_files: int | None = None


@dataclass(slots=True)
class StreamResult:
    """What the query did; times in seconds, latency from landing to commit, weighted by rows."""

    batches: int = 0
    files: int = 0
    rows: int = 0
    rows_inserted: int = 0
    rows_duplicate: int = 0
    rows_rejected: int = 0
    seconds: float = 0.0
    worker_peak_bytes: int = 0
    batch_seconds: list[float] = field(default_factory=list)
    latencies: list[tuple[float, int]] = field(default_factory=list)

    def latency(self, quantile: float) -> float | None:
        """Seconds from landing to commit that a share ``quantile`` of the rows stayed under."""
        return weighted_quantile(self.latencies, quantile)


def weighted_quantile(values: Sequence[tuple[float, int]], quantile: float) -> float | None:
    """The smallest value that at least ``quantile`` of the weight does not exceed."""
    weighted = sorted((value, weight) for value, weight in values if weight)
    if not weighted:
        return None
    cumulative = np.cumsum([weight for _, weight in weighted])
    position = int(np.searchsorted(cumulative, quantile * cumulative[-1]))
    return weighted[min(position, len(weighted) - 1)][0]


def run_bounded(
    session: SparkSession, job: StreamJob, on_batch: Callable[[StreamResult], None] = lambda result: None
) -> StreamResult:
    """Load everything that is claimed now, then end.

    Raises the :class:`EcomError` that a task or a micro-batch ended in, else
    :class:`IngestError`; what was committed before stays committed.
    """
    started = time.perf_counter()
    batches = _Batches(session, job, on_batch)
    checkpoint = _new_checkpoint(job)
    try:
        config = SourceConfig(
            job.database,
            session.sparkContext.defaultParallelism,
            job.batch_files or DEFAULT_BATCH_FILES,
        )
        session.dataSource.register(ledger_source(config))
        writer = session.readStream.format(FORMAT).load().writeStream.queryName(QUERY_NAME)
        query = (
            writer.foreachBatch(batches.process)
            .option("checkpointLocation", checkpoint.as_uri())
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()
    except StreamingQueryException as error:
        raise batches.error or _stream_error(error) from error
    finally:
        shutil.rmtree(checkpoint, ignore_errors=True)
    batches.result.seconds = time.perf_counter() - started
    return batches.result


def _new_checkpoint(job: StreamJob) -> Path:
    """An empty checkpoint of this run's own; those of killed runs go."""
    path = job.checkpoints / QUERY_NAME / job.run_id
    try:
        if path.parent.is_dir():
            for stale in path.parent.iterdir():
                shutil.rmtree(stale, ignore_errors=True)
        path.mkdir(parents=True)
    except OSError as error:
        raise StorageError(
            f"The checkpoint folder {path} cannot be written: {error.strerror}.",
            "Make room, or set ECOM_HOME to a folder that can be written.",
        ) from error
    return path


def _stream_error(error: StreamingQueryException) -> IngestError:
    first = next((line for line in str(error).splitlines() if line.strip()), "no message")
    return IngestError(
        f"The stream stopped: {first[:300]}",
        "Nothing of the failed unit was stored. Run `ecom ingest` to go on; details are in logs/spark.log.",
    )


class _Batches:
    """What happens to each micro-batch, on the driver."""

    def __init__(
        self, session: SparkSession, job: StreamJob, on_batch: Callable[[StreamResult], None]
    ) -> None:
        self._session = session
        self._job = job
        self._on_batch = on_batch
        self.result = StreamResult()
        # py4j turns an exception into text; the original is kept here.
        self.error: EcomError | None = None

    def process(self, files: DataFrame, query_batch_id: int) -> None:
        """The function given to ``foreachBatch``."""
        try:
            self._process(files, query_batch_id)
        except EcomError as error:
            self.error = error
            raise

    def _process(self, files: DataFrame, query_batch_id: int) -> None:
        started = time.perf_counter()
        batch_id = self._start(query_batch_id)
        loader = _loader(self._job.database.url, str(self._job.zone.claimed), batch_id)
        units = [_read_result(row[0]) for row in files.mapInArrow(loader, _RESULT).collect()]
        outcomes = [outcome for unit in units for outcome in unit.outcomes]
        _put_away(self._job.zone, outcomes)
        figures = _figures(units, outcomes, time.perf_counter() - started)
        with self._job.database.open(wait_seconds=RECONNECT_SECONDS) as connection:
            ledger.finish_batch(connection, batch_id, len(outcomes), figures)
        self._add(outcomes, figures)
        self._on_batch(self.result)

    def _start(self, query_batch_id: int) -> int:
        with self._job.database.open(wait_seconds=RECONNECT_SECONDS) as connection:
            return ledger.start_batch(connection, QUERY_NAME, query_batch_id, self._job.run_id)

    def _add(self, outcomes: list[FileOutcome], figures: ledger.BatchFigures) -> None:
        result = self.result
        result.batches += 1
        result.files += len(outcomes)
        result.rows += figures.rows
        result.rows_inserted += figures.rows_inserted
        result.rows_duplicate += figures.rows_duplicate
        result.rows_rejected += figures.rows_rejected
        result.worker_peak_bytes = max(result.worker_peak_bytes, figures.worker_peak_bytes)
        result.batch_seconds.append(figures.duration_ms / 1000)
        result.latencies += _latencies(outcomes)


def _loader(
    url: str, claimed: str, batch_id: int
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that runs in each task: a unit's files in, its result out, as one JSON text."""

    def load(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        files = [
            UnitFile(row["file_id"], row["name"], f"{claimed}/{row['file_id']}-{row['name']}")
            for batch in batches
            for row in batch.to_pylist()
        ]
        if files:
            yield pa.record_batch({"result": [_write_result(url, files, batch_id)]})

    return load


def _write_result(url: str, files: list[UnitFile], batch_id: int) -> str:
    """An expected failure travels as data, since an exception would arrive as text."""
    try:
        return json.dumps(asdict(load_unit(url, files, batch_id)))
    except EcomError as error:
        failure = {"type": type(error).__name__, "message": error.message, "remedy": error.remedy}
        return json.dumps({"error": failure})


def _read_result(text: str) -> UnitResult:
    values: dict[str, Any] = json.loads(text)
    if "error" in values:
        error = values["error"]
        raise IngestError(error["message"], error["remedy"])
    values["outcomes"] = [FileOutcome(**outcome) for outcome in values["outcomes"]]
    return UnitResult(**values)


def _put_away(zone: LandingZone, outcomes: list[FileOutcome]) -> None:
    """Committed files leave the claimed folder; one that stays behind is moved by the next run."""
    for outcome in outcomes:
        finished_at = datetime.fromtimestamp(outcome.finished_at, UTC)
        finish(
            zone,
            ledger.FileState(outcome.file_id, outcome.name, outcome.state, outcome.reason, finished_at, None),
        )


def _latencies(outcomes: list[FileOutcome]) -> list[tuple[float, int]]:
    return [(outcome.committed_at - outcome.landed_at, outcome.rows_read) for outcome in outcomes]


def _figures(units: list[UnitResult], outcomes: list[FileOutcome], seconds: float) -> ledger.BatchFigures:
    latencies = _latencies(outcomes)

    def latency_ms(quantile: float) -> float | None:
        value = weighted_quantile(latencies, quantile)
        return None if value is None else value * 1000

    return ledger.BatchFigures(
        rows=sum(outcome.rows_read for outcome in outcomes),
        rows_inserted=sum(outcome.rows_inserted for outcome in outcomes),
        rows_duplicate=sum(outcome.rows_duplicate for outcome in outcomes),
        rows_rejected=sum(outcome.rows_rejected for outcome in outcomes),
        duration_ms=seconds * 1000,
        decode_ms=sum(unit.decode_seconds for unit in units) * 1000,
        store_ms=sum(unit.store_seconds for unit in units) * 1000,
        worker_peak_bytes=max((unit.peak_bytes for unit in units), default=0),
        latency_p50_ms=latency_ms(0.50),
        latency_p95_ms=latency_ms(0.95),
        latency_p99_ms=latency_ms(0.99),
    )
