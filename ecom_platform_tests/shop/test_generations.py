"""Invented events: none gets into somebody's own database unasked; those that are there can be taken out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from ecom_platform.errors import SettingsError, UsageError
from ecom_platform.landing.folder.archive_check import archive_matches_ledger
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.requeue import reconcile, reload_files
from ecom_platform.processes import output
from ecom_platform.reporting.report import write_report
from ecom_platform.settings import Settings, load_settings
from ecom_platform.shop import findings, generations
from ecom_platform.shop.commands import shop
from ecom_platform.shop.generations import require_shop
from ecom_platform.shop.generator import GeneratorConfig, write_files
from ecom_platform.shop.rollups import CONVERSION_FUNNEL, HOURLY_SALES, reconciles, refresh
from ecom_platform.store import audit
from ecom_platform.store.connection import Database
from ecom_platform_tests.landing import Landing, csv_file, line, matches_ledger, stored_rows

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def home(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The environment of somebody with a server of their own."""
    monkeypatch.chdir(tmp_path)  # no .env of this machine
    monkeypatch.setenv("ECOM_HOME", str(settings.home))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    monkeypatch.delenv("ECOM_SHOP", raising=False)
    return settings.home


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    """Own files, and their figures."""
    (zone.landing / "own.csv").write_bytes(csv_file(line(), line(), b"bad"))
    made = Landing(database, zone)
    made.ingest()
    return made


def generate(landing: Landing, events: int = 60, seed: int = 1) -> list[str]:
    """What the asset raw_events does."""
    config = GeneratorConfig(seed=seed, as_of=NOW, events=events, rows_per_file=20, users=9)
    names = [file.name for file in write_files(config, landing.zone.landing, datetime.now(UTC))]
    generation = generations.Generation(
        f"run-{seed}",
        config.seed,
        config.as_of,
        events,
        20,
        config.users,
        config.days,
        len(names),
        names,
        0.1,
    )
    with landing.database.transaction() as connection:
        generations.record(connection, generation)
    return names


def remove(*arguments: str) -> Result:
    output._printed = False  # another process, as it were: one prints one object
    return CliRunner().invoke(shop, ["remove", *arguments], standalone_mode=False)


def own_rows(landing: Landing) -> tuple[object, ...]:
    """Everything there is, but for numbers and times."""
    with landing.database.open() as connection:
        files = connection.execute(
            "SELECT name, state, rows_read, rows_inserted, rows_rejected FROM ingested_files ORDER BY file_id"
        ).fetchall()
        events = connection.execute("SELECT event_id FROM user_events ORDER BY 1").fetchall()
        rejects = connection.execute("SELECT file_name, raw FROM rejected_events ORDER BY 1, 2").fetchall()
        sales = connection.execute("SELECT sum(revenue), sum(views) FROM hourly_sales").fetchone()
        made = connection.execute("SELECT count(*) FROM generations").fetchone()
    on_disk = sorted(path.name for path in landing.zone.landing.rglob("*.csv"))
    return files, events, rejects, sales, made, on_disk


def all_is_well(landing: Landing) -> None:
    with landing.database.open() as connection:
        found = [
            audit.counts_reconcile(connection),
            audit.few_rejects(connection, 1.0),
            findings.stored_once(connection, ()),
            archive_matches_ledger(connection, landing.zone, whole=True),
        ]
        assert generations.latest(connection, "any") is None
    found += [matches_ledger(landing.database, whole_up_to=rows) for rows in (None, 0)]
    found += [reconciles(landing.database, rollup, rollup) for rollup in (HOURLY_SALES, CONVERSION_FUNNEL)]
    assert [finding for finding in found if not finding.passed] == []


