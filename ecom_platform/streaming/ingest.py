"""The bounded ingest: everything that has landed, into the table, and an account of it.

Belongs here: the order of lock, recovery, scan, claim and stream. Does not belong here: any of
these steps themselves, and Dagster or the command line, which call :func:`ingest`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from ecom_platform.landing.claim import Recovery, claim, recover
from ecom_platform.landing.retention import delete_expired
from ecom_platform.landing.scan import scan
from ecom_platform.landing.zone import LandingZone
from ecom_platform.postgres import ledger
from ecom_platform.postgres.connection import Database
from ecom_platform.postgres.lock import ingest_lock
from ecom_platform.settings import Settings
from ecom_platform.streaming.query import StreamJob, StreamResult, run_bounded

log = logging.getLogger(__name__)

# How long an ingest waits for files that are still being written before it leaves them.
SETTLE_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What one ingest did. ``totals`` covers the files that it brought to a final state."""

    totals: ledger.Totals
    unsettled: tuple[str, ...]
    refused: dict[str, str]
    recovery: Recovery
    stream: StreamResult = field(default_factory=StreamResult)


def ingest(
    settings: Settings,
    database: Database,
    session: Callable[[], SparkSession],
    run_id: str,
    *,
    trusted: Collection[str] = (),
    on_wait: Callable[[str], None] = lambda holder: None,
    on_batch: Callable[[StreamResult], None] = lambda result: None,
) -> IngestResult:
    """Load what has landed, and what an interrupted run left unfinished.

    ``session`` is only called when there is something to load: nothing landed, no Spark.
    ``trusted`` names files that are known to be complete.
    """
    zone = LandingZone.of(settings)
    zone.prepare()
    with ingest_lock(database, settings.lock_wait_seconds, on_wait):
        recovery = recover(database, zone)
        found = scan(zone.landing, settings.settle_seconds, SETTLE_WAIT_SECONDS, trusted)
        claim(database, zone, found.settled)
        with database.open() as connection:
            file_ids = [file.file_id for file in ledger.claimed(connection)]
        stream = StreamResult()
        if file_ids:
            job = StreamJob(database, zone, settings.checkpoint_dir, run_id, settings.batch_files)
            stream = run_bounded(session(), job, on_batch)
        with database.open() as connection:
            totals = ledger.totals(connection, file_ids)
        if settings.archive_days is not None:
            delete_expired(zone, datetime.now(UTC).date(), settings.archive_days)
    _log_left_alone(found.refused, recovery)
    unsettled = tuple(file.name for file in found.unsettled)
    return IngestResult(totals, unsettled, found.refused, recovery, stream)


def _log_left_alone(refused: dict[str, str], recovery: Recovery) -> None:
    for name, reason in refused.items():
        log.warning("%s in the landing folder is not taken: it is %s", name, reason)
    for name in recovery.unknown:
        log.warning("claimed/%s is not in the ledger; `ecom reconcile` puts it right", name)
