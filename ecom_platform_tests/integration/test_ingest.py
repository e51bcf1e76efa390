"""The bounded ingest with a real Spark and a real PostgreSQL."""

from __future__ import annotations

import dataclasses
import shutil
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ecom_platform.errors import IngestError, LockedError
from ecom_platform.landing.folder.claim import claim, claim_files
from ecom_platform.landing.folder.disk_account import disk_matches_ledger
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.requeue import reconcile
from ecom_platform.settings import Settings
from ecom_platform.shop.generator import GeneratorConfig, write_files
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.lock import ingest_lock
from ecom_platform.streaming.ingest import IngestResult, ingest
from ecom_platform.streaming.query import QUERY_NAME, StreamResult
from ecom_platform_tests.dirt import write_dirty_files
from ecom_platform_tests.landing import csv_file, line, stored_rows
from ecom_platform_tests.reference import compare


def no_session() -> SparkSession:
    raise AssertionError("Spark was started for nothing")


class Platform:
    def __init__(
        self, settings: Settings, database: Database, zone: LandingZone, spark: SparkSession
    ) -> None:
        self.settings, self.database, self.zone, self.spark = settings, database, zone, spark

    def generate(self, events: int, rows_per_file: int = 100, seed: int = 1) -> list[Path]:
        config = GeneratorConfig(
            seed=seed, as_of=datetime(2026, 1, 31, tzinfo=UTC), events=events, rows_per_file=rows_per_file
        )
        return [
            self.zone.landing / file.name
            for file in write_files(config, self.zone.landing, datetime.now(UTC))
        ]

    def ingest(self, **changes: object) -> IngestResult:
        settings = dataclasses.replace(self.settings, **changes)  # type: ignore[arg-type]
        return ingest(settings, self.database, lambda: self.spark, str(uuid.uuid4()))

    def ingest_without_spark(self) -> IngestResult:
        return ingest(self.settings, self.database, no_session, str(uuid.uuid4()))

    def check(self) -> None:
        with self.database.open() as connection:
            rows = connection.execute("SELECT file_id FROM ingested_files WHERE state = 'loaded'").fetchall()
            states = ledger.states(connection, [row[0] for row in rows])
        result = compare(self.database, {key: self.zone.path_of(state) for key, state in states.items()})
        assert (result.lost, result.doubled, result.differences) == (0, 0, [])


@pytest.fixture
def platform(settings: Settings, database: Database, zone: LandingZone, spark: SparkSession) -> Platform:
    return Platform(settings, database, zone, spark)


def batches(database: Database) -> list[tuple[int, int]]:
    with database.open() as connection:
        return connection.execute("SELECT files, rows FROM stream_batches ORDER BY batch_id").fetchall()  # type: ignore[return-value]


def test_what_has_landed_is_loaded_archived_and_counted(platform: Platform) -> None:
    platform.generate(3_000)
    begun = time.monotonic()
    result = platform.ingest()
    seconds = time.monotonic() - begun
    totals = result.totals
    assert (totals.files, totals.loaded, totals.rows_read, totals.rows_inserted) == (30, 30, 3_000, 3_000)
    assert look(platform.zone.landing).files == {}
    assert list(platform.zone.claimed.iterdir()) == []
    assert list(platform.zone.units.iterdir()) == []
    assert len(list(platform.zone.archive.rglob("*.csv"))) == 30
    assert result.stream.latency(0.5) is not None
    platform.check()
    with platform.database.open() as connection:
        (batch,) = connection.execute(
            "SELECT slots, trigger_ms, worker_cpu_ms, longest_task_ms, duration_ms FROM stream_batches"
        ).fetchall()
    slots, trigger_ms, worker_cpu_ms, longest_task_ms, duration_ms = batch
    assert (slots, trigger_ms) == (platform.spark.sparkContext.defaultParallelism, 0)
    assert worker_cpu_ms > 0
    assert 0 < longest_task_ms < duration_ms
    (use,) = result.stream.executor_use
    # Units, and whatever else Spark made tasks of; of those before it in this session none.
    assert (use.executor, use.failed_tasks) == ("driver", 0)
    assert 0 < use.tasks < 100
    assert longest_task_ms / 1000 < use.task_seconds <= slots * seconds
    assert 0 <= use.gc_seconds < use.task_seconds


