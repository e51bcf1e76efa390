"""What the shop's checks say of generated events, when it is right and when it is not."""

from __future__ import annotations

import uuid

import pyarrow as pa

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.shop import findings
from ecom_platform.store.connection import Database
from ecom_platform_tests.landing import Landing, csv_file, line


def test_events_that_are_not_there(database: Database, zone: LandingZone) -> None:
    (zone.landing / "a.csv").write_bytes(csv_file(line(), line()))
    Landing(database, zone).ingest()
    with database.transaction() as connection:
        stored = [row[0].bytes for row in connection.execute("SELECT event_id FROM user_events")]
        there = ("a.csv", pa.array(stored, pa.binary(16)))
        gone = ("b.csv", pa.array([uuid.uuid4().bytes], pa.binary(16)))
        assert findings.stored_once(connection, [there]).passed
    with database.transaction() as connection:
        finding = findings.stored_once(connection, [there, gone])
    assert (finding.passed, finding.details) == (False, {"b.csv": "0 of 1"})
