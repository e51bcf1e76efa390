"""The live mode where objects land in a bucket, and a bounded ingest beside it: against a real S3 server."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ecom_platform import objects
from ecom_platform.catalog import catalog
from ecom_platform.landing.bucket import bucket_checks
from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.bucket.object_lookout import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    ObjectLookout,
)
from ecom_platform.landing.own_files import OwnFiles
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.streaming.claimer import MAX_CLAIMED_AT_ONCE, Claimer
from ecom_platform.streaming.dispatch import Dispatcher
from ecom_platform.streaming.ingest import ingest
from ecom_platform.streaming.live import LiveMode
from ecom_platform.streaming.units import BatchPlan
from ecom_platform_tests.landing import csv_file, line
from ecom_platform_tests.reference import compare
from ecom_platform_tests.s3_server import CREDENTIALS, Fault, Request, S3Server, faulty_way
from ecom_platform_tests.waiting import wait_until

FEED = "columns: {sku: text, price: 'numeric(8,2)'}\nprimary_key: sku\n"


class Platform:
    def __init__(self, settings: Settings, database: Database, s3: S3Server, folder: Path) -> None:
        self.settings, self.database, self.s3, self.folder = settings, database, s3, folder
        assert settings.landing_bucket is not None
        self.prefix = settings.landing_bucket.prefix
        self.said: list[str] = []

    @property
    def zone(self) -> BucketZone:
        zone = BucketZone.of(self.settings)
        assert zone is not None
        return zone.looking_into(catalog(self.settings).feeds)

    @contextmanager
    def live(self, spark: SparkSession) -> Iterator[None]:
        """The live mode in a thread; the block's end is its graceful end."""
        run_id = str(uuid.uuid4())
        mode = LiveMode(self.settings, self.database, lambda: spark, run_id, say=self.said.append)
        thread = threading.Thread(target=mode.run)
        thread.start()
        try:
            wait_until(lambda: any("waiting for files" in said for said in self.said))
            yield
        finally:
            mode.stop()
            thread.join(240)
        assert not thread.is_alive()

    def put(self, key: str, content: bytes | None = None) -> bytes:
        body = csv_file(line(), line()) if content is None else content
        self.s3.client.put_object(Bucket=self.s3.bucket, Key=self.prefix + key, Body=body)
        return body

    def landed(self) -> list[str]:
        keys = [key.removeprefix(self.prefix) for key in self.s3.keys(self.s3.bucket, self.prefix)]
        return [key for key in keys if not key.startswith(".ecom/")]

    def loaded(self) -> int:
        return self.number("SELECT count(*) FROM ingested_files WHERE state = 'loaded'")

    def number(self, sql: str) -> int:
        with self.database.open() as connection:
            row = connection.execute(sql).fetchone()
        assert row is not None
        return int(row[0])

    def check(self) -> None:
        """Every row of the first feed against what lies in the archive, and the checks of the archive."""
        with self.database.open() as connection:
            found = connection.execute(
                "SELECT file_id FROM ingested_files WHERE state = 'loaded' AND feed = 'user_events'"
            ).fetchall()
            states = ledger.states(connection, [row[0] for row in found])
            assert bucket_checks.archive_matches_ledger(connection, self.zone, whole=True).passed
        assert bucket_checks.bucket_matches_ledger(self.database, self.zone).passed
        assert self.number("SELECT count(*) FROM claimed_objects") == 0
        files = {}
        for file_id, state in states.items():
            files[file_id] = self.folder / f"{file_id}.csv"
            key = self.prefix + (self.zone.key_of(state) or "")
            files[file_id].write_bytes(self.s3.get(self.s3.bucket, key))
        result = compare(self.database, files)
        assert (result.lost, result.doubled, result.differences) == (0, 0, [])