def test_a_landing_folder_and_a_home_with_blanks_and_the_like_in_their_names(
    platform: Platform, tmp_path: Path
) -> None:
    odd = tmp_path / "my home é 100% #1 [a]{b,c}*?"
    platform.settings = dataclasses.replace(
        platform.settings, home=odd / "state", landing_dir=odd / "landing"
    )
    platform.zone = LandingZone.of(platform.settings)
    platform.zone.prepare()
    platform.generate(300)
    result = platform.ingest()
    assert (result.totals.files, result.totals.rows_inserted) == (3, 300)
    platform.check()


def forget_everything(platform: Platform) -> None:
    """PostgreSQL fails over to a state from before anything was claimed."""
    with platform.database.transaction() as connection:
        connection.execute("TRUNCATE user_events, ingested_files CASCADE")


def test_a_database_that_forgets_the_claim_is_no_success(platform: Platform) -> None:
    """Before the stream begins: its tasks ask the ledger first."""
    platform.generate(300)

    def session() -> SparkSession:
        forget_everything(platform)
        return platform.spark

    with pytest.raises(IngestError, match=r"does not know 3 of 3 claimed files.*ecom reconcile"):
        ingest(platform.settings, platform.database, session, str(uuid.uuid4()))


def test_a_database_that_forgets_what_was_loaded_is_no_success(platform: Platform) -> None:
    """After the commit of the last file: the stream ends without an error, its files are in the archive."""
    platform.generate(300)
    with pytest.raises(IngestError, match="does not know 3 of the 3 files"):
        ingest(
            platform.settings,
            platform.database,
            lambda: platform.spark,
            str(uuid.uuid4()),
            on_batch=lambda result: forget_everything(platform),
        )
    finding = disk_matches_ledger(platform.database, platform.zone)
    assert (finding.passed, finding.found) == (False, "3 files on disk that the ledger does not know")
    assert len(reconcile(platform.database, platform.zone).requeued) == 3
    assert platform.ingest().totals.rows_inserted == 300
    assert disk_matches_ledger(platform.database, platform.zone).passed
    platform.check()


def test_one_file_a_micro_batch_where_that_is_wanted(platform: Platform) -> None:
    platform.generate(300, rows_per_file=10)
    result = platform.ingest(batch_files=1)
    assert (result.stream.batches, result.stream.files) == (30, 30)
    assert batches(platform.database) == [(1, 10)] * 30
    platform.check()


def test_a_few_files_a_micro_batch(platform: Platform) -> None:
    platform.generate(500, rows_per_file=50)
    platform.ingest(batch_files=4)
    assert sum(rows for _, rows in batches(platform.database)) == 500
    assert max(files for files, _ in batches(platform.database)) <= 4
    platform.check()


def test_nothing_landed_needs_no_spark(platform: Platform) -> None:
    assert platform.ingest_without_spark().totals.files == 0


def test_what_a_killed_run_left_goes_also_where_nothing_has_landed(platform: Platform) -> None:
    left = [
        platform.zone.units / "killed" / "0.json",
        platform.settings.checkpoint_dir / QUERY_NAME / "x" / "0",
    ]
    for path in left:
        path.parent.mkdir(parents=True)
        path.touch()
    platform.ingest_without_spark()
    assert [path for path in left if path.exists()] == []


def test_what_is_loaded_is_not_loaded_again(platform: Platform) -> None:
    platform.generate(200)
    platform.ingest()
    again = platform.ingest_without_spark()
    assert (again.totals.files, again.totals.rows_read, again.stream.batches) == (0, 0, 0)
    assert len(batches(platform.database)) == 1
    platform.check()


