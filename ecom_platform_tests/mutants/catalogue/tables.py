"""Faults in the life of a feed's table: changed, made anew, renamed; and a file taken out of it."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_CHANGES = "ecom_platform_tests/integration/test_table_changes.py"
_REBUILD = "ecom_platform_tests/integration/test_rebuild.py"
_UNLOAD = "ecom_platform_tests/integration/test_unload.py"
_BUCKET_NAMES = "ecom_platform_tests/integration/test_bucket_feed_names.py"
_NAMES = "ecom_platform_tests/integration/test_feed_names.py"

MUTANTS = (
    Mutant(
        name="rows that are known by all their columns get a new one",
        promise=promises.TABLE_CHANGED,
        file="ecom_platform/store/table_changes.py",
        original='    if table.feed.identity == "content":\n        return _lost',
        mutated='    if table.feed.identity == "nothing":\n        return _lost',
        tests=(f"{_CHANGES}::test_rows_that_are_known_by_all_their_columns_get_no_new_one",),
    ),
    Mutant(
        name="a numeric of fewer digits is taken for a wider one",
        promise=promises.TABLE_CHANGED,
        file="ecom_platform/store/table_changes.py",
        original="        if numeric and held[1] == holds[1] and holds[0] >= held[0]:\n",
        mutated="        if numeric and held[1] == holds[1]:\n",
        tests=(f"{_CHANGES}::test_what_rewrites_is_what_postgresql_says",),
    ),
    Mutant(
        name="a table is made anew from other bytes than were loaded",
        promise=promises.REBUILT,
        file="ecom_platform/tables/rebuilding.py",
        original="        elif file.sha256 != before[file.file_id].sha256:\n",
        mutated="        elif file.sha256 is None:\n",
        tests=(f"{_REBUILD}::TestWhatTheArchiveDoesNotHave::test_other_bytes_are_left_out_by_partial",),
    ),
    Mutant(
        name="what is replayed while a table is made anew is lost",
        promise=promises.REBUILT,
        file="ecom_platform/store/shadow.py",
        original="        if not same or self._replays(connection) != replays:\n",
        mutated="        if not same:\n",
        tests=(f"{_REBUILD}::TestWhatTheArchiveDoesNotHave::test_a_replay_meanwhile",),
    ),
    Mutant(
        name="what was filled for one declaration is taken for another's",
        promise=promises.REBUILT,
        file="ecom_platform/store/shadow.py",
        original='    parts = [declaration_hash(feed), *(f"',
        mutated='    parts = [feed.name, *(f"',
        tests=(f"{_REBUILD}::TestKilled::test_another_declaration_begins_anew",),
    ),
    Mutant(
        name="what was in conflict with a file that is taken out stays refused",
        promise=promises.UNLOADED,
        file="ecom_platform/store/sql/unload.sql",
        original="    OR (r.replayed_at IS NULL AND r.reason = 'id_conflict')\n",
        mutated="",
        tests=(f"{_UNLOAD}::TestWhatComesBack::test_a_conflict_wins_and_a_duplicate_becomes_one",),
    ),
    Mutant(
        name="a file that is taken out stays where reconcile finds it",
        promise=promises.UNLOADED,
        file="ecom_platform/landing/folder/taking_out.py",
        original="                source.rename(target)\n",
        mutated="                source.stat()\n",
        tests=(f"{_UNLOAD}::TestWhatComesBack::test_several_at_once_by_number_and_path",),
    ),
    Mutant(
        name="a feed is loaded while it is renamed",
        promise=promises.RENAMED,
        file="ecom_platform/tables/renaming.py",
        original='        between = feeds_dir / f"{new}.yaml.renamed-from-{old}"\n',
        mutated='        between = feeds_dir / f"{new}.yaml"\n',
        tests=(f"{_NAMES}::TestRenaming::test_killed_it_is_finished_by_running_it_again",),
    ),
    Mutant(
        name="what waits in a bucket is as new as its copy, once its feed is renamed",
        promise=promises.RENAMED,
        file="ecom_platform/landing/bucket/feed_objects.py",
        original="                partial(note_moved, connection, zone, found, highest + number),\n",
        mutated="                lambda stamp: None,\n",
        tests=(f"{_BUCKET_NAMES}::TestRenaming::test_the_newest_row_of_a_key_stays_the_newest",),
    ),
    Mutant(
        name="an object that is claimed is moved when its feed is renamed",
        promise=promises.RENAMED,
        file="ecom_platform/landing/bucket/feed_objects.py",
        original=" if found.key not in claimed]\n",
        mutated="]\n",
        tests=(
            f"{_BUCKET_NAMES}::TestRenaming::test_what_is_claimed_is_loaded_and_put_away_by_the_new_name",
        ),
    ),
)
