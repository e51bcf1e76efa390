"""A database and a landing zone of earlier versions are gone on with, also from the middle of a load."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from pyspark.sql import SparkSession

from ecom_platform.catalog import catalog
from ecom_platform.landing.folder.archive_check import archive_matches_ledger
from ecom_platform.landing.folder.disk_account import disk_matches_ledger
from ecom_platform.landing.folder.placing import waiting_files
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.server import binary
from ecom_platform.settings import Settings
from ecom_platform.shop.rollups import CONVERSION_FUNNEL, HOURLY_SALES, reconciles, refresh
from ecom_platform.store import audit, ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.schema import migrate
from ecom_platform.streaming.ingest import ingest
from ecom_platform_tests.landing import USER_EVENTS_TABLE, matches_ledger, stored_rows
from ecom_platform_tests.reference import compare

LEFT = Path(__file__).parents[1] / "takeover"
VERSIONS = sorted(folder.name for folder in LEFT.glob("schema_*"))
# By position in what was dropped: first.csv 1, 2; second.csv 3; halfway.csv 4, 5; waiting.csv 6.
EVENTS = [uuid.UUID(int=number) for number in range(1, 7)]


@pytest.fixture(params=VERSIONS)
def left(request: pytest.FixtureRequest, database: Database, settings: Settings) -> Iterator[LandingZone]:
    """What a version left, in ``database`` and in the landing folder of ``settings``."""
    folder = LEFT / request.param
    with database.open(autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    parts = conninfo_to_dict(database.url)
    psql = [binary("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", parts["host"], "-U", parts["user"]]
    script = folder / "database.sql"
    subprocess.run(
        [*map(str, psql), "-d", str(parts["dbname"]), "-f", script], check=True, stdout=subprocess.DEVNULL
    )
    shutil.copytree(folder / "landing", settings.landing_dir)
    (settings.landing_dir / "dot-ecom").rename(settings.landing_dir / ".ecom")
    yield LandingZone.of(settings)


def test_it_is_loaded_on(
    left: LandingZone, database: Database, settings: Settings, spark: SparkSession
) -> None:
    migrate(database)
    result = ingest(settings, database, lambda: spark, "the next run")
    assert (result.totals.loaded, result.totals.rows_inserted) == (2, 3)
    assert (result.refused, result.unsettled) == ({}, ())
    # A version that placed nothing had put it into quarantine for its header.
    assert result.waiting.keys() == {"broken.csv"}
    assert (left.landing / "broken.csv").read_bytes() == b"no,header\n1,2\n"
    assert list(left.quarantine.iterdir()) == []
    with database.open() as connection:
        stored = [row[0] for row in connection.execute("SELECT event_id FROM user_events ORDER BY 1")]
        states = connection.execute("SELECT name, state FROM ingested_files ORDER BY name").fetchall()
        rejects = connection.execute(
            "SELECT file_name, line_number, reason FROM rejected_events ORDER BY 1"
        ).fetchall()
        files = ledger.states(
            connection,
            [
                row[0]
                for row in connection.execute("SELECT file_id FROM ingested_files WHERE state = 'loaded'")
            ],
        )
    assert stored == EVENTS
    assert states == [
        ("broken.csv", "quarantined"),
        *((name, "loaded") for name in ("first.csv", "halfway.csv", "second.csv", "waiting.csv")),
    ]
    assert rejects == [("first.csv", 5, "missing_fields"), ("second.csv", 4, "id_conflict")]
    compared = compare(database, {key: left.path_of(state) for key, state in files.items()})
    assert (compared.lost, compared.doubled, compared.differences) == (0, 0, [])


def test_every_check_agrees(
    left: LandingZone, database: Database, settings: Settings, spark: SparkSession
) -> None:
    migrate(database)
    ingest(settings, database, lambda: spark, "the next run")
    for rollup in (HOURLY_SALES, CONVERSION_FUNNEL):
        refresh(database, rollup)
    with database.open() as connection:
        findings = [
            audit.unique_key(connection, USER_EVENTS_TABLE),
            audit.counts_reconcile(connection),
            archive_matches_ledger(connection, left, whole=True),
        ]
    findings += [
        matches_ledger(database),
        disk_matches_ledger(database, left),
        reconciles(database, HOURLY_SALES, "revenue_reconciles"),
        reconciles(database, CONVERSION_FUNNEL, "funnel_reconciles"),
    ]
    assert [finding for finding in findings if not finding.passed] == []
    assert waiting_files(left.landing, catalog(settings).feeds, 0)


def test_what_it_quarantined_for_its_header_is_loaded_when_it_is_declared(
    left: LandingZone, database: Database, settings: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    migrate(database)
    declared = dataclasses.replace(settings, feeds_dir=tmp_path)
    (tmp_path / "numbers.yaml").write_text("columns: {no: bigint, header: bigint}\nidentity: content\n")
    result = ingest(declared, database, lambda: spark, "the next run")
    assert (result.waiting, result.by_feed["numbers"].rows_inserted) == ({}, 1)
    with database.open() as connection:
        states = connection.execute(
            "SELECT name, state FROM ingested_files WHERE name LIKE '%broken.csv' ORDER BY file_id"
        ).fetchall()
        totals = audit.counts_reconcile(connection, "numbers")
    assert states == [("broken.csv", "quarantined"), ("numbers/broken.csv", "loaded")]
    assert totals.passed and disk_matches_ledger(database, LandingZone.of(declared)).passed


def test_a_file_that_was_loaded_before_is_dropped_again(
    left: LandingZone, database: Database, settings: Settings, spark: SparkSession
) -> None:
    migrate(database)
    (archived,) = left.archive.rglob("*-first.csv")
    shutil.copy(archived, left.landing / "again.csv")
    totals = ingest(settings, database, lambda: spark, "the next run").totals
    assert (totals.rows_inserted, totals.rows_duplicate, totals.rows_rejected) == (3, 3, 1)
    with database.open() as connection:
        assert stored_rows(connection) == len(EVENTS)


RENAMED = {
    ("invalid_uuid", "event_id"): "not_a_uuid",
    ("invalid_number", "user_id"): "not_an_integer",
    ("invalid_number", "price"): "not_a_number",
    ("user_id_out_of_range", "user_id"): "out_of_range",
    ("unknown_event_type", "event_type"): "not_in_list",
    ("unparsable_time", "event_time"): "not_a_time",
    ("implausible_time", "event_time"): "out_of_range",
    ("price_nan", "price"): "not_finite",
    ("price_infinite", "price"): "not_finite",
    ("price_not_positive", "price"): "out_of_range",
    ("price_too_many_decimals", "price"): "too_many_decimals",
    ("price_overflow", "price"): "out_of_range",
    ("unknown_category", "category"): "not_in_list",
    ("unknown_device", "user_device"): "not_in_list",
    ("unknown_country", "user_location"): "not_in_list",
    ("price_on_view", "price"): "must_be_absent",
    ("price_missing", "price"): "required",
    ("empty_value", "product_id"): "empty_value",
    ("extra_fields", None): "extra_fields",
}


@pytest.mark.usefixtures("left")
def test_reasons_are_called_by_their_kind(database: Database) -> None:
    with database.transaction() as connection:
        for line, (reason, column) in enumerate(RENAMED, 100):
            connection.execute(
                "INSERT INTO rejected_events (file_id, file_name, line_number, raw, reason, column_name)"
                " VALUES (1, 'first.csv', %s, 'x', %s, %s)",
                (line, reason, column),
            )
    migrate(database)
    with database.open() as connection:
        found = connection.execute(
            "SELECT reason FROM rejected_events WHERE line_number >= 100 ORDER BY line_number"
        ).fetchall()
    assert [reason for (reason,) in found] == list(RENAMED.values())
