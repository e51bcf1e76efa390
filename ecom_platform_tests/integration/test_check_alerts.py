"""``check_alerts`` on a real Dagster instance: what is told of checks, runs, freshness and files."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange
from dagster._core.events import DagsterEvent
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG
from dagster._core.workspace.autodiscovery import loadable_targets_from_python_file
from sqlalchemy import text

from ecom_platform.errors import DatabaseError
from ecom_platform.oncall.corrections import replay_corrected
from ecom_platform.orchestration.alerting import check_alerts, sensor
from ecom_platform.orchestration.alerting.platform import file_source
from ecom_platform.orchestration.alerting.position import OVERLAP, Position
from ecom_platform.orchestration.alerting.sensor import AlertWatch
from ecom_platform.store.connection import Database
from ecom_platform_tests.alerting import PASSWORD, Ticking, rows
from ecom_platform_tests.landing import Landing, csv_file, line
from ecom_platform_tests.receivers import Receiver, webhook
from ecom_platform_tests.waiting import wait_until

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "shop_with_alerts.py"

# Dagster itself asks pydantic for what pydantic calls deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated"),
    pytest.mark.usefixtures("starts_programs"),
]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    folder = tmp_path / "dagster"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder), overrides={"telemetry": {"enabled": False}}) as instance:
        yield instance


class Project:
    """The sensor of a project, ticking on an instance."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.defs, self.instance = defs, instance
        self.cursor: str | None = None
        self.sensor = defs.get_repository_def().get_sensor_def("check_alerts")
        assert self.tick() == "The watch begins."

    def tick(self) -> str:
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, repository_def=self.defs.get_repository_def()
        )
        data = self.sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return data.skip_message or ""

    def run(self, job: str | None = None, config: dict[str, Any] | None = None, **tags: str) -> str:
        chosen = self.defs.resolve_job_def(job) if job else self.defs.resolve_implicit_global_asset_job_def()
        result = chosen.execute_in_process(
            instance=self.instance, run_config=config or {}, raise_on_error=False, tags=tags
        )
        return result.run_id


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick of a test waits until everything is delivered, however busy the machine is."""
    monkeypatch.setattr(sensor, "PATIENCE_SECONDS", 240.0)


@pytest.fixture
def start(
    database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Project]:
    def start(mine: dg.Definitions, *urls: str, **options: Any) -> Project:
        monkeypatch.chdir(tmp_path)  # no .env of this machine
        monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
        monkeypatch.setenv("ECOM_ALERT_URLS", " ".join(urls))
        return Project(dg.Definitions.merge(mine, check_alerts(**options)), instance)

    return start


def test_the_documented_example(
    database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A failing check, an alert; a passing one, the recovery; in a project with variables of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_DATABASE_URL", database.url)
    (target,) = loadable_targets_from_python_file(str(EXAMPLE))  # as `dagster dev -f` does
    few = {"ops": {"orders": {"config": {"orders": 3}}}}
    with webhook() as hook:
        monkeypatch.setenv("SHOP_ALERT_URLS", hook.url)
        shop = Project(target.target_definition, instance)
        run_id = shop.run(config=few)
        shop.tick()
        shop.run(config=few)  # still the same problem
        shop.tick()
        shop.run()
        shop.tick()
        assert [message["title"] for message in hook.received] == [
            "[ERROR] orders: check enough_orders failed",
            "[RECOVERED] orders: check enough_orders failed",
        ]
        for part in (
            "asset: orders",
            "check: enough_orders",
            "expected: at least 10",
            "found: 3",
            f"run: {run_id}",
            "link: http://127.0.0.1:3000/assets/orders?view=checks&checkDetail=enough_orders",
        ):
            assert part in hook.received[0]["message"].splitlines()


def test_an_alert_says_what_the_check_says_in_the_ui(start: Callable[..., Project]) -> None:
    """Where, how much and what to do; also when several checks share a message."""

    @dg.asset
    def numbers() -> None:
        pass

    def check(name: str) -> dg.AssetChecksDefinition:
        @dg.asset_check(
            asset=numbers, name=name, description=f"The promise of {name}.\n\nIf it fails, do this."
        )
        def found_wanting() -> dg.AssetCheckResult:
            table = dg.TableMetadataValue(
                [dg.TableRecord({"day": "monday", "rows": 3}), dg.TableRecord({"day": "friday", "rows": 0})],
                dg.TableSchema([dg.TableColumn("day"), dg.TableColumn("rows", "int")]),
            )
            return dg.AssetCheckResult(
                passed=False,
                description="Two days are short of rows.",
                metadata={"expected": "9 rows a day", "days": table, "found": "fewer", "files": {"a.csv": 7}},
            )

        return found_wanting

    with webhook() as hook:
        checks = [check("complete"), check("recent")]
        project = start(dg.Definitions([numbers], asset_checks=checks), hook.url)
        project.run()
        project.tick()
        (message,) = hook.received
        assert message["title"].endswith(", and 1 more")
        for name, part in zip(("complete", "recent"), message["message"].split("\n\n"), strict=True):
            for said in (
                "expected: 9 rows a day",
                "found: fewer",
                "says: Two days are short of rows.",
                "days: day: monday, rows: 3, day: friday, rows: 0",
                'files: {"a.csv": 7}',
                f"about: The promise of {name}.",
                "what to do: If it fails, do this.",
                f"link: http://127.0.0.1:3000/assets/numbers?view=checks&checkDetail={name}",
            ):
                assert said in part.splitlines(), said


def test_a_check_that_raises_and_the_run_it_fails(database: Database, start: Callable[..., Project]) -> None:
    broken = True

    @dg.asset
    def numbers() -> None:
        pass

    @dg.asset_check(asset=numbers)
    def sane() -> dg.AssetCheckResult:
        if broken:
            raise ZeroDivisionError(f"no answer from postgresql://bob:{PASSWORD}@db/x")
        return dg.AssetCheckResult(passed=True)

    project = start(dg.Definitions([numbers], asset_checks=[sane], jobs=[dg.define_asset_job("nightly")]))
    run_id = project.run("nightly")
    project.tick()
    found = rows(database, "SELECT kind, title, asset, check_name, found, run_id FROM alerts ORDER BY kind")
    assert [(kind, title, run) for kind, title, _, _, _, run in found] == [
        ("check_raised", "numbers: check sane gave no answer", run_id),
        ("run_failed", "job nightly failed in step numbers_sane", run_id),
    ]
    assert found[0][2:4] == ("numbers", "sane")
    assert "ZeroDivisionError: no answer from postgresql://bob:***@db/x" in found[0][4]
    broken = False
    project.run("nightly")
    project.tick()
    assert rows(database, "SELECT count(*) FROM alerts WHERE resolved_at IS NULL") == [(0,)]


@pytest.mark.filterwarnings("ignore:Specifying a partitions_def on an AssetCheckSpec")
def test_a_partitioned_check_that_raises_and_then_answers_is_one_problem_a_partition(
    database: Database, start: Callable[..., Project]
) -> None:
    broken = True
    days = dg.StaticPartitionsDefinition(["monday", "tuesday"])

    @dg.asset(partitions_def=days)
    def numbers() -> None:
        pass

    @dg.asset_check(asset=numbers, partitions_def=days)
    def sane() -> dg.AssetCheckResult:
        if broken:
            raise ZeroDivisionError("no answer")
        return dg.AssetCheckResult(passed=True)

    project = start(dg.Definitions([numbers], asset_checks=[sane]))
    job = project.defs.resolve_implicit_global_asset_job_def()

    def run(day: str) -> None:
        job.execute_in_process(instance=project.instance, partition_key=day, raise_on_error=False)
        project.tick()

    for day in ("monday", "tuesday"):
        run(day)
    of_check = "SELECT key, resolved_at IS NOT NULL FROM alerts WHERE kind = 'check_raised' ORDER BY 1"
    monday, tuesday = "check/numbers/sane/monday", "check/numbers/sane/tuesday"
    assert rows(database, of_check) == [(monday, False), (tuesday, False)]
    broken = False
    run("monday")
    assert rows(database, of_check) == [(monday, True), (tuesday, False)]


def test_a_failed_step_is_told_by_its_assets(database: Database, start: Callable[..., Project]) -> None:
    @dg.multi_asset(specs=[dg.AssetSpec("left"), dg.AssetSpec(["shop", "right"])])
    def both() -> dg.MaterializeResult:
        raise ValueError("no")

    @dg.op
    def tidy() -> None:
        raise ValueError("no")

    @dg.job
    def tidying() -> None:
        tidy()

    nightly = dg.define_asset_job("nightly", selection="*")
    project = start(dg.Definitions([both], jobs=[nightly, tidying]))
    project.run("nightly")
    project.run("tidying")
    project.tick()
    assert rows(database, "SELECT title, asset FROM alerts ORDER BY 1") == [
        ("job nightly failed in step both", "left, shop/right"),
        ("job tidying failed in step tidy", None),
    ]


def test_a_warning_is_no_alert_and_ends_one(database: Database, start: Callable[..., Project]) -> None:
    severity = dg.AssetCheckSeverity.WARN

    @dg.asset
    def numbers() -> None:
        pass

    @dg.asset_check(asset=numbers)
    def sane() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, severity=severity)

    project = start(dg.Definitions([numbers], asset_checks=[sane]))
    project.run()
    project.tick()
    assert rows(database, "SELECT * FROM alerts") == []
    severity = dg.AssetCheckSeverity.ERROR
    project.run()
    project.tick()
    severity = dg.AssetCheckSeverity.WARN
    project.run()
    project.tick()
    assert rows(database, "SELECT title, resolution FROM alerts") == [
        ("numbers: check sane failed", "The check failed, but only as a warning.")
    ]


def test_materializations_of_other_assets_do_not_end_a_failure(
    database: Database, start: Callable[..., Project]
) -> None:
    @dg.asset
    def good() -> None:
        pass

    healed = False

    @dg.asset
    def bad() -> None:
        if not healed:
            raise ValueError("no")

    project = start(dg.Definitions([good, bad]))

    def materialize(asset: Any) -> None:
        dg.materialize([asset], instance=project.instance, raise_on_error=False)
        project.tick()

    materialize(bad)
    assert rows(database, "SELECT kind, title, found FROM alerts") == [
        ("run_failed", "a materialization failed in step bad", "step bad failed: ValueError: no")
    ]
    materialize(good)
    assert rows(database, "SELECT resolved_at FROM alerts") == [(None,)]
    healed = True
    materialize(bad)
    assert rows(database, "SELECT resolved_at IS NULL FROM alerts") == [(False,)]


def test_freshness_lost_and_regained(database: Database, start: Callable[..., Project]) -> None:
    project = start(dg.Definitions())

    def change(before: FreshnessState, after: FreshnessState) -> None:
        project.instance._report_runless_asset_event(
            FreshnessStateChange(
                key=dg.AssetKey(["shop", "orders"]),
                previous_state=before,
                new_state=after,
                state_change_timestamp=time.time(),
            )
        )
        project.tick()

    change(FreshnessState.UNKNOWN, FreshnessState.PASS)
    change(FreshnessState.PASS, FreshnessState.WARN)
    assert rows(database, "SELECT * FROM alerts") == []
    change(FreshnessState.WARN, FreshnessState.FAIL)
    assert rows(database, "SELECT title, link, resolved_at FROM alerts") == [
        ("shop/orders is no longer fresh", "http://127.0.0.1:3000/assets/shop/orders", None)
    ]
    change(FreshnessState.FAIL, FreshnessState.PASS)
    assert rows(database, "SELECT resolution FROM alerts") == [("Its freshness is PASS.",)]


def test_a_run_that_hangs_and_goes_on(database: Database, start: Callable[..., Project]) -> None:
    @dg.job
    def patient() -> None:
        pass

    project = start(dg.Definitions(jobs=[patient]))
    job = project.defs.resolve_job_def("patient")
    run = project.instance.create_run_for_job(job, tags={MAX_RUNTIME_SECONDS_TAG: "1"})
    other = project.instance.create_run_for_job(job)
    for each in (run, other):
        project.instance.handle_new_event(_started(each))
    told = "SELECT kind, run_id, expected FROM alerts"

    def hangs() -> list[tuple[Any, ...]]:
        project.tick()
        return rows(database, told)

    wait_until(hangs)
    assert rows(database, told) == [("run_hangs", run.run_id, "not longer than 1 s")]
    project.tick()
    project.instance.report_run_canceled(run)
    project.tick()
    assert rows(database, "SELECT times_seen, resolution FROM alerts") == [
        (1, "The run has gone on or ended.")
    ]


def _started(run: dg.DagsterRun) -> Any:
    return dg.EventLogEntry(
        error_info=None,
        level=logging.INFO,
        user_message="",
        run_id=run.run_id,
        timestamp=time.time(),
        job_name=run.job_name,
        dagster_event=DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name),
    )


def test_events_whose_numbers_commit_late(database: Database, start: Callable[..., Project]) -> None:
    """An event is behind others that were read; a cursor that only moves on would never see it."""
    project = start(dg.Definitions())

    def evaluate(check: str, passed: bool) -> None:
        project.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(asset_key=dg.AssetKey("a"), check_name=check, passed=passed, metadata={})
        )

    evaluate("early", False)
    evaluate("late", False)
    evaluate("early", True)
    storage: Any = project.instance.event_log_storage
    with storage.index_connection() as connection:
        held = connection.execute(text("SELECT * FROM event_logs WHERE id = 2")).mappings().one()
        connection.execute(text("DELETE FROM event_logs WHERE id = 2"))
    project.tick()
    assert rows(database, "SELECT key, resolved_at IS NULL FROM alerts") == [("check/a/early", False)]
    with storage.index_connection() as connection:
        columns = ", ".join(held)
        places = ", ".join(f":{name}" for name in held)
        connection.execute(text(f"INSERT INTO event_logs ({columns}) VALUES ({places})"), dict(held))
    for _ in range(3):
        project.tick()
    assert rows(database, "SELECT key, resolved_at IS NULL, times_seen FROM alerts ORDER BY 1") == [
        ("check/a/early", False, 1),
        ("check/a/late", True, 1),
    ]


def test_a_restart_between_event_and_tick_loses_nothing(
    database: Database, start: Callable[..., Project]
) -> None:
    project = start(dg.Definitions())
    project.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=dg.AssetKey("a"), check_name="c", passed=False, metadata={})
    )
    with webhook() as hook:
        again = start(dg.Definitions(), hook.url)  # its first tick begins anew: old problems are no news
        assert hook.received == []
        again.cursor = project.cursor  # what Dagster keeps
        again.tick()
        assert len(hook.received) == 1
        again.tick()
        assert len(hook.received) == 1


def test_what_happens_before_the_first_tick_that_succeeds_is_told(
    database: Database, start: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is away when the watch begins; a tick that fails keeps no cursor."""
    project = start(dg.Definitions())
    monkeypatch.setenv("ECOM_POSTGRES_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    project.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=dg.AssetKey("a"), check_name="c", passed=False, metadata={})
    )
    with pytest.raises(DatabaseError):
        project.tick()
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    project.tick()
    assert rows(database, "SELECT key FROM alerts") == [("check/a/c",)]


