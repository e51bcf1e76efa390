"""The sensor where files land in a bucket: over a real S3 server, a real Dagster instance and PostgreSQL."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from ecom_platform.catalog import catalog
from ecom_platform.errors import DatabaseError, StorageError, StoreAwayError
from ecom_platform.landing.bucket import object_arrivals
from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.bucket.object_claim import claim_objects
from ecom_platform.landing.bucket.object_look import BucketPlacing, look
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.jobs import WAITING_TAG
from ecom_platform.orchestration.sensors import new_csv_files as sensor
from ecom_platform.orchestration.sensors.ledger_age import ledger_age
from ecom_platform.orchestration.sensors.new_csv_files import survey
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.lock import LIVE_APPLICATION_NAME, IngestLock, ingest_lock
from ecom_platform_tests.landing import csv_file, line
from ecom_platform_tests.s3_server import CREDENTIALS, Fault, Request, S3Server, faulty_way
from ecom_platform_tests.sensor_ticks import Ticks, said

# Dagster itself asks pydantic for what pydantic calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")

STRANGE = b"colour,shape\nred,round\n"


class Platform(Ticks):
    """A landing zone in a bucket, a database and Dagster's memory, as the sensor finds them."""

    def __init__(self, s3: S3Server, database: Database, instance: dg.DagsterInstance, prefix: str) -> None:
        super().__init__(instance)
        self.s3, self.database, self.prefix = s3, database, prefix

    @property
    def zone(self) -> BucketZone:
        settings = load_settings()
        zone = BucketZone.of(settings)
        assert zone is not None
        return zone.looking_into(catalog(settings).feeds)

    def drop(self, *keys: str, content: bytes | None = None) -> None:
        for key in keys:
            body = csv_file(line()) if content is None else content
            self.s3.client.put_object(Bucket=self.s3.bucket, Key=f"{self.prefix}{key}", Body=body)

    def claim(self) -> None:
        """What a run does first; it is killed then."""
        found, _ = BucketPlacing(self.zone, catalog(load_settings()).feeds).place(
            look(self.database, self.zone)
        )
        claim_objects(self.database, self.zone, found.settled)


