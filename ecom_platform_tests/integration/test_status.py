"""``ecom status``: a real database, files in a real folder, checks in a real Dagster history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from ecom_platform.cli.status import status
from ecom_platform.orchestration.history import read_history
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store.connection import Database

pytestmark = pytest.mark.usefixtures("starts_programs")

ASSET = dg.AssetKey("things")


@pytest.fixture
def dagster_home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = settings.dagster_home
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    yield home


def check(severity: dg.AssetCheckSeverity, passed: bool) -> dg.Definitions:
    @dg.asset_check(asset=ASSET, name="right")
    def right() -> dg.AssetCheckResult:
        metadata = {"expected": "3 rows", "found": "2 rows"}
        return dg.AssetCheckResult(passed=passed, severity=severity, metadata=metadata)

    @dg.asset(key=ASSET)
    def things() -> None:
        pass

    return dg.Definitions(assets=[things], asset_checks=[right])


def run(definitions: dg.Definitions) -> None:
    with dg.DagsterInstance.get() as instance:
        definitions.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)


def test_where_nothing_was_ever_done_nothing_is_made(tmp_path: Path) -> None:
    settings = load_settings({"ECOM_HOME": str(tmp_path / "home")})
    found = status(settings)
    assert (found.red, found.exit_code) == ([], 0)
    assert not (tmp_path / "home").exists()


def test_what_waits_and_what_is_never_taken(settings: Settings) -> None:
    landing = settings.landing_dir
    landing.mkdir(parents=True)
    (landing / "a.csv").write_text("abc")
    (landing / "link.csv").symlink_to("a.csv")
    found = status(settings)
    assert (found.waiting.files, found.waiting.bytes) == (1, 3)
    assert found.yellow == ["'link.csv' is not taken: a symbolic link"]
    assert found.exit_code == 0
    assert json.loads(json.dumps(found.as_json()))["waiting"]["files"] == 1


def test_what_was_loaded_and_what_alerts_know(settings: Settings, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO ingested_files"
            " (name, size_bytes, landed_at, state, finished_at, rows_read, rows_inserted, sha256)"
            " VALUES ('a.csv', 1, now(), 'loaded', now(), 5, 5, repeat('0', 64))"
        )
        connection.execute(
            "INSERT INTO alerts"
            " (source, key, kind, severity, title, expected, found, occurred_at, last_event_at)"
            " VALUES ('ecom_platform', 'k', 'check', 'ERROR', 'Rows are missing', 'a', 'b', now(), now())"
        )
        connection.execute(
            "INSERT INTO alert_deliveries (alert_id, target, notice, attempts, last_error)"
            " SELECT alert_id, 'slack', 'raised', 3, 'refused' FROM alerts"
        )
    found = status(settings)
    assert found.tables.last_loaded is not None
    assert found.tables.last_loaded.name == "a.csv"
    assert found.exit_code == 1
    assert found.red[0].startswith("alert: Rows are missing, since ")
    assert found.red[1] == "nobody was told of 'Rows are missing' by slack: refused"


def test_a_check_is_failed_until_it_passes(dagster_home: Path) -> None:
    severity = dg.AssetCheckSeverity.ERROR
    failing = check(severity, passed=False)
    run(failing)
    found = read_history(dagster_home, lambda: failing)
    assert [(c.name, c.severity, c.found) for c in found.failed_checks] == [
        ("things:right", severity.value, "2 rows")
    ]
    run(check(severity, passed=True))
    assert read_history(dagster_home, lambda: failing).failed_checks == []


def test_a_failed_run_is_red(dagster_home: Path, settings: Settings) -> None:
    @dg.op
    def fails() -> None:
        raise ValueError

    @dg.job
    def failing() -> None:
        fails()

    with dg.DagsterInstance.get() as instance:
        failing.execute_in_process(instance=instance, raise_on_error=False)
    last = read_history(dagster_home, dg.Definitions).last_run
    assert last is not None
    assert (last.job, last.state) == ("failing", "FAILURE")
    assert last.ended_at <= datetime.now(UTC)


def test_a_database_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    environment = {"ECOM_HOME": str(tmp_path), "ECOM_POSTGRES_URL": "postgresql://bob:s3cret@127.0.0.1:1/d"}
    found = status(load_settings(environment))
    assert found.exit_code == 3
    assert "127.0.0.1:1" in found.red[0]
    assert "s3cret" not in json.dumps(found.as_json())
