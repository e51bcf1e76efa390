"""Feeds of one's own as Dagster has them: an asset and checks each, loaded together or by choice."""

from __future__ import annotations

import uuid
from pathlib import Path

import dagster as dg
import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.orchestration.code_location import definitions
from ecom_platform.orchestration.execution import execute
from ecom_platform.orchestration.instance import prepare_instance
from ecom_platform.orchestration.selection import assets_of
from ecom_platform.orchestration.workload import Workload
from ecom_platform.settings import load_settings
from ecom_platform.store.connection import Database
from ecom_platform_tests.landing import csv_file, line, stored_rows

pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")

CLICKS = """
about: What visitors clicked.
owners: [clicks@example.com, team:web]
freshness: 2 hours
reject_share: 10%
columns:
  at: {type: timestamptz, about: When.}
  page: {type: text, in: [home, cart]}
identity: content
roles: {time: at}
"""
STOCK = """
columns: {article: bigint, shop: integer, pieces: {type: integer null, min: 0}}
primary_key: [article, shop]
checks: {few_pieces: pieces < 1000}
"""
BROKEN = "columns: {article: bigintt}\nprimary_key: article\n"
OF_EVERY_FEED = {
    *("counts_reconcile", "table_matches_ledger", "few_rows_rejected", "nothing_unusual", "can_be_loaded"),
}


