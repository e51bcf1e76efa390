"""Faults in feeds: what a text comes to, by what a row is known, whose a table is."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_TYPES = "ecom_platform_tests/unit/feeds/test_types.py"
_FEEDS = "ecom_platform_tests/integration/test_feeds.py"
_ASSETS = "ecom_platform_tests/integration/test_feed_assets.py"
_CORRECTIONS = "ecom_platform_tests/integration/test_feed_corrections.py"
_DRAFTING = "ecom_platform_tests/unit/files/test_drafting.py"
_COMPONENT = "ecom_platform/orchestration/component.py"
_COMPONENT_TESTS = "ecom_platform_tests/unit/orchestration/test_component.py"
_SENSOR = "ecom_platform_tests/integration/test_new_csv_files.py"

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
        file="ecom_platform/store/table_plans.py",
        original="        _refuse_altered(connection, table, FeedTable(before), found, (known, name))\n",
        mutated="        pass\n",
        tests=(f"{_FEEDS}::TestTables::test_one_that_was_altered",),
    ),
    Mutant(
        name="another declaration is taken for the one that a table was made from",
        promise=promises.FEED_WRONG,
        file="ecom_platform/store/feed_tables.py",
        original="    if changed:\n",
        mutated="    if changed and by_itself is None:\n",
        tests=(f"{_FEEDS}::TestTables::test_another_declaration",),
    ),
    Mutant(
        name="a row that is corrected is taken for one that is like it",
        promise=promises.FEED_ONCE,
        file="ecom_platform/oncall/corrections.py",
        original='one_more=table.feed.identity == "content")',
        mutated="one_more=False)",
        tests=(f"{_CORRECTIONS}::TestCorrected::test_equal_ones_one_after_the_other_are_each_a_row",),
    ),
    Mutant(
        name="a question that cannot be asked of a feed is no failed check",
        promise=promises.FEED_WRONG,
        file="ecom_platform/orchestration/checks/feed_checks.py",
        original="                findings = [audit.unanswered(check, error) for check in named[name]]\n",
        mutated="                findings = []\n",
        tests=(f"{_ASSETS}::test_they_are_loaded_together_or_by_choice",),
    ),
    Mutant(
        name="a file of a feed that the ledger has forgotten lands among those of the first",
        promise=promises.FEED_WRONG,
        file="ecom_platform/landing/kept_names.py",
        original='    return "" if not folders or is_day(folders[0]) else f"{folders[0]}/"\n',
        mutated='    return ""\n',
        tests=(
            f"{_FEEDS}::TestOnCall::test_claimed_and_quarantined_files_of_a_forgotten_ledger_land_where_they_did",
        ),
    ),
    Mutant(
        name="a check of a declaration may write",
        promise=promises.FEED_WRONG,
        file="ecom_platform/store/sql/scope.sql",
        original="SET LOCAL transaction_read_only = on;\n",
        mutated="",
        tests=(f"{_FEEDS}::test_a_check_of_the_declaration",),
    ),
    Mutant(
        name="the files of a run are loaded whether or not they were made",
        promise=promises.LANDED,
        file="ecom_platform/orchestration/assets/feed_assets.py",
        original="        deps=list(upstream),\n",
        mutated="",
        tests=(
            "ecom_platform_tests/unit/orchestration/test_definitions.py::test_what_comes_before_is_executed_before",
        ),
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
    Mutant(
        name="each component brings the sensors of the location",
        promise=promises.OTHER_PROJECT,
        file=_COMPONENT,
        original="        if not leading:\n            return feeds\n",
        mutated="",
        tests=(f"{_COMPONENT_TESTS}::test_several_components_share_what_is_the_locations",),
    ),
    Mutant(
        name="what no component has is loaded by nobody",
        promise=promises.OTHER_PROJECT,
        file="ecom_platform/orchestration/declared.py",
        original="        if not names >= set(self.names) or not self.leading:\n",
        mutated="        if self.whole is not None:\n",
        tests=(f"{_COMPONENT_TESTS}::test_what_no_component_has_is_loaded_with_the_first",),
    ),
    Mutant(
        name="a template in a declaration is taken for its text",
        promise=promises.OTHER_PROJECT,
        file="ecom_platform/feeds/component_file.py",
        original="        if _IN_BRACES.search(value):\n",
        mutated="        if False:\n",
        tests=(f"{_COMPONENT_TESTS}::test_what_no_feed_can_be_made_of",),
    ),
    Mutant(
        name="a run is over when the step that loaded has ended",
        promise=promises.OTHER_PROJECT,
        file="ecom_platform/orchestration/stale_runs.py",
        original="    return seen is Presence.GONE and not _speaks(instance, run)\n",
        mutated="    return seen is Presence.GONE\n",
        tests=(f"{_SENSOR}::TestStaleRuns::test_a_run_whose_step_has_ended",),
    ),
)
