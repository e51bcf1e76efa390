"""The streaming query: claimed files in, rows of the feeds' tables out.

Belongs here: starting the query, what happens to each micro-batch, and turning its end into a
result or an error. Does not belong here: deciding what is loaded (``landing``), how a unit is
stored (``store.sink``).

The query's checkpoint is scratch. The ledger knows which files are finished, in the same
transaction as their rows, so a query always starts from the oldest unfinished file with a new
checkpoint; one that is stale, damaged or deleted can neither lose nor repeat anything.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from py4j.protocol import Py4JError
from pyspark import RDD
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from ecom_platform.errors import EcomError, IngestError, JvmLostError, StorageError
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.feeds.travel import from_data, to_data
from ecom_platform.landing.landing_places import LandingPlaces
from ecom_platform.objects import Location
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.outcome import FileOutcome, UnitFile, UnitResult, feed_of
from ecom_platform.streaming.copies import fetched
from ecom_platform.streaming.executors import ExecutorUse, executor_use, since
from ecom_platform.streaming.paths import hadoop_path
from ecom_platform.streaming.spark_private import file_paths
from ecom_platform.streaming.units import plan_batches, plan_units, read_unit, write_units

log = logging.getLogger(__name__)

# By this name checkpoints and `stream_batches` know it, from before there were other feeds.
QUERY_NAME = TOP_FEED
# A restart of PostgreSQL is shorter than this; within a stream it is a pause, not a failure.
RECONNECT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StreamJob:
    """What one run of the query works on."""

    database: Database
    places: LandingPlaces
    checkpoints: Path
    run_id: str
    feeds: Mapping[str, Feed]
    batch_files: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One micro-batch that is committed and put away.

    ``left_out`` are ids of files that were given back to the landing folder, since they were still being
    written. ``landed_again`` names files that are there once more, for that or for having grown later.
    """

    outcomes: list[FileOutcome]
    figures: ledger.BatchFigures
    # The machine of each unit's executor.
    hosts: tuple[str, ...] = ()
    left_out: tuple[int, ...] = ()
    landed_again: tuple[str, ...] = ()

    @property
    def file_ids(self) -> list[int]:
        """Every file that is out of the query's hands now."""
        return [*(outcome.file_id for outcome in self.outcomes), *self.left_out]

    @property
    def latencies(self) -> list[tuple[float, int]]:
        """Seconds from landing to commit of each file, and its rows."""
        return [(outcome.committed_at - outcome.landed_at, outcome.rows_read) for outcome in self.outcomes]


@dataclass(slots=True)
class StreamResult:
    """What the query did; times in seconds, latency from landing to commit, weighted by rows."""

    batches: int = 0
    files: int = 0
    rows: int = 0
    rows_inserted: int = 0
    rows_duplicate: int = 0
    rows_rejected: int = 0
    worker_peak_bytes: int = 0
    application: str = ""
    # Units of work by the machine whose executor loaded them.
    executors: Counter[str] = field(default_factory=Counter)
    executor_use: list[ExecutorUse] = field(default_factory=list)
    latencies: list[tuple[float, int]] = field(default_factory=list)
    # Files that are in the landing folder once more, since their writers were still at work.
    landed_again: list[str] = field(default_factory=list)
    # Of these the ids that were given up before their files were loaded.
    given_back: set[int] = field(default_factory=set)

    def latency(self, quantile: float) -> float | None:
        """Seconds from landing to commit that a share ``quantile`` of the rows stayed under."""
        return weighted_quantile(self.latencies, quantile)

    def add(self, batch: Batch) -> None:
        """Count one more micro-batch."""
        figures = batch.figures
        self.batches += 1
        self.files += len(batch.outcomes)
        self.rows += figures.rows
        self.rows_inserted += figures.rows_inserted
        self.rows_duplicate += figures.rows_duplicate
        self.rows_rejected += figures.rows_rejected
        self.worker_peak_bytes = max(self.worker_peak_bytes, figures.worker_peak_bytes)
        self.executors.update(batch.hosts)
        self.latencies += batch.latencies
        self.landed_again += batch.landed_again
        self.given_back.update(batch.left_out)


