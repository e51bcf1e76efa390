"""The ledger follows rows that were deleted and came back by another file; those that did not are missing."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are
from ecom_platform.oncall.requeue import reload_files
from ecom_platform.store import audit
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Database
from ecom_platform.store.schema import head
from ecom_platform_tests.landing import Landing, csv_file, line, matches_ledger
from ecom_platform_tests.waiting import wait_until

ROWS = [line(str(uuid.UUID(int=number))) for number in range(1, 7)]
MIGRATION = Path(audit.__file__).parent / "migrations" / "versions" / "0012_ledger_follows.sql"


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    """``a.csv`` (file 1) with three rows and ``b.csv`` (file 2) with three others, found right."""
    made = Landing(database, zone)
    drop(made, "a.csv", *ROWS[:3])
    drop(made, "b.csv", *ROWS[3:])
    assert matches(made).passed
    return made


def drop(landing: Landing, name: str, *lines: bytes) -> None:
    (landing.zone.landing / name).write_bytes(csv_file(*lines))
    landing.ingest()


def matches(landing: Landing, whole_up_to: int | None = None) -> Finding:
    return matches_ledger(landing.database, whole_up_to=whole_up_to)


def execute(landing: Landing, *statements: str) -> None:
    with landing.database.transaction() as connection:
        for statement in statements:
            connection.execute(statement)


def delete(landing: Landing, *numbers: int) -> None:
    ids = ", ".join(f"'{uuid.UUID(int=number)}'" for number in numbers)
    execute(landing, f"DELETE FROM user_events WHERE event_id IN ({ids})")


def inserted_and_duplicate(landing: Landing) -> list[tuple[int, int]]:
    with landing.database.open() as connection:
        return connection.execute(
            "SELECT rows_inserted, rows_duplicate FROM ingested_files ORDER BY file_id"
        ).fetchall()  # type: ignore[return-value]


def assert_right(landing: Landing) -> None:
    assert matches(landing).details == {}
    with landing.database.open() as connection:
        assert audit.counts_reconcile(connection).passed
        assert connection.execute("SELECT count(*) FROM lost_events").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM lost_files").fetchone() == (0,)
    landing.check()  # by the reference, who counts each row where it is


@pytest.mark.parametrize("whole_up_to", [None, 0])
@pytest.mark.parametrize("looked_at_meanwhile", [True, False])
def test_back_by_a_file_with_other_bytes(
    landing: Landing, whole_up_to: int | None, looked_at_meanwhile: bool
) -> None:
    delete(landing, 1, 2, 3)
    if looked_at_meanwhile:
        assert matches(landing, whole_up_to).details["a.csv (file 1)"] == "0 of 3"
    drop(landing, "c.csv", *ROWS[2::-1], ROWS[3])
    assert matches(landing, whole_up_to).passed
    assert inserted_and_duplicate(landing) == [(0, 3), (3, 0), (3, 1)]
    assert_right(landing)


def test_back_in_parts_by_several(landing: Landing) -> None:
    delete(landing, 1, 2, 4)
    drop(landing, "c.csv", ROWS[0])
    assert matches(landing).details == {"a.csv (file 1)": "1 of 2", "b.csv (file 2)": "2 of 3"}
    drop(landing, "d.csv", ROWS[1], ROWS[3])
    assert_right(landing)


def test_lost_again_by_the_file_that_had_brought_it_back(landing: Landing) -> None:
    delete(landing, 1)
    drop(landing, "c.csv", ROWS[0])
    assert matches(landing).passed
    delete(landing, 1)
    assert matches(landing).details == {"c.csv (file 3)": "0 of 1"}
    drop(landing, "d.csv", ROWS[0], ROWS[1])
    assert_right(landing)


def test_lost_twice_before_anybody_looked(landing: Landing) -> None:
    delete(landing, 1)
    drop(landing, "c.csv", ROWS[0])
    delete(landing, 1)
    drop(landing, "d.csv", ROWS[0], ROWS[1])
    assert_right(landing)


def test_back_by_a_reload_and_gone_once_more(landing: Landing) -> None:
    """What is deleted of a file that was dropped again shows as of any other."""
    delete(landing, 1, 2, 3)
    reload_files(landing.database, landing.zone, ["a.csv"])
    landing.ingest()
    assert_right(landing)
    delete(landing, 1)
    assert matches(landing).details == {"a.csv (file 3)": "2 of 3"}


def test_what_was_a_duplicate_comes_back_by_the_file_that_had_it(landing: Landing) -> None:
    drop(landing, "c.csv", ROWS[0], line())
    delete(landing, 1)
    assert not matches(landing).passed
    reload_files(landing.database, landing.zone, ["c.csv"])
    landing.ingest()
    assert_right(landing)


def test_back_by_a_reject(landing: Landing) -> None:
    """Of the file that had lost the row: it counts it once."""
    other = ROWS[0].replace(b"19.99", b"20.00")
    drop(landing, "c.csv", line(), line())
    drop(landing, "d.csv", other)
    delete(landing, 1)
    replay_as_they_are(landing.database, landing.zone)
    assert matches(landing).details == {}
    assert inserted_and_duplicate(landing)[0] == (2, 1)


def test_back_by_a_reject_of_the_same_file(database: Database, zone: LandingZone) -> None:
    landing = Landing(database, zone)
    drop(landing, "a.csv", ROWS[0], ROWS[0].replace(b"19.99", b"20.00"))
    delete(landing, 1)
    replay_as_they_are(landing.database, landing.zone)
    assert matches(landing).details == {}
    assert inserted_and_duplicate(landing) == [(1, 1)]


def test_restored_by_hand_in_its_place(landing: Landing) -> None:
    execute(landing, "CREATE TABLE kept AS SELECT * FROM user_events WHERE file_id = 1")
    delete(landing, 1, 2, 3)
    assert not matches(landing).passed
    execute(landing, "INSERT INTO user_events SELECT * FROM kept")
    assert_right(landing)
    assert inserted_and_duplicate(landing)[0] == (3, 0)


def test_a_row_added_and_deleted_by_hand_never_counted(landing: Landing) -> None:
    added = uuid.UUID(int=99)
    execute(
        landing,
        "INSERT INTO user_events SELECT"
        f" '{added}', user_id, product_id, event_type, event_time, price, category, user_device,"
        " user_location, file_id FROM user_events WHERE file_id = 1 LIMIT 1",
    )
    assert matches(landing).details == {"a.csv (file 1)": "4 of 3"}
    delete(landing, 99)
    assert matches(landing).passed
    drop(landing, "c.csv", line(str(added)))
    assert matches(landing, 0).passed
    assert_right(landing)


class TestTruncated:
    def test_back_by_reloads(self, landing: Landing) -> None:
        execute(landing, "TRUNCATE user_events")
        assert matches(landing).details == {"a.csv (file 1)": "0 of 3", "b.csv (file 2)": "0 of 3"}
        for name in ("a.csv", "b.csv"):
            reload_files(landing.database, landing.zone, [name])
            landing.ingest()
        assert_right(landing)

    def test_back_by_another_file_and_found_by_a_reload(self, landing: Landing) -> None:
        """Whose bytes say which ids were lost."""
        execute(landing, "TRUNCATE user_events")
        drop(landing, "c.csv", *ROWS)
        assert not matches(landing).passed
        for name in ("a.csv", "b.csv"):
            reload_files(landing.database, landing.zone, [name])
            landing.ingest()
        assert_right(landing)

    def test_with_the_ledger(self, landing: Landing) -> None:
        execute(landing, "TRUNCATE user_events, ingested_files CASCADE")
        assert matches(landing).passed


def test_what_was_lost_before_the_ledger_followed(landing: Landing) -> None:
    """The migration: what counts twice counts once; what is missing is back with the next reload."""
    assert head() >= "0012"
    execute(
        landing,
        "DROP TABLE lost_events, lost_files",
        "DROP FUNCTION note_lost_events, note_lost_files CASCADE",
        "ALTER TABLE ingested_files DROP COLUMN header",
    )
    delete(landing, 1, 2, 4)
    execute(landing, "ALTER TABLE ingested_files ADD COLUMN header text")
    reload_files(landing.database, landing.zone, ["a.csv"])
    landing.ingest()
    drop(landing, "c.csv", ROWS[3], line())
    assert inserted_and_duplicate(landing) == [(3, 0), (3, 0), (2, 1), (2, 0)]
    execute(landing, "ALTER TABLE ingested_files DROP COLUMN header", MIGRATION.read_text())
    assert inserted_and_duplicate(landing) == [(1, 2), (3, 0), (2, 1), (2, 0)]
    assert matches(landing).details == {"b.csv (file 2)": "2 of 3"}
    reload_files(landing.database, landing.zone, ["b.csv"])
    landing.ingest()
    assert_right(landing)


def test_beside_a_replay_of_a_file_that_is_written_down(database: Database, zone: LandingZone) -> None:
    """The look begins anew; neither of the two is lost."""
    landing = Landing(database, zone)
    drop(landing, "a.csv", ROWS[0], b"bad")
    delete(landing, 1)
    drop(landing, "b.csv", ROWS[0])
    with landing.database.open() as other:
        other.execute("UPDATE ingested_files SET rows_read = rows_read WHERE file_id = 1")
        looking = threading.Thread(target=lambda: found.append(matches(landing)))
        found: list[Finding] = []
        looking.start()
        with landing.database.open(autocommit=True) as watcher:
            wait_until(
                lambda: bool(watcher.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall()),
            )
        other.commit()
        looking.join()
    assert [finding.details for finding in found] == [{}]
    assert inserted_and_duplicate(landing) == [(0, 1), (1, 0)]
