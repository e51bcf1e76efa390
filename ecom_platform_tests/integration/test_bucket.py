"""A landing zone in a bucket, against a real S3 server: claims, reading, putting away, and every way it "
"breaks."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ecom_platform import object_parts, objects
from ecom_platform.catalog import catalog
from ecom_platform.errors import EcomError, SettingsError, StorageError, UsageError
from ecom_platform.landing.bucket import bucket_checks, bucket_identity
from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.bucket.object_claim import TAG_NAME, claim_objects, give_back, put_away, recover
from ecom_platform.landing.bucket.object_look import BucketPlacing, LandedObject, look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.inspection import inspection
from ecom_platform.landing.landing_places import Objects, places_of
from ecom_platform.landing.sign import Sign, sign_in
from ecom_platform.objects import ObjectChangedError
from ecom_platform.oncall.requeue import reload_files
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store import ledger, sink
from ecom_platform.store.connection import Database
from ecom_platform.store.outcome import FileOutcome, UnitFile
from ecom_platform.streaming.copies import RANGE_BYTES, fetched
from ecom_platform.streaming.ingest import IngestResult, ingest
from ecom_platform.variable_reader import LEAVE, TAG
from ecom_platform_tests.landing import USER_EVENTS, csv_file, line, stored_rows
from ecom_platform_tests.reference import compare
from ecom_platform_tests.s3_server import (
    CREDENTIALS,
    DROPPED,
    Fault,
    FirstAnswersLost,
    Request,
    S3Server,
    faulty_way,
)

_numbers = itertools.count(1)
UNREADABLE = b"\x00\x01\n\x00"


class Bucket:
    """A landing zone in a bucket of its own, put through claim and sink without Spark."""

    def __init__(self, s3: S3Server, settings: Settings, database: Database, home: Path) -> None:
        self.s3, self.settings, self.database, self.home = s3, settings, database, home
        assert settings.landing_bucket is not None
        self.location = settings.landing_bucket
        with database.transaction() as connection:
            self.batch_id = ledger.start_batch(connection, "test", 0, "test")

    @property
    def zone(self) -> BucketZone:
        zone = BucketZone.of(self.settings)
        assert zone is not None
        return dataclasses.replace(zone, location=self.location)

    def through(self, endpoint: str) -> Bucket:
        """The same, asked by another way."""
        way = Bucket(self.s3, self.settings, self.database, self.home)
        way.location = dataclasses.replace(self.location, endpoint=endpoint)
        return way

    def put(self, **contents: bytes) -> None:
        for name, content in contents.items():
            self.put_as(name.replace("__", "."), content)

    def put_as(self, key: str, content: bytes) -> None:
        self.s3.client.put_object(Bucket=self.location.bucket, Key=self.location.prefix + key, Body=content)

    def keys(self, below: str = "") -> list[str]:
        prefix = self.location.prefix
        return [key.removeprefix(prefix) for key in self.s3.keys(self.location.bucket, prefix + below)]

    def landed(self) -> list[str]:
        return [key for key in self.keys() if not key.startswith(".ecom/")]

    def take(self) -> list[UnitFile]:
        """Claim whatever has landed; all that is claimed by now, as a task is told of it."""
        places = places_of(self.settings).looking_into(catalog(self.settings).feeds)
        found, _ = BucketPlacing(self.zone, catalog(self.settings).feeds).place(
            look(self.database, self.zone.looking_into(catalog(self.settings).feeds))
        )
        assert places.units
        claim_objects(self.database, self.zone, found.settled)
        with self.database.open() as connection:
            return [
                UnitFile(file.file_id, file.name, file.key or "", file.size_bytes, file.etag)
                for file in ledger.claimed(connection)
            ]

    def load(
        self, files: list[UnitFile], hook: Callable[[str], None] = lambda step: None
    ) -> tuple[list[FileOutcome], list[int]]:
        with fetched(self.location, files) as (copies, changed):
            result = sink.load_unit(self.database.url, USER_EVENTS, copies, self.batch_id, hook=hook)
        return result.outcomes, sorted({*result.changed, *changed})

    def ingest(self) -> list[FileOutcome]:
        """What `ecom ingest` does, without Spark."""
        recover(self.database, self.zone)
        outcomes, changed = self.load(self.take())
        put_away(self.database, self.zone, [outcome.file_id for outcome in outcomes], 10)
        if changed:
            give_back(self.database, self.zone, changed)
        return outcomes

    def check(self, *, whole: bool = True) -> None:
        """Every row of every table against what lies in the archive, and the checks of the archive."""
        with self.database.open() as connection:
            known = connection.execute(
                "SELECT file_id FROM ingested_files WHERE state = 'loaded' AND feed = 'user_events'"
            ).fetchall()
            states = ledger.states(connection, [row[0] for row in known])
            archive = bucket_checks.archive_matches_ledger(connection, self.zone, whole=True)
        files = {}
        for file_id, state in states.items():
            key = self.zone.key_of(state) or ""
            files[file_id] = self.home / f"{next(_numbers)}-{file_id}.csv"
            files[file_id].write_bytes(self.s3.get(self.location.bucket, self.location.prefix + key))
        result = compare(self.database, files)
        assert (result.lost, result.doubled, result.differences) == (0, 0, [])
        if whole:
            assert archive.passed, archive
            assert archive.details["files_not_in_the_archive"] == 0
            assert bucket_checks.bucket_matches_ledger(self.database, self.zone).passed
            assert self.claimed() == []

    def claimed(self) -> list[str]:
        with self.database.open() as connection:
            return [found.key for found in ledger.claimed_objects(connection).values()]

    def states(self) -> list[tuple[str, str, str | None]]:
        with self.database.open() as connection:
            rows = connection.execute("SELECT name, state, reason FROM ingested_files ORDER BY file_id")
            return [(name, state, reason) for name, state, reason in rows.fetchall()]

    def rows(self) -> int:
        with self.database.open() as connection:
            return stored_rows(connection)


def settings_for(settings: Settings, database: Database, s3: S3Server, **more: str) -> Settings:
    # One bucket, since the server reserves room for each.
    prefix = f"zones/{uuid.uuid4()}/events"
    return load_settings(
        {
            **{name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ},
            "ECOM_HOME": str(settings.home),
            "ECOM_POSTGRES_URL": database.url,
            "ECOM_LANDING_URL": f"s3://{s3.bucket}/{prefix}",
            "ECOM_LANDING_ENDPOINT": s3.endpoint,
            **more,
        }
    )


@pytest.fixture
def bucket(
    s3: S3Server,
    settings: Settings,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Bucket:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    copies = tmp_path / "temporary"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    return Bucket(s3, settings_for(settings, database, s3), database, tmp_path)


class TestLooking:
    def test_objects_of_the_first_feed_are_found_and_others_are_told(self, bucket: Bucket) -> None:
        content = csv_file(line())
        for key in ("a.csv", "user_events/b.csv", "user_events/2026/11/c ü✓+&=%.csv", "stranger/d.csv"):
            bucket.put_as(key, content)
        for key in ("half.csv.part", "user_events/_SUCCESS", "user_events/.hidden/e.csv"):
            bucket.put_as(key, content)
        bucket.put_as("user_events/", b"")
        bucket.put_as("user_events/2026/", b"")
        bucket.put_as("x" * 201, content)
        found = look(bucket.database, bucket.zone)
        names = {file.name for file in found.settled}
        assert names == {"a.csv", "user_events/b.csv", "user_events/2026/11/c ü✓+&=%.csv"}
        assert set(found.unfinished) == {
            "half.csv.part", "user_events/_SUCCESS", "user_events/.hidden/e.csv"
        }  # fmt: skip
        assert set(found.refused) == {"stranger", "x" * 201}

    def test_more_objects_than_a_page_has(self, bucket: Bucket) -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: bucket.put_as(f"user_events/{number}.csv", b"x"), range(1_005)))
        assert len(look(bucket.database, bucket.zone).settled) == 1_005

    def test_what_is_of_no_feed_waits_where_it_is(self, bucket: Bucket) -> None:
        bucket.put(strange__csv=b"colour,shape\nred,round\n")
        waiting = inspection(bucket.settings).without_feed(catalog(bucket.settings).feeds)
        assert [*waiting] == ["strange.csv"]
        assert bucket.ingest() == []
        assert bucket.landed() == ["strange.csv"]

    def test_an_upload_that_is_not_finished_is_not_seen(self, bucket: Bucket) -> None:
        key = f"{bucket.location.prefix}late.csv"
        bucket.s3.client.create_multipart_upload(Bucket=bucket.location.bucket, Key=key)
        assert look(bucket.database, bucket.zone).settled == []


class TestClaims:
    def test_of_sixteen_claimers_one_wins(self, bucket: Bucket) -> None:
        for number in range(40):
            bucket.put_as(f"{number}.csv", csv_file(line()))
        found = look(bucket.database, bucket.zone).settled
        taken: list[list[str]] = []
        barrier = threading.Barrier(16)

        def claim() -> None:
            barrier.wait()
            taken.append([file.name for file in claim_objects(bucket.database, bucket.zone, found).taken])

        threads = [threading.Thread(target=claim) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(name for names in taken for name in names) == sorted(f"{n}.csv" for n in range(40))
        assert len(bucket.states()) == 40

    def test_of_sixteen_that_pass_the_lock_one_wins_as_well(self, bucket: Bucket) -> None:
        """The constraint alone decides, where two do not share the lock."""
        won = []
        barrier = threading.Barrier(16)

        def claim() -> None:
            with bucket.database.open() as connection:
                (file_id,) = ledger.register(connection, ["a.csv"], [1], [datetime.now(UTC)])
                barrier.wait()
                won.extend(
                    ledger.claim_objects(connection, [ledger.ClaimedObject(file_id, "a.csv", '"1"', 1)])
                )
                connection.commit()

        threads = [threading.Thread(target=claim) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1

    def test_another_database_does_not_load_from_the_same_bucket(self, bucket: Bucket) -> None:
        bucket.put(a__csv=csv_file(line()))
        bucket.ingest()
        other = dataclasses.replace(
            bucket.zone, location=dataclasses.replace(bucket.location, prefix="other/")
        )
        with bucket.database.open() as connection, pytest.raises(StorageError, match="lacks its marker"):
            bucket_identity.verify(connection, other)


class TestReading:
    def test_what_was_loaded_is_archived(self, bucket: Bucket) -> None:
        bucket.put(a__csv=csv_file(line(), line()))
        bucket.put_as("user_events/b.csv", csv_file(line()))
        (first, second) = bucket.ingest()
        assert (first.rows_inserted, second.rows_inserted) == (2, 1)
        assert bucket.landed() == []
        bucket.check()

    def test_an_object_of_many_ranges(self, bucket: Bucket) -> None:
        lines = [line() for _ in range(RANGE_BYTES // 40)]
        bucket.put(large__csv=csv_file(*lines))
        files = bucket.take()
        assert (files[0].size or 0) > 2 * RANGE_BYTES
        (outcome,), _ = bucket.load(files)
        assert outcome.rows_inserted == len(lines)

    def test_an_empty_object_is_quarantined_with_its_reason(self, bucket: Bucket) -> None:
        bucket.put(empty__csv=b"")
        (outcome,) = bucket.ingest()
        assert outcome.state == "quarantined"
        assert bucket.landed() == []
        at = f".ecom/quarantine/{outcome.file_id}-empty.csv"
        assert bucket.keys(".ecom/quarantine/") == [at, f"{at}.reason.txt"]
        bucket.check()

    def test_rewritten_between_claim_and_read_it_is_claimed_anew(self, bucket: Bucket) -> None:
        bucket.put(a__csv=csv_file(line(), line()), b__csv=csv_file(line()))
        files = bucket.take()
        bucket.put(a__csv=csv_file(line(), line(), line()))
        outcomes, changed = bucket.load(files)
        assert [outcome.name for outcome in outcomes] == ["b.csv"]
        put_away(bucket.database, bucket.zone, [outcomes[0].file_id], 10)
        assert give_back(bucket.database, bucket.zone, changed) == ["a.csv"]
        (again,) = bucket.ingest()
        assert (again.name, again.rows_inserted) == ("a.csv", 3)
        bucket.check()

    def test_rewritten_between_two_ranges_nothing_of_it_is_stored(self, bucket: Bucket) -> None:
        bucket.put(large__csv=csv_file(*(line() for _ in range(RANGE_BYTES // 60))))
        files = bucket.take()
        rewritten = threading.Event()

        def rewrite(request: Request) -> Fault:
            if request.method == "GET" and "Range" in request.headers and not rewritten.is_set():
                if request.headers["Range"].startswith("bytes=0-"):
                    return None
                rewritten.set()
                bucket.put(large__csv=csv_file(line()))
            return None

        with faulty_way(bucket.s3, rewrite) as (endpoint, _):
            outcomes, changed = bucket.through(endpoint).load(files)
        assert rewritten.is_set()
        assert (outcomes, changed) == ([], [files[0].file_id])
        give_back(bucket.database, bucket.zone, changed)
        (again,) = bucket.ingest()
        assert (again.rows_inserted, bucket.rows()) == (1, 1)
        bucket.check()

    def test_gone_before_it_is_read_the_ledger_says_so(self, bucket: Bucket) -> None:
        bucket.put(a__csv=csv_file(line()))
        files = bucket.take()
        bucket.s3.client.delete_object(Bucket=bucket.location.bucket, Key=f"{bucket.location.prefix}a.csv")
        outcomes, changed = bucket.load(files)
        assert (outcomes, changed) == ([], [files[0].file_id])
        assert give_back(bucket.database, bucket.zone, changed) == []
        ((_, state, reason),) = bucket.states()
        assert (state, (reason or "").partition(":")[0]) == ("quarantined", "missing")
        bucket.check()

    def test_dropped_again_it_is_read_again(self, bucket: Bucket) -> None:
        content = csv_file(line(), line())
        bucket.put(a__csv=content)
        bucket.ingest()
        with bucket.database.transaction() as connection:
            connection.execute(
                "DELETE FROM user_events WHERE event_id IN (SELECT event_id FROM user_events LIMIT 1)"
            )
        bucket.put(a__csv=content)
        (outcome,) = bucket.ingest()
        assert (outcome.rows_inserted, outcome.rows_duplicate) == (1, 1)
        assert len(bucket.keys(".ecom/archive/")) == 2
        assert bucket.landed() == []

    def test_copies_of_killed_tasks_are_removed(self, bucket: Bucket, tmp_path: Path) -> None:
        left = tmp_path / "temporary" / "ecom-objects-left"
        left.mkdir()
        (left / "1").write_bytes(b"x")
        os.utime(left, (1, 1))
        bucket.put(a__csv=csv_file(line()))
        bucket.ingest()
        assert list((tmp_path / "temporary").iterdir()) == []


class Killed(BaseException):
    """The process ends here, as if by SIGKILL."""


def killed_at(step: str) -> Callable[[str], None]:
    def hook(reached: str) -> None:
        if reached == step:
            raise Killed(step)

    return hook


class TestKilled:
    """The next ingest finishes what was begun, wherever it ended."""

    @pytest.mark.parametrize("step", ["locked", "copied", "rejected", "settled", "durable"])
    def test_while_it_loads(self, bucket: Bucket, step: str) -> None:
        bucket.put(a__csv=csv_file(line(), line()), b__csv=csv_file(line()))
        files = bucket.take()
        with pytest.raises(Killed):
            bucket.load(files, killed_at(step))
        assert bucket.rows() == 0
        assert len(bucket.ingest()) == 2
        assert bucket.rows() == 3
        assert bucket.landed() == []
        bucket.check()

    def test_after_commit(self, bucket: Bucket) -> None:
        bucket.put(a__csv=csv_file(line(), line()))
        bucket.put_as("user_events/bad.csv", UNREADABLE)
        bucket.load(bucket.take())
        assert len(bucket.landed()) == 2
        assert bucket.ingest() == []
        assert bucket.landed() == []
        bucket.check()

    @pytest.mark.parametrize("step", ["reason", "copied", "deleted"])
    def test_while_it_is_put_away(self, bucket: Bucket, step: str) -> None:
        bucket.put(a__csv=csv_file(line(), line()))
        bucket.put_as("user_events/bad.csv", UNREADABLE)
        outcomes, _ = bucket.load(bucket.take())
        assert {outcome.state for outcome in outcomes} == {"loaded", "quarantined"}
        ids = [outcome.file_id for outcome in outcomes]
        with pytest.raises(Killed):
            put_away(bucket.database, bucket.zone, ids, 10, killed_at(step))
        assert len(bucket.claimed()) == 2
        assert bucket.ingest() == []
        assert bucket.landed() == []
        bucket.check()

    def test_rewritten_after_it_was_copied_and_before_it_was_deleted(self, bucket: Bucket) -> None:
        bucket.put(a__csv=csv_file(line(), line()))
        outcomes, _ = bucket.load(bucket.take())

        def hook(step: str) -> None:
            if step == "copied":
                bucket.put(a__csv=csv_file(line()))

        again = put_away(bucket.database, bucket.zone, [outcomes[0].file_id], 10, hook)
        assert (again, bucket.landed()) == (["a.csv"], ["a.csv"])
        (outcome,) = bucket.ingest()
        assert (outcome.rows_inserted, bucket.rows()) == (1, 3)
        bucket.check()

    def test_what_the_store_did_not_put_away_is_put_away_by_a_later_look(self, bucket: Bucket) -> None:
        bucket.put(a__csv=csv_file(line()))
        outcomes, _ = bucket.load(bucket.take())
        with faulty_way(bucket.s3, lambda request: (403, "AccessDenied")) as (endpoint, seen):
            away = Objects(bucket.through(endpoint).zone)
            with pytest.raises(StorageError, match="AccessDenied"):
                away.look_back(bucket.database)
        assert (bucket.landed(), len(bucket.claimed())) == (["a.csv"], 1)
        assert Objects(bucket.zone).look_back(bucket.database) == []
        assert bucket.landed() == []
        bucket.check()
        assert outcomes[0].rows_inserted == 1
        # Where nothing is left the store is not asked.
        with faulty_way(bucket.s3, lambda request: None) as (endpoint, seen):
            Objects(bucket.through(endpoint).zone).look_back(bucket.database)
        assert seen == []

    def test_rewritten_after_commit_the_new_one_is_loaded(self, bucket: Bucket) -> None:
        bucket.put(a__csv=csv_file(line(), line()))
        bucket.load(bucket.take())
        bucket.put(a__csv=csv_file(line()))
        assert recover(bucket.database, bucket.zone).landed_again == ("a.csv",)
        (outcome,) = bucket.ingest()
        assert (outcome.rows_inserted, bucket.rows()) == (1, 3)
        assert bucket.claimed() == bucket.landed() == []

    def test_a_number_that_an_older_database_has_yet_to_give_is_passed_over(
        self, bucket: Bucket, caplog: pytest.LogCaptureFixture
    ) -> None:
        bucket.put(a__csv=csv_file(line()))
        (first,) = bucket.ingest()
        with bucket.database.transaction() as connection:
            connection.execute("TRUNCATE user_events, ingested_files RESTART IDENTITY CASCADE")
        assert not bucket_checks.bucket_matches_ledger(bucket.database, bucket.zone).passed
        bucket.put(a__csv=csv_file(line()))
        (second,) = bucket.ingest()
        assert second.file_id > first.file_id
        assert "older than the landing zone" in caplog.text
        assert len(bucket.keys(".ecom/archive/")) == 2


class TestBrokenWays:
    def test_throttling_is_waited_out(self, bucket: Bucket) -> None:
        bucket.put(a__csv=csv_file(line()), b__csv=csv_file(line()))

        def throttle(request: Request) -> Fault:
            return (503, "SlowDown") if request.number % 3 else None

        with faulty_way(bucket.s3, throttle) as (endpoint, seen):
            assert len(bucket.through(endpoint).ingest()) == 2
        assert len(seen) > 10
        bucket.check()

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "GET", "HEAD"])
    def test_an_answer_that_is_lost_is_answered_by_looking(self, bucket: Bucket, method: str) -> None:
        bucket.put(a__csv=csv_file(line()), b__csv=csv_file(line()))
        bucket.put_as("user_events/bad.csv", UNREADABLE)
        drop = FirstAnswersLost(method)

        with faulty_way(bucket.s3, drop) as (endpoint, _):
            bucket_identity.prepare(bucket.through(endpoint).zone)
            assert len(bucket.through(endpoint).ingest()) == 3
        assert drop.dropped or method == "HEAD"
        assert bucket.landed() == []
        bucket.check()

    def test_an_answer_that_breaks_off_is_taken_up_where_it_broke(self, bucket: Bucket) -> None:
        lines = [line() for _ in range(2_000)]
        bucket.put(a__csv=csv_file(*lines))

        def cut(request: Request) -> Fault:
            return 5_000 if request.method == "GET" and "Range" in request.headers else None

        files = bucket.take()
        size = files[0].size or 0
        with faulty_way(bucket.s3, cut) as (endpoint, seen):
            outcomes, _ = bucket.through(endpoint).load(files)
        assert outcomes[0].rows_inserted == 2_000
        assert len(seen) >= size // 5_000

    def test_a_store_that_is_away_is_said_and_nothing_is_lost(
        self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "_ATTEMPTS", 2)
        bucket.put(a__csv=csv_file(line()))
        with faulty_way(bucket.s3, lambda request: (503, "SlowDown")) as (endpoint, _):
            away = bucket.through(endpoint)
            with pytest.raises(StorageError, match="SlowDown"):
                away.take()
        with pytest.raises(StorageError, match="ECOM_LANDING_ENDPOINT"):
            away.take()
        outcomes, _ = bucket.load(bucket.take())
        with faulty_way(
            bucket.s3, lambda request: (503, "SlowDown") if request.method == "PUT" else None
        ) as (
            endpoint,
            _,
        ):
            put_away(bucket.database, bucket.through(endpoint).zone, [outcomes[0].file_id], 10)
        with bucket.database.open() as connection:
            assert not bucket_checks.archive_matches_ledger(connection, bucket.zone, whole=True).passed
        bucket.ingest()
        bucket.check()

    def test_expired_credentials_are_waited_for_and_told(
        self, bucket: Bucket, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "_CREDENTIALS_LOOK_SECONDS", 0.05)
        bucket.put(a__csv=csv_file(line()))

        def renewed(request: Request) -> Fault:
            if "Credential=newer/" in request.headers.get("Authorization", ""):
                return None
            if request.number == 3:
                monkeypatch.setenv("AWS_ACCESS_KEY_ID", "newer")
            return 400, "ExpiredToken"

        with faulty_way(bucket.s3, renewed) as (endpoint, _):
            assert len(bucket.through(endpoint).ingest()) == 1
        assert "have expired: waiting for others" in caplog.text
        monkeypatch.setattr(objects, "CREDENTIALS_SECONDS", 0.1)
        with (
            faulty_way(bucket.s3, lambda request: (400, "ExpiredToken")) as (endpoint, _),
            pytest.raises(StorageError, match="have expired"),
        ):
            bucket.through(endpoint).take()
        assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in caplog.text

    def test_a_store_without_conditions_is_refused(self, bucket: Bucket) -> None:
        def pass_over(request: Request) -> Fault:
            return None

        for header in ("If-Match", "If-None-Match"):
            with (
                faulty_way(bucket.s3, pass_over, without=(header,)) as (endpoint, _),
                pytest.raises(StorageError, match="passes over the conditions"),
            ):
                bucket_identity.prepare(bucket.through(endpoint).zone)
        assert bucket.keys(".ecom/writable") == []

    def test_no_bucket_no_permission(self, bucket: Bucket) -> None:
        gone = dataclasses.replace(
            bucket.zone, location=dataclasses.replace(bucket.location, bucket="no-such-bucket")
        )
        with pytest.raises(StorageError, match="no-such-bucket"):
            look(bucket.database, gone)
        with (
            faulty_way(bucket.s3, lambda request: (403, "AccessDenied")) as (endpoint, _),
            pytest.raises(StorageError, match="list, get, put and delete"),
        ):
            look(bucket.database, bucket.through(endpoint).zone)


def load_with_spark(bucket: Bucket, spark: SparkSession) -> IngestResult:
    return ingest(bucket.settings, bucket.database, lambda: spark, f"run-{next(_numbers)}")


class TestIngest:
    """Through Spark: the streaming query, its tasks, and the account of the run."""

    def test_objects_are_loaded_archived_and_counted(self, bucket: Bucket, spark: SparkSession) -> None:
        for number in range(20):
            bucket.put_as(f"user_events/{number}.csv", csv_file(*(line() for _ in range(100))))
        bucket.put(top__csv=csv_file(line()))
        bucket.put_as("user_events/bad.csv", UNREADABLE)
        result = load_with_spark(bucket, spark)
        totals = result.totals
        assert (totals.files, totals.loaded, totals.quarantined, totals.rows_inserted) == (22, 21, 1, 2_001)
        (said,) = result.quarantined.values()
        assert f"It lies in {bucket.location.url}.ecom/quarantine/" in said
        assert bucket.landed() == []
        bucket.check()
        assert load_with_spark(bucket, spark).totals.files == 0

    def test_what_was_claimed_and_rewritten_since_is_loaded_as_it_is_now(
        self, bucket: Bucket, spark: SparkSession
    ) -> None:
        bucket.put(a__csv=csv_file(line(), line()), b__csv=csv_file(line()))
        bucket.take()
        bucket.put(a__csv=csv_file(line(), line(), line()))
        result = load_with_spark(bucket, spark)
        assert (result.totals.files, result.totals.rows_inserted) == (2, 4)
        assert result.stream.given_back
        bucket.check()

    def test_a_store_that_is_away_fails_the_run_and_the_next_one_goes_on(
        self, bucket: Bucket, spark: SparkSession
    ) -> None:
        bucket.put(a__csv=csv_file(line(), line()))
        bucket.take()
        settings = bucket.settings

        def unreadable(request: Request) -> Fault:
            return (403, "AccessDenied") if "Range" in request.headers else None

        with faulty_way(bucket.s3, unreadable) as (endpoint, _):
            location = dataclasses.replace(bucket.location, endpoint=endpoint)
            bucket.settings = dataclasses.replace(settings, landing_bucket=location)
            with pytest.raises(EcomError, match="AccessDenied"):
                load_with_spark(bucket, spark)
        bucket.settings = settings
        assert bucket.rows() == 0
        assert load_with_spark(bucket, spark).totals.rows_inserted == 2
        bucket.check()

    def test_a_home_whose_path_would_have_escapes_in_a_link(
        self, bucket: Bucket, spark: SparkSession
    ) -> None:
        """The driver reads the unit files that Spark names."""
        home = bucket.settings.home.with_name("hö me%20#1 +&=")
        home.mkdir()
        bucket.settings = dataclasses.replace(bucket.settings, home=home)
        bucket.put(a__csv=csv_file(line()))
        assert load_with_spark(bucket, spark).totals.rows_inserted == 1
        assert (home / "units").is_dir()
        bucket.check()


class TestLarge:
    """Objects that no single request puts or copies; here those of more than 5 MiB, than which no part but
    the last may be smaller."""

    CONTENT = csv_file(line(), line(), line()) + b"\n" * 5 * 1024**2

    @pytest.fixture(autouse=True)
    def small_requests(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(object_parts, "LARGEST_REQUEST", 5 * 1024**2)
        monkeypatch.setattr(object_parts, "_PART_BYTES", 5 * 1024**2)

    def unfinished(self, bucket: Bucket) -> list[str]:
        answer = bucket.s3.client.list_multipart_uploads(
            Bucket=bucket.location.bucket, Prefix=bucket.location.prefix
        )
        return [upload["Key"] for upload in answer.get("Uploads", ())]

    def test_they_are_put_away_whole_and_land_again(self, bucket: Bucket) -> None:
        bucket.put(large__csv=self.CONTENT)
        assert [outcome.rows_inserted for outcome in bucket.ingest()] == [3]
        assert bucket.landed() == []
        (key,) = bucket.keys(".ecom/archive/")
        assert bucket.s3.get(bucket.location.bucket, bucket.location.prefix + key) == self.CONTENT
        assert reload_files(bucket.database, bucket.zone, ["large.csv"]) == ["large.csv"]
        assert bucket.landed() == ["large.csv"]
        assert [outcome.rows_duplicate for outcome in bucket.ingest()] == [3]
        bucket.check()
        assert self.unfinished(bucket) == []

    def test_a_file_that_is_brought_in(self, bucket: Bucket, tmp_path: Path) -> None:
        path = tmp_path / "own.csv"
        path.write_bytes(self.CONTENT)
        assert Objects(bucket.zone).bring_in("user_events", [path]) == ["own.csv"]
        (other,) = Objects(bucket.zone).bring_in("user_events", [path])
        assert other != "own.csv"
        for key in bucket.landed():
            assert bucket.s3.get(bucket.location.bucket, bucket.location.prefix + key) == self.CONTENT
        assert self.unfinished(bucket) == []

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_answers_that_are_lost(self, bucket: Bucket, method: str) -> None:
        content = UNREADABLE + bytes(11 * 1024**2)
        bucket.put_as("user_events/large.csv", content)
        (outcome,), _ = bucket.load(bucket.take())
        assert outcome.state == "quarantined"
        lost = FirstAnswersLost(method)
        with faulty_way(bucket.s3, lost) as (endpoint, _):
            way = bucket.through(endpoint)
            recover(way.database, way.zone)
        assert lost.dropped
        assert bucket.landed() == []
        key, _ = bucket.keys(".ecom/quarantine/")
        assert bucket.s3.get(bucket.location.bucket, bucket.location.prefix + key) == content
        bucket.check()

    def test_one_that_is_another_by_now_and_one_whose_place_is_taken(self, bucket: Bucket) -> None:
        bucket.put(large__csv=self.CONTENT)
        found = bucket.zone.bucket.head("large.csv")
        assert found is not None
        with pytest.raises(ObjectChangedError):
            bucket.zone.bucket.copy("large.csv", '"another"', ".ecom/archive/1-large.csv", found.size)
        assert bucket.keys(".ecom/archive/") == []
        bucket.put_as(".ecom/archive/1-large.csv", b"somebody's")
        with pytest.raises(StorageError, match="another object is there"):
            bucket.zone.bucket.copy("large.csv", found.etag, ".ecom/archive/1-large.csv", found.size)
        assert self.unfinished(bucket) == []


def only_reading(request: Request) -> Fault:
    return None if request.method in ("GET", "HEAD") else (403, "AccessDenied")


@contextmanager
def staying(bucket: Bucket, done: str, allowed: Callable[[Request], Fault]) -> Iterator[None]:
    """Objects of ``bucket`` stay where they are, and the platform may do no more than what is ``allowed``."""
    with faulty_way(bucket.s3, allowed) as (endpoint, _):
        bucket.location = dataclasses.replace(bucket.location, endpoint=endpoint)
        bucket.settings = dataclasses.replace(
            bucket.settings, landing_bucket=bucket.location, landing_done=done
        )
        yield


class TestLeft:
    """A bucket that may only be read (``ECOM_LANDING_DONE=leave``): any other request is refused."""

    @pytest.fixture
    def left(self, bucket: Bucket) -> Iterator[Bucket]:
        with staying(bucket, LEAVE, only_reading):
            yield bucket

    def check(self, left: Bucket, *contents: bytes) -> None:
        """Every row against the ``contents`` of the loaded files, in the order of their numbers."""
        with left.database.open() as connection:
            known = connection.execute(
                "SELECT file_id FROM ingested_files WHERE state = 'loaded' ORDER BY file_id"
            ).fetchall()
            assert bucket_checks.archive_matches_ledger(connection, left.zone, whole=True).passed
        files = {}
        for (file_id,), content in zip(known, contents, strict=True):
            files[file_id] = left.home / f"{file_id}.csv"
            files[file_id].write_bytes(content)
        result = compare(left.database, files)
        assert (result.lost, result.doubled, result.differences) == (0, 0, [])
        assert bucket_checks.bucket_matches_ledger(left.database, left.zone).passed
        assert left.keys(".ecom/") == []

    def test_each_version_is_loaded_once_and_nothing_is_written(self, left: Bucket) -> None:
        first, second = csv_file(line(), line()), csv_file(line())
        left.put(a__csv=first)
        assert [outcome.rows_inserted for outcome in left.ingest()] == [2]
        assert left.ingest() == []
        assert look(left.database, left.zone).settled == []
        left.put(a__csv=second)
        assert [outcome.rows_inserted for outcome in left.ingest()] == [1]
        assert left.ingest() == []
        # What it was before is known no more than by its rows.
        left.put(a__csv=first)
        assert [outcome.rows_duplicate for outcome in left.ingest()] == [2]
        assert left.landed() == ["a.csv"]
        self.check(left, first, second, first)

    def test_a_version_that_comes_while_another_is_loaded_waits_for_its_end(self, left: Bucket) -> None:
        second = csv_file(line(), line())
        left.put(a__csv=csv_file(line()))
        found = look(left.database, left.zone).settled
        files = left.take()
        left.put(a__csv=second)
        assert look(left.database, left.zone).settled == []
        # Nor by whoever had seen it before.
        stale = dataclasses.replace(found[0], etag='"another"')
        assert claim_objects(left.database, left.zone, [stale]).taken == []
        outcomes, changed = left.load(files)
        assert (outcomes, changed) == ([], [files[0].file_id])
        assert give_back(left.database, left.zone, changed) == ["a.csv"]
        assert [outcome.rows_inserted for outcome in left.ingest()] == [2]
        self.check(left, second)

    def test_of_sixteen_claimers_of_a_new_version_one_wins(self, left: Bucket) -> None:
        left.put(a__csv=csv_file(line()))
        left.ingest()
        left.put(a__csv=csv_file(line(), line()))
        found = look(left.database, left.zone).settled
        won = []
        barrier = threading.Barrier(16)

        def claim() -> None:
            with left.database.open() as connection:
                (file_id,) = ledger.register(connection, ["a.csv"], [1], [datetime.now(UTC)])
                barrier.wait()
                (file,) = found
                assert isinstance(file, LandedObject)
                version = ledger.ClaimedObject(file_id, file.key, file.etag, file.size)
                won.extend(ledger.claim_versions(connection, [version]))
                connection.commit()

        threads = [threading.Thread(target=claim) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1

    @pytest.mark.parametrize("step", ["claimed", "locked", "copied", "settled", "committed"])
    def test_killed_anywhere_the_next_one_goes_on(self, left: Bucket, step: str) -> None:
        content = csv_file(line(), line())
        left.put(a__csv=content)
        files = left.take()
        if step == "committed":
            left.load(files)
        elif step != "claimed":
            with pytest.raises(Killed):
                left.load(files, killed_at(step))
        assert len(left.ingest()) == (step != "committed")
        assert left.ingest() == []
        self.check(left, content)

    def test_what_cannot_be_read_stays_and_is_said(self, left: Bucket) -> None:
        left.put_as("user_events/bad.csv", UNREADABLE)
        (outcome,) = left.ingest()
        assert outcome.state == "quarantined"
        assert left.ingest() == []
        assert Objects(left.zone).quarantined_place(1, "user_events/bad.csv") == left.location.url
        # It is over for whoever is told of it when somebody takes it away.
        assert not left.zone.taken_out(outcome.file_id, "user_events/bad.csv")
        left.s3.client.delete_object(
            Bucket=left.location.bucket, Key=f"{left.location.prefix}user_events/bad.csv"
        )
        assert left.zone.taken_out(outcome.file_id, "user_events/bad.csv")

    def test_a_store_that_reads_whatever_is_there_is_refused(self, left: Bucket) -> None:
        bucket_identity.prepare(left.zone)  # nothing is there yet
        left.put(a__csv=csv_file(line()))
        bucket_identity.prepare(left.zone)
        with (
            faulty_way(left.s3, lambda request: None, without=("If-Match",)) as (endpoint, _),
            pytest.raises(StorageError, match="passes over the conditions"),
        ):
            location = dataclasses.replace(left.location, endpoint=endpoint)
            bucket_identity.prepare(dataclasses.replace(left.zone, location=location))

    def test_executors_are_asked_for_an_object_that_is_there(self, left: Bucket) -> None:
        with sign_in(left.zone) as sign:
            assert sign is None  # nothing is there yet
        left.put(a__csv=csv_file(line()))
        with sign_in(left.zone) as sign:
            assert sign is not None
            assert sign.unseen() is None
            left.put(a__csv=csv_file(line(), line()))
            assert "was rewritten" in (sign.unseen() or "")
            elsewhere = dataclasses.replace(left.location, prefix="elsewhere/")
            assert "is gone" in (dataclasses.replace(sign, place=elsewhere).unseen() or "")
        assert left.keys() == ["a.csv"]

    def test_one_database_either_leaves_or_moves(self, left: Bucket) -> None:
        left.put(a__csv=csv_file(line()))
        left.ingest()
        moving = dataclasses.replace(left.zone, leaves=False)
        with (
            left.database.open() as connection,
            pytest.raises(StorageError, match="ECOM_LANDING_DONE"),
        ):
            bucket_identity.verify(connection, moving)

    def test_by_an_ingest(self, left: Bucket, spark: SparkSession) -> None:
        left.put(a__csv=csv_file(line()), b__csv=csv_file(line()))
        left.put_as("user_events/bad.csv", UNREADABLE)
        totals = load_with_spark(left, spark).totals
        assert (totals.loaded, totals.quarantined, totals.rows_inserted) == (2, 1, 2)
        assert load_with_spark(left, spark).totals.files == 0
        assert sorted(left.landed()) == ["a.csv", "b.csv", "user_events/bad.csv"]


class TestTagged:
    """Objects stay where they are and get a tag that says what became of them (``ECOM_LANDING_DONE=tag``)."""

    @pytest.fixture
    def tagging(self, bucket: Bucket) -> Iterator[Bucket]:
        def only_tagging(request: Request) -> Fault:
            return None if request.method == "PUT" and "tagging" in request.path else only_reading(request)

        with staying(bucket, TAG, only_tagging):
            yield bucket

    def tags(self, bucket: Bucket, key: str) -> dict[str, str]:
        answer = bucket.s3.client.get_object_tagging(
            Bucket=bucket.location.bucket, Key=bucket.location.prefix + key
        )
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def test_what_is_finished_says_so_beside_tags_of_others(self, tagging: Bucket) -> None:
        tagging.put(a__csv=csv_file(line()), b__csv=csv_file(line()))
        tagging.put_as("user_events/bad.csv", UNREADABLE)
        theirs = {"TagSet": [{"Key": "team", "Value": "shop"}]}
        tagging.s3.client.put_object_tagging(
            Bucket=tagging.location.bucket, Key=tagging.location.prefix + "b.csv", Tagging=theirs
        )
        tagging.ingest()
        assert self.tags(tagging, "a.csv") == {TAG_NAME: "loaded"}
        assert self.tags(tagging, "b.csv") == {"team": "shop", TAG_NAME: "loaded"}
        assert self.tags(tagging, "user_events/bad.csv") == {TAG_NAME: "quarantined"}
        assert tagging.ingest() == []
        assert sorted(tagging.keys()) == ["a.csv", "b.csv", "user_events/bad.csv"]

    def test_killed_before_the_tag_the_next_ingest_puts_it(self, tagging: Bucket) -> None:
        tagging.put(a__csv=csv_file(line()))
        tagging.load(tagging.take())
        assert self.tags(tagging, "a.csv") == {}
        tagging.ingest()
        assert self.tags(tagging, "a.csv") == {TAG_NAME: "loaded"}

    def test_a_version_that_came_meanwhile_has_its_tag_when_it_is_loaded(self, tagging: Bucket) -> None:
        tagging.put(a__csv=csv_file(line()))
        tagging.load(tagging.take())
        tagging.put(a__csv=csv_file(line(), line()))
        recover(tagging.database, tagging.zone)
        assert self.tags(tagging, "a.csv") == {}
        assert [outcome.rows_inserted for outcome in tagging.ingest()] == [2]
        assert self.tags(tagging, "a.csv") == {TAG_NAME: "loaded"}

    def test_one_that_comes_while_the_tag_is_put_is_relieved_of_it(self, tagging: Bucket) -> None:
        tagging.put(a__csv=csv_file(line()))
        tagging.load(tagging.take())

        def rewrite(request: Request) -> Fault:
            if request.method == "PUT" and "tagging" in request.path and not rewritten:
                rewritten.append(True)
                tagging.put(a__csv=csv_file(line(), line()))
            return None

        rewritten: list[bool] = []
        with faulty_way(tagging.s3, rewrite) as (endpoint, _):
            recover(tagging.database, tagging.through(endpoint).zone)
        assert rewritten
        assert self.tags(tagging, "a.csv") == {}
        assert [outcome.rows_inserted for outcome in tagging.ingest()] == [2]
        assert self.tags(tagging, "a.csv") == {TAG_NAME: "loaded"}

    def test_where_tags_are_not_allowed_rows_are_stored_all_the_same(
        self, bucket: Bucket, caplog: pytest.LogCaptureFixture
    ) -> None:
        with staying(bucket, TAG, only_reading):
            bucket.put(a__csv=csv_file(line()))
            assert [outcome.rows_inserted for outcome in bucket.ingest()] == [1]
            assert "a.csv" in caplog.text
            assert bucket.ingest() == []


class TestBroughtIn:
    """Files that somebody names land whole, all of them or none, and replace nothing."""

    def bring_in(self, bucket: Bucket, feed: str, *paths: Path) -> list[str]:
        return Objects(bucket.zone).bring_in(feed, paths)

    def test_under_their_names_or_one_of_their_own(self, bucket: Bucket, tmp_path: Path) -> None:
        path = tmp_path / "a ü.csv"
        path.write_bytes(b"first")
        assert self.bring_in(bucket, "clicks", path) == ["clicks/a ü.csv"]
        path.write_bytes(b"second")
        (again,) = self.bring_in(bucket, "clicks", path)
        assert again.startswith("clicks/") and again.endswith("-a ü.csv")
        assert self.bring_in(bucket, "user_events", path) == ["a ü.csv"]
        landed = bucket.landed()
        contents = {
            key: bucket.s3.get(bucket.location.bucket, bucket.location.prefix + key) for key in landed
        }
        assert contents == {"clicks/a ü.csv": b"first", again: b"second", "a ü.csv": b"second"}

    def test_an_answer_that_is_lost_is_answered_by_looking(self, bucket: Bucket, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(csv_file(line()))
        dropped: list[str] = []

        def drop(request: Request) -> Fault:
            if request.method == "PUT" and not dropped:
                dropped.append(request.path)
                return DROPPED
            return None

        with faulty_way(bucket.s3, drop) as (endpoint, _):
            assert self.bring_in(bucket.through(endpoint), "user_events", path) == ["a.csv"]
        assert dropped
        assert bucket.landed() == ["a.csv"]
        (outcome,) = bucket.ingest()
        assert outcome.rows_inserted == 1
        bucket.check()

    def test_all_or_none(self, bucket: Bucket, tmp_path: Path) -> None:
        good, other = tmp_path / "good.csv", tmp_path / "other.csv"
        for path in (good, other):
            path.write_bytes(b"x")
        with pytest.raises(UsageError, match="No such file"):
            self.bring_in(bucket, "clicks", good, tmp_path / "gone.csv")

        def refuse(request: Request) -> Fault:
            return (403, "AccessDenied") if request.path.endswith("other.csv") else None

        with (
            faulty_way(bucket.s3, refuse) as (endpoint, _),
            pytest.raises(StorageError, match="AccessDenied"),
        ):
            self.bring_in(bucket.through(endpoint), "clicks", good, other)
        assert bucket.keys() == []


class TestExecutors:
    def test_the_sign_is_seen_where_it_is_and_nowhere_else(
        self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sign = Sign(bucket.location, "probe")
        bucket.put_as(".ecom/probe", b"probe")
        assert sign.unseen() is None
        elsewhere = dataclasses.replace(bucket.location, prefix="elsewhere/")
        assert Sign(elsewhere, "probe").unseen() == "it is another bucket, or another part of it"
        for name in CREDENTIALS:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        objects._bucket_of.cache_clear()
        assert "NoCredentialsError" in (sign.unseen() or "")
        objects._bucket_of.cache_clear()


class TestSettings:
    def test_nothing_is_done_in_folders(self, bucket: Bucket) -> None:
        with pytest.raises(UsageError, match="ECOM_LANDING_URL"):
            LandingZone.of(bucket.settings)

    @pytest.mark.parametrize(
        ("variables", "said"),
        [
            ({"ECOM_LANDING_URL": "gs://bucket/x"}, "s3://bucket/prefix"),
            ({"ECOM_LANDING_URL": "s3://key:secret@bucket/x"}, "s3://bucket/prefix"),
            ({"ECOM_LANDING_URL": "s3://bucket/x", "ECOM_LANDING_DONE": "delete"}, "it must be move"),
            ({"ECOM_LANDING_ENDPOINT": "http://127.0.0.1:1"}, "ECOM_LANDING_URL is not"),
            ({"ECOM_LANDING_URL": "s3://bucket", "ECOM_LANDING_DIR": "/x"}, "unset one of them"),
            (
                {"ECOM_LANDING_URL": "s3://bucket", "ECOM_LANDING_ENDPOINT": "http://me:secret@h"},
                "has a user in it",
            ),
        ],
    )
    def test_settings_that_cannot_be_used(self, variables: dict[str, str], said: str) -> None:
        with pytest.raises(SettingsError) as raised:
            load_settings(variables)
        assert said in str(raised.value)
        assert "secret" not in str(raised.value)

    def test_where_no_bucket_is_used_the_client_is_not_imported(self) -> None:
        code = (
            "import sys, ecom_platform.streaming.ingest, ecom_platform.cli.app, ecom_platform.store.sink;"
            "sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
