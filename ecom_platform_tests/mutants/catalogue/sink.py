"""Faults in the unit of work: what one transaction stores, and what it does when it is disturbed."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_SINK = "ecom_platform/store/sink.py"
_COUNTS = "ecom_platform/store/file_counts.py"
_AGAIN = "ecom_platform/store/unit_retries.py"
_FILES = "ecom_platform/store/unit_files.py"
_SQL = "ecom_platform/store/sql/sink.sql"
_TESTS = "ecom_platform_tests/integration/test_sink.py"
_STORED = f"{_TESTS}::TestWhatIsStored"
_BROKEN = f"{_TESTS}::TestBreakingIt"
_REFUSED = "ecom_platform_tests/integration/test_refused_rows.py"
_RETRIES = "ecom_platform_tests/integration/test_sink_retries.py"
_WRITTEN_ON = "ecom_platform_tests/integration/test_written_on.py"

MUTANTS = (
    Mutant(
        name="a known id overwrites the row that is stored",
        promise=promises.ONCE,
        file=_SQL,
        original="    ON CONFLICT ({key}) DO NOTHING\n    RETURNING {key}",
        mutated="    ON CONFLICT ({key}) DO UPDATE SET file_id = excluded.file_id\n    RETURNING {key}",
        tests=(f"{_BROKEN}::test_an_id_that_another_unit_stores_between_look_up_and_insert",),
    ),
    Mutant(
        name="a lost key is no reason for the check of unique ids to fail",
        promise=promises.ONCE,
        file="ecom_platform/store/sql/checks.sql",
        original="AND i.indisunique AND i.indisvalid AND i.indpred IS NULL",
        mutated="AND i.indisunique AND i.indisvalid",
        tests=("ecom_platform_tests/integration/test_audit.py::TestUniqueness",),
    ),
    Mutant(
        name="an id twice in a buffer is sent the quick way without a look",
        promise=promises.DROPPED_AGAIN,
        file=_SINK,
        original="            self._careful = True\n            return False",
        mutated="            self._careful = True\n            return True",
        tests=(f"{_STORED}::test_a_file_dropped_again", f"{_STORED}::test_deleted_rows_come_back"),
    ),
    Mutant(
        name="a known row undoes more than its buffer",
        promise=promises.DROPPED_AGAIN,
        file=_SINK,
        original='            self._session.run("ROLLBACK TO SAVEPOINT buffer")\n',
        mutated='            self._session.run("ROLLBACK")\n            self._session.run("BEGIN")\n',
        tests=(f"{_STORED}::test_duplicates_across_buffers",),
    ),
    Mutant(
        name="only the first copy of a duplicate is looked at",
        promise=promises.COUNTS,
        file=_SQL,
        original='    WHERE s."Copy" > 1 OR NOT EXISTS',
        mutated="    WHERE NOT EXISTS",
        tests=(f"{_STORED}::test_a_row_twice_in_one_file",),
    ),
    Mutant(
        name="rejects are not taken from the rows that were inserted",
        promise=promises.COUNTS,
        file=_COUNTS,
        original="self.rows_stale + self.rows_duplicate + self.rows_rejected",
        mutated="self.rows_stale + self.rows_duplicate",
        tests=(f"{_STORED}::test_all_kinds_of_files_in_one_unit",),
    ),
    Mutant(
        name="a conflict counts as a duplicate as well",
        promise=promises.COUNTS,
        file=_COUNTS,
        original="            self.rows_rejected += rows\n            self.rows_conflicting += rows\n",
        mutated="            self.rows_rejected += rows\n            self.rows_conflicting += rows\n"
        "            self.rows_duplicate += rows\n",
        tests=(f"{_STORED}::test_same_id_with_other_content",),
    ),
    Mutant(
        name="a replayed reject stays counted as rejected",
        promise=promises.COUNTS,
        file="ecom_platform/store/sql/oncall.sql",
        original="    rows_rejected = rows_rejected - 1,",
        mutated="    rows_rejected = rows_rejected,",
        tests=(
            "ecom_platform_tests/integration/test_on_call.py::TestRejects"
            "::test_corrected_rows_are_loaded_once_each",
        ),
    ),
    Mutant(
        name="a conflict is no reject",
        promise=promises.ONE_PLACE,
        file=_SINK,
        original="            self._refuse_conflicts(pending)\n",
        mutated="",
        tests=(f"{_STORED}::test_same_id_with_other_content",),
    ),
    Mutant(
        name="ledger rows are not locked",
        promise=promises.KILLED,
        file=_SQL,
        original="ORDER BY file_id\nFOR UPDATE;",
        mutated="ORDER BY file_id;",
        tests=(
            f"{_BROKEN}::test_a_zombie_that_still_holds_the_ledger_rows",
            f"{_BROKEN}::test_the_same_unit_twice_at_once",
        ),
    ),
    Mutant(
        name="a finished file is loaded again by the attempt after it",
        promise=promises.LOST_COMMIT,
        file=_SQL,
        original="WHERE file_id = ANY($1::text::bigint[]) AND state = 'claimed'\n",
        mutated="WHERE file_id = ANY($1::text::bigint[])\n",
        tests=(
            f"{_BROKEN}::test_the_connection_breaks_during_commit",
            f"{_BROKEN}::test_the_same_unit_again",
        ),
    ),
    Mutant(
        name="a connection that is lost is an error",
        promise=promises.LOST_COMMIT,
        file=_AGAIN,
        original="        return isinstance(error, adbc.OperationalError)",
        mutated="        return False",
        tests=(
            f"{_BROKEN}::test_the_connection_breaks_during_commit",
            f"{_BROKEN}::test_the_connection_is_cut_after_a_step",
        ),
    ),
    Mutant(
        name="rows are committed before the ledger has their file",
        promise=promises.KILLED,
        file=_SINK,
        original='            self._hook("rejected")\n            self._settle()\n',
        mutated='            self._session.run("COMMIT")\n            self._session.run("BEGIN")\n'
        '            self._hook("rejected")\n            self._settle()\n',
        tests=(f"{_BROKEN}::test_the_process_is_killed_after_a_step[rejected]",),
    ),
    Mutant(
        name="a unit waits for the rows of another without a bound",
        promise=promises.DEADLOCK,
        file=_SINK,
        original=(
            '        if not alone:\n            self._session.run(f"SET LOCAL lock_timeout = {ROW_WAIT_MS}")'
        ),
        mutated='        if not alone:\n            self._session.run("SET LOCAL lock_timeout = 0")',
        tests=(f"{_BROKEN}::test_units_that_share_ids_in_opposite_order",),
        hangs="the test has PostgreSQL leave deadlocks alone for an hour",
    ),
    Mutant(
        name="a unit never takes its turn alone",
        promise=promises.DEADLOCK,
        file=_AGAIN,
        original="            self.alone = self.alone or sqlstate is not None",
        mutated="            self.alone = False",
        tests=(f"{_RETRIES}::test_a_unit_that_stepped_back_takes_its_turn_alone",),
    ),
    Mutant(
        name="a unit that takes its turn alone lets others in",
        promise=promises.DEADLOCK,
        file=_SINK,
        original='"lock_exclusive" if alone else "lock_shared"',
        mutated='"lock_shared" if alone else "lock_shared"',
        tests=(f"{_RETRIES}::test_a_unit_that_stepped_back_takes_its_turn_alone",),
    ),
    Mutant(
        name="one damaged archive costs its unit",
        promise=promises.ONE_BAD,
        file=_SINK,
        original="            unreadable |= error.verdicts",
        mutated="            raise next(iter(error.verdicts.values())).error from None",
        tests=(f"{_STORED}::test_gzip_that_breaks_off_after_rows_were_sent",),
    ),
    Mutant(
        name="rows of a damaged archive that were read before the damage stay",
        promise=promises.ONE_BAD,
        file=_SINK,
        original="            if counts.rows_read:\n",
        mutated="            if counts.rows_read < 0:\n",
        tests=(f"{_STORED}::test_gzip_that_breaks_off_after_rows_were_sent",),
    ),
    Mutant(
        name="the verdict on an unreadable file is kept over a change of that file",
        promise=promises.ONE_BAD,
        file=_FILES,
        original="        if self.final:\n            return True\n",
        mutated="        return True\n",
        tests=(f"{_REFUSED}::TestFiles::test_one_that_is_complete_at_the_second_look_is_loaded",),
    ),
    Mutant(
        name="a file that was found unreadable is not looked at again before the commit",
        promise=promises.ONE_BAD,
        file=_SINK,
        original="            check_unchanged(pending, stamps)\n",
        mutated="            judged = self._unreadable\n"
        "            check_unchanged([f for f in pending if f.file_id not in judged], stamps)\n",
        tests=(f"{_RETRIES}::test_an_archive_that_is_completed_after_it_was_found_damaged_twice",),
    ),
    Mutant(
        name="a file that was written to while it was read is told by its size alone",
        promise=promises.BEING_WRITTEN,
        file=_FILES,
        original="stamps[file.file_id] is not None and stamps[file.file_id] != _stamp(file)",
        mutated="stamps[file.file_id] is not None and stamps[file.file_id].size != _stamp(file).size",
        tests=(f"{_WRITTEN_ON}::test_while_it_is_read",),
    ),
    Mutant(
        name="a file that has grown since its claim is read as far as it is",
        promise=promises.BEING_WRITTEN,
        file=_FILES,
        original="if stamp is not None and sizes[key] is not None and stamp.size != sizes[key]",
        mutated="if stamp is not None and sizes[key] is not None and stamp.size < sizes[key]",
        tests=(f"{_WRITTEN_ON}::test_between_claim_and_load",),
    ),
    Mutant(
        name="the country is left out of the comparison of contents",
        promise=promises.ONE_PLACE,
        file="ecom_platform/store/feed_table.py",
        original="        return tuple(name for name in self.types if name not in self.key)",
        mutated="        return tuple(name for name in self.types if name not in "
        "(*self.key, 'user_location'))",
        tests=(f"{_TESTS}::test_a_row_that_differs_in_any_one_column_is_in_conflict",),
    ),
    Mutant(
        name="a reject is replayed without being locked",
        promise=promises.COUNTS,
        file="ecom_platform/store/sql/oncall.sql",
        original="WHERE reject_id = :reject_id AND replayed_at IS NULL\nFOR UPDATE;",
        mutated="WHERE reject_id = :reject_id AND replayed_at IS NULL;",
        tests=(
            "ecom_platform_tests/integration/test_corrections.py"
            "::test_two_replays_of_a_reject_at_once_count_it_once",
        ),
    ),
)
