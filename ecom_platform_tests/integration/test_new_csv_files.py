"""The sensor over a real Dagster instance, a real landing zone and a real PostgreSQL."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from psycopg.conninfo import make_conninfo

from ecom_platform.catalog import catalog
from ecom_platform.errors import DatabaseError, StorageError
from ecom_platform.landing.arrivals import GiveUp, Launch, Skip, decide
from ecom_platform.landing.folder import folder_arrivals
from ecom_platform.landing.folder.claim import claim, recover
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.jobs import WAITING_TAG
from ecom_platform.orchestration.presence import appear, leave
from ecom_platform.orchestration.sensors import new_csv_files as sensor
from ecom_platform.orchestration.sensors.new_csv_files import survey
from ecom_platform.orchestration.stale_runs import end_stale_runs
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.lock import LIVE_APPLICATION_NAME, ingest_lock
from ecom_platform_tests.landing import Landing, csv_file, line
from ecom_platform_tests.packaged_feeds import PACKAGED_FEEDS
from ecom_platform_tests.sensor_ticks import Ticks
from ecom_platform_tests.waiting import wait_until

# Dagster itself asks pydantic for what pydantic calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")

Status = dg.DagsterRunStatus
UNFINISHED = (Status.QUEUED, Status.NOT_STARTED, Status.STARTING, Status.STARTED, Status.CANCELING)


def job_of(name: str) -> dg.JobDefinition:
    """A job of the code location; "" is what *Materialize all* launches."""
    from ecom_platform.definitions import defs  # not above: importing it warns

    return defs.resolve_job_def(name) if name else defs.resolve_implicit_global_asset_job_def()


def make_old(path: Path) -> None:
    """As if nobody had written to it for two hours."""
    then = time.time() - 7_200
    os.utime(path, (then, then))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


class Platform(Ticks):
    """A landing zone, a database and Dagster's memory, as the sensor finds them."""

    def __init__(self, settings: Settings, database: Database, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        self.settings, self.database = settings, database
        self.zone = LandingZone.of(settings)

    def drop(self, *names: str) -> None:
        for name in names:
            (self.zone.landing / name).write_bytes(csv_file(line()))

    def run(self, status: Status, tag: str | None = None, job: str = "ingest") -> dg.DagsterRun:
        tags = {WAITING_TAG: tag} if tag else {}
        # A run can only be queued for a code location.
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("ecom_platform"), "__repository__")
        return self.instance.create_run_for_job(
            job_of(job), status=status, tags=tags, remote_job_origin=RemoteJobOrigin(repository, job)
        )

    def fail(self, times: int = 1) -> None:
        """Runs for what waits now that end in a failure."""
        tag = self.state_key()
        for _ in range(times):
            self.instance.report_run_failed(self.run(Status.STARTED, tag))

    def state_key(self) -> str:
        decision = decide(dataclasses.replace(survey(self.instance, self.settings), now=time.time() + 10**6))
        assert isinstance(decision, Launch | GiveUp)
        return decision.fingerprint

    def decide_after(self, seconds: float) -> Launch | Skip | GiveUp:
        """What is decided so many seconds after the end of the newest run."""
        ends = [record.end_time for record in self.instance.get_run_records()]
        ended = max(end for end in ends if end is not None)
        return decide(dataclasses.replace(survey(self.instance, self.settings), now=ended + seconds))

    def alerts(self) -> list[tuple[str, bool]]:
        """Titles of the alerts, and whether each is over."""
        with self.database.open() as connection:
            found = connection.execute("SELECT title, resolved_at IS NOT NULL FROM alerts ORDER BY alert_id")
            return [(title, over) for title, over in found]

    def given_up(self) -> list[str]:
        """What was said of it on the asset."""
        records = self.instance.fetch_observations(dg.AssetKey("user_events"), limit=100).records
        return [str(record.asset_observation.description) for record in records if record.asset_observation]


