"""The live mode: a query that runs until it is stopped, fed as files arrive.

Belongs here: the life of the process, from the lock over one query after another to a graceful end,
and what it gets over by itself. Does not belong here: the query (``query``), claiming (``claimer``),
the order of work (``dispatch``), arguments and signals, which are the command line's.

Every failure but one has the same answer: end the query, give the lock back, wait a little, begin
again from the ledger. A lost database is therefore a pause, a micro-batch that fails is tried again,
and a checkpoint or unit file that somebody deleted is made anew. The exception is a killed JVM: this
process cannot have another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from ecom_platform.errors import DatabaseError, EcomError, IngestError, JvmLostError, LockedError
from ecom_platform.landing.expiry import delete_expired
from ecom_platform.landing.landing_places import places_of
from ecom_platform.landing.landing_zone import prepare
from ecom_platform.settings import Settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.live_status import Pulse
from ecom_platform.store.lock import LIVE_APPLICATION_NAME, IngestLock
from ecom_platform.store.outcome import feed_of
from ecom_platform.streaming.claimer import Claimer
from ecom_platform.streaming.dispatch import Dispatcher
from ecom_platform.streaming.heartbeat import Heartbeat
from ecom_platform.streaming.query import (
    QUERY_NAME,
    Batch,
    Query,
    StreamJob,
    lost_jvm,
    scratch,
    weighted_quantile,
)
from ecom_platform.streaming.readiness import ready_feeds
from ecom_platform.streaming.session import jvm_has_ended
from ecom_platform.streaming.stall import Stall
from ecom_platform.streaming.units import plan_live_batches

log = logging.getLogger(__name__)

# Spark's file source remembers every unit file of a query, in memory and in a log that it rewrites
# every ten micro-batches. A new query has a new memory.
QUERY_BATCHES = 2_000
# What the figures on the terminal are taken over.
WINDOW_SECONDS = 60.0
# Waits between attempts: this, then twice as long each time.
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0

_TICK_SECONDS = 0.25
_HOUSEKEEPING_SECONDS = 3_600.0
_LOOK_BACK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LiveProgress:
    """Where the live mode stands: totals, and rate and latency of the last minute."""

    rows: int
    batches: int
    rows_per_second: float
    latency_p50: float | None
    latency_p95: float | None
    backlog_files: int
    backlog_bytes: int


class LiveMode:
    """One live process. :meth:`run` returns after :meth:`stop`, which any thread may call.

    ``revive`` is called before each attempt; it makes sure of the server, where that is ours to do.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        session: Callable[[], SparkSession],
        run_id: str,
        *,
        revive: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda text: None,
        on_progress: Callable[[LiveProgress], None] = lambda progress: None,
    ) -> None:
        self._settings, self._database, self._session = settings, database, session
        ready = ready_feeds(settings, database)
        self._places = ready.places(places_of(settings))
        self._declared = ready.declared
        self._revive, self._say, self._on_progress = revive, say, on_progress
        self._stopping = threading.Event()
        self._heartbeat = Heartbeat(database, run_id, self._pulse)
        self._job = StreamJob(
            database, self._places, settings.checkpoint_dir, run_id, ready.feeds, settings.batch_files
        )
        self._window = _Window()
        self._dispatcher: Dispatcher | None = None
        self._claimer: Claimer | None = None
        self._problem: str | None = None
        self._began = False
        self._had_lock = False
        self._stall = Stall()
        self._queries = 0
        self._housekept_at: float | None = None
        self._looked_back_at = 0.0

    def stop(self) -> None:
        """Let :meth:`run` return after the micro-batch in hand."""
        self._stopping.set()

    def run(self) -> None:
        """Load files as they arrive, until :meth:`stop`.

        Raises :class:`JvmLostError` when Spark's Java process has ended. Before the first query has
        begun every :class:`EcomError` is raised: what is wrong then is for a person to put right.
        """
        prepare(self._places.zone)
        try:
            self._go_on()
        except BaseException:
            self._heartbeat.fall_silent()
            raise
        if self._had_lock:
            self._heartbeat.end()
        else:
            self._heartbeat.withdraw()

    def _go_on(self) -> None:
        """One attempt after the other, until :meth:`stop`."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            batches = self._window.batches
            try:
                self._attempt()
            except JvmLostError:
                raise
            except Exception as error:
                if not self._began:
                    raise
                if jvm_has_ended():  # whatever it was that noticed first
                    raise lost_jvm(error) from error
                pause = FIRST_PAUSE_SECONDS if self._window.batches > batches else pause
                self._problem = str(error) if isinstance(error, EcomError) else repr(error)
                self._say(f"{self._problem} Trying again in {pause:.0f} s.")
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _attempt(self) -> None:
        """From taking the lock until something fails, or the end."""
        self._revive()
        # Before the lock is waited for: one that dies from here on is missed.
        self._heartbeat.begin()
        with IngestLock(self._database, LIVE_APPLICATION_NAME) as lock:
            if not self._take(lock):
                return
            self._had_lock = True
            recovery = self._places.recover(self._database, self._declared)
            for name in recovery.unknown:
                log.warning("claimed/%s is not in the ledger; `ecom reconcile` puts it right", name)
            while not self._stopping.is_set():
                self._run_query(lock)

    def _take(self, lock: IngestLock) -> bool:
        """Wait for the lock; ``False`` if it was stopped meanwhile.

        A process that has been loading waits for ever: whoever holds the lock now will give it back.
        """
        try:
            return lock.take(
                None if self._began else self._settings.lock_wait_seconds,
                lambda holder: self._say(f"waiting for the ingest lock, held by {holder}"),
                lambda holder: False if self._stopping.is_set() else None,
                self._stopping.wait,
            )
        except LockedError:
            # Somebody else is live, or loads: this one never was.
            self._heartbeat.withdraw()
            raise

    def _run_query(self, lock: IngestLock) -> None:
        """One query, until it has had enough micro-batches, something fails, or the end."""
        session = self._session()
        parallelism = session.sparkContext.defaultParallelism
        plan = plan_live_batches(self._settings.batch_files, parallelism)
        self._queries += 1
        name = f"{self._job.run_id}-{self._queries}"
        with (
            scratch(self._job.checkpoints / QUERY_NAME, name, parents=True) as checkpoint,
            scratch(self._places.units, name) as units,
        ):
            dispatcher = self._dispatcher = Dispatcher(units, plan, parallelism)
            with self._database.open() as connection:
                claimed = ledger.claimed(connection)
                dispatcher.add(file for file in claimed if feed_of(file.name) in self._job.feeds)
            lookout = self._places.lookout(self._database, self._settings.settle_seconds, self._declared)
            claimer = self._claimer = Claimer(lookout, self._places.zone.feeds, dispatcher)

            def on_batch(batch: Batch) -> None:
                self._problem = None
                self._window.add(batch)
                claimer.be_patient(batch.landed_again)
                dispatcher.finished(batch.file_ids)

            query = Query(session, self._job, checkpoint, units, plan.units_per_batch, on_batch)
            query.start(round(self._settings.trigger_seconds * 1000))
            claimer.start()
            if not self._began:
                self._say(f"live: waiting for files in {self._settings.landing_place}")
                self._began = True
            try:
                self._watch(lock, query, claimer, dispatcher)
            finally:
                claimer.stop()
                query.stop()

    def _watch(self, lock: IngestLock, query: Query, claimer: Claimer, dispatcher: Dispatcher) -> None:
        enough = self._window.batches + QUERY_BATCHES
        next_look = time.monotonic() + 1.0
        while not self._stopping.is_set() and self._window.batches < enough:
            if query.wait(_TICK_SECONDS):
                raise IngestError("The query has ended by itself.", "It is started again.")
            if claimer.error is not None:
                raise claimer.error
            if time.monotonic() >= next_look:
                if not lock.connected():
                    raise self._disconnected()
                if dispatcher.idle:
                    self._problem = None
                self._keep_house()
                self._on_progress(self.progress())
                next_look = time.monotonic() + 1.0

    def _disconnected(self) -> DatabaseError:
        self._problem = "The connection to PostgreSQL was lost."
        # At once: the micro-batch in hand has its own patience, and is waited for.
        self._say(f"{self._problem} What is in hand is tried until it is back.")
        return DatabaseError(self._problem)

    def _keep_house(self) -> None:
        """Every few seconds: what has grown since it was loaded lands again. Once an hour: what is past its
        time leaves the archive."""
        now = time.monotonic()
        if now - self._looked_back_at > _LOOK_BACK_SECONDS:
            self._looked_back_at = now
            again = self._places.look_back(self._database)
            if self._claimer is not None:
                self._claimer.be_patient(again)
        if self._housekept_at is None or now - self._housekept_at > _HOUSEKEEPING_SECONDS:
            self._housekept_at = now
            if self._settings.archive_days is not None:
                delete_expired(self._places.zone, datetime.now(UTC).date(), self._settings.archive_days)

    def progress(self) -> LiveProgress:
        """Where it stands now."""
        files, size = self._backlog()
        window = self._window
        return LiveProgress(
            window.rows,
            window.batches,
            window.rows_per_second(),
            window.latency(0.50),
            window.latency(0.95),
            files,
            size,
        )

    def _backlog(self) -> tuple[int, int]:
        parts = [part.backlog() for part in (self._claimer, self._dispatcher) if part is not None]
        return sum(files for files, _ in parts), sum(size for _, size in parts)

    def _pulse(self) -> Pulse:
        files, size = self._backlog()
        window, dispatcher = self._window, self._dispatcher
        # A query that does not even begin is stuck as well, once it has the lock.
        work = files > 0 or (dispatcher is not None and not dispatcher.idle) or not self._began
        stuck = self._stall.seconds(work and self._had_lock, window.batches)
        return Pulse(files, size, window.batches, window.rows, self._problem, stuck, self._began)


class _Window:
    """Totals since the start, and the micro-batches of the last minute; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._recent: deque[tuple[float, Batch]] = deque()
        self.batches = 0
        self.rows = 0

    def add(self, batch: Batch) -> None:
        with self._lock:
            self._recent.append((time.monotonic(), batch))
            self.batches += 1
            self.rows += batch.figures.rows
            self._forget()

    def rows_per_second(self) -> float:
        with self._lock:
            self._forget()
            seconds = min(time.monotonic() - self._started, WINDOW_SECONDS)
            return sum(batch.figures.rows for _, batch in self._recent) / max(seconds, 1.0)

    def latency(self, quantile: float) -> float | None:
        with self._lock:
            self._forget()
            values = [value for _, batch in self._recent for value in batch.latencies]
        return weighted_quantile(values, quantile)

    def _forget(self) -> None:
        oldest = time.monotonic() - WINDOW_SECONDS
        while self._recent and self._recent[0][0] < oldest:
            self._recent.popleft()
