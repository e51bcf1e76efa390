"""Faults where later rows take the place of earlier ones."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_SQL = "ecom_platform/store/sql/newer_rows.sql"
_TESTS = "ecom_platform_tests/integration/test_newer_rows.py"

MUTANTS = (
    Mutant(
        name="a row that comes again unchanged does not count as a new word",
        promise=promises.NEWEST,
        file=_SQL,
        original='    "Later" AND NOT ("Same" AND "Same place")\n',
        mutated='    "Later" AND NOT "Same"\n',
        tests=(
            f"{_TESTS}::TestCounts::test_a_row_that_comes_again_unchanged_keeps_one_that_landed_in_between_out",
        ),
    ),
    Mutant(
        name="nor does it where its key comes several times in its file",
        promise=promises.NEWEST,
        file=_SQL,
        original=(
            'WHERE e.ctid = t."Place"\n    AND s."Place" IS NULL\n    AND (\n'
            "        ROW({compared_s}) IS DISTINCT FROM ROW({compared_t})\n        OR ROW"
        ),
        mutated=(
            'WHERE e.ctid = t."Place"\n    AND s."Place" IS NULL\n    AND (\n'
            "        ROW({compared_s}) IS DISTINCT FROM ROW({compared_t})\n        AND ROW"
        ),
        tests=(
            f"{_TESTS}::TestCounts::test_a_row_that_comes_again_unchanged_keeps_one_that_landed_in_between_out",
        ),
    ),
    Mutant(
        name="what is stored is the one that was loaded last",
        promise=promises.NEWEST,
        file=_SQL,
        original='        {is_later} AS "Later",\n',
        mutated='        true AS "Later",\n',
        tests=(f"{_TESTS}::TestCounts::test_a_row_that_landed_before_the_stored_one_is_stale",),
    ),
    Mutant(
        name="of rows whose key comes several times the stored one is the oldest",
        promise=promises.NEWEST,
        file=_SQL,
        original="    row_number() OVER (PARTITION BY {key} ORDER BY {in_order}, file_id)\n",
        mutated=(
            '    row_number() OVER (PARTITION BY {key} ORDER BY "Place" NULLS LAST, {in_order}, file_id)\n'
        ),
        tests=(f"{_TESTS}::TestAnyOrder::test_of_files_units_kills_and_retries",),
    ),
    Mutant(
        name="of rows that took the place of another file's the last buffer counts",
        promise=promises.NEWEST,
        file=_SQL,
        original=(
            'AND "Stored" <> file_id GROUP BY 1, 2\n'
            "ON CONFLICT (file_id, by_file_id) DO UPDATE SET rows = replaced_rows.rows + excluded.rows;\n"
        ),
        mutated=(
            'AND "Stored" <> file_id GROUP BY 1, 2\n'
            "ON CONFLICT (file_id, by_file_id) DO UPDATE SET rows = excluded.rows;\n"
        ),
        tests=(f"{_TESTS}::TestCounts::test_in_several_buffers",),
    ),
    Mutant(
        name="a row whose key comes once takes the place of a row of another key",
        promise=promises.NEWEST,
        file="ecom_platform/store/newer_rows.py",
        original="        paired = single.take(numbers).append_column(_NUMBER, numbers)\n",
        mutated="        paired = single.take(numbers).append_column(_NUMBER, numbers[::-1])\n",
        tests=(f"{_TESTS}::TestAnyOrder::test_of_files_units_kills_and_retries",),
    ),
    Mutant(
        name="what another unit has stored meanwhile is not looked at",
        promise=promises.NEWEST,
        file="ecom_platform/store/newer_rows.py",
        original='        if answer["known"]:\n',
        mutated="        if answer:\n",
        tests=(f"{_TESTS}::TestCounts::test_what_another_unit_stores_meanwhile_is_compared",),
    ),
    Mutant(
        name="a file that is brought back has landed anew",
        promise=promises.NEWEST,
        file="ecom_platform/store/sql/ledger.sql",
        original="    ON r.inode = f.inode AND r.size_bytes = f.size_bytes AND r.mtime_ns = f.mtime_ns\n",
        mutated="    ON r.inode = f.inode AND r.size_bytes = f.size_bytes AND r.mtime_ns <> f.mtime_ns\n",
        tests=(f"{_TESTS}::TestBroughtBack::test_an_old_file_changes_nothing_that_is_newer",),
    ),
    Mutant(
        name="a replayed row takes the place of any",
        promise=promises.NEWEST,
        file="ecom_platform/store/rejects.py",
        original='    if later:\n        connection.execute(table.query("replace_row"',
        mutated='    if beside:\n        connection.execute(table.query("replace_row"',
        tests=(f"{_TESTS}::TestReplay::test_a_row_of_a_later_file_stays",),
    ),
)
