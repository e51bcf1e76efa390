"""Disk and ledger know of each other, or somebody hears of it. Real files and a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from ecom_platform.errors import IngestError
from ecom_platform.landing.folder.claim import recover
from ecom_platform.landing.folder.disk_account import disk_matches_ledger, require_ends
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.requeue import reconcile
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.orchestration.sensors.ledger_age import ledger_age
from ecom_platform.settings import Settings
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Database
from ecom_platform.streaming.query import _read_result, _write_result
from ecom_platform_tests.landing import USER_EVENTS, Landing, csv_file, line
from ecom_platform_tests.packaged_feeds import PACKAGED_FEEDS

# Dagster itself asks pydantic for what pydantic calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")

Tick = Callable[[], list[dg.AssetCheckEvaluation]]
NARROW = "looked_at"
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    """One file, loaded."""
    made = Landing(database, zone)
    drop(made, "old.csv", line())
    return made


def drop(landing: Landing, name: str, *lines: bytes) -> None:
    (landing.zone.landing / name).write_bytes(csv_file(*lines))
    landing.ingest()


def look(landing: Landing, whole_up_to: int | None = None) -> Finding:
    return disk_matches_ledger(landing.database, landing.zone, whole_up_to=whole_up_to)


def execute(landing: Landing, *statements: str) -> None:
    with landing.database.transaction() as connection:
        for statement in statements:
            connection.execute(statement)


def go_back(landing: Landing) -> None:
    """The database is in the state in which only the first file had been claimed."""
    execute(
        landing,
        "DELETE FROM user_events WHERE file_id > 1",
        "DELETE FROM rejected_events WHERE file_id > 1",
        "DELETE FROM unchecked_files WHERE file_id > 1",
        "DELETE FROM ingested_files WHERE file_id > 1",
        "SELECT setval(pg_get_serial_sequence('ingested_files', 'file_id'), 1)",
    )


def only(finding: Finding) -> dict[str, str]:
    """What is said of files."""
    assert not finding.passed
    return {name: str(text) for name, text in finding.details.items() if name[0].isdigit()}


@pytest.mark.usefixtures("starts_programs")
class TestFilesThatTheLedgerDoesNotKnow:
    def test_all_is_known_at_every_stage(self, landing: Landing) -> None:
        drop(landing, "wrong.csv")
        (landing.zone.landing / "wrong-too.csv").write_bytes(b"a,b\n")
        landing.ingest()
        files = landing.drop(claimed__csv=csv_file(line()), loaded__csv=csv_file(line()))
        landing.load(files[1:])  # and not yet put away
        assert look(landing).passed

    def test_archived_claimed_and_in_quarantine(self, landing: Landing) -> None:
        drop(landing, "new.csv", line(), line())
        (landing.zone.landing / "wrong.csv").write_bytes(b"a,b\n")
        landing.ingest()
        landing.drop(claimed__csv=csv_file(line()))
        go_back(landing)
        expected = {
            "2-new.csv": f"in archive/{TODAY}, not in the ledger",
            "3-wrong.csv": "in quarantine, not in the ledger",
            "4-claimed.csv": "in claimed, not in the ledger",
        }
        finding = look(landing)
        assert only(finding) == expected
        assert finding.found == "3 files on disk that the ledger does not know"

        recover(landing.database, landing.zone)  # as each ingest does at its beginning
        again = Landing(landing.database, landing.zone)
        drop(again, "later.csv", line())
        assert only(look(again)) == expected

        done = reconcile(again.database, again.zone)
        assert sorted(done.requeued) == ["claimed.csv", "new.csv", "wrong.csv"]
        assert [outcome.state for outcome in again.ingest()] == ["loaded", "loaded", "quarantined"]
        assert look(again).passed
        assert reconcile(again.database, again.zone).requeued == ()
        again.check()

    def test_loaded_on_disk_and_claimed_by_the_ledger(self, landing: Landing) -> None:
        files = landing.drop(a__csv=csv_file(line()))
        landing.load(files)
        archived = landing.zone.archived_path(2, "a.csv", datetime.now(UTC))
        landing.zone.claimed_path(2, "a.csv").rename(archived)
        execute(
            landing,
            "DELETE FROM user_events WHERE file_id = 2",
            "UPDATE ingested_files SET state = 'claimed', finished_at = NULL, rows_read = 0,"
            " rows_inserted = 0 WHERE file_id = 2",
        )
        assert only(look(landing)) == {"2-a.csv": f"in archive/{TODAY}, claimed by the ledger"}
        assert recover(landing.database, landing.zone).taken_back == 1
        landing.load(files)
        assert look(landing).passed

    def test_one_that_nobody_claimed(self, landing: Landing) -> None:
        (landing.zone.claimed / "7-x.csv").write_bytes(csv_file(line()))
        assert only(look(landing)) == {"7-x.csv": "in claimed, not in the ledger"}

    def test_another_database(self, landing: Landing) -> None:
        execute(landing, "TRUNCATE user_events, ingested_files CASCADE")
        assert only(look(landing)) == {"1-old.csv": f"in archive/{TODAY}, not in the ledger"}

    def test_what_a_person_leaves_beside_a_quarantined_file_is_not_ours(self, landing: Landing) -> None:
        (landing.zone.landing / "wrong.csv").write_bytes(b"a,b\n")
        landing.ingest()
        (landing.zone.quarantine / "2-wrong.csv~").write_bytes(b"a,b\n")
        assert look(landing).passed
        assert reconcile(landing.database, landing.zone).requeued == ()
        # The file itself, corrected there, is one that has changed since it was read.
        (landing.zone.quarantine / "2-wrong.csv").write_bytes(csv_file(line()))
        assert look(landing).passed
        assert reconcile(landing.database, landing.zone).requeued == ("wrong.csv",)


class TestWhileNothingIsLoaded:
    @pytest.fixture
    def tick(self, landing: Landing, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Tick:
        monkeypatch.chdir(settings.home)  # no .env of this machine
        monkeypatch.setenv("ECOM_HOME", str(settings.home))
        monkeypatch.setenv("ECOM_POSTGRES_URL", landing.database.url)
        cursor: list[str | None] = [None]

        def tick() -> list[dg.AssetCheckEvaluation]:
            resources = {
                "ecom_postgres": PostgresResource(),
                "ecom_landing": LandingZoneResource(),
                "ecom_declared": PACKAGED_FEEDS,
            }
            with (
                dg.DagsterInstance.ephemeral() as instance,
                dg.build_sensor_context(instance, cursor[0], resources=resources) as context,
            ):
                result = ledger_age(context)
            cursor[0] = result.cursor
            return result.asset_events

        return tick

    def test_a_restore_is_told_once_and_the_next_one_again(self, landing: Landing, tick: Tick) -> None:
        assert tick() == []
        for name in ("new.csv", "newer.csv"):
            drop(landing, name, line())
            assert tick() == []
            go_back(landing)
            (evaluation,) = tick()
            assert (evaluation.check_name, evaluation.passed) == ("disk_matches_ledger", False)
            assert f"2-{name}" in evaluation.metadata
            assert tick() == []
            reconcile(landing.database, landing.zone)
            landing.ingest()
            assert tick() == []
            go_back(landing)
            for path in landing.zone.archive.rglob("*-new*.csv"):
                path.unlink()
            assert tick() == []


class TestOfALargeTable:
    def test_the_days_since_the_whole_was_right(self, landing: Landing) -> None:
        finding = look(landing, 0)
        assert (finding.passed, NARROW in finding.details) == (True, False)
        older = landing.zone.archive / "2026-01-01"
        older.mkdir()
        (older / "9-by-hand.csv").write_bytes(csv_file(line()))
        finding = look(landing, 0)
        assert (finding.passed, NARROW in finding.details) == (True, True)
        assert only(look(landing)) == {"9-by-hand.csv": "in archive/2026-01-01, not in the ledger"}
        # Red on the whole stays red, also for a run.
        assert not look(landing, 0).passed

    def test_a_database_that_went_back_went_back_with_that_moment(self, landing: Landing) -> None:
        """What was archived since is looked at, however many runs found it right meanwhile."""
        execute(landing, "UPDATE ingested_files SET finished_at = '2026-01-01T12:00Z' WHERE file_id = 1")
        (archived,) = landing.zone.archive.rglob("1-old.csv")
        (landing.zone.archive / "2026-01-01").mkdir()
        archived.rename(landing.zone.archive / "2026-01-01" / "1-old.csv")
        assert look(landing, 0).passed
        drop(landing, "new.csv", line())
        assert look(landing, 0).passed
        go_back(landing)
        finding = look(landing, 0)
        assert NARROW in finding.details
        assert list(only(finding)) == ["2-new.csv"]

    def test_beside_a_load_nothing_is_strange(self, landing: Landing) -> None:
        done = threading.Event()

        def load() -> None:
            for number in range(15):
                drop(landing, f"{number}.csv", line())
            done.set()

        thread = threading.Thread(target=load)
        thread.start()
        findings = []
        while not done.is_set():
            findings.append(look(landing))
        thread.join()
        assert findings
        assert [finding.details for finding in findings if not finding.passed] == []


class TestTheEndOfARun:
    def test_every_file_has_one(self, landing: Landing) -> None:
        (landing.zone.landing / "wrong.csv").write_bytes(b"a,b\n")
        landing.ingest()
        require_ends(landing.database, landing.zone, {1, 2})
        require_ends(landing.database, landing.zone, set())

    def test_finished_and_not_yet_put_away_is_one(self, landing: Landing) -> None:
        landing.load(landing.drop(a__csv=csv_file(line())))
        require_ends(landing.database, landing.zone, {2})

    def test_gone_before_it_was_read_is_one(self, landing: Landing) -> None:
        (file,) = landing.drop(a__csv=csv_file(line()))
        Path(file.path).unlink()
        assert recover(landing.database, landing.zone).missing == 1
        require_ends(landing.database, landing.zone, {file.file_id})

    def test_unknown_is_none(self, landing: Landing) -> None:
        drop(landing, "a.csv", line())
        go_back(landing)
        with pytest.raises(IngestError, match=r"not know 1 of the 2 files .* number 2.*ecom reconcile"):
            require_ends(landing.database, landing.zone, {1, 2})

    def test_gone_afterwards_is_named_in_the_log(
        self, landing: Landing, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The rows are there; somebody took the file away."""
        (archived,) = landing.zone.archive.rglob("1-old.csv")
        archived.unlink()
        require_ends(landing.database, landing.zone, {1})
        assert f"{archived} is loaded by the ledger's word, but not on disk" in caplog.text

    def test_claimed_is_none(self, landing: Landing) -> None:
        (file,) = landing.drop(a__csv=csv_file(line()))
        with pytest.raises(IngestError, match=r"1 of 2 files not loaded, such as a\.csv"):
            require_ends(landing.database, landing.zone, {1, file.file_id})

    def test_a_unit_of_which_the_ledger_knows_nothing_is_an_error(self, landing: Landing) -> None:
        """As a task that reports it: in the live mode no end of a run comes."""
        files = landing.drop(a__csv=csv_file(line()))
        go_back(landing)
        with pytest.raises(IngestError, match=r"does not know 1 of 1 claimed files, such as a\.csv"):
            _read_result(_write_result(landing.database.url, USER_EVENTS, files, landing.batch_id))