@pytest.fixture
def platform(
    s3: S3Server, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    settings.home.mkdir(exist_ok=True)
    monkeypatch.chdir(settings.home)  # no .env of this machine
    prefix = f"zones/{uuid.uuid4()}/events/"
    for name, value in {
        **CREDENTIALS,
        "ECOM_HOME": str(settings.home),
        "ECOM_POSTGRES_URL": database.url,
        "ECOM_LANDING_URL": f"s3://{s3.bucket}/{prefix}",
        "ECOM_LANDING_ENDPOINT": s3.endpoint,
    }.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(s3, database, instance, prefix)


class TestWhatIsLoaded:
    def test_a_quiet_tick_needs_no_database(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert platform.skipped() == "Nothing has landed."
        monkeypatch.setenv("ECOM_POSTGRES_URL", "postgresql://nobody@127.0.0.1:1/nothing")
        assert platform.skipped() == "Nothing has landed."
        platform.drop("a.csv")
        with pytest.raises(DatabaseError):
            platform.tick()

    def test_one_run_for_all_and_another_when_the_set_changes(self, platform: Platform) -> None:
        platform.drop("a.csv", "user_events/b.csv")
        first = platform.launched()
        assert platform.launched() == first
        platform.drop("a.csv", content=csv_file(line(), line()))  # rewritten
        second = platform.launched()
        platform.drop("c.csv")
        assert len({first, second, platform.launched()}) == 3

    def test_what_a_killed_run_had_claimed_is_the_same_work(self, platform: Platform) -> None:
        platform.drop("a.csv", "user_events/b.csv")
        landed = platform.launched()
        platform.claim()
        assert look(platform.database, platform.zone).settled == []
        assert platform.launched() == landed

    def test_loaded_and_not_yet_put_away_is_no_work(self, platform: Platform) -> None:
        platform.drop("a.csv")
        platform.claim()
        with platform.database.transaction() as connection:
            (file,) = ledger.claimed(connection)
            ledger.quarantine(connection, file.file_id, "test: as if it had been loaded")
        assert platform.skipped() == "Nothing has landed."

    def test_where_objects_stay_another_version_is_work_and_what_was_loaded_is_none(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ECOM_LANDING_DONE", "leave")
        platform.drop("a.csv")
        landed = platform.launched()
        platform.claim()
        assert platform.launched() == landed
        with platform.database.transaction() as connection:
            (file,) = ledger.claimed(connection)
            ledger.quarantine(connection, file.file_id, "test: as if it had been loaded")
        assert platform.skipped() == "Nothing has landed."
        platform.drop("a.csv", content=csv_file(line(), line()))
        platform.launched()
        assert platform.s3.keys(platform.s3.bucket, platform.prefix) == [f"{platform.prefix}a.csv"]

    def test_a_run_is_of_the_feeds_whose_objects_wait(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        feeds = tmp_path / "feeds"
        feeds.mkdir()
        for name in ("clicks", "stock"):
            (feeds / f"{name}.yaml").write_text(f"columns: {{{name}_a: text}}\nidentity: content\n")
        monkeypatch.setenv("ECOM_FEEDS_DIR", str(feeds))
        platform.declared = DeclaredFeeds(catalog(load_settings()))
        platform.drop("stock/2026/a.csv", content=b"stock_a\n1\n")
        # By its header, which is in an object at the top.
        platform.drop("b.csv", content=b"clicks_a\n1\n")
        landed = platform.launched()
        assert {key.to_user_string() for key in platform.selected or ()} == {
            "stock", "clicks", "duplicate_audit", "performance_report"
        }  # fmt: skip
        platform.claim()
        assert platform.launched() == landed

    def test_beside_others_nothing_is_begun(self, platform: Platform) -> None:
        platform.drop("a.csv")
        with ingest_lock(platform.database, 10):
            assert platform.skipped().startswith("Another ingest holds the lock")
        with IngestLock(platform.database, LIVE_APPLICATION_NAME) as lock:
            assert lock.take(10, lambda holder: None)
            assert platform.skipped() == "The live mode loads what lands (`ecom stream`)."
        platform.launched()

    def test_failed_runs_delay_the_next(self, platform: Platform) -> None:
        from ecom_platform.definitions import defs  # not above: importing it warns

        platform.drop("a.csv")
        tag = platform.launched()
        run = platform.instance.create_run_for_job(
            defs.resolve_job_def("ingest"), status=dg.DagsterRunStatus.STARTED, tags={WAITING_TAG: tag}
        )
        platform.instance.report_run_failed(run)
        assert "1 run for them did not succeed" in platform.skipped()


class TestWhatIsNotLoaded:
    def test_it_is_named_as_in_a_folder(self, platform: Platform) -> None:
        platform.drop("half.csv.part", "user_events/_SUCCESS", ".hidden", "stranger/a.csv")
        platform.drop("strange.csv", content=STRANGE)
        result = platform.tick()
        text = said(result)
        assert text.startswith("Nothing to load; 2 files (half.csv.part, user_events/_SUCCESS) still being")
        assert "1 file (strange.csv) without a feed" in text
        assert "1 never taken: stranger (a folder, and no feed is declared by its name)" in text
        (event,) = result.asset_events
        assert isinstance(event, dg.AssetCheckEvaluation)
        assert (event.check_name, event.passed) == ("files_have_a_feed", False)
        assert not platform.tick().asset_events  # told once

    def test_a_header_is_fetched_once_and_no_more_than_a_tick_has_time_for(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: platform.drop(f"{n}.csv", content=STRANGE), range(100)))
        with faulty_way(platform.s3, lambda request: None) as (endpoint, seen):
            monkeypatch.setenv("ECOM_LANDING_ENDPOINT", endpoint)
            monkeypatch.setattr(object_arrivals, "FETCH_SECONDS", 0.0)
            platform.tick()
            fetched = sum("Range" in request.headers for request in seen)
            assert 0 < fetched < 100
            monkeypatch.setattr(object_arrivals, "FETCH_SECONDS", 600.0)
            assert "100 files" in platform.skipped()
            assert sum("Range" in request.headers for request in seen) == 100
            before = len(seen)
            assert "100 files" in platform.skipped()
            assert [request.method for request in seen[before:]] == ["GET", "GET"]  # a list, the marker


class TestAStoreThatIsAway:
    """A tick skips, says why and loses nothing; where that lasts, ticks fail, which is told."""

    @pytest.mark.parametrize("fault", [(400, "ExpiredToken"), (503, "SlowDown"), "dropped"], ids=str)
    def test_is_a_skip_and_the_next_tick_goes_on(
        self, platform: Platform, fault: Fault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        platform.drop("a.csv")
        landed = platform.launched()
        platform.cursor = "given-up"
        with faulty_way(platform.s3, lambda request: fault) as (endpoint, _):
            monkeypatch.setenv("ECOM_LANDING_ENDPOINT", endpoint)
            started = time.monotonic()
            result = platform.tick()
            assert time.monotonic() - started < 20
        assert said(result).startswith("Not looked at, tried again with the next tick: ")
        assert "AWS_" in said(result) or "ECOM_LANDING_ENDPOINT" in said(result)
        assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in said(result)
        assert result.cursor == "given-up"
        assert not result.asset_events
        monkeypatch.setenv("ECOM_LANDING_ENDPOINT", "http://127.0.0.1:1")
        assert "cannot be reached" in platform.skipped()
        monkeypatch.setenv("ECOM_LANDING_ENDPOINT", platform.s3.endpoint)
        assert platform.launched() == landed

    def test_renewed_credentials_are_taken_by_the_next_tick(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        platform.drop("a.csv")

        def expired(request: Request) -> Fault:
            newer = "Credential=newer/" in request.headers.get("Authorization", "")
            return None if newer else (400, "ExpiredToken")

        with faulty_way(platform.s3, expired) as (endpoint, _), caplog.at_level(logging.INFO):
            monkeypatch.setenv("ECOM_LANDING_ENDPOINT", endpoint)
            assert "have expired" in platform.skipped()
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "newer")
            platform.launched()
        assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in caplog.text

    def test_when_it_lasts_ticks_fail(self, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        with faulty_way(platform.s3, lambda request: (503, "SlowDown")) as (endpoint, _):
            monkeypatch.setenv("ECOM_LANDING_ENDPOINT", endpoint)
            platform.skipped()
            monkeypatch.setattr(sensor, "AWAY_SECONDS", 0.0)
            with pytest.raises(StoreAwayError, match="SlowDown"):
                platform.tick()

    def test_a_bucket_that_is_not_there_is_no_pause(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ECOM_LANDING_URL", "s3://no-such-bucket/events")
        with pytest.raises(StorageError, match="There is no bucket no-such-bucket"):
            platform.tick()

    def test_another_prefix_does_not_pass_for_one_in_which_nothing_has_landed(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        platform.drop("a.csv")
        platform.claim()
        monkeypatch.setenv("ECOM_LANDING_URL", f"s3://{platform.s3.bucket}/{uuid.uuid4()}")
        with pytest.raises(StorageError, match="lacks its marker"):
            platform.tick()


class TestTheAgeOfTheLedger:
    def look(self, platform: Platform, cursor: str | None = None) -> dg.SensorResult:
        from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource

        postgres = PostgresResource()
        postgres._database = platform.database
        resources = {
            "ecom_postgres": postgres,
            "ecom_landing": LandingZoneResource(),
            "ecom_declared": platform.declared,
        }
        with dg.build_sensor_context(platform.instance, cursor, resources=resources) as context:
            result = ledger_age(context)
        assert isinstance(result, dg.SensorResult)
        return result

    def test_a_database_that_went_back_in_time_is_told_once(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "knows the newest" in said(self.look(platform))
        platform.drop("a.csv")
        platform.claim()
        assert "knows the newest" in said(self.look(platform))
        platform.drop(".ecom/archive/2026-11-01/1-a.csv")
        with platform.database.transaction() as connection:
            connection.execute("TRUNCATE ingested_files RESTART IDENTITY CASCADE")
        told = self.look(platform)
        (event,) = told.asset_events
        assert isinstance(event, dg.AssetCheckEvaluation)
        assert (event.check_name, event.passed) == ("disk_matches_ledger", False)
        assert not self.look(platform, told.cursor).asset_events
        with faulty_way(platform.s3, lambda request: (503, "SlowDown")) as (endpoint, _):
            monkeypatch.setenv("ECOM_LANDING_ENDPOINT", endpoint)
            assert "SlowDown" in said(self.look(platform))


def test_the_survey_of_the_first_tick_marks_the_zone(platform: Platform) -> None:
    survey(platform.instance, load_settings())
    assert platform.s3.keys(platform.s3.bucket, platform.prefix) == [f"{platform.prefix}.ecom/zone-id"]
    assert not os.path.lexists(load_settings().landing_dir)