def weighted_quantile(values: Sequence[tuple[float, int]], quantile: float) -> float | None:
    """The smallest value that at least ``quantile`` of the weight does not exceed."""
    weighted = sorted((value, weight) for value, weight in values if weight)
    if not weighted:
        return None
    cumulative = np.cumsum([weight for _, weight in weighted])
    position = int(np.searchsorted(cumulative, quantile * cumulative[-1]))
    return weighted[min(position, len(weighted) - 1)][0]


def run_bounded(
    session: SparkSession,
    job: StreamJob,
    claimed: Sequence[ledger.ClaimedFile],
    on_batch: Callable[[StreamResult], None] = lambda result: None,
    result: StreamResult | None = None,
) -> StreamResult:
    """Load the ``claimed`` files, then end; goes on counting in ``result``, if there is one.

    Raises the :class:`EcomError` that a task or a micro-batch ended in, else
    :class:`IngestError`; what was committed before stays committed.
    """
    files, changed, returned = _at_rest(job, claimed)
    again = result is not None
    result = result or StreamResult(application=session.sparkContext.applicationId)
    result.landed_again += returned
    result.given_back.update(changed)
    if not files:
        return result

    def count(batch: Batch) -> None:
        result.add(batch)
        on_batch(result)

    before = executor_use(session)
    plan = plan_batches(job.batch_files, session.sparkContext.defaultParallelism)
    with (
        scratch(job.checkpoints / QUERY_NAME, job.run_id, parents=True) as checkpoint,
        scratch(job.places.units, job.run_id) as units,
    ):
        write_units(units, plan_units(files, session.sparkContext.defaultParallelism, plan.files_per_unit))
        query = Query(session, job, checkpoint, units, plan.units_per_batch, count)
        query.start()
        query.wait()
        if not again:  # numbers of micro-batches begin anew with each query
            query.record_progress()
    result.executor_use += since(before, executor_use(session))
    return result


def _at_rest(
    job: StreamJob, files: Sequence[ledger.ClaimedFile]
) -> tuple[list[ledger.ClaimedFile], list[int], list[str]]:
    """The files that are what was claimed; ids and names of those that were given back: Spark took its time
    to start, and their writers went on."""
    with job.database.open() as connection:
        changed = job.places.changed(connection, files)
    returned = job.places.give_back(job.database, changed) if changed else []
    return [file for file in files if file.file_id not in changed], changed, returned