@pytest.fixture
def platform(
    settings: Settings,
    database: Database,
    zone: LandingZone,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> Platform:
    monkeypatch.chdir(settings.home)  # no .env of this machine
    monkeypatch.setenv("ECOM_HOME", str(settings.home))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    monkeypatch.setenv("ECOM_SETTLE_SECONDS", "0")
    return Platform(settings, database, instance)


class TestWhatIsLoaded:
    def test_nothing(self, platform: Platform) -> None:
        assert platform.skipped() == "Nothing has landed."

    def test_a_quiet_tick_needs_no_database(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        platform.tick()  # the first one asks what an earlier life has given up
        monkeypatch.setenv("ECOM_POSTGRES_URL", "postgresql://nobody@127.0.0.1:1/nothing")
        assert platform.skipped() == "Nothing has landed."
        platform.drop("a.csv")
        with pytest.raises(DatabaseError):
            platform.tick()

    def test_one_run_for_all(self, platform: Platform) -> None:
        platform.drop("a.csv", "b.csv")
        assert platform.launched() == platform.state_key()

    def test_a_run_is_of_the_feeds_whose_files_wait(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        feeds = tmp_path / "feeds"
        feeds.mkdir()
        for name in ("clicks", "stock"):
            (feeds / f"{name}.yaml").write_text("columns: {a: text}\nidentity: content\n")
            (platform.zone.landing / name).mkdir()
        monkeypatch.setenv("ECOM_FEEDS_DIR", str(feeds))
        platform.declared = DeclaredFeeds(catalog(load_settings()))

        def selected() -> list[str] | None:
            platform.launched()
            chosen = platform.selected
            return None if chosen is None else [key.to_user_string() for key in chosen]

        platform.drop("stock/a.csv")
        assert selected() == ["stock", "duplicate_audit", "performance_report"]
        platform.drop("a.csv")
        assert selected() == ["stock", "user_events", "duplicate_audit", "sales", "performance_report"]
        platform.drop("clicks/a.csv")
        assert selected() is None
        # Declared after the code location was loaded, it has no asset yet.
        platform.declared = PACKAGED_FEEDS
        assert selected() is None

    def test_leftovers_of_a_killed_run_are_the_same_work(self, platform: Platform) -> None:
        platform.drop("a.csv", "b.csv")
        landed = platform.launched()
        claim(platform.database, platform.zone, list(look(platform.zone.landing).files.values()))
        assert look(platform.zone.landing).files == {}
        assert platform.launched() == landed

    def test_killed_between_the_ledger_row_and_the_rename(self, platform: Platform) -> None:
        platform.drop("a.csv")
        landed = platform.launched()
        (file,) = look(platform.zone.landing).files.values()
        with platform.database.transaction() as connection:
            ledger.register(connection, [file.name], [file.size], [file.landed_at])
        assert platform.launched() == landed

    def test_claimed_and_forgotten_is_work(self, platform: Platform) -> None:
        """The database went back to before the claim: a run cannot load it, but its checks say so."""
        platform.drop("a.csv")
        claim(platform.database, platform.zone, list(look(platform.zone.landing).files.values()))
        assert not list(platform.zone.landing.glob("*.csv"))
        with platform.database.transaction() as connection:
            connection.execute("DELETE FROM ingested_files")
        platform.launched()

    def test_loaded_but_not_yet_put_away_is_no_work(self, platform: Platform) -> None:
        landing = Landing(platform.database, platform.zone)
        landing.load(landing.drop(a__csv=csv_file(line())))
        assert len(list(platform.zone.claimed.iterdir())) == 1
        assert platform.skipped() == "Nothing has landed."

    def test_a_landing_zone_that_was_never_prepared(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        monkeypatch.setenv("ECOM_LANDING_DIR", str(folder))
        assert platform.skipped() == "Nothing has landed."

    def test_the_very_first_start(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("ECOM_HOME", str(tmp_path / "new"))
        assert platform.skipped() == "Nothing has landed."

    def test_a_file_that_grew_after_it_was_loaded(self, platform: Platform) -> None:
        landing = Landing(platform.database, platform.zone)
        platform.drop("a.csv")
        landing.ingest()
        assert platform.skipped() == "Nothing has landed."
        (archived,) = platform.zone.archive.rglob("1-a.csv")
        os.utime(archived)  # touched, but not grown
        assert platform.skipped() == "Nothing has landed."
        with archived.open("ab") as writer:
            writer.write(line() + b"\n")
        platform.launched()
        recover(platform.database, platform.zone)
        platform.launched()
        landing.ingest()
        assert platform.skipped() == "Nothing has landed."

    def test_a_landing_zone_that_is_away_is_no_quiet_one(self, platform: Platform) -> None:
        platform.drop("a.csv")
        Landing(platform.database, platform.zone).ingest()
        shutil.rmtree(platform.zone.landing)
        platform.zone.landing.mkdir()
        with pytest.raises(StorageError, match="lacks the marker"):
            platform.tick()


class TestWhatIsLeftAlone:
    def test_a_half_written_file(self, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ECOM_SETTLE_SECONDS", "3600")
        platform.drop("a.csv")
        assert platform.skipped() == "Nothing to load; 1 file (a.csv) still being written."
        make_old(platform.zone.landing / "a.csv")
        platform.launched()

    def test_what_can_never_be_taken(self, platform: Platform) -> None:
        (platform.zone.landing / "folder.csv").mkdir()
        assert "folder.csv (a folder, and no feed is declared by its name)" in platform.skipped()

    @pytest.mark.parametrize("missing", ["gone", "a file"])
    def test_an_unreadable_landing_folder_is_not_an_empty_one(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
    ) -> None:
        folder = tmp_path / "unmounted"
        if missing == "a file":
            folder.write_text("")
        monkeypatch.setenv("ECOM_LANDING_DIR", str(folder))
        with pytest.raises(StorageError, match="unmounted cannot be read"):
            platform.tick()

    def test_an_unreadable_claimed_folder(self, platform: Platform) -> None:
        platform.zone.claimed.rmdir()
        platform.zone.claimed.write_text("in the way")
        with pytest.raises(StorageError, match="claimed cannot be read"):
            platform.tick()


class TestOneIngestAtATime:
    @pytest.mark.parametrize("job", ["main", "ingest", "reload"])
    def test_a_run_that_ingests(self, platform: Platform, job: str) -> None:
        platform.drop("a.csv")
        for status in UNFINISHED:
            run = platform.run(status, job=job)
            assert platform.skipped() == (
                f"An ingest is under way: run {run.run_id} of {job}, {status.value.lower()}."
            )
            platform.instance.delete_run(run.run_id)
        platform.launched()

    def test_materialize_all(self, platform: Platform) -> None:
        platform.drop("a.csv")
        platform.run(Status.QUEUED, job="")
        assert "under way" in platform.skipped()

    def test_a_run_that_does_not_ingest(self, platform: Platform) -> None:
        platform.drop("a.csv")
        platform.run(Status.STARTED, job="replay_rejects")
        platform.launched()

    def test_an_ingest_from_the_terminal(self, platform: Platform) -> None:
        platform.drop("a.csv")
        with ingest_lock(platform.database, 0):
            assert platform.skipped().startswith("Another ingest holds the lock: ecom_platform (backend ")
        platform.launched()

    def test_the_live_mode(self, platform: Platform) -> None:
        platform.drop("a.csv")
        url = make_conninfo(platform.database.url, application_name=LIVE_APPLICATION_NAME)
        with ingest_lock(Database(url), 0):
            assert platform.skipped() == "The live mode loads what lands (`ecom stream`)."
        platform.launched()


class TestAfterFailures:
    def test_the_delay_grows_then_it_gives_up_until_the_set_changes(self, platform: Platform) -> None:
        platform.drop("a.csv")
        for delay in (10, 30, 90, 270, 810):
            platform.fail()
            assert isinstance(platform.decide_after(delay - 1), Skip)
            assert isinstance(platform.decide_after(delay + 1), Launch)
        platform.fail()
        assert "could not be loaded in 6 runs" in platform.skipped()
        assert "could not be loaded in 6 runs" in platform.skipped()
        assert len(platform.given_up()) == 1, "said once, not at every tick"
        ((title, over),) = platform.alerts()
        assert title == "user_events: the sensor has given up on 1 of the landed files"
        assert not over
        platform.drop("b.csv")
        assert isinstance(platform.decide_after(61), Launch)

    @pytest.mark.usefixtures("spark_settings")  # it warms Spark up
    def test_a_run_that_fails_by_itself(self, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        platform.drop("a.csv")
        tags = {WAITING_TAG: platform.launched()}
        monkeypatch.setenv("ECOM_LOCK_WAIT_SECONDS", "0")
        with ingest_lock(platform.database, 0):
            ended = job_of("ingest").execute_in_process(
                instance=platform.instance, tags=tags, raise_on_error=False
            )
        assert not ended.success
        assert "1 run for them did not succeed" in platform.skipped()
        assert isinstance(platform.decide_after(11), Launch)

    def test_a_success_ends_the_row(self, platform: Platform) -> None:
        platform.drop("a.csv")
        platform.fail(3)
        platform.run(Status.SUCCESS)
        platform.drop("b.csv")
        platform.launched()

    def test_given_up_again_after_a_change_is_said_again(self, platform: Platform) -> None:
        platform.drop("a.csv")
        platform.fail(6)
        platform.skipped()
        platform.drop("b.csv")
        platform.fail(6)
        platform.skipped()
        assert len(platform.given_up()) == 2
        # The first is not over either: its file still waits.
        assert [over for _, over in platform.alerts()] == [False, False]
        for name in ("a.csv", "b.csv"):
            (platform.zone.landing / name).unlink()
        assert platform.skipped() == "Nothing has landed."
        assert [over for _, over in platform.alerts()] == [True, True]

    @pytest.mark.parametrize("remembered", [True, False])
    def test_given_up_files_that_are_gone_are_no_problem_any_more(
        self, platform: Platform, remembered: bool
    ) -> None:
        """Removed, or loaded by a run that was launched by hand; also after the cursor was lost."""
        platform.drop("a.csv")
        platform.fail(6)
        platform.skipped()
        run = platform.run(Status.STARTED)
        assert "under way" in platform.skipped()
        assert [over for _, over in platform.alerts()] == [False]
        platform.instance.report_run_canceled(run)
        (platform.zone.landing / "a.csv").unlink()
        if not remembered:
            platform.cursor = None
        assert platform.skipped() == "Nothing has landed."
        assert [over for _, over in platform.alerts()] == [True]

    def test_no_memory_of_other_files_is_needed(self, platform: Platform) -> None:
        """Deleting Dagster's history starts anew; nothing is lost by it."""
        platform.drop("a.csv")
        platform.fail(6)
        for record in platform.instance.get_run_records():
            platform.instance.delete_run(record.dagster_run.run_id)
        platform.launched()


def test_ten_thousand_files(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOM_SETTLE_SECONDS", "1")
    # Not to be given up before it has seen them all.
    monkeypatch.setattr(folder_arrivals, "LOOK_SECONDS", 30.0)
    content = csv_file(line())
    for number in range(10_000):
        path = platform.zone.landing / f"{number:05}.csv"
        path.write_bytes(content)
        make_old(path)
    platform.launched()
    claim(platform.database, platform.zone, list(look(platform.zone.landing).files.values())[:5_000])
    platform.launched()


# A run in a process of its own, as a run worker is, that reaches the ingest and stays in it.
RUN = """
import sys
from pathlib import Path
from ecom_platform.definitions import defs
from ecom_platform.orchestration.execution import execute
execute(defs, Path(sys.argv[1]), "ingest", {}, sys.argv[2])
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "dagster"
    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


@pytest.mark.usefixtures("starts_programs")
class TestStaleRuns:
    def test_a_run_whose_process_is_killed(self, platform: Platform, home: Path) -> None:
        """Its pool and its lock are free again, and its files are tried again."""
        run_id = "5d1a2c5e-0000-4000-8000-000000000001"
        platform.drop("a.csv")
        with dg.DagsterInstance.get() as instance, ingest_lock(platform.database, 0):
            platform.instance = instance
            with subprocess.Popen([sys.executable, "-c", RUN, str(home), run_id]) as process:
                try:
                    wait_until(lambda: waits_for_the_lock(instance, run_id))
                    assert end_stale_runs(instance) == []
                    assert "under way" in platform.skipped()
                finally:
                    process.send_signal(signal.SIGKILL)
            assert end_stale_runs(instance) == [run_id]
            assert end_stale_runs(instance) == []
            run = instance.get_run_by_id(run_id)
            assert run is not None
            assert run.status is Status.FAILURE
            assert not list((home / "presence").iterdir())
        with dg.DagsterInstance.get() as instance:
            platform.instance = instance
            assert isinstance(platform.decide_after(61), Launch)

    def test_a_run_that_lives(self, platform: Platform) -> None:
        run = platform.run(Status.STARTED)
        home = Path(platform.instance.root_directory)
        appear(home, run.run_id)
        try:
            assert end_stale_runs(platform.instance) == []
        finally:
            leave(home, run.run_id)

    def test_killed_between_its_row_and_its_first_event(self, platform: Platform) -> None:
        """`ecom run` shows itself before it makes the run; killed then, nothing else would end it."""
        platform.drop("a.csv")
        run = platform.run(Status.NOT_STARTED)
        program = (
            "import sys, time; from pathlib import Path;"
            "from ecom_platform.orchestration.presence import appear;"
            "appear(Path(sys.argv[1]), sys.argv[2]); print('here', flush=True); time.sleep(60)"
        )
        command = [sys.executable, "-c", program, platform.instance.root_directory, run.run_id]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"here\n"
                assert end_stale_runs(platform.instance) == []
                assert "under way" in platform.skipped()
            finally:
                process.kill()
        assert end_stale_runs(platform.instance) == [run.run_id]

    def test_a_run_whose_step_has_ended(self, platform: Platform) -> None:
        """Where each step is a process, the step that loaded is gone while others are at work."""
        run = platform.run(Status.STARTED)
        platform.instance.add_run_tags(run.run_id, {".dagster/grpc_info": json.dumps({"socket": "/s"})})
        run = platform.instance.get_run_by_id(run.run_id) or run
        step = (
            "import sys; from pathlib import Path;"
            "from ecom_platform.orchestration.presence import appear; appear(Path(sys.argv[1]), sys.argv[2])"
        )
        command = [sys.executable, "-c", step, platform.instance.root_directory, run.run_id]
        subprocess.run(command, check=True, timeout=240)
        with subprocess.Popen(["sleep", "60"]) as process:
            try:
                platform.instance.report_engine_event(
                    "Started process for run", run, EngineEventData.in_process(process.pid)
                )
                assert end_stale_runs(platform.instance) == []
            finally:
                process.kill()
                zombie = psutil.Process(process.pid)
                wait_until(lambda: zombie.status() == psutil.STATUS_ZOMBIE)
            # Nobody has asked for its exit code yet.
            assert end_stale_runs(platform.instance) == [run.run_id]

    def test_a_pid_that_is_somebody_elses_by_now(self, platform: Platform) -> None:
        run = platform.run(Status.STARTED)
        platform.instance.add_run_tags(run.run_id, {".dagster/grpc_info": json.dumps({"socket": "/s"})})
        platform.instance.handle_new_event(
            dg.EventLogEntry(
                error_info=None,
                level=20,
                user_message="",
                run_id=run.run_id,
                timestamp=psutil.Process().create_time() - 60,
                job_name=run.job_name,
                dagster_event=DagsterEvent(
                    dg.DagsterEventType.ENGINE_EVENT.value,
                    run.job_name,
                    event_specific_data=EngineEventData.in_process(os.getpid()),
                ),
            )
        )
        assert end_stale_runs(platform.instance) == [run.run_id]

    @pytest.mark.parametrize("status", [Status.NOT_STARTED, Status.STARTED, Status.CANCELING])
    def test_a_run_of_which_nothing_is_known(self, platform: Platform, status: Status) -> None:
        """It may be another machine's: its age is no proof."""
        platform.run(status)
        assert end_stale_runs(platform.instance) == []

    @pytest.mark.parametrize(
        ("status", "end"), [(Status.STARTED, Status.FAILURE), (Status.CANCELING, Status.CANCELED)]
    )
    def test_killed_before_its_process_could_show_itself(
        self, platform: Platform, status: Status, end: Status
    ) -> None:
        """The launcher's own event names the pid; a live one is left alone, a dead one is not."""
        run = platform.run(status)
        platform.instance.add_run_tags(run.run_id, {".dagster/grpc_info": json.dumps({"socket": "/s"})})
        run = platform.instance.get_run_by_id(run.run_id) or run
        with subprocess.Popen(["sleep", "60"]) as process:
            try:
                platform.instance.report_engine_event(
                    "Started process for run", run, EngineEventData.in_process(process.pid)
                )
                assert end_stale_runs(platform.instance) == []
            finally:
                process.kill()
        assert end_stale_runs(platform.instance) == [run.run_id]
        ended = platform.instance.get_run_by_id(run.run_id)
        assert ended is not None
        assert ended.status is end


def waits_for_the_lock(instance: dg.DagsterInstance, run_id: str) -> bool:
    entries = instance.all_logs(run_id) if instance.has_run(run_id) else []
    return any("Waiting for the ingest lock" in entry.user_message for entry in entries)


class TestUnknownRuns:
    """Left by an older version, or known only to a folder that is gone: nobody can say whether they run."""

    def silent(self, platform: Platform, monkeypatch: pytest.MonkeyPatch, seconds: float) -> dg.DagsterRun:
        """A run of the state STARTED that says nothing for so long by now."""
        run = platform.run(Status.STARTED, job="main")  # whose failures delay nothing
        now = time.time()
        monkeypatch.setattr(sensor.time, "time", lambda: now + seconds)
        return run

    def test_it_is_named_while_it_holds_up_loading(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        platform.drop("a.csv")
        run = self.silent(platform, monkeypatch, 300)
        assert platform.skipped() == (
            f"An ingest is under way: run {run.run_id} of main, started (nothing is known of its process; "
            "it is ended in 10 min unless it says something)."
        )

    def test_it_is_ended_and_what_waits_is_loaded(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        platform.drop("a.csv")
        run = self.silent(platform, monkeypatch, 1_000)
        platform.launched()
        ended = platform.instance.get_run_by_id(run.run_id)
        assert ended is not None and ended.status is Status.FAILURE
        (failure,) = platform.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        assert "Nothing is known of the process" in str(failure.message)

    def test_one_that_speaks_is_left_alone(self, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        platform.drop("a.csv")
        run = self.silent(platform, monkeypatch, 1_000)
        platform.instance.report_engine_event("still here", run)
        (newest,) = platform.instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        monkeypatch.setattr(sensor.time, "time", lambda: newest.event_log_entry.timestamp + 1)
        assert "under way" in platform.skipped()

    def test_while_somebody_holds_the_lock_none_is_ended(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        platform.drop("a.csv")
        self.silent(platform, monkeypatch, 1_000)
        with ingest_lock(platform.database, 0):
            assert "it is ended in 0 min" in platform.skipped()
        platform.launched()

    def test_a_known_run_is_never_ended_for_its_silence(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        platform.drop("a.csv")
        run = self.silent(platform, monkeypatch, 100_000)
        home = Path(platform.instance.root_directory)
        appear(home, run.run_id)
        try:
            assert platform.skipped() == f"An ingest is under way: run {run.run_id} of main, started."
        finally:
            leave(home, run.run_id)

    def test_runs_that_hold_up_nothing_are_nobodys_business(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = platform.run(Status.STARTED, job="replay_rejects")
        now = time.time()
        monkeypatch.setattr(sensor.time, "time", lambda: now + 100_000)
        platform.skipped()
        kept = platform.instance.get_run_by_id(run.run_id)
        assert kept is not None and kept.status is Status.STARTED