class TestWhereItRuns:
    def test_on_a_server_of_ones_own_only_where_it_is_wanted(
        self, database: Database, settings: Settings, landing: Landing
    ) -> None:
        with pytest.raises(UsageError, match=r"ecom ingest.*ECOM_SHOP=on"):
            require_shop(settings, database)
        own = {"ECOM_POSTGRES_URL": database.url}
        require_shop(load_settings({**own, "ECOM_SHOP": "on"}), database)
        generate(landing)
        require_shop(settings, database)
        with pytest.raises(UsageError, match="ECOM_SHOP is off"):
            require_shop(load_settings({**own, "ECOM_SHOP": "off"}), database)

    def test_on_the_embedded_server_unless_it_is_not_wanted(self, database: Database) -> None:
        require_shop(load_settings({}), database)
        with pytest.raises(UsageError, match="ECOM_SHOP is off"):
            require_shop(load_settings({"ECOM_SHOP": "OFF"}), database)

    def test_anything_else_than_on_and_off_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="ECOM_SHOP is 'yes'; it must be on or off"):
            load_settings({"ECOM_SHOP": "yes"})

    @pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")
    @pytest.mark.parametrize("job", ["main", ""])
    def test_from_the_ui(self, home: Path, database: Database, job: str) -> None:
        """ "" is what *Materialize all* launches."""
        from ecom_platform.definitions import defs

        definition = defs.resolve_job_def(job) if job else defs.resolve_implicit_global_asset_job_def()
        with dg.DagsterInstance.ephemeral() as instance:
            result = definition.execute_in_process(instance=instance, raise_on_error=False)
            failures = [event.step_failure_data.error for event in result.get_step_failure_events()]
        assert not result.success
        assert "ECOM_SHOP=on" in str(failures[0])
        assert not list(home.rglob("*.csv"))
        with database.open() as connection:
            assert stored_rows(connection) == 0

    @pytest.mark.usefixtures("home")
    def test_from_the_terminal(self, database: Database) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "ecom_platform", "run", "--json"],
            env=dict(os.environ),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        error = json.loads(done.stdout)["error"]
        assert error["code"] == "usage" and "ECOM_SHOP=on" in error["remedy"]
        with database.open() as connection:
            assert generations.latest(connection, "any") is None


@pytest.mark.usefixtures("home")
class TestTakingItOut:
    def test_everything_else_stays_as_it_was(self, landing: Landing, tmp_path: Path) -> None:
        for rollup in (HOURLY_SALES, CONVERSION_FUNNEL):
            refresh(landing.database, rollup)
        before = own_rows(landing)
        names = generate(landing)
        landing.ingest()
        generate(landing, seed=2)  # waits in the landing folder, and the figures lack what was loaded
        said = remove()
        assert said.return_value == 2
        assert "60 events and 0 rejects of 3 generated files" in said.output and "--yes" in said.output
        assert len(list(landing.zone.landing.rglob("*.csv"))) == 7

        answer = json.loads(remove("--yes", "--json").output.splitlines()[-1])
        assert answer == {
            "success": True,
            "removed": True,
            "generations": 2,
            "files": 3,
            "events": 60,
            "rejects": 0,
            "files_on_disk": 6,
        }
        assert own_rows(landing) == before
        all_is_well(landing)
        assert write_report(landing.database, tmp_path, "run-1").path.is_file()
        assert json.loads(remove("--json").output.splitlines()[-1])["removed"] is False
        assert names[0] not in str(reconcile(landing.database, landing.zone))

    def test_rows_that_were_deleted_by_hand_and_copies_under_other_names(self, landing: Landing) -> None:
        names = generate(landing)
        landing.ingest()
        with landing.database.transaction() as connection:
            connection.execute("DELETE FROM user_events WHERE file_id > 1 AND price IS NULL")
        reload_files(landing.database, landing.zone, names[:1])
        (archived,) = landing.zone.archive.rglob(f"*-{names[1]}")
        shutil.copy(archived, landing.zone.landing / "copy.csv")
        landing.ingest()
        remove("--yes")
        assert landing.zone.archive_days()
        assert [path.name.partition("-")[2] for path in landing.zone.archive.rglob("*.csv")] == ["own.csv"]
        with landing.database.open() as connection:
            assert connection.execute("SELECT name FROM ingested_files").fetchall() == [("own.csv",)]
        all_is_well(landing)

    def test_what_somebody_dropped_under_a_generated_name_is_theirs(self, landing: Landing) -> None:
        (name, *_) = generate(landing, events=20)
        landing.ingest()
        (archived,) = landing.zone.archive.rglob(f"*-{name}")
        (landing.zone.landing / name).write_bytes(archived.read_bytes() + line() + b"\n")
        landing.ingest()
        remove("--yes")
        with landing.database.open() as connection:
            rows = connection.execute("SELECT name, rows_inserted FROM ingested_files ORDER BY file_id")
            assert rows.fetchall() == [("own.csv", 2), (name, 1)]
            assert stored_rows(connection) == 3
        all_is_well(landing)

    @pytest.mark.usefixtures("landing")
    def test_nothing_there(self) -> None:
        said = remove()
        assert (said.return_value, "Nothing that was generated" in said.output) == (0, True)
