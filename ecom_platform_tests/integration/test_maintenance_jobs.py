"""The jobs that the person on call launches from the UI, really run: Dagster, Spark, PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.settings import Settings
from ecom_platform.store import audit
from ecom_platform.store.connection import Database
from ecom_platform_tests.landing import Landing, csv_file, line, matches_ledger, stored_rows

pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")


@pytest.fixture
def landing(
    settings: Settings, database: Database, zone: LandingZone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Landing:
    """Two files loaded, one line of them refused; the environment is that of ``settings``."""
    monkeypatch.chdir(tmp_path)  # no .env of this machine
    monkeypatch.setenv("ECOM_HOME", str(settings.home))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    monkeypatch.setenv("ECOM_SETTLE_SECONDS", "0")
    landing = Landing(database, zone)
    (zone.landing / "a.csv").write_bytes(csv_file(line(), line(), b"bad"))
    (zone.landing / "b.csv").write_bytes(csv_file(line(), line(), line()))
    landing.ingest()
    return landing


def run(job: str, config: dict[str, Any] | None = None) -> str:
    """Run a job in this process; returns its run id."""
    from ecom_platform.definitions import defs  # Dagster warns while it loads: within the filter

    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def(job).execute_in_process(run_config=config or {}, instance=instance)
        assert result.success
        return result.run_id


def execute(database: Database, sql: str) -> list[Any]:
    with database.transaction() as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def stored(database: Database) -> int:
    with database.transaction() as connection:
        return stored_rows(connection)


@pytest.mark.usefixtures("spark_settings")  # ends the JVM
def test_the_jobs(landing: Landing, settings: Settings) -> None:
    """One test for all: each run stops the Spark session, and the next begins a new one."""
    database = landing.database

    execute(database, "DELETE FROM user_events WHERE file_id = 1")
    run("reload", {"ops": {"reload_archived_files": {"config": {"files": ["a.csv"]}}}})
    assert stored(database) == 5
    newest = "SELECT name, rows_inserted, rows_rejected FROM ingested_files ORDER BY file_id DESC LIMIT 1"
    assert execute(database, newest) == [("a.csv", 2, 1)]
    # What follows from the table follows.
    steps = "SELECT sum(views + carts + purchases)::int FROM conversion_funnel"
    assert execute(database, steps) == [(5,)]
    assert (settings.home / "reports" / "report.html").is_file()

    execute(database, "DELETE FROM user_events WHERE file_id = 2")
    since = execute(database, "SELECT finished_at FROM ingested_files WHERE file_id = 2")[0][0].isoformat()
    run("reload", {"ops": {"reload_archived_files": {"config": {"since": since}}}})
    assert stored(database) == 5

    # As after a restore: the database is older than the archive.
    for table in ("user_events", "rejected_events", "ingested_files"):
        execute(database, f"DELETE FROM {table} WHERE file_id > 2")
    run("reconcile")
    assert stored(database) == 5

    fixed = settings.corrections_dir / "fixed.csv"
    fixed.parent.mkdir()
    row = line().decode()
    header = csv_file().decode().strip()
    fixed.write_text(f"{header},file_name,line_number\n{row},a.csv,4\n")
    run("replay_rejects", {"ops": {"replay_rejected_rows": {"config": {"fixed": fixed.name}}}})
    assert stored(database) == 6
    assert execute(database, "SELECT count(*) FROM rejected_events WHERE replayed_at IS NOT NULL") == [(1,)]
    with database.transaction() as connection:
        for finding in (
            audit.counts_reconcile(connection),
            matches_ledger(database),
        ):
            assert finding.passed, finding
