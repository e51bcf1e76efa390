"""Files at the top of the landing folder: placed by their header or waiting, whoever loads, whatever dies."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from pyspark.sql import SparkSession

from ecom_platform.alerts.files import Watched, file_signs
from ecom_platform.alerts.outbox import raise_problem
from ecom_platform.alerts.problem import Raised, Window
from ecom_platform.catalog import catalog
from ecom_platform.cli.console import print_summary
from ecom_platform.cli.status import status
from ecom_platform.landing.evidence import feed_finding
from ecom_platform.landing.folder.claim import claim, recover
from ecom_platform.landing.folder.folder_lookout import FolderLookout
from ecom_platform.landing.folder.former_quarantine import release_from_quarantine
from ecom_platform.landing.folder.placing import Placing, waiting_files
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.watch import scan
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.landed import Scan
from ecom_platform.landing.own_files import OwnFiles
from ecom_platform.oncall.trace import trace_file
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.execution import CheckOutcome, RunSummary
from ecom_platform.orchestration.sensors.new_csv_files import new_csv_files
from ecom_platform.orchestration.workload import Workload
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.streaming.claimer import Claimer
from ecom_platform.streaming.dispatch import Dispatcher
from ecom_platform.streaming.ingest import IngestResult, ingest
from ecom_platform.streaming.units import BatchPlan
from ecom_platform_tests.landing import Landing, csv_file, line
from ecom_platform_tests.unit.files.test_unpacking import zipped
from ecom_platform_tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")

VISITS = "columns: {page: text, visitor: bigint}\nidentity: content\n"
VISITED = b"visitor,page\n17,home\n18,cart\n"
ORDERS = b"order id,total\n1,5\n"


class Place:
    """A landing zone, a database, and declarations."""

    def __init__(self, settings: Settings, database: Database, zone: LandingZone) -> None:
        self.settings, self.database, self.zone = settings, database, zone

    def declare(self, **texts: str) -> None:
        self.settings.feeds_dir.mkdir(exist_ok=True)
        for name, text in texts.items():
            (self.settings.feeds_dir / f"{name}.yaml").write_text(text)

    def drop(self, name: str, content: bytes) -> Path:
        path = self.zone.landing / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    @property
    def placing(self) -> Placing:
        return Placing(self.zone.landing, catalog(self.settings).feeds)

    def look(self) -> Scan:
        return scan(self.zone.landing, 0, 0, feeds=LandingZone.of(self.settings).feeds)

    def place(self) -> tuple[list[str], dict[str, str], dict[str, str]]:
        """One round of placing: what may be claimed, what is refused, what waits."""
        placed, waiting = self.placing.place(self.look())
        return [file.name for file in placed.settled], placed.refused, waiting

    def ledger(self) -> list[tuple[str, str, str, int]]:
        with self.database.open() as connection:
            return connection.execute(  # type: ignore[return-value]
                "SELECT name, feed, state, rows_inserted FROM ingested_files ORDER BY name, file_id"
            ).fetchall()


@pytest.fixture
def place(settings: Settings, database: Database, zone: LandingZone, tmp_path: Path) -> Place:
    there = Place(dataclasses.replace(settings, feeds_dir=tmp_path / "feeds"), database, zone)
    there.declare(visits=VISITS)
    return there


class TestAnIngest:
    @pytest.fixture
    def run(self, place: Place, spark: SparkSession) -> Callable[[], IngestResult]:
        return lambda: ingest(place.settings, place.database, lambda: spark, str(uuid.uuid4()))

    def test_places_what_fits_and_leaves_the_rest_until_a_declaration_takes_it(
        self, place: Place, run: Callable[[], IngestResult], capsys: pytest.CaptureFixture[str]
    ) -> None:
        place.drop("events.csv", csv_file(line()))
        place.drop("visits.csv", VISITED)
        place.drop("visits.csv.gz", gzip.compress(b"page,visitor\nhome,19\n"))
        place.drop("orders.csv", ORDERS)
        place.drop("sheet.xlsx", zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")))
        place.drop("cut.csv.gz", gzip.compress(ORDERS * 50)[:20])
        place.drop("empty.csv", b"")
        place.drop("visits/other.csv", ORDERS)
        result = run()
        assert place.ledger() == [
            ("cut.csv.gz", "user_events", "quarantined", 0),
            ("empty.csv", "user_events", "quarantined", 0),
            ("events.csv", "user_events", "loaded", 1),
            ("visits/other.csv", "visits", "quarantined", 0),
            ("visits/visits.csv", "visits", "loaded", 2),
            ("visits/visits.csv.gz", "visits", "loaded", 1),
        ]
        landing = place.zone.landing
        command = f"`ecom feeds init {landing}/orders.csv`"
        assert (result.refused, result.unsettled) == ({}, ())
        assert result.waiting == {
            "orders.csv": "its header has 2 fields separated by commas (order id, total), and no feed has "
            f"any of these columns. {command} writes a declaration that takes it; what is of a declared feed "
            f"all the same belongs in {landing}/FEED/.",
            "sheet.xlsx": "it is an Excel file. Save it as CSV (File, Save As, CSV UTF-8), and take that.",
        }
        finding = feed_finding(waiting_files(place.zone.landing, catalog(place.settings).feeds, 0))
        assert (finding.passed, finding.found) == (False, "2 files of none, not loaded")
        assert finding.details == result.waiting
        details = {name: str(text) for name, text in finding.details.items()}
        check = CheckOutcome("user_events:files_have_a_feed", False, "WARN", "a", "b", details)
        summary = RunSummary("run", {"user_events": {"waiting": result.waiting}}, [check], 1.0, None)
        assert json.loads(json.dumps(summary.as_json()))["files"]["waiting"] == result.waiting
        assert summary.success
        print_summary(summary, place.settings)
        said = capsys.readouterr().err
        assert said.count("its header has 2 fields") == 1
        assert "2 waiting" in said and f"Waits: orders.csv: {result.waiting['orders.csv']}" in said
        # Nothing of them is done a second time.
        assert run().totals.files == 0

        place.declare(
            orders="columns: {id: {from: order id, type: bigint}, total: bigint}\nidentity: content\n"
        )
        again = run()
        assert (again.by_feed.keys(), again.totals.rows_inserted) == ({"orders"}, 1)
        assert again.waiting.keys() == {"sheet.xlsx"}
        assert sorted(look(landing).files) == ["sheet.xlsx"]

    def test_killed_after_the_move_and_in_the_middle_of_it(
        self, place: Place, run: Callable[[], IngestResult], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place.drop("a.csv", VISITED)
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr("ecom_platform.landing.folder.claim.claim_files", killed)
            run()
        assert (place.zone.landing / "visits" / "a.csv").is_file() and place.ledger() == []
        place.drop("b.csv", b"visitor,page\n20,home\n")
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(Path, "unlink", killed)
            place.place()
        assert (place.zone.landing / "b.csv").samefile(place.zone.landing / "visits" / "b.csv")
        result = run()
        assert result.waiting == {}
        assert place.ledger() == [
            ("visits/a.csv", "visits", "loaded", 2),
            ("visits/b.csv", "visits", "loaded", 1),
        ]

    def test_of_a_feed_that_is_not_asked_for_is_placed_and_not_loaded(
        self, place: Place, spark: SparkSession
    ) -> None:
        place.drop("a.csv", VISITED)
        place.drop("events.csv", csv_file(line()))
        ingest(place.settings, place.database, lambda: spark, "run", feeds=["user_events"])
        assert place.ledger() == [("events.csv", "user_events", "loaded", 1)]
        assert [*look(place.zone.landing, feeds=["visits"]).files] == ["visits/a.csv"]


def killed(*args: object, **kwargs: object) -> None:
    raise KeyboardInterrupt


class TestTheMove:
    def test_replaces_nothing(self, place: Place) -> None:
        place.drop("visits/a.csv", b"visitor,page\n1,theirs\n")
        place.drop("a.csv", VISITED)
        names, refused, waiting = place.place()
        (other,) = [name for name in names if name != "visits/a.csv"]
        assert len(names) == 2 and other.startswith("visits/") and other.endswith("-a.csv")
        assert (place.zone.landing / "visits" / "a.csv").read_bytes() == b"visitor,page\n1,theirs\n"
        assert (refused, waiting) == ({}, {})

    def test_goes_to_no_link(self, place: Place, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (place.zone.landing / "visits").symlink_to(elsewhere)
        place.drop("a.csv", VISITED)
        names, refused, _ = place.place()
        assert names == [] and list(elsewhere.iterdir()) == []
        assert refused["a.csv"] == f"a file of the feed visits, and {place.zone.landing}/visits is no folder"

    def test_says_why_it_is_not_made(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        place.drop("a.csv", VISITED)

        def refuse(*args: object, **kwargs: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("ecom_platform.landing.folder.placing.move", refuse)
        assert place.place()[:2] == (
            [],
            {"a.csv": "a file that cannot be moved to visits/ (Operation not permitted)"},
        )

    def test_of_one_that_is_gone(self, place: Place) -> None:
        path = place.drop("a.csv", VISITED)
        found = place.look()
        assert [*place.placing.sort(found.settled).expected] == ["a.csv"]
        path.unlink()
        placed, waiting = place.placing.place(found)
        assert (placed.settled, placed.refused, waiting) == ([], {}, {})

    def test_keeps_the_order_of_landing(self, place: Place) -> None:
        for number, (name, content) in enumerate(
            [("c.csv", VISITED), ("b.csv", csv_file(line())), ("a.csv", VISITED), ("z.csv", ORDERS)]
        ):
            os.utime(place.drop(name, content), (1_700_000_000 + number,) * 2)
        names, _, waiting = place.place()
        assert (names, waiting.keys()) == (["visits/c.csv", "b.csv", "visits/a.csv"], {"z.csv"})


class TestLooks:
    def test_a_header_is_read_once(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        path = place.drop("a.csv", ORDERS)
        assert place.placing.sort(place.look().settled).waiting.keys() == {"a.csv"}
        monkeypatch.setattr("ecom_platform.files.belonging.read_head", killed)
        assert place.placing.sort(place.look().settled).waiting.keys() == {"a.csv"}
        path.write_bytes(VISITED)
        with pytest.raises(KeyboardInterrupt):
            place.placing.sort(place.look().settled)
        path.write_bytes(ORDERS)

    def test_after_their_time_no_other_header_is_read(self, place: Place) -> None:
        for name in "abc":
            place.drop(f"{name}.csv", ORDERS)
        found = place.look()
        none = place.placing.sort(found.settled, -1)
        assert (none.here, none.waiting, none.expected) == ([], {}, {})
        place.placing.sort(found.settled[:2])
        assert place.placing.sort(found.settled, -1).waiting.keys() == {"a.csv", "b.csv"}

    def test_what_was_found_of_files_that_are_gone_is_forgotten(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ecom_platform.landing.folder.placing._KEPT", 1)
        paths = [place.drop(f"{name}.csv", ORDERS) for name in "abc"]
        placing = place.placing
        placing.sort(place.look().settled)
        for path in paths[1:]:
            path.unlink()
        placing.sort(place.look().settled)
        assert placing._judged.found.keys() == {"a.csv"}

    def test_what_is_still_being_written_does_not_wait_yet(self, place: Place) -> None:
        path = place.drop("a.csv", ORDERS)
        feeds = catalog(place.settings).feeds
        assert waiting_files(place.zone.landing, feeds, 3_600) == {}
        assert waiting_files(place.zone.landing, feeds, 0).keys() == {"a.csv"}
        os.utime(path, (2**32, 2**32))  # a time in the future says nothing
        assert waiting_files(place.zone.landing, feeds, 0).keys() == {"a.csv"}

    def test_status_counts_them(self, place: Place) -> None:
        place.drop("a.csv", ORDERS)
        place.drop("b.csv", csv_file(line()))
        found = status(place.settings)
        assert (found.waiting.files, found.waiting.without_feed.keys()) == (2, {"a.csv"})
        (sentence,) = found.yellow
        assert sentence.startswith("'a.csv' waits for a feed: its header has 2 fields")
        assert (found.exit_code, found.red) == (0, [])
        for number in range(12):
            place.drop(f"c{number}.csv", ORDERS)
        assert status(place.settings).yellow[-1] == "3 more files wait for a feed"


class TestTheSensor:
    @pytest.fixture(autouse=True)
    def environment(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(place.settings.home)
        monkeypatch.setenv("ECOM_HOME", str(place.settings.home))
        monkeypatch.setenv("ECOM_POSTGRES_URL", place.database.url)
        monkeypatch.setenv("ECOM_SETTLE_SECONDS", "0")
        monkeypatch.setenv("ECOM_FEEDS_DIR", str(place.settings.feeds_dir))

    def tick(self) -> dg.SensorResult:
        declared = DeclaredFeeds(catalog(load_settings()))
        resources = {"ecom_workload": Workload(), "ecom_declared": declared}
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_sensor_context(instance, "-", resources=resources) as context,
        ):
            result = new_csv_files(context)
        assert isinstance(result, dg.SensorResult)
        return result

    def test_begins_no_run_for_a_file_of_no_feed_and_tells_of_it_once(self, place: Place) -> None:
        place.drop("orders.csv", ORDERS)
        result = self.tick()
        assert not result.run_requests and isinstance(result.skip_reason, dg.SkipReason)
        said = str(result.skip_reason.skip_message)
        assert said.startswith(
            "Nothing to load; 1 file (orders.csv) without a feed; orders.csv: its header has 2"
        )
        (told,) = result.asset_events
        assert isinstance(told, dg.AssetCheckEvaluation)
        assert (told.check_name, told.passed, told.severity, told.asset_key) == (
            "files_have_a_feed",
            False,
            dg.AssetCheckSeverity.WARN,
            dg.AssetKey("user_events"),
        )
        assert self.tick().asset_events == []

        # A declaration appears: the run is of its feed, and the check passes again.
        place.declare(
            orders="columns: {order_id: {from: order id, type: bigint}, total: bigint}\nidentity: content\n"
        )
        result = self.tick()
        (request,) = result.run_requests or []
        assert dg.AssetKey("orders") in (request.asset_selection or ())
        assert dg.AssetKey("user_events") not in (request.asset_selection or ())
        (over,) = result.asset_events
        assert isinstance(over, dg.AssetCheckEvaluation) and over.passed
        assert (place.zone.landing / "orders.csv").is_file()  # the run moves it


class TestBesideALiveMode:
    def own(self, place: Place, seconds: float = 0.0) -> OwnFiles:
        with place.database.open() as connection:
            declared = catalog(place.settings).feeds
            lookout = FolderLookout(place.database, LandingZone.of(place.settings), seconds, declared)
            return OwnFiles(connection, lookout, (), declared)

    def left(self, own: OwnFiles, place: Place) -> int:
        with place.database.open() as connection:
            return own.look(connection)

    def take(self, place: Place, landing: Landing) -> list[int]:
        placed, _ = place.placing.place(place.look())
        return claim(landing.database, LandingZone.of(place.settings), placed.settled)

    def test_placed_files_are_its_own_and_waiting_ones_nobodys(self, place: Place) -> None:
        landing = Landing(place.database, place.zone)
        place.drop("a.csv", VISITED)
        place.drop("b.csv", csv_file(line()))
        place.drop("waits.csv", ORDERS)
        own = self.own(place)
        assert self.left(own, place) == 2
        taken = self.take(place, landing)
        assert self.left(own, place) == 2
        assert own.file_ids == set(taken)

    def test_files_that_did_not_rest_when_it_began(self, place: Place) -> None:
        landing = Landing(place.database, place.zone)
        place.drop("a.csv", VISITED)
        place.drop("waits.csv", ORDERS)
        own = self.own(place, 3_600.0)
        assert self.left(own, place) == 2
        taken = self.take(place, landing)  # by somebody for whom they rest
        assert self.left(own, place) == 2
        assert own.file_ids == set(taken)
        assert own.leave_unsettled() == ("waits.csv",)
        assert self.left(own, place) == 1

    def test_the_claimer_does_the_same(self, place: Place, tmp_path: Path) -> None:
        zone = LandingZone.of(place.settings).looking_into(catalog(place.settings).feeds)
        dispatcher = Dispatcher(tmp_path, BatchPlan(2, 5_000), 2)
        lookout = FolderLookout(place.database, zone, 0.0, catalog(place.settings).feeds)
        claimer = Claimer(lookout, zone.feeds, dispatcher)
        place.drop("waits.csv", ORDERS)
        claimer.start()
        try:
            place.drop("a.csv", VISITED)
            place.drop("b.csv", csv_file(line()))
            wait_until(lambda: len(place.ledger()) == 2 or claimer.error)
            wait_until(lambda: sorted(look(place.zone.landing, feeds=["visits"]).files) == ["waits.csv"])
        finally:
            claimer.stop()
        assert claimer.error is None
        assert [row[:3] for row in place.ledger()] == [
            ("b.csv", "user_events", "claimed"),
            ("visits/a.csv", "visits", "claimed"),
        ]
        assert claimer.backlog() == (0, 0)


class TestWhatIsInQuarantineFromBefore:
    @pytest.fixture
    def before(self, place: Place) -> Place:
        """A zone as a version left it that placed nothing."""
        landing = Landing(place.database, place.zone)
        place.drop("events.csv", csv_file(line()))
        place.drop("orders.csv", ORDERS)
        place.drop("visits.csv", VISITED)
        place.drop("cut.csv", b"event_id,us")
        place.drop("bad.csv.gz", gzip.compress(ORDERS)[:20])
        landing.ingest()
        assert sorted(row[0] for row in place.ledger() if row[2] == "quarantined") == [
            "bad.csv.gz",
            "cut.csv",
            "orders.csv",
            "visits.csv",
        ]
        return place

    def release(self, place: Place) -> list[str]:
        recover(place.database, place.zone)
        return release_from_quarantine(place.database, place.zone, catalog(place.settings).feeds)

    def test_it_lands_again_once_and_what_is_damaged_stays(self, before: Place) -> None:
        rows = before.ledger()
        assert self.release(before) == ["orders.csv", "visits.csv"]
        kept = sorted(path.name.partition("-")[2] for path in before.zone.quarantine.iterdir())
        assert kept == ["bad.csv.gz", "bad.csv.gz.reason.txt", "cut.csv", "cut.csv.reason.txt"]
        names, _, waiting = before.place()
        assert (names, waiting.keys()) == (["visits/visits.csv"], {"orders.csv"})
        assert before.ledger() == rows
        assert self.release(before) == []
        with before.database.open() as connection:
            told = trace_file(connection, before.zone, "orders.csv")
        assert "was put into quarantine (wrong_header" in told.verdict
        assert told.verdict.endswith("and waits in the landing folder again.")

    def test_a_name_that_is_taken_is_not_replaced(self, before: Place) -> None:
        newer = before.drop("orders.csv", ORDERS + b"2,6\n")
        landed = self.release(before)
        assert landed[0].endswith("-orders.csv") and newer.read_bytes() == ORDERS + b"2,6\n"

    def test_what_a_person_took_out_is_nobodys_business(self, before: Place) -> None:
        for path in before.zone.quarantine.glob("*orders.csv"):
            path.unlink()
        assert self.release(before) == ["visits.csv"]

    @pytest.mark.parametrize("others", [True, False])
    def test_the_alert_is_over_when_none_of_its_files_lies_there(self, before: Place, others: bool) -> None:
        with before.database.transaction() as connection:
            if not others:
                numbers = [
                    number
                    for number, name in ledger.quarantined_for(
                        connection, "user_events", ["wrong_header", "corrupt_gzip"]
                    )
                    if name in ("cut.csv", "bad.csv.gz")
                ]
                connection.execute("DELETE FROM ingested_files WHERE file_id = ANY(%s)", (numbers,))
            now = datetime.now(UTC)
            window = Window(now - timedelta(days=1), now - timedelta(days=1))
            for sign in file_signs(Watched(connection, "user_events", 0.5, ""), window, now):
                if isinstance(sign, Raised):
                    raise_problem(connection, sign.problem)
        self.release(before)
        with before.database.open() as connection:
            found = connection.execute("SELECT kind, resolved_at IS NULL FROM alerts").fetchall()
        assert found == [("file_quarantined", others)]
