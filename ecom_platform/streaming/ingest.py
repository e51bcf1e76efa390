"""The bounded ingest: everything that has landed, into the table, and an account of it.

Belongs here: the order of lock, recovery, scan, claim and stream, and what to do instead while a live
mode has the lock: it loads our files, we wait for them. Does not belong here: any of these steps
themselves, and Dagster or the command line, which call :func:`ingest`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.claims import Recovery
from ecom_platform.landing.expiry import delete_expired
from ecom_platform.landing.landed import Scan
from ecom_platform.landing.landing_places import LandingPlaces, Placer, places_of
from ecom_platform.landing.landing_zone import prepare
from ecom_platform.landing.own_files import OwnFiles
from ecom_platform.settings import Settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.lock import Holder, IngestLock
from ecom_platform.store.outcome import feed_of
from ecom_platform.streaming.query import StreamJob, StreamResult, clear_scratch, run_bounded
from ecom_platform.streaming.readiness import ready_feeds

log = logging.getLogger(__name__)

# How long an ingest waits for files that are still being written before it leaves them.
SETTLE_WAIT_SECONDS = 10.0
# How often it takes up files that their writers went on with after they were claimed.
MAX_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What one ingest did.

    ``by_feed`` covers the files that it brought to a final state, ``refused`` says of every entry of the
    landing folder that was not taken why, ``waiting`` of every file of no feed what it looks like.
    """

    by_feed: dict[str, ledger.Totals]
    unsettled: tuple[str, ...]
    refused: dict[str, str]
    recovery: Recovery
    stream: StreamResult = field(default_factory=StreamResult)
    # Feeds that could not be loaded at all, and why.
    unready: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    # Files that cannot be read: why, and where they lie, by their names in the ledger.
    quarantined: dict[str, str] = field(default_factory=dict)

    @property
    def totals(self) -> ledger.Totals:
        """Sums over all feeds."""
        return sum(self.by_feed.values(), ledger.Totals())


def ingest(
    settings: Settings,
    database: Database,
    session: Callable[[], SparkSession],
    run_id: str,
    *,
    feeds: Container[str] | None = None,
    produced: Collection[str] = (),
    on_wait: Callable[[str], None] = lambda holder: None,
    on_batch: Callable[[StreamResult], None] = lambda result: None,
) -> IngestResult:
    """Load what has landed, and what an interrupted run left unfinished: of ``feeds``, or of all.

    ``session`` is only called when there is something to load: nothing landed, no Spark.
    ``produced`` names files that this run has made and put in place whole: they need not settle, and are
    its own, whoever loads them.

    Beside a live mode this waits until what had landed when it began is in a final state, and accounts
    for that. Another bounded ingest is waited for; raises :class:`LockedError` when that takes longer
    than ``ECOM_LOCK_WAIT_SECONDS``. Raises :class:`IngestError` if a file that was claimed has no end.
    """
    ready = ready_feeds(settings, database)
    places = ready.places(places_of(settings))
    prepare(places.zone)
    with IngestLock(database) as lock:
        beside = _Beside(settings, database, places, ready.declared, produced)
        waited: list[str] = []

        def waits_for(who: str) -> None:
            waited.append(who)
            on_wait(who)

        if not lock.take(settings.lock_wait_seconds, waits_for, beside.progress):
            return beside.result()
        if waited:  # tables may have been made anew meanwhile, by other declarations
            ready = ready_feeds(settings, database)
            places = ready.places(places)
        recovery = places.recover(database, ready.declared)
        wanted = {name: feed for name, feed in ready.feeds.items() if feeds is None or name in feeds}
        job = StreamJob(database, places, settings.checkpoint_dir, run_id, wanted, settings.batch_files)
        clear_scratch(job)
        placing = places.placer(ready.declared, produced)
        rounds = _Rounds(settings, job, session, placing, produced, on_batch, recovery.landed_again)
        while rounds.another():
            pass
        places.require_ends(database, {*rounds.file_ids, *beside.file_ids})
        by_feed, quarantined = _ends(database, places, {*rounds.file_ids, *beside.file_ids})
        if settings.archive_days is not None:
            delete_expired(places.zone, datetime.now(UTC).date(), settings.archive_days)
    left, where = {**rounds.found.unfinished, **rounds.refused}, settings.feeds_dir.absolute()
    _log_left_alone(ready.refusals(rounds.refused, where), recovery)
    unsettled = tuple(file.name for file in rounds.found.unsettled)
    stream = rounds.stream or StreamResult()
    return IngestResult(
        by_feed,
        unsettled,
        ready.refusals(left, where),
        recovery,
        stream,
        ready.refused,
        rounds.waiting,
        quarantined,
    )


