"""Faults around the landing zone: what may be taken, where files go, what is started for them."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_CLAIM = "ecom_platform/landing/folder/claim.py"
_SCAN = "ecom_platform/landing/folder/scan.py"
_CLAIM_TESTS = "ecom_platform_tests/unit/landing/test_claim.py"
_SCAN_TESTS = "ecom_platform_tests/unit/landing/test_scan.py"
_BELONGING_TESTS = "ecom_platform_tests/unit/files/test_belonging.py"
_ON_CALL = "ecom_platform_tests/integration/test_on_call.py"
_ARRIVALS = "ecom_platform/landing/arrivals.py"
_ARRIVALS_TESTS = "ecom_platform_tests/unit/landing/test_arrivals.py"
_PRESENCE = "ecom_platform/orchestration/presence.py"
_PRESENCE_TESTS = "ecom_platform_tests/unit/orchestration/test_presence.py"

MUTANTS = (
    Mutant(
        name="one look is enough for a file to rest",
        promise=promises.BEING_WRITTEN,
        file=_SCAN,
        original="    return now.same_content(before) and (age >= settle_seconds or age < 0)",
        mutated="    return age >= settle_seconds or age < 0",
        tests=(f"{_SCAN_TESTS}::TestRests",),
    ),
    Mutant(
        name="a file rests however young it is",
        promise=promises.BEING_WRITTEN,
        file=_SCAN,
        original="    return now.same_content(before) and (age >= settle_seconds or age < 0)",
        mutated="    return now.same_content(before)",
        tests=(f"{_SCAN_TESTS}::TestRests",),
    ),
    Mutant(
        name="looks that follow each other at once count as two",
        promise=promises.BEING_WRITTEN,
        file="ecom_platform/landing/folder/watch.py",
        original="if now - sight.first_seen >= LOOK_INTERVAL_SECONDS else None",
        mutated="if now - sight.first_seen >= 0 else None",
        tests=("ecom_platform_tests/unit/landing/test_watch.py",),
    ),
    Mutant(
        name="a file that was claimed and not renamed is given up",
        promise=promises.KILLED,
        file=_CLAIM,
        original="    for file in ledger.claimed(connection):\n",
        mutated="    for file in []:\n",
        tests=(f"{_CLAIM_TESTS}::test_killed_between_row_and_rename",),
    ),
    Mutant(
        name="a claim takes a number whose place another file has",
        promise=promises.NOT_OVERWRITTEN,
        file=_CLAIM,
        original="        _refuse_used(zone.taken_place(*place) for place in "
        "zip(file_ids, names, strict=True))\n",
        mutated="",
        tests=(f"{_CLAIM_TESTS}::test_a_claim_replaces_no_file",),
    ),
    Mutant(
        name="numbers that the disk has are given again",
        promise=promises.RESTORED,
        file=_CLAIM,
        original="        _pass_over_used_numbers(connection, zone)\n",
        mutated="",
        tests=(
            f"{_CLAIM_TESTS}::test_numbers_that_the_disk_has_are_passed_over",
            f"{_ON_CALL}::TestReconcile::test_a_ledger_older_than_the_disk_gives_no_number_twice",
        ),
    ),
    Mutant(
        name="a file that the restored ledger has as claimed is not taken back",
        promise=promises.RESTORED,
        file=_CLAIM,
        original="    place = zone.put_away(file_id, name)\n    if place is None:",
        mutated="    place = None\n    if place is None:",
        tests=(f"{_ON_CALL}::TestReconcile::test_a_backup_made_during_a_load",),
    ),
    Mutant(
        name="what is put away replaces a file of its name",
        promise=promises.NOT_OVERWRITTEN,
        file="ecom_platform/landing/folder/zone.py",
        original="    if os.path.lexists(source) and os.path.lexists(target):",
        mutated="    if not os.path.lexists(source) and os.path.lexists(target):",
        tests=(f"{_ON_CALL}::TestReconcile::test_a_finished_file_replaces_no_other",),
    ),
    Mutant(
        name="what lands again replaces a file that was dropped meanwhile",
        promise=promises.NOT_OVERWRITTEN,
        file="ecom_platform/landing/folder/no_replace.py",
        original="            os.link(source, folder / name, follow_symlinks=False)\n",
        mutated="            os.link(source, folder / (name + '~'), follow_symlinks=False)\n"
        "            (folder / (name + '~')).replace(folder / name)\n",
        tests=("ecom_platform_tests/unit/landing/test_no_replace.py",),
    ),
    Mutant(
        name="files that wait are forgotten after the last delay instead of given up aloud",
        promise=promises.LANDED,
        file=_ARRIVALS,
        original="    if attempts.of_this_set >= patience.attempts:",
        mutated="    if attempts.of_this_set == patience.attempts:",
        tests=(f"{_ARRIVALS_TESTS}::test_work_is_never_forgotten", f"{_ARRIVALS_TESTS}::TestRetry"),
    ),
    Mutant(
        name="what a killed run had claimed is no work",
        promise=promises.LANDED,
        file=_ARRIVALS,
        original="        + [Waiting(file.name, file.size_bytes, file.landed_at) for file in leftovers]",
        mutated="",
        tests=(f"{_ARRIVALS_TESTS}::TestFingerprint",),
    ),
    Mutant(
        name="a clock that was set back delays a load",
        promise=promises.LANDED,
        file=_ARRIVALS,
        original="    if ended_at is None or state.now < ended_at:",
        mutated="    if ended_at is None:",
        tests=(f"{_ARRIVALS_TESTS}::TestRetry",),
    ),
    Mutant(
        name="a run is taken to live as long as its file is there",
        promise=promises.LANDED,
        file=_PRESENCE,
        original="    return Presence.HERE if is_locked(path) else Presence.GONE",
        mutated="    return Presence.HERE",
        tests=(f"{_PRESENCE_TESTS}::test_a_process_that_is_killed",),
    ),
    Mutant(
        name="a child that was forked keeps the runs of its parent alive",
        promise=promises.LANDED,
        file=_PRESENCE,
        original="os.register_at_fork(after_in_child=_forget_after_fork)",
        mutated="",
        tests=(f"{_PRESENCE_TESTS}::test_a_child_does_not_keep_its_parents_runs_alive",),
    ),
    Mutant(
        name="the ingest lock is held without asking who else has it",
        promise=promises.LANDED,
        file="ecom_platform/store/sql/lock.sql",
        original="SELECT pg_try_advisory_lock(",
        mutated="SELECT true OR pg_try_advisory_lock(",
        tests=("ecom_platform_tests/unit/store/test_lock.py::test_a_bounded_ingest",),
    ),
    Mutant(
        name="a file is renamed before its ledger row is committed",
        promise=promises.KILLED,
        file=_CLAIM,
        original="        connection.commit()\n        for file_id, file in zip(",
        mutated="        for file_id, file in zip(",
        tests=(f"{_CLAIM_TESTS}::test_the_ledger_row_is_committed_before_the_file_is_renamed",),
    ),
    Mutant(
        name="no account is made at the end of a run",
        promise=promises.WENT_BACK,
        file="ecom_platform/streaming/ingest.py",
        original="        places.require_ends(database, {*rounds.file_ids, *beside.file_ids})\n",
        mutated="",
        tests=(
            "ecom_platform_tests/integration/test_ingest.py"
            "::test_a_database_that_forgets_what_was_loaded_is_no_success",
        ),
    ),
    Mutant(
        name="the account at the end of a run passes over what the ledger does not know",
        promise=promises.WENT_BACK,
        file="ecom_platform/landing/accounting.py",
        original="    if unknown:\n",
        mutated="    if not states and unknown:\n",
        tests=("ecom_platform_tests/integration/test_accounting.py::TestTheEndOfARun",),
    ),
    Mutant(
        name="the check of the disk looks at the claimed folder and the archive alone",
        promise=promises.WENT_BACK,
        file="ecom_platform/landing/folder/disk_account.py",
        original="    for folder in zone.unfinished_and_refused:\n",
        mutated="    for folder in folders_of_feeds(zone.claimed):\n",
        tests=(
            "ecom_platform_tests/integration/test_accounting.py::TestFilesThatTheLedgerDoesNotKnow"
            "::test_archived_claimed_and_in_quarantine",
        ),
    ),
    Mutant(
        name="a feed that needs extra columns takes what another declares whole",
        promise=promises.PLACED,
        file="ecom_platform/files/belonging.py",
        original="[fit for fit in fits if not fit.needs_extra] or fits",
        mutated="fits",
        tests=(f"{_BELONGING_TESTS}::test_one_that_needs_no_extra_column_beats_those_that_do",),
    ),
    Mutant(
        name="a file of no feed is taken by the first",
        promise=promises.PLACED,
        file="ecom_platform/files/belonging.py",
        original="        return Belonging(None, misfit)",
        mutated="        return Belonging(TOP_FEED)",
        tests=(f"{_BELONGING_TESTS}::test_what_is_said_of_others",),
    ),
    Mutant(
        name="a file that is placed replaces one in its feed's folder",
        promise=promises.NOT_OVERWRITTEN,
        file="ecom_platform/landing/folder/placing.py",
        original='name = move(self._landing / file.name, self._landing, [f"{feed}/{file.name}"])',
        mutated='name = f"{feed}/{file.name}"; (self._landing / file.name).rename(self._landing / name)',
        tests=("ecom_platform_tests/integration/test_placing.py::TestTheMove::test_replaces_nothing",),
    ),
    Mutant(
        name="what an earlier version quarantined is brought back without asking whose it is",
        promise=promises.PLACED,
        file="ecom_platform/landing/folder/former_quarantine.py",
        original=".feed != TOP_FEED:",
        mutated=".feed != '':",
        tests=(
            "ecom_platform_tests/integration/test_placing.py::TestWhatIsInQuarantineFromBefore"
            "::test_it_lands_again_once_and_what_is_damaged_stays",
        ),
    ),
)