def test_killed_after_the_commit_but_before_the_archive(platform: Platform) -> None:
    """The rows are stored and the file is still in the claimed folder: it is put away, not loaded."""
    platform.generate(100)
    platform.ingest()
    (archived,) = platform.zone.archive.rglob("*.csv")
    archived.rename(platform.zone.claimed / archived.name)
    recovery = platform.ingest_without_spark().recovery
    assert (recovery.archived, recovery.missing) == (1, 0)
    platform.check()


def test_killed_between_the_ledger_row_and_the_rename(platform: Platform) -> None:
    platform.generate(100)
    (landed,) = look(platform.zone.landing).files.values()
    with platform.database.transaction() as connection:
        ledger.register(connection, [landed.name], [landed.size], [landed.landed_at])
    result = platform.ingest()
    assert (result.recovery.renamed, result.totals.files, result.totals.rows_inserted) == (1, 1, 100)
    platform.check()


def test_dirt_duplicates_and_conflicts(platform: Platform) -> None:
    write_dirty_files(platform.zone.landing, seed=5, events=3_000, rows_per_file=500)
    platform.ingest()
    platform.check()


def test_dropped_again_under_other_names(platform: Platform) -> None:
    paths = platform.generate(500)
    copies = {path.name: path.read_bytes() for path in paths}
    platform.ingest()
    for name, content in copies.items():
        (platform.zone.landing / f"again-{name}").write_bytes(content)
    totals = platform.ingest().totals
    assert (totals.rows_inserted, totals.rows_duplicate) == (0, 500)
    platform.check()


def test_an_interrupted_run_is_finished_by_the_next(platform: Platform) -> None:
    platform.generate(200)
    claim(platform.database, platform.zone, list(look(platform.zone.landing).files.values()))
    stale = platform.settings.checkpoint_dir / "user_events" / "killed" / "offsets"
    stale.mkdir(parents=True)
    (stale / "0").write_text("not a checkpoint")
    assert platform.ingest().totals.rows_inserted == 200
    assert not stale.exists()
    platform.check()


def test_a_deleted_checkpoint_changes_nothing(platform: Platform) -> None:
    platform.generate(200)
    platform.ingest()
    shutil.rmtree(platform.settings.checkpoint_dir)
    platform.generate(200, seed=2)
    assert platform.ingest().totals.rows_inserted == 200
    platform.check()


def test_unreadable_files_are_quarantined_with_their_reason(platform: Platform) -> None:
    platform.generate(100)
    (platform.zone.landing / "user_events").mkdir()
    (platform.zone.landing / "user_events" / "wrong.csv").write_text("a,b\n1,2\n")
    (platform.zone.landing / "empty.csv").touch()
    result = platform.ingest()
    assert (result.totals.loaded, result.totals.quarantined) == (1, 2)
    for name, reason in (("user_events/wrong.csv", "wrong_header"), ("empty.csv", "empty_file")):
        (beside,) = platform.zone.quarantine.rglob(f"*{Path(name).name}.reason.txt")
        assert reason in beside.read_text()
        assert result.quarantined[name].startswith(reason)
        assert result.quarantined[name].endswith(f"It lies in {str(beside).removesuffix('.reason.txt')}")


def test_a_failure_in_a_task_has_a_message_and_stores_nothing(platform: Platform) -> None:
    platform.generate(100)
    with platform.database.transaction() as connection:
        connection.execute("ALTER TABLE user_events RENAME COLUMN user_device TO somewhere_else")
    with pytest.raises(IngestError, match="user_device"):
        platform.ingest()
    with platform.database.transaction() as connection:
        connection.execute("ALTER TABLE user_events RENAME COLUMN somewhere_else TO user_device")
        assert stored_rows(connection) == 0
    assert platform.ingest().totals.rows_inserted == 100


def test_a_second_ingest_says_who_holds_the_lock(platform: Platform) -> None:
    waited: list[str] = []
    with (
        ingest_lock(platform.database, 0),
        pytest.raises(LockedError, match="ecom_platform"),
        ingest_lock(platform.database, 1, waited.append),
    ):
        pass
    assert len(waited) == 1


