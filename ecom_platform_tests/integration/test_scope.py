"""Of a large table, checks look at what changed; nothing that they would have found is missed for that."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_corrected
from ecom_platform.oncall.requeue import reload_files
from ecom_platform.shop.event import COLUMN_NAMES
from ecom_platform.shop.event_rules import EVENT_RULES
from ecom_platform.shop.rollups import CONVERSION_FUNNEL, HOURLY_SALES, Days, reconciles, refresh
from ecom_platform.store import audit
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Database
from ecom_platform.store.scope import row_count
from ecom_platform_tests.landing import (
    USER_EVENTS_TABLE,
    Landing,
    audit_duplicates,
    csv_file,
    line,
    looking_at,
    matches_ledger,
)
from ecom_platform_tests.waiting import wait_until, wait_until_counted

NARROW = "looked_at"


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    """Three files of three events each."""
    for name in ("a.csv", "b.csv", "c.csv"):
        (zone.landing / name).write_bytes(csv_file(line(), line(), line()))
    made = Landing(database, zone)
    made.ingest()
    return made


def matches(landing: Landing) -> Finding:
    return matches_ledger(landing.database, whole_up_to=0)


def rules(landing: Landing) -> dict[str, Finding]:
    findings = audit.row_rules(landing.database, USER_EVENTS_TABLE, EVENT_RULES, whole_up_to=0)
    return {finding.check: finding for finding in findings}


def execute(landing: Landing, *statements: str) -> None:
    with landing.database.transaction() as connection:
        for statement in statements:
            connection.execute(statement)


def rows_of(name: str) -> str:
    return f"file_id = (SELECT file_id FROM ingested_files WHERE name = '{name}' LIMIT 1)"


def drop(landing: Landing, name: str, *lines: bytes) -> None:
    (landing.zone.landing / name).write_bytes(csv_file(*lines))
    landing.ingest()


class TestWhatIsLookedAt:
    def test_the_whole_at_first_and_then_what_changed(self, landing: Landing) -> None:
        first = rules(landing)["price_is_plausible"].details
        assert (first["rows_looked_at"], NARROW in first) == (9, False)
        second = rules(landing)["price_is_plausible"].details
        assert (second["rows_looked_at"], NARROW in second) == (0, True)
        drop(landing, "d.csv", line(), line())
        assert rules(landing)["price_is_plausible"].details["rows_looked_at"] == 2
        assert rules(landing)["price_is_plausible"].details["rows_looked_at"] == 0

    def test_the_whole_of_a_small_table(self, landing: Landing) -> None:
        for _ in range(2):
            assert NARROW not in matches_ledger(landing.database, whole_up_to=9).details

    def test_the_whole_whatever_its_size_when_somebody_asks_for_the_check(self, landing: Landing) -> None:
        assert matches(landing).passed
        assert NARROW not in matches_ledger(landing.database).details

    def test_the_whole_once_a_day(self, landing: Landing) -> None:
        assert matches(landing).passed
        assert NARROW in matches(landing).details
        execute(landing, "UPDATE whole_checks SET checked_at = checked_at - interval '25 hours 1 minute'")
        assert NARROW not in matches(landing).details
        assert NARROW in matches(landing).details

    def test_the_whole_again_until_it_is_right(self, landing: Landing) -> None:
        execute(landing, f"DELETE FROM user_events WHERE {rows_of('a.csv')}")
        for _ in range(2):
            finding = matches(landing)
            assert (finding.passed, NARROW in finding.details) == (False, False)

    def test_each_check_for_itself(self, landing: Landing) -> None:
        assert matches(landing).passed
        drop(landing, "d.csv", line())
        assert NARROW in matches(landing).details
        assert NARROW not in rules(landing)["price_is_plausible"].details


class TestNothingIsMissed:
    @pytest.fixture(autouse=True)
    def narrowed(self, landing: Landing) -> None:
        """The whole table has been looked at."""
        assert matches(landing).passed
        assert all(finding.passed for finding in rules(landing).values())

    @pytest.mark.parametrize(
        ("breakage", "found"),
        [
            ("DELETE FROM user_events WHERE {rows}", "0 of 3"),
            (
                "DELETE FROM user_events"
                " WHERE event_id = (SELECT event_id FROM user_events WHERE {rows} LIMIT 1)",
                "2 of 3",
            ),
        ],
    )
    def test_deleted_rows_of_an_old_file(self, landing: Landing, breakage: str, found: str) -> None:
        drop(landing, "d.csv", line())
        execute(landing, breakage.format(rows=rows_of("b.csv")))
        for _ in range(2):  # it stays red until it is mended
            finding = matches(landing)
            assert not finding.passed
            assert finding.details["b.csv (file 2)"] == found
            assert NARROW in finding.details
        assert reload_files(landing.database, landing.zone, ["b.csv"]) == ["b.csv"]
        landing.ingest()
        finding = matches(landing)
        assert (finding.passed, NARROW in finding.details) == (True, True)

    def test_rows_moved_to_another_file(self, landing: Landing) -> None:
        execute(landing, f"UPDATE user_events SET file_id = 3 WHERE {rows_of('a.csv')}")
        details = matches(landing).details
        assert (details["a.csv (file 1)"], details["c.csv (file 3)"]) == ("0 of 3", "6 of 3")

    def test_a_value_changed_in_an_old_file(self, landing: Landing) -> None:
        execute(landing, f"UPDATE user_events SET price = 'NaN' WHERE {rows_of('c.csv')}")
        for _ in range(2):
            finding = rules(landing)["price_is_plausible"]
            assert (finding.passed, finding.found, NARROW in finding.details) == (False, "3 rows", True)

    def test_an_emptied_table(self, landing: Landing) -> None:
        execute(landing, "TRUNCATE user_events")
        finding = matches(landing)
        assert (finding.passed, finding.found) == (False, "3 files differ: 9 rows are missing")

    def test_rows_added_by_hand_show_with_the_whole(self, landing: Landing) -> None:
        columns = ", ".join([*COLUMN_NAMES[1:], "file_id"])
        execute(
            landing,
            f"INSERT INTO user_events (event_id, {columns})"
            f" SELECT gen_random_uuid(), {columns} FROM user_events WHERE {rows_of('a.csv')}",
        )
        assert matches(landing).passed
        assert matches_ledger(landing.database).details == {"a.csv (file 1)": "6 of 3"}

    def test_what_the_whole_showed_stays_red_until_the_whole_is_right(self, landing: Landing) -> None:
        """Rows added by hand leave no note: a look at what changed would not see them."""
        columns = ", ".join([*COLUMN_NAMES[1:], "file_id"])
        added = "00000000-0000-4000-8000-000000000000"
        execute(
            landing,
            f"INSERT INTO user_events (event_id, {columns})"
            f" SELECT '{added}', {columns} FROM user_events WHERE {rows_of('a.csv')} LIMIT 1",
        )
        assert not matches_ledger(landing.database).passed  # as the daily audit looks
        for number in range(2):
            drop(landing, f"later-{number}.csv", line())
            finding = matches(landing)
            assert (finding.passed, NARROW in finding.details) == (False, False)
        execute(landing, f"DELETE FROM user_events WHERE event_id = '{added}'")
        assert [NARROW in matches(landing).details for _ in range(2)] == [False, True]

    def test_a_row_past_the_rules_stays_red_in_all_of_them(self, landing: Landing) -> None:
        columns = ", ".join(name for name in COLUMN_NAMES[1:] if name != "price")
        added = "00000000-0000-4000-8000-000000000000"
        execute(
            landing,
            f"INSERT INTO user_events (event_id, {columns}, price, file_id)"
            f" SELECT '{added}', {columns}, 'NaN', file_id FROM user_events WHERE {rows_of('a.csv')} LIMIT 1",
        )
        whole = audit.row_rules(landing.database, USER_EVENTS_TABLE, EVENT_RULES)
        assert [finding.check for finding in whole if not finding.passed] == ["price_is_plausible"]
        drop(landing, "d.csv", line())
        finding = rules(landing)["price_is_plausible"]
        assert (finding.passed, finding.found, NARROW in finding.details) == (False, "1 rows", False)
        execute(landing, f"DELETE FROM user_events WHERE event_id = '{added}'")
        assert rules(landing)["price_is_plausible"].passed

    def test_a_look_of_the_future_counts_for_nothing(self, landing: Landing) -> None:
        execute(landing, "UPDATE whole_checks SET checked_at = checked_at + interval '1 hour'")
        assert NARROW not in matches(landing).details

    def test_a_reject_that_was_replayed(self, landing: Landing, tmp_path: Path) -> None:
        drop(landing, "d.csv", line(), b"bad")
        assert rules(landing)["price_is_plausible"].details["rows_looked_at"] == 1
        fixed = tmp_path / "fixed.csv"
        header, row = csv_file(line()).decode().splitlines()
        fixed.write_text(f"{header},file_name,line_number\n{row},d.csv,3\n")
        assert replay_corrected(landing.database, fixed).loaded == 1
        assert rules(landing)["price_is_plausible"].details["rows_looked_at"] == 2
        assert matches(landing).passed

    def test_a_row_deleted_while_a_check_looks(self, landing: Landing) -> None:
        """Its snapshot does not have the change, so the note of it must stay."""
        drop(landing, "d.csv", line())
        with looking_at(landing.database, "table_matches_ledger", whole_up_to=0) as look:
            execute(landing, "DELETE FROM user_events WHERE file_id = 4")
            look.found_right(True)
        assert matches(landing).details["d.csv (file 4)"] == "0 of 1"

    def test_a_check_that_breaks_off_has_looked_at_nothing(self, landing: Landing) -> None:
        drop(landing, "d.csv", line())
        with (
            pytest.raises(RuntimeError),
            looking_at(landing.database, "row_rules", whole_up_to=0) as look,
        ):
            look.found_right(True)
            raise RuntimeError
        assert rules(landing)["price_is_plausible"].details["rows_looked_at"] == 1

    def test_a_second_look_waits_for_the_first(self, landing: Landing) -> None:
        """And does not look again at what the first one found right."""
        drop(landing, "d.csv", line())
        seen: list[Finding] = []
        second = threading.Thread(target=lambda: seen.append(rules(landing)["price_is_plausible"]))
        with looking_at(landing.database, "row_rules", whole_up_to=0) as look:
            second.start()
            with landing.database.open(autocommit=True) as watcher:
                wait_until(
                    lambda: bool(
                        watcher.execute(
                            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                        ).fetchall()
                    )
                )
            look.found_right(True)
        second.join()
        assert seen[0].details["rows_looked_at"] == 0


class TestAudit:
    def test_ids_that_were_not_distinct_are_counted_until_they_are(self, landing: Landing) -> None:
        audit_duplicates(landing.database, "run", whole_up_to=0)
        with looking_at(landing.database, "duplicate_audit") as look:
            look.found_right(False)
        with looking_at(landing.database, "duplicate_audit", whole_up_to=0) as look:
            assert look.scope.whole

    def test_counts_ids_once_a_day(self, landing: Landing) -> None:
        for expected in (9, 9):
            counted = audit_duplicates(landing.database, "run", whole_up_to=0)
            assert (counted.rows, counted.distinct_ids) == (expected, expected)

    def test_counts_them_where_no_index_stands_for_them(self, landing: Landing) -> None:
        audit_duplicates(landing.database, "run", whole_up_to=0)
        execute(
            landing,
            "ALTER TABLE user_events DROP CONSTRAINT user_events_pkey",
            "INSERT INTO user_events SELECT * FROM user_events",
        )
        counted = audit_duplicates(landing.database, "run", whole_up_to=0)
        assert (counted.rows, counted.distinct_ids) == (18, 9)


def test_rows_of_a_large_table_are_those_of_the_ledger(landing: Landing) -> None:
    execute(landing, f"DELETE FROM user_events WHERE {rows_of('a.csv')}")
    with landing.database.transaction() as connection:
        assert [row_count(connection, USER_EVENTS_TABLE, limit) for limit in (None, 9, 8)] == [
            6,
            6,
            9,
        ]


class TestSalesFigures:
    @pytest.fixture(autouse=True)
    def narrowed(self, landing: Landing) -> None:
        for rollup in (HOURLY_SALES, CONVERSION_FUNNEL):
            refresh(landing.database, rollup)
            finding = reconciles(landing.database, rollup, "check", whole_up_to=0)
            assert (finding.passed, NARROW in finding.details) == (True, False)

    def narrow(self, landing: Landing, rollup: str) -> Finding:
        finding = reconciles(landing.database, rollup, "check", whole_up_to=0)
        assert NARROW in finding.details
        return finding

    def test_agree_with_each_other(self, landing: Landing) -> None:
        for rollup in (HOURLY_SALES, CONVERSION_FUNNEL):
            assert self.narrow(landing, rollup).passed

    def test_whatever_either_has_yet_to_take_in(self, landing: Landing) -> None:
        drop(landing, "d.csv", line())
        execute(landing, f"DELETE FROM user_events WHERE {rows_of('a.csv')}")
        refresh(landing.database, HOURLY_SALES)
        for rollup in (HOURLY_SALES, CONVERSION_FUNNEL):
            finding = self.narrow(landing, rollup)
            assert (finding.passed, finding.expected, finding.found) == (True, "7 events", "7 events")

    @pytest.mark.parametrize("rollup", [HOURLY_SALES, CONVERSION_FUNNEL])
    def test_a_step_changed_by_hand_is_named_with_its_day(self, landing: Landing, rollup: str) -> None:
        execute(landing, f"UPDATE {rollup} SET views = views + 2, purchases = purchases - 2")
        finding = self.narrow(landing, rollup)
        assert not finding.passed
        assert finding.details["2026-01-02"] == "purchase of Books by -2, view of Books by 2"

    def test_revenue_is_held_against_the_events_with_the_whole(self, landing: Landing) -> None:
        execute(landing, "UPDATE hourly_sales SET revenue = revenue + 0.01")
        assert self.narrow(landing, HOURLY_SALES).passed
        assert not reconciles(landing.database, HOURLY_SALES, "check").passed
        for _ in range(2):  # and from now on by every run, until it is right
            finding = reconciles(landing.database, HOURLY_SALES, "check", whole_up_to=0)
            assert (finding.passed, NARROW in finding.details) == (False, False)
        refresh(landing.database, HOURLY_SALES, Days())
        assert reconciles(landing.database, HOURLY_SALES, "check", whole_up_to=0).passed
        assert self.narrow(landing, HOURLY_SALES).passed

    @pytest.mark.parametrize("rollup", [HOURLY_SALES, CONVERSION_FUNNEL])
    def test_figures_that_disagreed_are_right_when_the_events_say_so(
        self, landing: Landing, rollup: str
    ) -> None:
        """That they agree again says nothing: somebody may have changed both."""
        execute(landing, f"UPDATE {rollup} SET views = views + 2")
        assert not self.narrow(landing, rollup).passed
        other = CONVERSION_FUNNEL if rollup == HOURLY_SALES else HOURLY_SALES
        execute(landing, f"UPDATE {other} SET views = views + 2")
        assert not reconciles(landing.database, rollup, "check", whole_up_to=0).passed


def test_the_cost_follows_what_changed(landing: Landing) -> None:
    """A look at one new file reads its block range at most, not the files before."""
    drop(landing, "many.csv", *(line() for _ in range(40_000)))
    assert matches(landing).passed
    drop(landing, "new.csv", *(line() for _ in range(100)))
    with landing.database.open(autocommit=True) as connection:
        connection.execute("SELECT brin_summarize_new_values('user_events_file'::regclass)")
    before = rows_read(landing)
    finding = matches(landing)
    assert (finding.passed, NARROW in finding.details) == (True, True)
    # Of a table's statistics PostgreSQL counts what an index scan fetched, here 32 pages of 80 rows at most.
    assert 0 < rows_read(landing) - before < 5_000


def rows_read(landing: Landing) -> int:
    """Rows of the table that were read so far."""
    wait_until_counted(landing.database)
    with landing.database.open() as connection:
        row = connection.execute(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0)"
            " FROM pg_stat_user_tables WHERE relname = 'user_events'"
        ).fetchone()
    assert row is not None
    return int(row[0])
