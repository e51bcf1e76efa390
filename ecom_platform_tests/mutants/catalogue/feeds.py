"""Faults in feeds: what a text comes to, by what a row is known, whose a table is."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_TYPES = "ecom_platform_tests/unit/feeds/test_types.py"
_FEEDS = "ecom_platform_tests/integration/test_feeds.py"

MUTANTS = (
    Mutant(
        name="equal rows of a file are one row",
        promise=promises.FEED_ONCE,
        file="ecom_platform/feeds/row_ids.py",
        original="    again = np.flatnonzero(numbers)\n",
        mutated="    again = np.flatnonzero(numbers)[:0]\n",
        tests=(f"{_FEEDS}::TestContent::test_equal_rows_are_rows_of_their_own_and_the_file_again_is_known",),
    ),
    Mutant(
        name="what was counted before the table was full is forgotten",
        promise=promises.FEED_ONCE,
        file="ecom_platform/feeds/numbering.py",
        original="            self._spilled.append(SpilledTable(self._table))\n",
        mutated="",
        tests=("ecom_platform_tests/unit/feeds/test_numbering.py::test_against_a_dict",),
    ),
    Mutant(
        name="a block's lines are known by their fields in the order of the file",
        promise=promises.FEED_ONCE,
        file="ecom_platform/files/record_ids.py",
        original="2 * np.array(fields, dtype=np.int32)",
        mutated="2 * np.array(sorted(fields), dtype=np.int32)",
        tests=("ecom_platform_tests/unit/files/test_record_ids.py",),
    ),
    Mutant(
        name="the order of a file's columns is part of a row's content",
        promise=promises.FEED_ONCE,
        file="ecom_platform/files/file_columns.py",
        original='        return sorted([*found, *((name, (at,), "") for name, at in self.extra)])',
        mutated="        return sorted(found, key=lambda one: one[1])",
        tests=(f"{_FEEDS}::TestContent::test_another_dress_is_the_same_content",),
    ),
    Mutant(
        name="a local time that occurs twice is guessed",
        promise=promises.FEED_ONCE,
        file="ecom_platform/feeds/types/time_types.py",
        original="        if len(set(found)) > 1 and self.column.fold is None:",
        mutated="        if False:",
        tests=(f"{_TYPES}::test_the_row_path_is_as_the_reference_says",),
    ),
    Mutant(
        name="the quick path takes numbers beyond their bounds",
        promise=promises.FEED_ONCE,
        file="ecom_platform/feeds/types/number_types.py",
        original="            right &= self._within(low)\n",
        mutated="",
        tests=(f"{_TYPES}::test_what_the_vector_path_accepts_the_row_path_accepts_with_the_same_value",),
    ),
    Mutant(
        name="a table that was altered is loaded into",
        promise=promises.FEED_WRONG,
        file="ecom_platform/store/feed_tables.py",
        original="    _refuse_altered(connection, table, schema)\n",
        mutated="",
        tests=(f"{_FEEDS}::TestTables::test_one_that_was_altered",),
    ),
    Mutant(
        name="another declaration is taken for the one that a table was made from",
        promise=promises.FEED_WRONG,
        file="ecom_platform/store/feed_tables.py",
        original="    if changed:\n",
        mutated="    if changed and not now:\n",
        tests=(f"{_FEEDS}::TestTables::test_another_declaration",),
    ),
)