def test_a_writer_that_goes_on_during_the_run(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it adds after its file was loaded is loaded by the same run."""
    monkeypatch.setattr("ecom_platform.landing.folder.scan.PATIENT_SECONDS", 0)
    rows = [line() for _ in range(4)]
    with (platform.zone.landing / "a.csv").open("wb", buffering=0) as writer:
        writer.write(csv_file(rows[0]))

        def go_on(stream: StreamResult) -> None:
            if stream.batches <= 2:
                writer.write(rows[stream.batches] + b"\n")

        result = ingest(
            platform.settings, platform.database, lambda: platform.spark, str(uuid.uuid4()), on_batch=go_on
        )
        assert (result.totals.rows_inserted, result.stream.batches) == (3, 3)
        writer.write(rows[3] + b"\n")
    assert platform.ingest().totals.rows_inserted == 1
    platform.check()


VISITS = """
columns: {time: timestamptz, page: {type: text, in: [home, cart]}, visitor: bigint}
identity: content
"""
VISITED = b"time,page,visitor\n2026-01-02 03:04:05,home,17\n2026-01-02 03:04:05,home,17\n2026-01-02,cart,17\n"


def test_feeds_beside_the_event_and_one_that_is_wrong_holds_up_no_other(
    platform: Platform, tmp_path: Path
) -> None:
    declarations = tmp_path / "feeds"
    declarations.mkdir()
    (declarations / "visits.yaml").write_text(VISITS)
    (declarations / "orders.yaml").write_text("columns: {id: bigints}\nprimary_key: id\n")
    for name in ("visits/2026", "orders", "nobodys"):
        (platform.zone.landing / name).mkdir(parents=True)
        (platform.zone.landing / name / "a.csv").write_bytes(VISITED)
    platform.generate(300)
    result = platform.ingest(feeds_dir=declarations)
    assert (result.totals.files, result.totals.loaded, result.totals.rows_read) == (4, 4, 303)
    assert (result.totals.rows_inserted, result.totals.rows_rejected) == (302, 1)
    assert set(result.refused) == {"orders", "nobodys"}
    assert "orders.yaml, line 1" in result.refused["orders"]
    assert "'bigints' is no type" in result.refused["orders"]
    assert f"no feed is declared by its name in {declarations}" in result.refused["nobodys"]
    with platform.database.open() as connection:
        stored = connection.execute("SELECT visitor, count(*) FROM visits GROUP BY 1").fetchall()
        rejects = connection.execute(
            "SELECT feed, file_name, line_number, reason FROM rejected_events"
        ).fetchall()
    assert stored == [(17, 2)]
    assert rejects == [("visits", "visits/2026/a.csv", 4, "not_a_time")]
    # Mended, the other one is loaded; what is there already is known.
    (declarations / "orders.yaml").write_text(VISITS.replace("visitor: bigint", "visitor: text"))
    (platform.zone.landing / "visits" / "b.csv").write_bytes(VISITED)
    again = platform.ingest(feeds_dir=declarations)
    assert (again.totals.files, again.totals.rows_inserted, again.totals.rows_duplicate) == (2, 2, 2)
    assert set(again.refused) == {"nobodys"}


def test_a_feed_whose_files_are_claimed_when_its_declaration_goes_waits_for_it(
    platform: Platform, tmp_path: Path
) -> None:
    declarations = tmp_path / "feeds"
    declarations.mkdir()
    declaration = declarations / "visits.yaml"
    declaration.write_text(VISITS)
    (platform.zone.landing / "visits").mkdir()
    (platform.zone.landing / "visits" / "a.csv").write_bytes(VISITED)
    zone = LandingZone.of(dataclasses.replace(platform.settings, feeds_dir=declarations))
    claim_files(platform.database, zone, [*look(zone.landing, feeds=zone.feeds).files.values()])
    declaration.unlink()
    platform.generate(100)
    result = platform.ingest(feeds_dir=declarations)
    assert (result.totals.files, result.totals.rows_inserted) == (1, 100)
    declaration.write_text(VISITS)
    later = platform.ingest(feeds_dir=declarations)
    assert (later.totals.files, later.totals.rows_inserted, later.totals.rows_rejected) == (1, 2, 1)
