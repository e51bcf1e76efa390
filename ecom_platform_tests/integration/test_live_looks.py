"""What the live mode loads is audited, checked and counted, by runs that its sensor requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.requeue import reload_files
from ecom_platform.orchestration.resources import PostgresResource
from ecom_platform.orchestration.sensors import live_looks
from ecom_platform.orchestration.sensors.live_mode import live_mode
from ecom_platform.settings import Settings
from ecom_platform.store import live_status
from ecom_platform.store.connection import Database
from ecom_platform.store.live_status import Pulse
from ecom_platform.store.lock import LIVE_APPLICATION_NAME, IngestLock
from ecom_platform_tests.landing import Landing, csv_file, line

# Dagster's own, of what it calls within itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.usefixtures("starts_programs"),
]

USER_EVENTS = dg.AssetKey("user_events")
LEDGER_CHECK = dg.AssetCheckKey(USER_EVENTS, "table_matches_ledger")


class Live:
    """A live mode that has the lock, as far as the database and Dagster can see."""

    def __init__(self, database: Database, zone: LandingZone, instance: dg.DagsterInstance) -> None:
        self.database, self.instance = database, instance
        self.landing = Landing(database, zone)
        self.loaded = 0
        self._cursor: str | None = None
        with database.transaction() as connection:
            self._live_id = live_status.begin(connection, "live", "host", 1)

    def load(self, name: str, *lines: bytes) -> None:
        (self.landing.zone.landing / name).write_bytes(csv_file(*lines))
        self.loaded += sum(outcome.rows_read for outcome in self.landing.ingest())
        with self.database.transaction() as connection:
            live_status.beat(connection, self._live_id, Pulse(rows=self.loaded))

    def end(self) -> None:
        with self.database.transaction() as connection:
            live_status.end(connection, self._live_id)

    def tick(self) -> list[dg.RunRequest]:
        """The runs that the sensor requests; it materializes nothing itself."""
        from ecom_platform.definitions import defs, workload

        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self._cursor,
            resources={
                "ecom_postgres": PostgresResource(),
                "ecom_workload": workload,
                "ecom_declared": (defs.resources or {})["ecom_declared"],
            },
        ) as context:
            result: Any = live_mode(context)
        if isinstance(result, dg.SkipReason):
            return []
        assert not any(isinstance(event, dg.AssetMaterialization) for event in result.asset_events)
        self._cursor = result.cursor
        return list(result.run_requests or ())

    def look(self, requests: list[dg.RunRequest]) -> None:
        """Do what was requested."""
        from ecom_platform.definitions import defs

        (request,) = requests
        job = defs.resolve_job_def("ingest")
        assert job.execute_in_process(instance=self.instance, tags=request.tags).success

    def verdict(self) -> bool:
        """Of the check of the ledger, which is about the newest materialization: so it has its colour."""
        log = self.instance.event_log_storage
        record = log.get_latest_asset_check_execution_by_key([LEDGER_CHECK])[LEDGER_CHECK]
        newest = self.instance.get_latest_materialization_event(USER_EVENTS)
        assert newest is not None and record.evaluation is not None
        assert record.evaluation.target_materialization_data is not None
        assert record.evaluation.target_materialization_data.run_id == newest.run_id == record.run_id
        return record.evaluation.passed

    def ask(self, sql: str) -> Any:
        with self.database.transaction() as connection:
            row = connection.execute(sql).fetchone()  # type: ignore[arg-type]
        return None if row is None else row[0]


@pytest.fixture
def live(
    settings: Settings, database: Database, zone: LandingZone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Live]:
    monkeypatch.chdir(tmp_path)  # no .env of this machine
    monkeypatch.setenv("ECOM_HOME", str(settings.home))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    with dg.DagsterInstance.ephemeral() as instance, IngestLock(database, LIVE_APPLICATION_NAME) as lock:
        assert lock.try_take()
        yield Live(database, zone, instance)


def test_what_was_loaded_is_looked_at_and_a_failed_check_keeps_its_colour(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live.tick() == []
    live.load("a.csv", line(), line())
    lost = "DELETE FROM user_events WHERE event_id = (SELECT event_id FROM user_events LIMIT 1) RETURNING 1"
    assert live.ask(lost)
    live.look(live.tick())
    assert not live.verdict()
    assert live.ask("SELECT sum(purchases) FROM hourly_sales") == 1
    assert live.ask("SELECT count(*) FROM duplicate_audit") == 1

    live.load("b.csv", line())
    assert live.tick() == [], "not within five minutes of the last look"
    assert not live.verdict()

    monkeypatch.setattr(live_looks, "LOOK_SECONDS", 0.0)
    live.load("c.csv")
    reload_files(live.database, live.landing.zone, ["a.csv"])
    live.landing.ingest()
    live.look(live.tick())
    assert live.verdict()
    assert live.ask("SELECT sum(purchases) FROM hourly_sales") == 3
    assert live.tick() == [], "nothing came since"


def test_who_mends_a_failed_check_is_told_though_nothing_is_loaded(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecom_platform.definitions import defs

    monkeypatch.setattr(live_looks, "LOOK_SECONDS", 0.0)
    live.instance.create_run_for_job(defs.resolve_job_def("ingest"), status=dg.DagsterRunStatus.SUCCESS)
    assert live.tick() == []
    for passed in (False, True):
        evaluation = dg.AssetCheckEvaluation(
            asset_key=USER_EVENTS, check_name=LEDGER_CHECK.name, passed=passed, metadata={}
        )
        live.instance.report_runless_asset_event(evaluation)
        assert len(live.tick()) == (0 if passed else 1)


def test_the_last_rows_are_looked_at_when_it_has_ended(live: Live) -> None:
    live.load("a.csv", line())
    assert len(live.tick()) == 1
    assert live.tick() == []
    live.load("b.csv", line())
    live.end()
    assert len(live.tick()) == 1
    assert live.tick() == []


def test_a_look_that_failed_is_repeated(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_looks, "LOOK_SECONDS", 0.0)
    live.load("a.csv", line())
    (request,) = live.tick()
    from ecom_platform.definitions import defs

    job = defs.resolve_job_def("ingest")
    run = live.instance.create_run_for_job(job, tags=request.tags, status=dg.DagsterRunStatus.STARTED)
    assert live.tick() == [], "it is at work"
    live.instance.report_run_failed(run)
    assert len(live.tick()) == 1
