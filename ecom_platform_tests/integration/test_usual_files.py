"""Files that are unlike those before them, from the bytes to the finding. Real PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.store import ledger
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Database
from ecom_platform.store.usual_files import nothing_unusual
from ecom_platform_tests.landing import Landing, csv_file, line

ROWS = 200


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    """Twelve ordinary files of a morning each, every one of a run of its own."""
    landing = Landing(database, zone)
    for day in range(12):
        ingest(landing, day, [line() for _ in range(ROWS + day % 3)])
    return landing


def ingest(landing: Landing, day: float, rows: list[bytes], name: str = "") -> None:
    """One file in a run of its own, landed and loaded so many days after the first."""
    with landing.database.transaction() as connection:
        landing.batch_id = ledger.start_batch(connection, f"query-{day}{name}", 0, f"run-{day}{name}")
    (landing.zone.landing / f"{day}{name}.csv").write_bytes(csv_file(*rows))
    (outcome,) = landing.ingest()
    landed = datetime.fromisoformat("2026-01-05T06:00:00+00:00") + timedelta(days=day)
    with landing.database.transaction() as connection:
        connection.execute(
            "UPDATE ingested_files SET landed_at = %s, finished_at = %s WHERE file_id = %s",
            (landed, landed + timedelta(seconds=1), outcome.file_id),
        )


def finding(landing: Landing) -> Finding:
    with landing.database.open() as connection:
        return nothing_unusual(connection, "user_events")


def profiles(landing: Landing) -> list[Any]:
    with landing.database.open() as connection:
        return [row[0] for row in connection.execute("SELECT profile FROM ingested_files ORDER BY file_id")]


def test_what_rows_are_like_is_counted_with_them(landing: Landing) -> None:
    ingest(landing, 12, [line(), line(), line().replace(b"Books", b"Cooks"), b"no row"])
    counted = profiles(landing)[-1]
    assert counted["rows"] == 2
    assert counted["values"]["category"] == {"Books": 2}
    assert set(counted["nulls"]) == {"price"}
    assert sum(counted["values"]["event_type"].values()) == 2


def test_ordinary_files_and_one_that_is_not(landing: Landing) -> None:
    fine = finding(landing)
    assert (fine.passed, fine.details) == (True, {"files_compared": 1})

    ingest(landing, 12, [line().replace(b"Books", b"Toys") for _ in range(ROWS // 2)])
    unlike = finding(landing)
    assert not unlike.passed
    (named,) = (text for key, text in unlike.details.items() if key == "12.csv (file 13)")
    assert f"{ROWS // 2} rows, usually {ROWS} to {ROWS + 2}" in str(named)
    assert "category is 'Books' never, usually 100.0%" in str(named)

    ingest(landing, 13, [line() for _ in range(ROWS)])
    assert finding(landing).passed


def test_a_file_that_is_dropped_again_says_nothing(landing: Landing) -> None:
    rows = [line() for _ in range(ROWS)]
    ingest(landing, 12, rows)
    ingest(landing, 13, rows, "again")
    assert finding(landing).passed
    ingest(landing, 14, [*rows[1:], rows[0]], "known")
    assert "duplicates always, usually 0.0%" in str(finding(landing).found)


def test_what_was_so_a_week_ago_is_ordinary(database: Database, zone: LandingZone) -> None:
    """Small files of a weekend, large ones since: the next small one comes at the same time of the week."""
    landing = Landing(database, zone)
    for days, files, rows in ((0, 9, 60), (6.7, 22, ROWS)):
        for number in range(files):
            ingest(landing, days + number / 60, [line() for _ in range(rows)], f"-{number}")
    ingest(landing, 7.1, [line() for _ in range(60)])
    assert finding(landing).passed
    ingest(landing, 7.12, [line() for _ in range(5)])
    unlike = finding(landing)
    assert not unlike.passed
    assert "5 rows, usually" in str(unlike.found)


def test_a_feed_without_files(database: Database) -> None:
    with database.open() as connection:
        assert nothing_unusual(connection, "user_events").passed