@pytest.fixture
def landing(
    database: Database, zone: LandingZone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> LandingZone:
    """The landing zone; the environment is that of a working directory with three declarations."""
    feeds = tmp_path / "feeds"
    feeds.mkdir()
    for name, text in {"clicks": CLICKS, "stock": STOCK, "prices": BROKEN}.items():
        (feeds / f"{name}.yaml").write_text(text)
        (zone.landing / name).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    monkeypatch.setenv("ECOM_SETTLE_SECONDS", "0")
    return zone


def load() -> dg.Definitions:
    return definitions(load_settings(), Workload())


def checks_of(location: dg.Definitions) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for checks in location.asset_checks or []:
        assert isinstance(checks, dg.AssetsDefinition)
        for spec in checks.check_specs:
            assert spec.description
            found.setdefault(spec.asset_key.to_user_string(), set()).add(spec.name)
    return found


@pytest.mark.usefixtures("landing")
def test_each_says_what_its_declaration_does() -> None:
    location = load()
    dg.Definitions.validate_loadable(location)
    specs = {spec.key.to_user_string(): spec for spec in location.resolve_all_asset_specs()}
    assert specs.keys() == {
        *("user_events", "clicks", "stock", "prices"),
        *("duplicate_audit", "performance_report"),
    }
    clicks = specs["clicks"]
    assert (clicks.description or "").startswith("What visitors clicked.")
    assert list(clicks.owners) == ["clicks@example.com", "team:web"]
    assert clicks.metadata["dagster/table_name"] == "public.clicks"
    columns = {column.name: column.type for column in clicks.metadata["dagster/column_schema"].columns}
    assert columns == {
        "at": "timestamptz",
        "page": "text",
        "row_id": "uuid",
        "file_id": "bigint",
        "ingested_at": "timestamptz",
    }
    assert clicks.freshness_policy and not specs["stock"].freshness_policy
    assert "prices.yaml" in (specs["prices"].description or "") and "bigintt" in specs["prices"].description
    assert {dep.asset_key.to_user_string() for dep in specs["duplicate_audit"].deps} == {
        *("user_events", "clicks", "stock", "prices"),
    }
    checks = checks_of(location)
    assert checks["clicks"] == {*OF_EVERY_FEED, "rows_as_declared", "row_id_is_unique", "loaded_recently"}
    assert checks["stock"] == {*OF_EVERY_FEED, "few_pieces", "rows_as_declared", "key_is_unique"}
    assert checks["prices"] == {"can_be_loaded"}


class Run:
    """One run in this process: what it materialised, with its metadata, and which checks failed."""

    def __init__(self, job: str, *assets: str) -> None:
        location = load()
        chosen = location.resolve_job_def(job)
        if assets:
            chosen = location.resolve_implicit_global_asset_job_def().get_subset(
                asset_selection={dg.AssetKey(name) for name in assets}
            )
        with dg.DagsterInstance.ephemeral() as instance:
            result = chosen.execute_in_process(instance=instance)
            assert result.success
            self.loaded = {
                event.asset_key.to_user_string(): {
                    name: value.value for name, value in event.materialization.metadata.items()
                }
                for event in result.get_asset_materialization_events()
                if event.asset_key is not None
            }
            evaluated = result.get_asset_check_evaluations()
        self.failed = {
            f"{one.asset_key.to_user_string()}:{one.check_name}": one for one in evaluated if not one.passed
        }

    def rows(self, feed: str) -> tuple[int, int, int]:
        metadata = self.loaded[feed]
        return metadata["files_landed"], metadata["rows_inserted"], metadata["rows_rejected"]


@pytest.mark.usefixtures("spark_settings")
def test_they_are_loaded_together_or_by_choice(landing: LandingZone, database: Database) -> None:
    (landing.landing / "events.csv").write_bytes(csv_file(line(), line()))
    (landing.landing / "clicks" / "a.csv").write_text("at,page\n" + "2026-01-02T03:04:05Z,home\n" * 3)
    (landing.landing / "stock" / "a.csv").write_text("article,shop,pieces\n1,1,5\n1,2,7\n")
    (landing.landing / "prices" / "a.csv").write_text("article\n1\n")
    (landing.landing / "strange.csv").write_text("at\tpage\n1\t2\n")

    settings = load_settings()
    chosen = assets_of(["stock"], Workload())
    alone = execute(load(), prepare_instance(settings), "ingest", {}, str(uuid.uuid4()), assets=chosen)
    assert alone.materializations.keys() == {"stock", "duplicate_audit", "performance_report"}
    assert (alone.files["landed"], alone.rows["inserted"], alone.rows["rejected"]) == (1, 2, 0)
    waiting = sorted(str(path.relative_to(landing.landing)) for path in landing.landing.glob("**/*.csv"))
    assert [name for name in waiting if not name.startswith(".")] == [
        "clicks/a.csv",
        "events.csv",
        "prices/a.csv",
        "strange.csv",
    ]
    assert "separated by tabs, and the feed by commas" in alone.waiting["strange.csv"]
    assert (alone.success, alone.failed, alone.warned) == (True, [], [])

    # A fifth of the clicks is refused; of other feeds a twentieth would be too many.
    (landing.landing / "clicks" / "b.csv").write_text(
        "at,page\n" + "2026-01-02T03:04:06Z,cart\n" * 4 + "2026-01-02T03:04:06Z,exit\n"
    )
    together = Run("ingest")
    assert together.rows("user_events") == (1, 2, 0)
    assert together.rows("clicks") == (2, 7, 1)
    assert together.rows("stock") == (0, 0, 0)
    assert together.rows("prices") == (0, 0, 0)
    assert "bigintt" in together.loaded["prices"]["not_loaded"]
    assert together.failed.keys() == {
        "prices:can_be_loaded",
        "clicks:few_rows_rejected",
        "user_events:files_have_a_feed",
    }
    waits = together.failed["user_events:files_have_a_feed"]
    assert waits.severity is dg.AssetCheckSeverity.WARN
    assert "strange.csv" in waits.metadata and together.loaded["user_events"]["waiting"] == alone.waiting
    broken = together.failed["prices:can_be_loaded"]
    assert broken.severity is dg.AssetCheckSeverity.ERROR
    assert "prices.yaml" in broken.description and "bigintt" in broken.description
    few = together.failed["clicks:few_rows_rejected"]
    assert few.severity is dg.AssetCheckSeverity.WARN
    assert "at most 10.0%" in few.description and "1 of 8 rows" in few.description
    audited = together.loaded["duplicate_audit"]
    assert (audited["rows"], audited["clicks: rows"], audited["stock: rows"]) == (2, 7, 2)

    # What is wrong with one is nothing of another.
    with database.transaction() as connection:
        connection.execute("DELETE FROM stock")
        connection.execute("ALTER TABLE clicks DROP COLUMN page")
        assert stored_rows(connection) == 2
    (landing.landing / "clicks" / "c.csv").write_text("at,page\n2026-01-02T03:04:07Z,home\n")
    (landing.landing / "stock" / "b.csv").write_text("article,shop,pieces\n3,1,1000\n4,1,\n")
    after = Run("ingest")
    assert after.rows("stock") == (1, 2, 0)
    assert "page is missing" in after.loaded["clicks"]["not_loaded"]
    wrong = {"clicks:can_be_loaded", "stock:table_matches_ledger", "stock:few_pieces"}
    # What cannot be asked is no pass.
    assert {*wrong, "clicks:rows_as_declared"} <= after.failed.keys()
    assert "found 1 rows" in after.failed["stock:few_pieces"].description
    assert (landing.landing / "clicks" / "c.csv").exists()
