"""The code location as Dagster sees it: what there is, what it is called, and that no secret is in it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from pydantic import ValidationError

from ecom_platform.errors import SettingsError, UsageError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.orchestration.maintenance import ReloadConfig
from ecom_platform.orchestration.metadata import check_result, table_metadata
from ecom_platform.orchestration.resources import resources
from ecom_platform.orchestration.times import utc
from ecom_platform.orchestration.workload import Workload
from ecom_platform.settings import load_settings
from ecom_platform.shop.event import COLUMN_NAMES, FEED
from ecom_platform.shop.raw_events import RawEventsConfig
from ecom_platform.shop.rollups import HOURLY_SALES, Days, reconciles
from ecom_platform.shop.sales_days import known_first_day, remember_first_day
from ecom_platform.shop.sales_figures import RecountConfig, recount_job
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Database
from ecom_platform_tests.landing import Landing, csv_file, line
from ecom_platform_tests.packaged_feeds import PACKAGED_FEEDS

CHECKS = {
    "raw_events": {"files_hold_generated_events"},
    "user_events": {
        "archive_matches_ledger",
        "counts_reconcile",
        "disk_matches_ledger",
        "event_id_is_unique",
        "event_time_is_plausible",
        "few_rows_rejected",
        "files_have_a_feed",
        "generated_events_stored_once",
        "live_mode_is_alive",
        "loaded_recently",
        "nothing_unusual",
        "no_line_half_read",
        "no_missing_values",
        "price_is_plausible",
        "price_only_on_sales",
        "table_matches_ledger",
        "values_in_domain",
    },
    "duplicate_audit": {"audit_finds_no_duplicates"},
    "hourly_sales": {"revenue_reconciles"},
    "conversion_funnel": {"funnel_reconciles"},
}
ASSETS = {*CHECKS, "performance_report"}
PASSWORD = "hunter2-or-worse"

# Dagster itself asks pydantic for what pydantic calls deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated"),
    pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars` is deprecated"),
]


def load() -> dg.Definitions:
    """The definitions, loaded again, as the environment is now."""
    defs: dg.Definitions = importlib.reload(importlib.import_module("ecom_platform.definitions")).defs
    return defs


@pytest.fixture(scope="module")
def location() -> dg.Definitions:
    return load()


@pytest.fixture
def loaded_again_afterwards() -> Iterator[None]:
    """Whoever imports the definitions next finds them as of the usual environment. Asked for before
    ``monkeypatch``, so ended after it."""
    yield
    load()


def specs(location: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in location.resolve_all_asset_specs()}


def check_specs(location: dg.Definitions) -> list[dg.AssetCheckSpec]:
    return [
        spec
        for checks in location.asset_checks or []
        if isinstance(checks, dg.AssetsDefinition)
        for spec in checks.check_specs
    ]


def schema(location: dg.Definitions, asset: str) -> dict[str, dg.TableColumn]:
    table = specs(location)[asset].metadata["dagster/column_schema"]
    return {column.name: column for column in table.columns}


def test_the_location_loads_and_every_job_resolves(location: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(location)


def test_assets_and_what_they_say_of_themselves(location: dg.Definitions) -> None:
    kinds = {
        "raw_events": {"python", "csv"},
        "user_events": {"spark", "postgres"},
        "duplicate_audit": {"postgres", "sql"},
        "hourly_sales": {"postgres", "sql"},
        "conversion_funnel": {"postgres", "sql"},
        "performance_report": {"postgres", "python"},
    }
    assert {name: spec.kinds for name, spec in specs(location).items()} == kinds
    for spec in specs(location).values():
        assert spec.group_name == "ecommerce"
        assert list(spec.owners) == ["team:data-platform"]
        assert spec.description


def test_each_asset_follows_from_the_one_before(location: dg.Definitions) -> None:
    upstream = {
        name: [d.asset_key.to_user_string() for d in spec.deps] for name, spec in specs(location).items()
    }
    assert upstream == {
        "raw_events": [],
        "user_events": ["raw_events"],
        "duplicate_audit": ["user_events"],
        "hourly_sales": ["user_events"],
        "conversion_funnel": ["user_events"],
        "performance_report": ["duplicate_audit", "hourly_sales", "conversion_funnel"],
    }


def test_what_comes_before_is_executed_before(location: dg.Definitions) -> None:
    """An arrow in the graph is not yet an order of steps."""
    steps = location.resolve_job_def("main").dependencies
    before = {
        node.name: {
            upstream.node for definition in found.values() for upstream in definition.get_node_dependencies()
        }
        for node, found in steps.items()
    }
    assert "raw_events" in before["load"]
    assert "load" in before["duplicate_audit"] & before["sales_figures"]
    assert {"duplicate_audit", "sales_figures"} <= before["performance_report"]


def test_column_schemas_follow_from_the_declaration(location: dg.Definitions) -> None:
    files, table = schema(location, "raw_events"), schema(location, "user_events")
    assert tuple(files) == COLUMN_NAMES
    assert tuple(table) == (*COLUMN_NAMES, "file_id", "ingested_at")
    for column in FEED.columns:
        assert table[column.name].type == column.type
        for shown in (files[column.name], table[column.name]):
            assert shown.constraints.nullable == column.nullable
            assert (shown.description or "").startswith(column.about)
    assert [name for name, column in table.items() if column.constraints.unique] == ["event_id"]
    assert "view, add_to_cart, purchase" in (table["event_type"].description or "")


@pytest.mark.parametrize("table", ["duplicate_audit", "hourly_sales", "conversion_funnel"])
def test_a_schema_in_the_ui_is_that_of_its_table(
    location: dg.Definitions, database: Database, table: str
) -> None:
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = %s AND column_name <> 'audit_id'",
            (table,),
        ).fetchall()
    short = {"timestamp with time zone": "timestamptz", "numeric": "numeric(38,2)"}
    shown = {name: column.type for name, column in schema(location, table).items()}
    assert shown == {name: short.get(kind, kind) for name, kind in rows}


def test_a_day_of_the_recount_is_a_range_of_that_day() -> None:
    config = recount_job(date(2026, 1, 1)).partitioned_config
    assert config is not None
    ops = config.get_run_config_for_partition_key("2026-01-31")["ops"]
    day = date(2026, 1, 31)
    assert RecountConfig(**ops["recount_days"]["config"]).days() == Days(day, day)


class TestDaysOfTheRecount:
    def days(self, home: Path) -> list[str]:
        config = recount_job(known_first_day(home)).partitioned_config
        assert config is not None
        return list(config.get_partition_keys())

    def test_begin_where_data_begin(self, database: Database, tmp_path: Path) -> None:
        insert = "INSERT INTO hourly_sales VALUES (%s, 'Books', 1, 1, 1, 1.00, 1)"
        for hour, first in (
            ("2026-02-03T23:00Z", "2026-02-03"),
            ("2026-05-01T00:00Z", "2026-02-03"),
            ("2025-12-31T00:00Z", "2025-12-31"),
        ):
            with database.transaction() as connection:
                connection.execute(insert, (hour,))
            remember_first_day(database, tmp_path)
            assert self.days(tmp_path)[0] == first
        # A run may have been launched for a day that is empty by now.
        with database.transaction() as connection:
            connection.execute("DELETE FROM hourly_sales")
        remember_first_day(database, tmp_path)
        assert self.days(tmp_path)[0] == "2025-12-31"
        assert self.days(tmp_path)[-1] == f"{datetime.now(UTC).date() + timedelta(days=1)}"

    @pytest.mark.parametrize("content", [None, "", "soon"])
    def test_are_few_where_nothing_is_known(self, tmp_path: Path, content: str | None) -> None:
        if content is not None:
            (tmp_path / "first_sales_day").write_text(content)
        assert len(self.days(tmp_path)) == 92


def test_every_check_can_be_executed_by_itself_and_with_any_others(location: dg.Definitions) -> None:
    """What cannot is left out by *Execute all*."""
    several = [
        checks
        for checks in location.asset_checks or []
        if isinstance(checks, dg.AssetsDefinition) and len(list(checks.check_specs)) > 1
    ]
    assert len(several) == 3
    assert all(checks.can_subset for checks in several)


@pytest.mark.parametrize("names", [CHECKS["user_events"], {"price_is_plausible"}])
def test_the_checks_that_are_chosen_run_all_of_them(
    location: dg.Definitions,
    monkeypatch: pytest.MonkeyPatch,
    database: Database,
    tmp_path: Path,
    names: set[str],
) -> None:
    monkeypatch.setenv("ECOM_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    chosen = {dg.AssetCheckKey(dg.AssetKey("user_events"), name) for name in names}
    job = location.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection=chosen
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
    assert {evaluation.check_name for evaluation in result.get_asset_check_evaluations()} == names


def test_no_asset_is_partitioned_so_that_materialize_all_is_one_click(location: dg.Definitions) -> None:
    assert all(spec.partitions_def is None for spec in specs(location).values())


def test_checks_and_which_of_them_blocks(location: dg.Definitions) -> None:
    found: dict[str, set[str]] = {}
    for spec in check_specs(location):
        found.setdefault(spec.asset_key.to_user_string(), set()).add(spec.name)
        assert spec.description
    assert found == CHECKS
    assert [spec.name for spec in check_specs(location) if spec.blocking] == ["files_hold_generated_events"]


def test_jobs(location: dg.Definitions) -> None:
    repository = location.get_repository_def()
    names = {job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB"}
    assert names == {
        *("main", "ingest", "recount_sales", "trace", "reload", "reconcile", "replay_rejects"),
        *("audit", "report", "retention", "upkeep"),
    }
    assert all(repository.get_job(name).description for name in names)
    assets = {
        name: {key.to_user_string() for key in repository.get_job(name).asset_layer.executable_asset_keys}
        for name in ("main", "ingest")
    }
    assert assets == {"main": ASSETS, "ingest": ASSETS - {"raw_events"}}


class TestWithoutTheShop:
    """`ECOM_SHOP=off`: what is left is what anybody's files need."""

    @pytest.fixture
    def engine(self, request: pytest.FixtureRequest) -> dg.Definitions:
        # In this order, so that the definitions are loaded again when the environment is the usual one.
        request.getfixturevalue("loaded_again_afterwards")
        monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        monkeypatch.setenv("ECOM_SHOP", "off")
        return load()

    def test_the_table_and_what_watches_it_stay(self, engine: dg.Definitions) -> None:
        dg.Definitions.validate_loadable(engine)
        upstream = {n: [d.asset_key.to_user_string() for d in s.deps] for n, s in specs(engine).items()}
        assert upstream == {
            "user_events": [],
            "duplicate_audit": ["user_events"],
            "performance_report": ["duplicate_audit"],
        }
        found = {spec.name for spec in check_specs(engine)}
        assert found == (CHECKS["user_events"] | CHECKS["duplicate_audit"]) - {"generated_events_stored_once"}
        names = {job.name for job in engine.get_repository_def().get_all_jobs()}
        assert {"ingest", "audit", "report", "reload"} <= names
        assert not {"main", "recount_sales"} & names

    @pytest.mark.parametrize("job", ["audit", "report"])
    def test_the_daily_jobs_run(
        self,
        engine: dg.Definitions,
        monkeypatch: pytest.MonkeyPatch,
        database: Database,
        tmp_path: Path,
        job: str,
    ) -> None:
        monkeypatch.setenv("ECOM_HOME", str(tmp_path))
        monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
        with dg.DagsterInstance.ephemeral() as instance:
            assert engine.resolve_job_def(job).execute_in_process(instance=instance).success
        if job == "report":
            page = (tmp_path / "reports" / "report.html").read_text()
            assert "<h1>The pipeline</h1>" in page and "Last loads" in page and "Revenue" not in page


