"""Faults in what notices other faults, and in the figures: checks, what they look at, rollups."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_CHECKS = "ecom_platform/store/sql/checks.sql"
_SCOPE_SQL = "ecom_platform/store/sql/scope.sql"
_SCOPE = "ecom_platform/store/scope.py"
_AUDIT_TESTS = "ecom_platform_tests/integration/test_audit.py"
_USUAL_TESTS = "ecom_platform_tests/integration/test_usual_files.py"
_MISSED = "ecom_platform_tests/integration/test_scope.py::TestNothingIsMissed"
_ROLLUPS_SQL = "ecom_platform/shop/sql/rollups.sql"
_ROLLUPS = "ecom_platform/shop/rollups.py"
_ROLLUPS_TESTS = "ecom_platform_tests/shop/test_rollups.py"

MUTANTS = (
    Mutant(
        name="the ledger's total alone is held against its parts",
        promise=promises.COUNTS,
        file="ecom_platform/store/audit.py",
        original="        not unbalanced and read == accounted,",
        mutated="        read == accounted or not unbalanced,",
        tests=(f"{_AUDIT_TESTS}::test_counts_that_make_up_for_each_other_do_not_reconcile",),
    ),
    Mutant(
        name="a file that is dropped again is compared like any",
        promise=promises.UNLIKE,
        file=_CHECKS,
        original="WHERE f.state = 'loaded' AND f.feed = :feed AND f.same_bytes_as IS NULL\n",
        mutated="WHERE f.state = 'loaded' AND f.feed = :feed\n",
        tests=(f"{_USUAL_TESTS}::test_a_file_that_is_dropped_again_says_nothing",),
    ),
    Mutant(
        name="a value that vanishes is not missed",
        promise=promises.UNLIKE,
        file="ecom_platform/feeds/usual/shares.py",
        original="    away = np.maximum(least - new, new - most)\n",
        mutated="    away = new - most\n",
        tests=("ecom_platform_tests/unit/feeds/test_usual.py::test_an_incident_is_found",),
    ),
    Mutant(
        name="pieces of a delivery are compared by their size",
        promise=promises.UNLIKE,
        file="ecom_platform/feeds/usual/sizes.py",
        original="    if not file.alone or len(others) < LEAST_HISTORY:\n",
        mutated="    others = history\n    if len(others) < LEAST_HISTORY:\n",
        tests=(
            "ecom_platform_tests/unit/feeds/test_usual.py"
            "::test_pieces_of_one_delivery_are_not_judged_by_their_size",
        ),
    ),
    Mutant(
        name="NaN is a price",
        promise=promises.ONE_PLACE,
        file="ecom_platform/feeds/types/number_types.py",
        original='    _not_numbers = ("NaN",)\n',
        mutated="    _not_numbers = ()\n",
        tests=(f"{_AUDIT_TESTS}::test_prices_that_are_none",),
    ),
    Mutant(
        name="deleted rejects are not noticed",
        promise=promises.DELETED,
        file="ecom_platform/store/audit.py",
        original="        differing += look.connection.execute("
        'table.query("rejects_that_differ", "checks"))\n',
        mutated="",
        tests=(f"{_AUDIT_TESTS}::test_deleted_rejects_name_their_file",),
    ),
    Mutant(
        name="rows that were added under a number of no file are not noticed",
        promise=promises.DELETED,
        file=_CHECKS,
        original="WHERE coalesce(l.rows, 0) <> coalesce(t.rows, 0)",
        mutated="WHERE l.rows <> coalesce(t.rows, 0)",
        tests=(f"{_AUDIT_TESTS}::test_added_rows_are_noticed",),
    ),
    Mutant(
        name="no note is made of deleted rows",
        promise=promises.LARGE_TABLE,
        file="ecom_platform/store/migrations/versions/0009_whole_checks.sql",
        original="CREATE TRIGGER note_unchecked_deleted AFTER DELETE ON user_events",
        mutated="CREATE TRIGGER note_unchecked_deleted AFTER UPDATE ON user_events",
        tests=(f"{_MISSED}::test_deleted_rows_of_an_old_file",),
    ),
    Mutant(
        name="a check that found something wrong forgets what it looked at",
        promise=promises.LARGE_TABLE,
        file=_SCOPE,
        original="        self._right = right\n",
        mutated="        self._right = True\n",
        tests=(f"{_MISSED}::test_deleted_rows_of_an_old_file",),
    ),
    Mutant(
        name="a check reads its notes later than the table",
        promise=promises.LARGE_TABLE,
        file=_SCOPE,
        original="        connection.isolation_level = IsolationLevel.REPEATABLE_READ\n",
        mutated="        connection.isolation_level = IsolationLevel.READ_COMMITTED\n",
        tests=(f"{_MISSED}::test_a_row_deleted_while_a_check_looks",),
    ),
    Mutant(
        name="an emptied table leaves the checks content with what they had found",
        promise=promises.LARGE_TABLE,
        file="ecom_platform/store/migrations/versions/0015_feeds.sql",
        original="        DELETE FROM whole_checks WHERE check_name NOT LIKE '% of %';\n",
        mutated="",
        tests=(f"{_MISSED}::test_an_emptied_table",),
    ),
    Mutant(
        name="the whole of a large table is never looked at again",
        promise=promises.LARGE_TABLE,
        file=_SCOPE,
        original="WHOLE_EVERY_SECONDS = 25 * 3600.0",
        mutated="WHOLE_EVERY_SECONDS = float('inf')",
        tests=(
            "ecom_platform_tests/integration/test_scope.py::TestWhatIsLookedAt::test_the_whole_once_a_day",
        ),
    ),
    Mutant(
        name="a refresh sees changes of which it has not read the notes",
        promise=promises.ROLLUPS,
        file=_ROLLUPS,
        original="        connection.isolation_level = IsolationLevel.REPEATABLE_READ\n",
        mutated="        connection.isolation_level = IsolationLevel.READ_COMMITTED\n",
        tests=(
            f"{_ROLLUPS_TESTS}::test_a_load_that_commits_in_the_middle_of_a_refresh_is_counted_by_the_next",
        ),
    ),
    Mutant(
        name="notes of single rows stay after they were taken in",
        promise=promises.ROLLUPS,
        file=_ROLLUPS_SQL,
        original="DELETE FROM pending_events WHERE rollup = :rollup;",
        mutated="DELETE FROM pending_events WHERE rollup = :rollup AND sign > 0;",
        tests=(f"{_ROLLUPS_TESTS}::test_a_deleted_row_is_subtracted_without_reading_the_table",),
    ),
    Mutant(
        name="a deleted row of a file that is pending as a whole is subtracted as well",
        promise=promises.ROLLUPS,
        file=_ROLLUPS_SQL,
        original="            AND NOT EXISTS (SELECT FROM pending_files AS f WHERE f.rollup = :rollup "
        "AND f.file_id = p.file_id)\n",
        mutated="",
        tests=(f"{_ROLLUPS_TESTS}::test_a_row_that_went_before_its_file_was_taken_in_was_never_there",),
    ),
    Mutant(
        name="who bought twice is a buyer twice",
        promise=promises.ROLLUPS,
        file=_ROLLUPS_SQL,
        original="sum((after > 0)::int - (coalesce(before, 0) > 0)::int) AS buyers",
        mutated="sum((after > 0)::int) AS buyers",
        tests=(f"{_ROLLUPS_TESTS}::test_who_buys_again_is_the_same_buyer",),
    ),
    Mutant(
        name="a replayed row is not noted for the rollups",
        promise=promises.ROLLUPS,
        file="ecom_platform/store/rejects.py",
        original='        connection.execute(table.query("tell_of_replay", "replay"), _key(table, values))\n',
        mutated="        pass\n",
        tests=(f"{_ROLLUPS_TESTS}::test_a_replayed_row_is_counted",),
    ),
    Mutant(
        name="a cent too much reconciles",
        promise=promises.ROLLUPS,
        file=_ROLLUPS,
        original="        passed = expected == found and not differing",
        mutated="        passed = int(expected) == int(found)",
        tests=(f"{_ROLLUPS_TESTS}::test_a_cent_is_found",),
    ),
    Mutant(
        name="the days of a rollup are not compared, only its total",
        promise=promises.ROLLUPS,
        file=_ROLLUPS,
        original="        passed = expected == found and not differing",
        mutated="        passed = expected == found",
        tests=(
            f"{_ROLLUPS_TESTS}::test_a_figure_changed_by_hand_is_named_with_its_day_and_mended_by_it"
            "[conversion_funnel]",
        ),
    ),
    Mutant(
        name="a check that was wrong on the whole rests on an earlier look that was right",
        promise=promises.STAYS_RED,
        file=_SCOPE,
        original='            queries("scope").forget_whole(self.connection, check=self.scope.check, '
        "whole=self.scope.whole)\n",
        mutated="",
        tests=(f"{_MISSED}::test_what_the_whole_showed_stays_red_until_the_whole_is_right",),
    ),
)