@pytest.fixture
def platform(
    s3: S3Server, settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Platform:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    feeds = tmp_path / "feeds"
    feeds.mkdir()
    (feeds / "prices.yaml").write_text(FEED)
    on_bucket = load_settings(
        {
            "ECOM_HOME": str(settings.home),
            "ECOM_POSTGRES_URL": database.url,
            "ECOM_FEEDS_DIR": str(feeds),
            "ECOM_TRIGGER_SECONDS": "0.1",
            "ECOM_LANDING_URL": f"s3://{s3.bucket}/zones/{uuid.uuid4()}",
            "ECOM_LANDING_ENDPOINT": s3.endpoint,
        }
    )
    return Platform(on_bucket, database, s3, tmp_path)


def test_objects_are_loaded_as_they_land_and_what_fails_is_a_pause(
    platform: Platform, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_ATTEMPTS", 2)
    away = threading.Event()

    def fault(request: Request) -> Fault:
        return (503, "SlowDown") if away.is_set() else None

    with faulty_way(platform.s3, fault) as (endpoint, _):
        location = replace(platform.zone.location, endpoint=endpoint)
        platform.settings = replace(platform.settings, landing_bucket=location)
        platform.put("before.csv")
        with platform.live(spark):
            assert any(location.url in said for said in platform.said)
            wait_until(lambda: platform.loaded() == 1, lambda: str(platform.said))
            again = platform.put("user_events/one.csv")
            platform.put("prices/2026/p.csv", b"sku,price\na,1.00\nb,2.00\n")
            # At the top, by its header of the other feed.
            platform.put("more.csv", b"sku,price\nc,3.00\n")
            platform.put("strange.csv", b"colour,shape\nred,round\n")
            wait_until(lambda: platform.landed() == ["strange.csv"])
            assert platform.loaded() == 4
            assert platform.number("SELECT count(*) FROM prices") == 3
            # The same bytes under the same key, with the same ETag, are another file.
            platform.put("user_events/one.csv", again)
            wait_until(lambda: platform.loaded() == 5)
            assert platform.number("SELECT sum(rows_duplicate) FROM ingested_files") == 2
            an_ingest_beside_it_waits_for_its_own(platform, spark)
            wait_until(lambda: platform.landed() == ["strange.csv"])
            away.set()
            wait_until(lambda: any("Trying again in" in said for said in platform.said))
            assert any("SlowDown" in said for said in platform.said)
            platform.put("user_events/during.csv")
            away.clear()
            wait_until(lambda: platform.loaded() == 7)
        assert platform.landed() == ["strange.csv"]
        platform.check()


def an_ingest_beside_it_waits_for_its_own(platform: Platform, spark: SparkSession) -> None:
    with platform.database.open() as holder:
        holder.execute("LOCK TABLE rejected_events, user_events IN EXCLUSIVE MODE")
        platform.put("user_events/own.csv", csv_file(line(), line(), line()))
        held = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(
                ingest,
                platform.settings,
                platform.database,
                lambda: spark,
                "beside",
                on_wait=lambda _: held.set(),
            )
            wait_until(held.is_set)
            assert not running.done()
            holder.rollback()
            result = running.result(240)
    assert (result.totals.files, result.totals.rows_inserted) == (1, 3)
    assert set(result.waiting) == {"strange.csv"}
    assert platform.loaded() == 6


class TestTheLookout:
    def lookout(self, platform: Platform, listing_seconds: float = 0.0) -> ObjectLookout:
        ticks = itertools.count()
        feeds = catalog(platform.settings).feeds
        timer = lambda: next(ticks) * listing_seconds  # noqa: E731
        return ObjectLookout(platform.database, platform.zone, feeds, timer=timer)

    def test_it_lists_less_often_while_nothing_lands(self, platform: Platform) -> None:
        lookout = self.lookout(platform)
        pauses = []
        for _ in range(8):
            assert lookout.look().settled == []
            pauses.append(lookout.pause_seconds)
        assert pauses == sorted(pauses)
        assert FIRST_PAUSE_SECONDS < pauses[0] < pauses[-1] == LONGEST_PAUSE_SECONDS
        platform.put("a.csv")
        assert len(lookout.look().settled) == 1
        assert lookout.pause_seconds == FIRST_PAUSE_SECONDS
        slow = self.lookout(platform, 3.0)
        slow.look()
        assert slow.pause_seconds == 6.0

    def test_of_many_objects_one_listing_is_enough(self, platform: Platform, tmp_path: Path) -> None:
        many = 2 * MAX_CLAIMED_AT_ONCE + 1
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: platform.put(f"user_events/{number:05}.csv", b"x"), range(many)))

        def of_one_page(request: Request) -> bool:
            return "list-type=2" in request.path and "delimiter" in request.path

        with faulty_way(platform.s3, lambda request: None) as (endpoint, seen):
            location = replace(platform.zone.location, endpoint=endpoint)
            platform.settings = replace(platform.settings, landing_bucket=location)
            dispatcher = Dispatcher(tmp_path / "units", BatchPlan(2, 5_000), 2)
            claimer = Claimer(self.lookout(platform), platform.zone.feeds, dispatcher)
            claimer.start()
            try:
                wait_until(lambda: claimed(platform) == many or claimer.error is not None)
                listings = sum(map(of_one_page, seen))
            finally:
                claimer.stop()
        assert claimer.error is None
        # The last is one after all were claimed, where that was quick.
        assert listings <= 2
        assert claimed(platform) == many

    def test_whose_objects_are_whose(self, platform: Platform) -> None:
        platform.put("user_events/a.csv")
        platform.put("b.csv", b"sku,price\na,1.00\n")
        platform.put("strange.csv", b"colour,shape\nred,round\n")
        lookout, others = self.lookout(platform), self.lookout(platform)
        with platform.database.open() as connection:
            own = OwnFiles(connection, lookout, (), catalog(platform.settings).feeds)
            assert own.look(connection) == 2
            platform.put("user_events/later.csv")
            taken = others.claim(others.place(others.look()).settled).taken
            ours = {file.name: file.file_id for file in taken}
            del ours["user_events/later.csv"]
            assert ours.keys() == {"user_events/a.csv", "prices/b.csv"}
            assert own.look(connection) == 2
            assert own.file_ids == set(ours.values())
            ledger.quarantine(connection, ours["prices/b.csv"], "test: as if it had been loaded")
            connection.commit()
            assert own.look(connection) == 1


def claimed(platform: Platform) -> int:
    return platform.number("SELECT count(*) FROM claimed_objects")