class Query:
    """The one query of both modes: unit files in, committed and archived files out.

    ``on_batch`` is called after each micro-batch, in a thread of py4j's.
    """

    def __init__(
        self,
        session: SparkSession,
        job: StreamJob,
        checkpoint: Path,
        units: Path,
        units_per_batch: int,
        on_batch: Callable[[Batch], None],
    ) -> None:
        self._session, self._job = session, job
        self._checkpoint, self._units, self._units_per_batch = checkpoint, units, units_per_batch
        self._batches = _Batches(job, on_batch)
        self._query: StreamingQuery | None = None

    def start(self, trigger_ms: int | None = None) -> None:
        """Start it: a micro-batch each ``trigger_ms``; ``None``: at once, until nothing is left."""
        # 0 is written down of a bounded run; a live one at 0 has no pause either, but may have nothing to do.
        self._batches.trigger_ms = 0 if trigger_ms is None else max(trigger_ms, 1)
        trigger: dict[str, Any] = (
            {"availableNow": True} if trigger_ms is None else {"processingTime": f"{trigger_ms} milliseconds"}
        )
        with self._errors():
            source = self._session.readStream.option("maxFilesPerTrigger", self._units_per_batch)
            self._query = (
                source.text(hadoop_path(self._units, glob=True), wholetext=True)
                .writeStream.queryName(QUERY_NAME)
                .foreachBatch(self._batches.process)
                .option("checkpointLocation", hadoop_path(self._checkpoint))
                .trigger(**trigger)
                .start()
            )

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the query's end, or so long; returns whether it has ended.

        Raises the :class:`EcomError` that a task or a micro-batch ended in, else :class:`IngestError`;
        :class:`JvmLostError` when there is no Spark any more.
        """
        if self._query is None:
            return True
        with self._errors():
            if seconds is None:
                self._query.awaitTermination()
                return True
            # It takes fractions of a second, whatever its annotation says.
            return bool(self._query.awaitTermination(seconds))  # type: ignore[arg-type]

    def stop(self) -> None:
        """End it between two micro-batches: one in hand is waited for, whatever it takes."""
        self._batches.close()
        if self._query is not None:
            with self._errors():
                self._query.stop()

    def record_progress(self) -> None:
        """Write down Spark's own account of its time; it keeps that of the last PROGRESS_KEPT batches."""
        if self._query is None:
            return
        with self._errors():
            known = {progress.batchId: progress.durationMs for progress in self._query.recentProgress}
        # A batch is reported once more, without work, when the query finds that nothing is left.
        parts = {batch: durations for batch, durations in known.items() if "addBatch" in durations}

        def sums(*names: str) -> list[float]:
            return [float(sum(durations.get(name, 0) for name in names)) for durations in parts.values()]

        with self._job.database.open(wait_seconds=RECONNECT_SECONDS) as connection:
            ledger.record_progress(
                connection,
                self._job.run_id,
                list(parts),
                listing_ms=sums("latestOffset", "getBatch"),
                planning_ms=sums("queryPlanning"),
                bookkeeping_ms=sums("walCommit", "commitOffsets", "commitBatch"),
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except StreamingQueryException as error:
            raise self._batches.error or _stream_error(error) from error
        except (Py4JError, ConnectionError) as error:
            raise self._batches.error or lost_jvm(error) from error


@contextmanager
def scratch(parent: Path, run_id: str, *, parents: bool = False) -> Iterator[Path]:
    """A new folder of this run's own, gone afterwards; those of killed runs go first.

    ``parents``: also make what ``parent`` is in. Never in the landing folder: where its disk is away for a
    moment, that would be an empty folder, and what is made there is in the way when the disk comes back.
    """
    folder = parent / run_id
    try:
        _clear(parent)
        parent.mkdir(parents=parents, exist_ok=True)
        folder.mkdir()
    except OSError as error:
        raise StorageError(
            f"The folder {folder} cannot be written: {error.strerror}.",
            "Make room, or set ECOM_HOME and ECOM_LANDING_DIR to folders that can be written.",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_scratch(job: StreamJob) -> None:
    """Remove what killed runs have left, also where nothing is to be loaded. Whoever calls this holds the
    ingest lock."""
    for parent in (job.checkpoints / QUERY_NAME, job.places.units):
        with suppress(OSError):
            _clear(parent)


def _clear(parent: Path) -> None:
    if parent.is_dir():
        for stale in parent.iterdir():
            shutil.rmtree(stale, ignore_errors=True)


def _stream_error(error: StreamingQueryException) -> IngestError:
    first = next((line for line in str(error).splitlines() if line.strip()), "no message")
    return IngestError(
        f"The stream stopped: {first[:300]}",
        "Nothing of the failed unit was stored. Run `ecom ingest` to go on; details are in logs/spark.log.",
    )


def lost_jvm(error: Exception) -> JvmLostError:
    """What to say when Spark's Java process is gone, which ``error`` was the first to notice."""
    return JvmLostError(
        f"Spark's Java process cannot be reached any more: {' '.join(str(error).split())[:200]}",
        "What was committed stays. Run `ecom ingest` to go on; if memory was short, lower "
        "ECOM_SPARK_DRIVER_MEMORY or make room.",
    )


class _Batches:
    """What happens to each micro-batch, on the driver."""

    def __init__(self, job: StreamJob, on_batch: Callable[[Batch], None]) -> None:
        self._job = job
        self._on_batch = on_batch
        self._in_hand = threading.Lock()
        self._closed = False
        self.trigger_ms = 0
        # py4j turns an exception into text; the original is kept here.
        self.error: EcomError | None = None

    def process(self, units: DataFrame, query_batch_id: int) -> None:
        """The function given to ``foreachBatch``; each row is the content of a unit file."""
        with self._in_hand:
            # Nothing is lost by passing over a micro-batch: the checkpoint that counts it as done is
            # scratch, and the ledger does not.
            if self._closed:
                return
            try:
                self._process(units, query_batch_id)
            except EcomError as error:
                self.error = error
                raise

    def close(self) -> None:
        """Wait for the micro-batch in hand and begin no other."""
        with self._in_hand:
            self._closed = True

    def _process(self, units_frame: DataFrame, query_batch_id: int) -> None:
        started = time.perf_counter()
        batch_id = self._start(query_batch_id)
        job = self._job
        loader = _loader(job.database.task_url, job.feeds, job.places.source, batch_id)
        rdd = self._texts(units_frame)
        # Asked each time: executors of a cluster come and go.
        slots = rdd.context.defaultParallelism
        units = [_read_result(result) for result in rdd.map(loader).collect()]
        outcomes = [outcome for unit in units for outcome in unit.outcomes]
        left_out = tuple(file_id for unit in units for file_id in unit.changed)
        again = self._put_away(outcomes, left_out)
        figures = batch_figures(units, time.perf_counter() - started, slots, self.trigger_ms)
        with self._job.database.open(wait_seconds=RECONNECT_SECONDS) as connection:
            ledger.finish_batch(connection, batch_id, len(outcomes), figures)
        hosts = tuple(unit.host for unit in units)
        self._on_batch(Batch(outcomes, figures, hosts, left_out, tuple(again)))

    def _texts(self, units: DataFrame) -> RDD[str]:
        """What is in the unit files of a micro-batch, a task each."""
        if self._job.places.units_are_shared:
            # Not mapInArrow: a line of text each way gains nothing from it, and it makes driver and
            # workers import pandas, a second each.
            return units.rdd.map(lambda row: str(row[0]))
        # No task reads a file of the driver's machine: it is told what is in it.
        texts = [Path(path).read_text(encoding="utf-8") for path in file_paths(units)]
        return units.sparkSession.sparkContext.parallelize(texts, max(len(texts), 1))

    def _put_away(self, outcomes: list[FileOutcome], left_out: Sequence[int]) -> list[str]:
        """Committed files leave the claimed folder; returns the names of those that land once more."""
        job = self._job
        file_ids = [outcome.file_id for outcome in outcomes]
        again = job.places.put_away(job.database, file_ids, RECONNECT_SECONDS)
        return again + (job.places.give_back(job.database, left_out) if left_out else [])

    def _start(self, query_batch_id: int) -> int:
        with self._job.database.open(wait_seconds=RECONNECT_SECONDS) as connection:
            return ledger.start_batch(connection, QUERY_NAME, query_batch_id, self._job.run_id)


def _loader(
    url: str, feeds: Mapping[str, Feed], source: str | Location, batch_id: int
) -> Callable[[str], str]:
    """The function that runs in each task: the content of a unit file in, its result out, as JSON.

    The declarations go with it, so that a task needs no file of them.
    """
    declared = {name: to_data(feed) for name, feed in feeds.items()}

    def load(unit: str) -> str:
        location = source if isinstance(source, Location) else None
        files = read_unit(unit, "" if isinstance(source, Location) else source)
        feed = from_data(declared[feed_of(files[0].name)])
        return _write_result(url, feed, files, batch_id, location)

    return load


def _write_result(
    url: str, feed: Feed, files: list[UnitFile], batch_id: int, location: Location | None = None
) -> str:
    """An expected failure travels as data, since an exception would arrive as text."""
    # Only tasks load units; the driver is spared the import.
    from ecom_platform.store.sink import load_unit

    try:
        if location is None:
            result = load_unit(url, feed, files, batch_id)
        else:
            with fetched(location, files) as (copies, changed):
                result = load_unit(url, feed, copies, batch_id)
            result = replace(result, changed=sorted({*result.changed, *changed}))
        _require_outcomes(files, result)
        return json.dumps(asdict(result))
    except EcomError as error:
        return json.dumps({"error": error.as_json()})
    except Exception as error:
        traceback.print_exc()  # into logs/spark.log, or the executor's stderr
        unforeseen = IngestError(
            f"Loading {len(files)} files from {files[0].name} on failed with {type(error).__name__}: "
            f"{' '.join(str(error).split())[:300]}",
            "Nothing of them was stored. Run `ecom ingest` to try again; logs/spark.log (on a cluster the "
            "executor's stderr) has the trace.",
        )
        return json.dumps({"error": unforeseen.as_json()})


def _require_outcomes(files: Sequence[UnitFile], result: UnitResult) -> None:
    """Every file of a unit came to an end: loaded now, finished before, or left out to land again."""
    ended = {*(outcome.file_id for outcome in result.outcomes), *result.changed}
    unknown = [file for file in files if file.file_id not in ended]
    if unknown:
        raise IngestError(
            f"The ledger does not know {len(unknown)} of {len(files)} claimed files, such as "
            f"{unknown[0].name} (file {unknown[0].file_id}): PostgreSQL is in a state from before they were "
            "claimed (a failover, a restore).",
            "`ecom reconcile` loads what is on disk and not in the ledger.",
        )


def _read_result(text: str) -> UnitResult:
    values: dict[str, Any] = json.loads(text)
    if "error" in values:
        error = values["error"]
        raise IngestError(error["message"], error["remedy"])
    values["outcomes"] = [FileOutcome(**outcome) for outcome in values["outcomes"]]
    return UnitResult(**values)


def batch_figures(
    units: Sequence[UnitResult], seconds: float, slots: int, trigger_ms: float
) -> ledger.BatchFigures:
    """What a micro-batch of these units did in so many seconds, where ``slots`` tasks could run at once."""
    outcomes = [outcome for unit in units for outcome in unit.outcomes]
    latencies = [(outcome.committed_at - outcome.landed_at, outcome.rows_read) for outcome in outcomes]

    def latency_ms(quantile: float) -> float | None:
        value = weighted_quantile(latencies, quantile)
        return None if value is None else value * 1000

    return ledger.BatchFigures(
        rows=sum(outcome.rows_read for outcome in outcomes),
        rows_inserted=sum(outcome.rows_inserted for outcome in outcomes),
        rows_updated=sum(outcome.rows_updated for outcome in outcomes),
        rows_stale=sum(outcome.rows_stale for outcome in outcomes),
        rows_duplicate=sum(outcome.rows_duplicate for outcome in outcomes),
        rows_rejected=sum(outcome.rows_rejected for outcome in outcomes),
        duration_ms=seconds * 1000,
        decode_ms=sum(unit.decode_seconds for unit in units) * 1000,
        store_ms=sum(unit.store_seconds for unit in units) * 1000,
        commit_ms=sum(unit.commit_seconds for unit in units) * 1000,
        tasks=len(units),
        longest_task_ms=max((unit.seconds for unit in units), default=0.0) * 1000,
        slots=slots,
        trigger_ms=trigger_ms,
        worker_cpu_ms=sum(unit.cpu_seconds for unit in units) * 1000,
        worker_peak_bytes=max((unit.peak_bytes for unit in units), default=0),
        latency_p50_ms=latency_ms(0.50),
        latency_p95_ms=latency_ms(0.95),
        latency_p99_ms=latency_ms(0.99),
    )