def test_a_wiped_event_log_is_read_from_its_beginning(
    database: Database, start: Callable[..., Project]
) -> None:
    project = start(dg.Definitions())
    now = datetime.now(UTC) - timedelta(days=1)
    project.cursor = Position.beginning(now, 5_000).dump()
    project.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=dg.AssetKey("a"), check_name="c", passed=False, metadata={})
    )
    project.tick()
    assert rows(database, "SELECT key FROM alerts") == [("check/a/c",)]


def test_the_position_reads_two_minutes_again_and_stays_short() -> None:
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    position = Position.beginning(begun, 10)
    for tick in range(1, 1_000):
        now = begun + timedelta(seconds=5 * tick)
        overlap = [seen for seen in range(tick) if now - timedelta(seconds=5 * seen) - begun >= OVERLAP]
        assert position.after(now) <= 10 + (overlap[-1] if overlap else 0)
        position = Position.load(position.advanced(now, 10 + tick).dump())
        assert len(position.marks) < 20
    assert (position.reached, position.since) == (10 + 999, begun)


def test_no_secret_anywhere(
    database: Database, start: Callable[..., Project], caplog: pytest.LogCaptureFixture
) -> None:
    token = "T0P5ECRET1234567"
    mine = dg.Definitions()
    caplog.set_level(logging.DEBUG)
    with webhook(path=f"/{token}") as hook, webhook(answer=lambda n: 500, path=f"/{token}2") as bad:
        down = f"json://bob:{PASSWORD}@127.0.0.1:1/{token}3"
        project = start(mine, hook.url, bad.url, down, f"slack://{token}/{token}/{token}")
        project.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey("a"),
                check_name="c",
                passed=False,
                metadata={"found": f"cannot post to {hook.url}", "expected": f"password={PASSWORD}"},
            )
        )
        said = project.tick()
        assert hook.received
        sent = json.dumps([message["title"] + message["message"] for message in hook.received])
    kept = str(rows(database, "SELECT * FROM alerts")) + str(rows(database, "SELECT * FROM alert_deliveries"))
    logged = "\n".join(record.getMessage() for record in caplog.records)
    logged += "\n".join(record.exc_text or "" for record in caplog.records)
    assert "were not delivered" in logged
    for place in (sent, kept, logged, said, str(project.cursor), repr(project.defs)):
        assert token not in place
        assert PASSWORD not in place


