"""Every finding holds on sound data, and fails, saying what it found, when that very thing is broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.shop.event_rules import EVENT_RULES
from ecom_platform.store import audit
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Connection, Database
from ecom_platform_tests.landing import (
    USER_EVENTS_TABLE,
    Landing,
    audit_duplicates,
    csv_file,
    line,
    matches_ledger,
)

ROWS = 5


@pytest.fixture
def loaded(database: Database, zone: LandingZone) -> Database:
    """A file of five events and a bad line, loaded; what the tests then break."""
    (zone.landing / "a.csv").write_bytes(csv_file(*(line() for _ in range(ROWS)), b"bad"))
    Landing(database, zone).ingest()
    return database


def execute(database: Database, *statements: str) -> None:
    with database.transaction() as connection:
        for statement in statements:
            connection.execute(statement)


def ask(database: Database, question: Callable[[Connection], Finding]) -> Finding:
    with database.transaction() as connection:
        return question(connection)


def unique_ids(connection: Connection) -> Finding:
    return audit.unique_key(connection, USER_EVENTS_TABLE)


def newest_audit(connection: Connection) -> Finding:
    return audit.newest_audit(connection, "user_events")


RULES = {
    "no_missing_values": "ALTER TABLE user_events ALTER user_device DROP NOT NULL;"
    "INSERT INTO user_events SELECT gen_random_uuid(), user_id, product_id, event_type, event_time, price,"
    " category, NULL, user_location, file_id FROM user_events",
    "price_only_on_sales": "UPDATE user_events SET price = NULL",
    "price_is_plausible": "UPDATE user_events SET price = 'NaN'",
    "values_in_domain": "UPDATE user_events SET user_location = 'XX'",
    "event_time_is_plausible": "UPDATE user_events SET event_time = '1999-12-31'",
}


@pytest.mark.parametrize(("check", "breakage"), RULES.items())
def test_a_rule_about_rows(loaded: Database, check: str, breakage: str) -> None:
    def rule() -> Finding:
        return next(f for f in audit.row_rules(loaded, USER_EVENTS_TABLE, EVENT_RULES) if f.check == check)

    assert rule().passed
    execute(loaded, breakage)
    finding = rule()
    assert not finding.passed
    assert finding.found == f"{ROWS} rows"


@pytest.mark.parametrize("price", ["0", "-1", "'NaN'"])
def test_prices_that_are_none(loaded: Database, price: str) -> None:
    execute(loaded, f"UPDATE user_events SET price = {price}")
    failed = [f.check for f in audit.row_rules(loaded, USER_EVENTS_TABLE, EVENT_RULES) if not f.passed]
    assert failed == ["price_is_plausible"]


class TestUniqueness:
    def test_holds_by_the_constraint(self, loaded: Database) -> None:
        assert ask(loaded, unique_ids).passed

    def test_a_dropped_key_is_noticed_before_anything_is_stored_twice(self, loaded: Database) -> None:
        execute(loaded, "ALTER TABLE user_events DROP CONSTRAINT user_events_pkey")
        finding = ask(loaded, unique_ids)
        assert (finding.passed, finding.details["rows_too_many"]) == (False, 0)

    def test_rows_that_are_twice_are_counted(self, loaded: Database) -> None:
        execute(
            loaded,
            "ALTER TABLE user_events DROP CONSTRAINT user_events_pkey",
            "INSERT INTO user_events SELECT * FROM user_events",
        )
        assert ask(loaded, unique_ids).details == {"rows": 2 * ROWS, "rows_too_many": ROWS}
        counted = audit_duplicates(loaded, "run")
        assert (counted.rows, counted.distinct_ids) == (2 * ROWS, ROWS)
        assert not ask(loaded, newest_audit).passed

    @pytest.mark.parametrize(
        "index",
        [
            "CREATE UNIQUE INDEX ON user_events (event_id, event_time)",
            "CREATE UNIQUE INDEX ON user_events (event_id) WHERE price IS NULL",
            "CREATE INDEX ON user_events (event_id)",
        ],
    )
    def test_an_index_that_promises_less_is_no_promise(self, loaded: Database, index: str) -> None:
        execute(loaded, "ALTER TABLE user_events DROP CONSTRAINT user_events_pkey", index)
        assert not ask(loaded, unique_ids).passed


def test_no_audit_yet_is_not_a_good_audit(database: Database) -> None:
    assert not ask(database, newest_audit).passed


def test_a_ledger_that_was_changed(loaded: Database) -> None:
    assert ask(loaded, audit.counts_reconcile).passed
    execute(loaded, "UPDATE ingested_files SET rows_inserted = rows_inserted + 1")
    finding = ask(loaded, audit.counts_reconcile)
    assert not finding.passed
    assert finding.details["a.csv"] == f"{ROWS + 2} of {ROWS + 1}"


@pytest.mark.parametrize(
    ("breakage", "found"),
    [
        ("DELETE FROM user_events WHERE event_id = (SELECT min(event_id::text)::uuid FROM user_events)", 4),
        ("DELETE FROM user_events", 0),
    ],
)
def test_deleted_rows_name_their_file(loaded: Database, breakage: str, found: int) -> None:
    assert matches_ledger(loaded).passed
    execute(loaded, breakage)
    finding = matches_ledger(loaded)
    assert not finding.passed
    assert finding.details == {"a.csv (file 1)": f"{found} of {ROWS}"}


def test_added_rows_are_noticed(loaded: Database) -> None:
    execute(
        loaded,
        "INSERT INTO user_events SELECT gen_random_uuid(), user_id, product_id, event_type, event_time,"
        " price, category, user_device, user_location, 77 FROM user_events LIMIT 1",
    )
    assert matches_ledger(loaded).details == {"(not in the ledger) (file 77)": "1 of 0"}


def test_deleted_rejects_name_their_file(loaded: Database) -> None:
    execute(loaded, "DELETE FROM rejected_events")
    assert matches_ledger(loaded).details == {"a.csv (file 1)": "0 of 1"}


def test_nothing_for_a_day(loaded: Database) -> None:
    now, window = datetime.now(UTC), timedelta(hours=24)
    assert ask(loaded, lambda connection: audit.freshness(connection, now, window)).passed
    assert not ask(loaded, lambda connection: audit.freshness(connection, now + 2 * window, window)).passed


def test_nothing_ever(database: Database) -> None:
    finding = ask(database, lambda c: audit.freshness(c, datetime.now(UTC), timedelta(hours=24)))
    assert (finding.passed, finding.found) == (False, "no file loaded yet")


def test_rejects_are_few_or_not(loaded: Database) -> None:
    """One line of six is bad."""
    assert ask(loaded, lambda connection: audit.few_rejects(connection, 0.2)).passed
    finding = ask(loaded, lambda connection: audit.few_rejects(connection, 0.1))
    assert (finding.passed, finding.found) == (False, f"1 of {ROWS + 1} rows")
    assert finding.details["a.csv (file 1)"] == f"1 of {ROWS + 1}"


def test_one_bad_file_among_many_good_rows(database: Database, zone: LandingZone) -> None:
    good = [line() for _ in range(100)]
    for name, rows in {"good.csv": good, "bad.csv": [*good[:3], b"bad", b"worse"], "empty.csv": []}.items():
        (zone.landing / name).write_bytes(csv_file(*rows))
    Landing(database, zone).ingest()
    finding = ask(database, lambda connection: audit.few_rejects(connection, 0.04))
    assert (finding.passed, finding.found) == (False, "2 of 105 rows, but 2 of 5 in bad.csv")
    assert finding.details == {"rows_read": 105, "rows_rejected": 2, "bad.csv (file 1)": "2 of 5"}
    assert ask(database, lambda connection: audit.few_rejects(connection, 0.4)).passed


def test_nothing_loaded_is_nothing_rejected(database: Database) -> None:
    assert ask(database, lambda connection: audit.few_rejects(connection, 0.05)).passed


def test_counts_that_make_up_for_each_other_do_not_reconcile(loaded: Database, zone: LandingZone) -> None:
    """In total as many rows as were read, and of both files another number."""
    (zone.landing / "b.csv").write_bytes(csv_file(line()))
    Landing(loaded, zone).ingest()
    execute(
        loaded,
        "UPDATE ingested_files SET rows_inserted = rows_inserted + CASE name WHEN 'a.csv' THEN 1 ELSE -1 END",
    )
    finding = ask(loaded, audit.counts_reconcile)
    assert (finding.passed, finding.found) == (False, f"{ROWS + 2} rows accounted for")
    assert (finding.details["a.csv"], finding.details["b.csv"]) == (f"{ROWS + 2} of {ROWS + 1}", "0 of 1")
