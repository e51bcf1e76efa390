"""The row of a live process that does not get as far as loading anything; no Spark is started."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from ecom_platform.errors import EcomError, IngestError
from ecom_platform.settings import Settings
from ecom_platform.store import live_status
from ecom_platform.store.connection import Database
from ecom_platform.store.lock import ingest_lock
from ecom_platform.streaming.live import LiveMode
from ecom_platform_tests.waiting import wait_until


def no_spark() -> None:
    raise IngestError("Spark does not start.", "It is a test.")


def live(settings: Settings, database: Database, run_id: str, wait: float = 0.0) -> LiveMode:
    settings = dataclasses.replace(settings, lock_wait_seconds=wait)
    return LiveMode(settings, database, no_spark, run_id)  # type: ignore[arg-type]


def newest(database: Database) -> live_status.LiveStatus | None:
    with database.open() as connection:
        return live_status.newest(connection)


def test_one_that_dies_at_its_start_is_missed(settings: Settings, database: Database) -> None:
    with pytest.raises(IngestError, match="Spark does not start"):
        live(settings, database, "first").run()
    status = newest(database)
    assert status is not None
    assert (status.run_id, status.expected, status.ready) == ("first", True, False)
    wait_until(lambda: not any(thread.name == "live-heartbeat" for thread in threading.enumerate()))


def test_one_that_waits_for_the_lock_has_a_row_and_one_that_is_refused_has_none(
    settings: Settings, database: Database
) -> None:
    with ingest_lock(database, 0):
        mode = live(settings, database, "waiting", 600.0)
        thread = threading.Thread(target=mode.run)
        thread.start()
        wait_until(lambda: newest(database) is not None)
        mode.stop()
        thread.join(240)
        assert not thread.is_alive()
        assert newest(database) is None, "stopped without ever having been live"
        with pytest.raises(EcomError):
            live(settings, database, "refused").run()
        assert newest(database) is None