def test_the_heartbeat_comes_once_a_minute_while_all_is_well(
    database: Database, start: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as life:
        monkeypatch.setenv("ECOM_HEARTBEAT_URL", life.url.replace("json://", "http://"))
        project = start(dg.Definitions())
        project.tick()
        life.wait_for(lambda receiver: len(receiver.received) == 1)
        project.tick()

        def broken(*arguments: Any) -> Iterator[Any]:
            raise RuntimeError("the tables cannot be read")

        other = AlertWatch(sources=[broken])
        with pytest.raises(RuntimeError, match="cannot be read"):
            other.tick(project.instance, str(project.cursor), "")
        wait_until(lambda: not beating())
        assert len(life.received) == 1


def beating() -> list[threading.Thread]:
    """The calls of the heartbeat that are under way."""
    return [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


def test_no_heartbeat_while_another_sensor_fails(
    database: Database, start: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The landing folder is not mounted: daemon and alerts tick, and nothing is loaded."""
    with webhook() as life:
        monkeypatch.setenv("ECOM_HEARTBEAT_URL", life.url.replace("json://", "http://"))
        project = start(dg.Definitions())
        landing = Ticking(project.instance, "new_csv_files")
        watch = AlertWatch()
        for _ in range(3):
            landing.tick(TickStatus.FAILURE)
            summary, _ = watch.tick(project.instance, str(project.cursor), "here")
        assert summary.endswith("; no heartbeat, since new_csv_files fails or is silent.")
        assert rows(database, "SELECT title FROM alerts") == [("the ticks of sensor new_csv_files fail",)]
        wait_until(lambda: not beating())
        assert life.received == []
        landing.tick(TickStatus.SKIPPED)
        watch.tick(project.instance, str(project.cursor), "here")
        life.wait_for(lambda receiver: len(receiver.received) == 1)
        assert rows(database, "SELECT resolved_at IS NOT NULL FROM alerts") == [(True,)]


def test_problems_are_delivered_although_something_cannot_be_watched(
    database: Database, start: Callable[..., Project]
) -> None:
    def broken(*arguments: Any) -> Iterator[Any]:
        raise RuntimeError("the tables cannot be read")

    with webhook() as hook:
        project = start(dg.Definitions(), hook.url)
        project.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(asset_key=dg.AssetKey("a"), check_name="c", passed=False, metadata={})
        )
        with pytest.raises(RuntimeError):
            AlertWatch(sources=[broken]).tick(project.instance, str(project.cursor), "")
        assert [message["title"] for message in hook.received] == ["[ERROR] a: check c failed"]


# -- this platform's files -----------------------------------------------------------------------


@pytest.fixture
def landing(database: Database, zone: Any) -> Landing:
    return Landing(database, zone)


class TestFiles:
    @pytest.fixture
    def hook(self) -> Iterator[Receiver]:
        with webhook() as hook:
            yield hook

    @pytest.fixture
    def project(self, start: Callable[..., Project], hook: Receiver) -> Project:
        return start(dg.Definitions(), hook.url, sources=[file_source])

    def drop(self, landing: Landing, name: str, content: bytes) -> None:
        (landing.zone.landing / name).write_bytes(content)

    def another_run(self, landing: Landing, run_id: str) -> Landing:
        other = Landing(landing.database, landing.zone)
        with landing.database.transaction() as connection:
            connection.execute(
                "UPDATE stream_batches SET run_id = %s WHERE batch_id = %s", (run_id, other.batch_id)
            )
        return other

    def test_many_quarantined_files_are_one_message(
        self, landing: Landing, project: Project, hook: Receiver
    ) -> None:
        for number in range(30):
            self.drop(landing, f"bad_{number:02}.csv", b"not,the,header\n1,2,3\n")
        landing.ingest()
        for _ in range(2):
            project.tick()
        (message,) = hook.received
        assert message["title"] == "[ERROR] user_events: 30 files were put into quarantine"
        assert "bad_00.csv" in message["message"]
        for number in range(30):
            self.drop(landing, f"bad_{number:02}.csv", csv_file(line()))
            if number == 28:
                landing.ingest()
                project.tick()
                assert len(hook.received) == 1
        landing.ingest()
        project.tick()
        assert hook.received[-1]["title"].startswith("[RECOVERED]")
        project.tick()
        assert len(hook.received) == 2

    def test_too_many_rejects_are_over_when_they_are_no_longer_refused(
        self, landing: Landing, project: Project, hook: Receiver, database: Database, tmp_path: Path
    ) -> None:
        """A later run is better, and all the same rows are still refused: nothing is over."""
        ids = [str(uuid.uuid4()) for _ in range(2)]
        wrong = [line(event_id).replace(b"Books", b"Cooks") for event_id in ids]
        self.drop(landing, "mixed.csv", csv_file(line(), *wrong))
        landing.ingest()
        project.tick()
        (message,) = hook.received
        assert message["title"] == "[ERROR] user_events: 66.7% of the rows were rejected"
        for said in (
            "expected: at most 5.0% of the rows rejected, of a run and of each file",
            "found: 2 of 3 rows (66.7%)",
            "mixed.csv: 2 of 3 rows: category: not_in_list (2)",
            "ecom rejects replay --fixed",
            "link: http://127.0.0.1:3000/assets/user_events?view=checks&checkDetail=few_rows_rejected",
        ):
            assert said in message["message"]
        better = self.another_run(landing, "better")
        self.drop(better, "good.csv", csv_file(line()))
        better.ingest()
        for _ in range(2):
            project.tick()
        assert len(hook.received) == 1
        fixed = tmp_path / "fixed.csv"
        for done, event_id in enumerate(ids, 1):
            fixed.write_bytes(csv_file(line(event_id)))
            replay_corrected(database, fixed)
            project.tick()
            assert len(hook.received) == (1 if done == 1 else 2)
        assert "over: Of the rows of these runs, none are still rejected." in hook.texts[1]

    def test_a_run_that_is_bad_after_a_good_one_is_told_although_the_first_is_not_over(
        self, landing: Landing, project: Project, hook: Receiver, database: Database
    ) -> None:
        for run_id, bad in (("first", True), ("well", False), ("second", True), ("third", True)):
            run = self.another_run(landing, run_id)
            self.drop(run, f"{run_id}.csv", csv_file(line(), b"not an event" if bad else line()))
            run.ingest()
            for _ in range(2):
                project.tick()
        assert [text.split("\n")[0] for text in hook.texts] == [
            "[ERROR] user_events: 50.0% of the rows were rejected"
        ] * 2
        assert rows(database, "SELECT run_id, times_seen FROM alerts ORDER BY alert_id") == [
            ("first", 1),
            ("third", 2),
        ]

    def test_one_bad_file_among_many_good_rows(
        self, landing: Landing, project: Project, hook: Receiver
    ) -> None:
        self.drop(landing, "good.csv", csv_file(*(line() for _ in range(96))))
        self.drop(landing, "bad.csv", csv_file(line(), line(), b"not an event", b"nor this"))
        landing.ingest()
        project.tick()
        (message,) = hook.received
        assert message["title"] == "[ERROR] user_events: 50.0% of the rows of bad.csv were rejected"
        assert "found: 2 of 100 rows (2.0%); of bad.csv alone 2 of 4 rows (50.0%)" in message["message"]

    def test_rejects_that_were_replayed_are_over(
        self, landing: Landing, project: Project, hook: Receiver, database: Database
    ) -> None:
        self.drop(landing, "mixed.csv", csv_file(line(), b"not an event"))
        landing.ingest()
        project.tick()
        with database.transaction() as connection:  # what a replay does to the counts
            connection.execute("UPDATE ingested_files SET rows_rejected = 0, rows_inserted = 2")
        for _ in range(2):
            project.tick()
        assert [text.split("]")[0] for text in hook.texts] == ["[ERROR", "[RECOVERED"]

    def test_a_few_rejects_are_no_alert(self, landing: Landing, project: Project, hook: Receiver) -> None:
        self.drop(landing, "mixed.csv", csv_file(*(line() for _ in range(99)), b"not an event"))
        landing.ingest()
        project.tick()
        assert hook.received == []

    def test_a_producer_of_rejects_is_one_problem_over_many_runs(
        self, landing: Landing, project: Project, hook: Receiver, database: Database
    ) -> None:
        for number in range(4):
            run = self.another_run(landing, f"run-{number}")
            self.drop(run, f"mixed_{number}.csv", csv_file(*(line() for _ in range(9)), b"not an event"))
            run.ingest()
            project.tick()
        assert len(hook.received) == 1
        ((found, run_id, times),) = rows(database, "SELECT found, run_id, times_seen FROM alerts")
        assert (run_id, times) == ("run-3", 4)
        assert found.startswith("1 of 10 rows (10.0%); since ")
        assert found.endswith(" UTC, 4 of 40 rows (10.0%) in 4 runs")

    def test_bad_files_one_after_the_other_are_one_problem_until_none_comes_for_an_hour(
        self, landing: Landing, project: Project, hook: Receiver, database: Database
    ) -> None:
        """Then the next one is told anew. What lies in quarantine is not over for having been there long."""
        for number in range(4):
            self.drop(landing, f"bad_{number}.csv", b"not,the,header\n1,2,3\n")
            landing.ingest()
            for _ in range(2):
                project.tick()
        assert len(hook.received) == 1
        ((found, times),) = rows(database, "SELECT found, times_seen FROM alerts")
        assert found.startswith("4 that cannot; newest bad_3.csv, ")
        assert times == 4
        with database.transaction() as connection:
            connection.execute(
                "UPDATE alerts SET occurred_at = occurred_at - interval '1 hour',"
                " last_event_at = last_event_at - interval '1 hour'"
            )
            connection.execute("UPDATE ingested_files SET finished_at = finished_at - interval '1 hour'")
        project.tick()
        assert len(hook.received) == 1
        self.drop(landing, "bad_4.csv", b"not,the,header\n1,2,3\n")
        landing.ingest()
        project.tick()
        assert [message["title"] for message in hook.received] == [
            f"[ERROR] user_events: the file bad_{number}.csv was put into quarantine" for number in (0, 4)
        ]

    def test_files_deleted_from_quarantine_are_over(
        self,
        landing: Landing,
        project: Project,
        hook: Receiver,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Nobody wants them. A zone in which nothing lies at all is more likely not there."""
        monkeypatch.setenv("ECOM_LANDING_DIR", str(landing.zone.landing))
        for name in ("bad.csv", "worse.csv"):
            self.drop(landing, name, b"not,the,header\n1,2,3\n")
        landing.ingest()
        project.tick()
        assert f"where: {landing.zone.quarantine}" in hook.texts[0]
        for kept in landing.zone.quarantine.iterdir():
            kept.unlink()
        project.tick()
        assert len(hook.received) == 1
        self.drop(landing, "good.csv", csv_file(line()))
        landing.ingest()
        project.tick()
        assert "over: Every one of these files was taken out of quarantine" in hook.texts[1]

    def test_what_happened_while_the_watcher_was_down_is_told(
        self, landing: Landing, project: Project, hook: Receiver, database: Database
    ) -> None:
        """For three days: longer than any look back that does not know of the last tick."""
        position = json.loads(str(project.cursor))
        long_ago = datetime.now(UTC) - timedelta(days=4)
        position["since"] = long_ago.isoformat()
        position["marks"] = [[long_ago.timestamp(), number] for _, number in position["marks"]]
        project.cursor = json.dumps(position)
        self.drop(landing, "bad.csv", b"not,the,header\n1,2,3\n")
        self.drop(landing, "mixed.csv", csv_file(line(), b"not an event"))
        landing.ingest()
        with database.transaction() as connection:
            connection.execute("UPDATE ingested_files SET finished_at = finished_at - interval '3 days'")
        project.tick()
        assert rows(database, "SELECT kind FROM alerts ORDER BY 1") == [("file_quarantined",), ("rejects",)]
        assert len(hook.received) == 1

    def test_problems_of_the_live_mode_link_to_the_asset(
        self, landing: Landing, project: Project, database: Database
    ) -> None:
        """Its run is none of Dagster's."""
        with database.transaction() as connection:
            connection.execute("INSERT INTO live_status (run_id, host, pid) VALUES ('test', 'host', 1)")
        self.drop(landing, "bad.csv", b"not,the,header\n1,2,3\n")
        self.drop(landing, "mixed.csv", csv_file(line(), b"not an event"))
        landing.ingest()
        project.tick()
        link = "http://127.0.0.1:3000/assets/user_events"
        assert rows(database, "SELECT run_id, link FROM alerts") == [(None, link), (None, link)]
