"""The reference itself: whatever is wrong in a table, the comparison sees it."""

from __future__ import annotations

import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.store.connection import Database
from ecom_platform_tests.dirt import write_dirty_files
from ecom_platform_tests.landing import Landing
from ecom_platform_tests.reference import Comparison, compare

ONE = "(SELECT min(event_id::text)::uuid FROM user_events)"
TAMPERING = {
    "a row is gone": f"DELETE FROM user_events WHERE event_id = {ONE}",
    "a row is in no file": "INSERT INTO user_events"
    " SELECT gen_random_uuid(), user_id, product_id, event_type, event_time, price, category, user_device,"
    f" user_location, file_id FROM user_events WHERE event_id = {ONE}",
    "a row is stored twice": "ALTER TABLE user_events DROP CONSTRAINT user_events_pkey;"
    f" INSERT INTO user_events SELECT * FROM user_events WHERE event_id = {ONE}",
    "a value is another": f"UPDATE user_events SET price = coalesce(price, 0) + 0.01 WHERE event_id = {ONE}",
    "a time is an hour off": f"UPDATE user_events SET event_time = event_time + interval '1 hour'"
    f" WHERE event_id = {ONE}",
    "a row is of another file": f"UPDATE user_events SET file_id = file_id % 3 + 1 WHERE event_id = {ONE}",
    "a reject is gone": "DELETE FROM rejected_events WHERE reject_id = 1",
    "a reject has another line": "UPDATE rejected_events SET line_number = 9999 WHERE reject_id = 1",
    "a reject has another reason": "UPDATE rejected_events SET reason = 'x' || reason WHERE reject_id = 1",
    "a reject has other bytes": "UPDATE rejected_events SET raw = raw || '\\x00'::bytea WHERE reject_id = 1",
    "a reject is there twice": "ALTER TABLE rejected_events"
    " DROP CONSTRAINT rejected_events_file_id_place_key;"
    " INSERT INTO rejected_events (file_id, file_name, line_number, raw, reason)"
    " SELECT file_id, file_name, line_number, raw, reason FROM rejected_events WHERE reject_id = 1",
    "a count is one too many": "UPDATE ingested_files SET rows_duplicate = rows_duplicate + 1"
    " WHERE file_id = 1",
    "the fingerprint is another": "UPDATE ingested_files SET sha256 = repeat('0', 64) WHERE file_id = 1",
}


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    """Three dirty files, loaded."""
    made = Landing(database, zone)
    write_dirty_files(zone.landing, 3, 300, rows_per_file=100)
    made.load(made.take())
    return made


def look(landing: Landing) -> Comparison:
    paths = {
        file_id: landing.zone.claimed_path(file_id, name) for file_id, name in landing.zone.claimed_files()
    }
    return compare(landing.database, paths)


def test_nothing_is_wrong(landing: Landing) -> None:
    found = look(landing)
    assert (found.lost, found.doubled, found.differences) == (0, 0, [])
    assert found.rows > 300


@pytest.mark.parametrize("what", TAMPERING)
def test_something_is_wrong(landing: Landing, what: str) -> None:
    with landing.database.transaction() as connection:
        connection.execute(TAMPERING[what])
    found = look(landing)
    assert found.lost == (what == "a row is gone")
    assert found.doubled == (what == "a row is stored twice")
    assert found.differences or found.lost or found.doubled
