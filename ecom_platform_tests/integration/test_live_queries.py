"""One query after another within a live process: what is made anew, and that nothing shows of it."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from pyspark.sql import SparkSession

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.settings import Settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.streaming import live
from ecom_platform.streaming.live import LiveMode
from ecom_platform.streaming.query import QUERY_NAME
from ecom_platform_tests.landing import csv_file, line
from ecom_platform_tests.reference import compare
from ecom_platform_tests.waiting import wait_until


class Platform:
    def __init__(
        self, settings: Settings, database: Database, zone: LandingZone, spark: SparkSession
    ) -> None:
        self.settings, self.database, self.zone, self.spark = settings, database, zone, spark
        self.said: list[str] = []

    @contextmanager
    def live(self) -> Iterator[None]:
        """The live mode in a thread; the block's end is its graceful end."""
        mode = LiveMode(
            self.settings, self.database, lambda: self.spark, str(uuid.uuid4()), say=self.said.append
        )
        thread = threading.Thread(target=mode.run)
        thread.start()
        try:
            yield
        finally:
            mode.stop()
            thread.join(240)
        assert not thread.is_alive()

    def drop(self, name: str) -> None:
        hidden = self.zone.landing / f".{name}"
        hidden.write_bytes(csv_file(line(), line()))
        hidden.rename(self.zone.landing / name)

    def loaded(self) -> int:
        with self.database.open() as connection:
            row = connection.execute("SELECT count(*) FROM ingested_files WHERE state = 'loaded'").fetchone()
        assert row is not None
        return int(row[0])

    def checkpoints(self) -> set[str]:
        folder = self.settings.checkpoint_dir / QUERY_NAME
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()

    def unit_files(self) -> int:
        while True:
            # A folder may be deleted while it is listed.
            with suppress(FileNotFoundError):
                return len(list(self.zone.units.rglob("*.json")))

    def check(self) -> None:
        with self.database.open() as connection:
            rows = connection.execute("SELECT file_id FROM ingested_files").fetchall()
            states = ledger.states(connection, [row[0] for row in rows])
        result = compare(self.database, {key: self.zone.path_of(state) for key, state in states.items()})
        assert (result.lost, result.doubled, result.differences) == (0, 0, [])


@pytest.fixture
def platform(settings: Settings, database: Database, zone: LandingZone, spark: SparkSession) -> Platform:
    return Platform(settings, database, zone, spark)


def test_a_query_is_replaced_before_its_memory_grows(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUERY_BATCHES", 2)
    seen: set[str] = set()
    with platform.live():
        for number in range(7):
            platform.drop(f"{number}.csv")
            wait_until(lambda expected=number + 1: platform.loaded() == expected)  # type: ignore[misc]
            seen |= platform.checkpoints()
            assert platform.unit_files() <= 1
    assert len(seen) >= 3
    assert platform.checkpoints() == set()
    assert not any("Trying again" in text for text in platform.said)
    platform.check()


def test_a_deleted_checkpoint_and_deleted_unit_files_are_made_anew(platform: Platform) -> None:
    with platform.live():
        platform.drop("before.csv")
        wait_until(lambda: platform.loaded() == 1)
        for folder in (platform.settings.checkpoint_dir, platform.zone.units):
            # Gone at once: deleted file by file, it would grow meanwhile.
            aside = folder.rename(folder.with_name("deleted"))
            shutil.rmtree(aside, ignore_errors=True)
        platform.drop("after.csv")
        wait_until(lambda: platform.loaded() == 2)
    platform.check()