class _Rounds:
    """Scan, claim and stream, once; and again while files come back that were still being written."""

    def __init__(
        self,
        settings: Settings,
        job: StreamJob,
        session: Callable[[], SparkSession],
        placing: Placer,
        produced: Collection[str],
        on_batch: Callable[[StreamResult], None],
        slow: Collection[str],
    ) -> None:
        self._settings, self._job, self._session, self._placing = settings, job, session, placing
        self._produced, self._on_batch = produced, on_batch
        self._left = MAX_ROUNDS
        self._slow = set(slow)
        self.file_ids: set[int] = set()
        self.found = Scan([], [], {})
        self.refused: dict[str, str] = {}
        self.waiting: dict[str, str] = {}
        self.stream: StreamResult | None = None

    def another(self) -> bool:
        """One round; whether there is reason for another."""
        job = self._job
        self._left -= 1
        found = job.places.look(
            job.database, self._settings.settle_seconds, SETTLE_WAIT_SECONDS, self._produced, self._slow
        )
        placed, self.waiting = self._placing.place(found)
        self.found = placed.only(lambda name: feed_of(name) in job.feeds)
        claim = job.places.claim(job.database, self.found.settled)
        self.refused = {**self.found.refused, **claim.refused}
        with job.database.open() as connection:
            claimed = [file for file in ledger.claimed(connection) if feed_of(file.name) in job.feeds]
        # Both, since the ledger may have forgotten by now what it was told.
        file_ids = {file.file_id for file in [*claim.taken, *claimed]}
        again: list[str] = list(claim.changed)
        if file_ids:
            before = len(self.stream.landed_again) if self.stream is not None else 0
            self.stream = run_bounded(self._session(), job, claimed, self._on_batch, self.stream)
            # A file that was given back is another one when it is claimed again.
            self.file_ids = (self.file_ids | file_ids) - self.stream.given_back
            again += self.stream.landed_again[before:]
            again += job.places.look_back(job.database)
        self._slow.update(again)
        return bool(again) and self._left > 0


class _Beside:
    """An ingest beside a live mode: its own files, which the other loads."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        places: LandingPlaces,
        declared: Mapping[str, Feed],
        produced: Collection[str],
    ) -> None:
        self._settings, self._database, self._places, self._produced = settings, database, places, produced
        self._declared = declared
        self._own: OwnFiles | None = None
        self._unsettled: tuple[str, ...] = ()
        self._settled_by = 0.0
        self.unfinished: int | None = None

    @property
    def file_ids(self) -> frozenset[int]:
        """Ledger ids of the files that the live mode has taken from us."""
        return self._own.file_ids if self._own is not None else frozenset()

    def progress(self, holder: Holder | None) -> bool | None:
        """While ``holder`` has the lock: ``False`` when a live mode has done our work, ``True``: some."""
        if holder is None or not holder.live:
            return None
        before, now = self.unfinished, self.look()
        if now == 0:
            return False
        return True if before is not None and now < before else None

    def look(self) -> int:
        """How many of our files are not in a final state yet; the first look says which are ours."""
        now = time.monotonic()
        with self._database.open() as connection:
            if self._own is None:
                seconds, declared = self._settings.settle_seconds, self._declared
                lookout = self._places.lookout(self._database, seconds, declared, self._produced)
                self._own = OwnFiles(connection, lookout, self._produced, declared)
                self._settled_by = now + SETTLE_WAIT_SECONDS
            self.unfinished = self._own.look(connection)
        if now >= self._settled_by:
            left = self._own.leave_unsettled()
            self._unsettled += left
            self.unfinished -= len(left)
        return self.unfinished

    def _given_back(self) -> set[int]:
        """Those that the live mode has let land again."""
        with self._database.open() as connection:
            known = ledger.states(connection, self.file_ids)
        return self._places.given_back(self._database, set(self.file_ids) - known.keys())

    def result(self) -> IngestResult:
        """What became of our files."""
        self._places.require_ends(self._database, self.file_ids - self._given_back())
        by_feed, quarantined = _ends(self._database, self._places, self.file_ids)
        settle = self._settings.settle_seconds
        refused = self._places.look(self._database, settle, 0.0, (), ()).not_taken
        waiting = self._places.waiting(self._database, self._declared, settle)
        nothing = Recovery(0, 0, 0, 0, ())
        return IngestResult(
            by_feed, self._unsettled, refused, nothing, waiting=waiting, quarantined=quarantined
        )


def _ends(
    database: Database, places: LandingPlaces, file_ids: Collection[int]
) -> tuple[dict[str, ledger.Totals], dict[str, str]]:
    """What became of these files: counts by feed, and of each that was quarantined why, and where it lies."""
    with database.open() as connection:
        refused = ledger.refused_files(connection, file_ids)
        totals = ledger.totals(connection, file_ids)
    return totals, {
        name: f"{reason.rstrip('.')}. It lies in {places.quarantined_place(number, name)}"
        for number, name, reason in refused
    }


def _log_left_alone(refused: dict[str, str], recovery: Recovery) -> None:
    for name, reason in refused.items():
        log.warning("%s in the landing folder is not taken: it is %s", name, reason)
    for name in recovery.unknown:
        log.warning("claimed/%s is not in the ledger; `ecom reconcile` puts it right", name)
