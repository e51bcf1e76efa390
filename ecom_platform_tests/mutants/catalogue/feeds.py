"""Faults in feeds: what a text comes to, by what a row is known, whose a table is."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_TYPES = "ecom_platform_tests/unit/feeds/test_types.py"
_FEEDS = "ecom_platform_tests/integration/test_feeds.py"
_DRAFTING = "ecom_platform_tests/unit/files/test_drafting.py"

MUTANTS = (
    Mutant(
        name="equal rows of a file are one row",
        promise=promises.FEED_ONCE,
        file="ecom_platform/feeds/row_ids.py",
        original="    for row in np.flatnonzero(numbers).tolist():",
        mutated="    for row in np.flatnonzero(numbers)[:0].tolist():",
        tests=(f"{_FEEDS}::TestContent::test_equal_rows_are_rows_of_their_own_and_the_file_again_is_known",),
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
    Mutant(
        name="init writes a declaration that its rows were not read with",
        promise=promises.DRAFTED,
        file="ecom_platform/files/draft_proof.py",
        original="            refused = self._refused(feed)\n",
        mutated="            refused = self._refused(feed) if attempt else Counter()\n",
        tests=(f"{_DRAFTING}::test_lines_within_a_text_that_look_like_rows",),
    ),
    Mutant(
        name="init takes the first of two orders of day and month",
        promise=promises.DRAFTED,
        file="ecom_platform/feeds/inference/day_order.py",
        original="    if any(order not in",
        mutated="    order = order or 'dmy'\n    if any(order not in",
        tests=(f"{_DRAFTING}::test_the_order_of_day_and_month",),
    ),
    Mutant(
        name="init takes a point for that of decimals",
        promise=promises.DRAFTED,
        file="ecom_platform/feeds/inference/number_marks.py",
        original="            if unclear:\n",
        mutated="            if not unclear:\n",
        tests=(f"{_DRAFTING}::test_decimals_or_thousands",),
    ),
)