def test_schedules_are_off_until_somebody_turns_them_on(location: dg.Definitions) -> None:
    schedules = {schedule.name: schedule for schedule in location.schedules or []}
    assert set(schedules) == {"daily_audit", "daily_report", "daily_retention", "daily_upkeep"}
    for schedule in schedules.values():
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
        assert schedule.execution_timezone == "UTC"


@pytest.mark.parametrize("job", ["audit", "report", "retention", "upkeep"])
def test_a_scheduled_job_runs_twice_and_where_nothing_was_ever_loaded(
    location: dg.Definitions, monkeypatch: pytest.MonkeyPatch, database: Database, tmp_path: Path, job: str
) -> None:
    monkeypatch.setenv("ECOM_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            assert location.resolve_job_def(job).execute_in_process(instance=instance).success
    if job == "report":
        assert "Nothing has been loaded yet" in (tmp_path / "reports" / "report.html").read_text()


def test_the_sensor_runs_by_default(location: dg.Definitions) -> None:
    sensor = location.get_repository_def().get_sensor_def("new_csv_files")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.job_name == "ingest"
    assert sensor.description


def test_the_alert_sensor_runs_by_itself(location: dg.Definitions) -> None:
    sensor = location.get_repository_def().get_sensor_def("check_alerts")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert (sensor.minimum_interval_seconds or 60) <= 10


def test_a_run_is_one_process(location: dg.Definitions) -> None:
    jobs = [
        location.resolve_implicit_global_asset_job_def(),
        *location.resolve_all_job_defs(),
    ]
    assert {job.executor_def.name for job in jobs} == {"in_process"}


@pytest.mark.usefixtures("loaded_again_afterwards")
def test_no_secret_is_in_what_dagster_keeps_and_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of this machine
    monkeypatch.setenv("ECOM_POSTGRES_URL", f"postgresql://bob:{PASSWORD}@db.example:5432/shop")
    monkeypatch.setenv("ECOM_ALERT_URLS", f"slack://{PASSWORD}/B/C")
    monkeypatch.setenv("ECOM_HEARTBEAT_URL", f"https://life.example/{PASSWORD}")
    monkeypatch.setenv("ECOM_SPARK_MASTER", "spark://127.0.0.1:7077")
    monkeypatch.setenv("ECOM_SPARK_SECRET", PASSWORD)
    repository = load().get_repository_def()
    kept = dg.serialize_value(RepositorySnap.from_def(repository))
    for job in repository.get_all_jobs():
        kept += dg.serialize_value(job.get_job_snapshot())
        kept += dg.serialize_value(job.get_config_schema_snapshot())
    assert "user_events" in kept
    assert "ecom_spark" in kept
    assert "pyspark" in kept
    assert PASSWORD not in kept


def test_where_a_table_is_shows_no_password() -> None:
    url = f"postgresql://bob:{PASSWORD}@db.example:5432/shop"
    settings = load_settings({"ECOM_POSTGRES_URL": url})
    shown = table_metadata(Database(url), settings, "user_events")
    assert shown == {
        "dagster/table_name": "public.user_events",
        "dagster/uri": "postgresql://bob@db.example:5432/shop",
    }


@pytest.mark.parametrize("field", ["events", "rows_per_file", "users"])
@pytest.mark.parametrize("value", [0, -1, "many", 1.5])
def test_a_number_of_nothing_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        RawEventsConfig(**{field: value})  # type: ignore[arg-type]


def test_a_negative_seed_is_refused_and_zero_is_one() -> None:
    with pytest.raises(ValidationError, match="seed"):
        RawEventsConfig(seed=-1)
    assert RawEventsConfig(seed=0).seed == 0


def test_the_main_job_generates_thirty_thousand() -> None:
    assert RawEventsConfig().events == 30_000


def test_a_run_of_no_events_ends_before_anything_is_written(
    location: dg.Definitions, monkeypatch: pytest.MonkeyPatch, database: Database, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECOM_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(ValidationError, match="events"):
        location.resolve_job_def("main").execute_in_process(
            run_config={"ops": {"raw_events": {"config": {"events": 0}}}}, instance=instance
        )
    assert not list(tmp_path.rglob("*.csv"))


def test_a_partition_of_the_recount_mends_its_day(
    monkeypatch: pytest.MonkeyPatch, database: Database, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECOM_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    wrong = "INSERT INTO hourly_sales VALUES (%s, 'Books', 1, 1, 1, 1.00, 1)"
    with database.transaction() as connection:
        connection.execute(wrong, ("2026-01-31T23:00Z",))
        connection.execute(wrong, ("2026-02-01T00:00Z",))
    handed = resources(load_settings({}), Workload(), PACKAGED_FEEDS)
    defs = dg.Definitions(jobs=[recount_job(date(2026, 1, 1))], resources=handed)
    job = defs.resolve_job_def("recount_sales")
    passed = []
    with dg.DagsterInstance.ephemeral() as instance:
        for day in ("2026-01-31", "2026-02-01"):
            assert job.execute_in_process(partition_key=day, instance=instance).success
            passed.append(reconciles(database, HOURLY_SALES, "revenue_reconciles").passed)
        newest = instance.get_latest_materialization_event(dg.AssetKey("conversion_funnel"))
        check = dg.AssetCheckKey(dg.AssetKey("conversion_funnel"), "funnel_reconciles")
        looks = instance.event_log_storage.get_latest_asset_check_execution_by_key([check])
    assert passed == [False, True]
    # Of the same run, so the check has its colour.
    assert newest is not None and newest.run_id == looks[check].run_id


@pytest.mark.parametrize(
    "config",
    [{}, {"files": []}, {"files": ["a.csv"], "since": "2026-01-31"}, {"since": ""}],
)
def test_a_reload_of_both_or_neither_is_refused_as_by_the_command(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="either files or since"):
        ReloadConfig(**config)
    assert ReloadConfig(files=["a.csv"]).since is None
    assert ReloadConfig(since="2026-01-31").files == []


def test_the_answer_of_a_trace_is_in_the_log_and_in_metadata(
    location: dg.Definitions, monkeypatch: pytest.MonkeyPatch, database: Database, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECOM_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    zone = LandingZone.of(load_settings({"ECOM_HOME": str(tmp_path)}))
    zone.prepare()
    landing = Landing(database, zone)
    (zone.landing / "a.csv").write_bytes(csv_file(line(), b"bad"))
    landing.ingest()
    answers = {}
    with dg.DagsterInstance.ephemeral() as instance:
        for wanted in ("a.csv", "b.csv"):
            config = {"ops": {"trace_event_or_file": {"config": {"wanted": wanted}}}}
            result = location.resolve_job_def("trace").execute_in_process(
                run_config=config, instance=instance
            )
            assert result.success
            (output,) = [event for event in result.all_events if event.is_successful_output]
            answers[wanted] = {name: value.value for name, value in output.step_output_data.metadata.items()}
            logged = [entry.user_message for entry in instance.all_logs(result.run_id)]
            assert any(str(answers[wanted]["verdict"]) in message for message in logged)
    assert answers["a.csv"]["known"] and answers["a.csv"]["facts"][0]["rows"]["rejected"] == 1
    assert answers["b.csv"] == {"known": False, "verdict": "b.csv was never claimed.", "facts": []}


def test_another_master_in_the_runs_config_is_refused() -> None:
    pyspark = resources(load_settings({}), Workload(), PACKAGED_FEEDS)["ecom_spark"]
    pyspark = type(pyspark)(spark_config={**pyspark.spark_config, "spark.master": "spark://elsewhere:7077"})
    with pytest.raises(SettingsError, match="spark://elsewhere:7077"):
        _ = pyspark.spark_session


def test_a_finding_is_a_sentence_and_metadata() -> None:
    result = check_result(Finding("some_check", False, "30000 rows", "29960 rows", "About.", {"files": 30}))
    assert not result.passed
    assert result.description == "Expected 30,000 rows; found 29,960 rows."
    assert {name: value.value for name, value in result.metadata.items()} == {
        "expected": "30,000 rows",
        "found": "29,960 rows",
        "files": 30,
    }


def test_times_are_utc() -> None:
    assert utc("as_of", "2026-01-31T12:00").isoformat() == "2026-01-31T12:00:00+00:00"
    assert utc("as_of", "2026-01-31T12:00+02:00").isoformat() == "2026-01-31T10:00:00+00:00"
    with pytest.raises(UsageError, match="as_of is 'soon'"):
        utc("as_of", "soon")
