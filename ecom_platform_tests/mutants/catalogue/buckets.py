"""Faults around a landing zone in a bucket: looking, claiming, leaving, and what executors see."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_SENSOR = "ecom_platform/orchestration/sensors/new_csv_files.py"
_SENSOR_TESTS = "ecom_platform_tests/integration/test_bucket_sensor.py"
_LOOK = "ecom_platform/landing/bucket/object_look.py"
_LIVE_TESTS = "ecom_platform_tests/integration/test_bucket_live.py"
_TESTS = "ecom_platform_tests/integration/test_bucket.py"
_RETURNED = "ecom_platform/landing/bucket/returned_objects.py"
_RETURNING = "ecom_platform/landing/bucket/object_returning.py"
_ON_CALL_TESTS = "ecom_platform_tests/integration/test_bucket_on_call.py"

MUTANTS = (
    Mutant(
        name="a store that is away passes for an empty bucket",
        promise=promises.BUCKET_SENSOR,
        file=_SENSOR,
        original="return State(now, away=str(error))",
        mutated="return State(now)",
        tests=(f"{_SENSOR_TESTS}::TestAStoreThatIsAway",),
    ),
    Mutant(
        name="a store that stays away is told nobody",
        promise=promises.BUCKET_SENSOR,
        file=_SENSOR,
        original="setdefault(settings.landing_place, now) > AWAY_SECONDS:",
        mutated="setdefault(settings.landing_place, now) > 1e9:",
        tests=(f"{_SENSOR_TESTS}::TestAStoreThatIsAway::test_when_it_lasts_ticks_fail",),
    ),
    Mutant(
        name="objects that a killed run had claimed are no work",
        promise=promises.BUCKET_SENSOR,
        file="ecom_platform/landing/bucket/object_arrivals.py",
        original="arrivals.waiting(landed, leftovers)",
        mutated="arrivals.waiting(landed, ())",
        tests=(f"{_SENSOR_TESTS}::TestWhatIsLoaded",),
    ),
    Mutant(
        name="each tick fetches each header again",
        promise=promises.BUCKET_SENSOR,
        file=_LOOK,
        original="if judged is None or judged.feeds != feeds:",
        mutated="if judged is None or feeds:",
        tests=(f"{_SENSOR_TESTS}::TestWhatIsNotLoaded",),
    ),
    Mutant(
        name="each claim lists the bucket",
        promise=promises.BUCKET_LIVE,
        file="ecom_platform/landing/bucket/object_lookout.py",
        original="self._left = list(files)",
        mutated="self._left = []",
        tests=(f"{_LIVE_TESTS}::TestTheLookout",),
    ),
    Mutant(
        name="what the store did not put away stays",
        promise=promises.BUCKET_LIVE,
        file="ecom_platform/landing/landing_places.py",
        original="return object_claim.put_away_left(database, self.zone.in_a_hurry())",
        mutated="return []",
        tests=(f"{_TESTS}::TestKilled::test_what_the_store_did_not_put_away_is_put_away_by_a_later_look",),
    ),
    Mutant(
        name="a version that was loaded and left lands again",
        promise=promises.BUCKET_LEFT,
        file=_LOOK,
        original="return found.key in self.keys or (found.key, found.etag) in self.versions",
        mutated="return found.key in self.keys",
        tests=(f"{_TESTS}::TestLeft",),
    ),
    Mutant(
        name="a version is claimed while the one before is loaded",
        promise=promises.BUCKET_LEFT,
        file="ecom_platform/store/sql/ledger.sql",
        original="WHERE f.file_id = claimed_objects.file_id AND f.state <> 'claimed'",
        mutated="WHERE f.file_id = claimed_objects.file_id",
        tests=(f"{_TESTS}::TestLeft",),
    ),
    Mutant(
        name="any bucket will do for executors",
        promise=promises.BUCKET_CLUSTER,
        file="ecom_platform/landing/sign.py",
        original="return None if found == self.name.encode() else",
        mutated="return None if found or not found else",
        tests=(f"{_TESTS}::TestExecutors",),
    ),
    Mutant(
        name="an object that lands again is as new as its copy",
        promise=promises.BUCKET_ON_CALL,
        file=_RETURNED,
        original="ours = mark is not None and zone.bucket.mark_of(found.key, found.etag) == str(mark)",
        mutated="ours = False",
        tests=(f"{_ON_CALL_TESTS}::TestLandings",),
    ),
    Mutant(
        name="whatever has the key of a copy has its landing",
        promise=promises.BUCKET_ON_CALL,
        file=_RETURNED,
        original="ours = mark is not None and zone.bucket.mark_of(found.key, found.etag) == str(mark)",
        mutated="ours = mark is not None",
        tests=(f"{_ON_CALL_TESTS}::TestLandings",),
    ),
    Mutant(
        name="a reconciliation that was killed after its copies makes others",
        promise=promises.BUCKET_ON_CALL,
        file=_RETURNED,
        original="return there is None or zone.bucket.mark_of(name, there.etag) == str(mark)",
        mutated="return there is None",
        tests=(f"{_ON_CALL_TESTS}::TestReconcile",),
    ),
    Mutant(
        name="what lands again replaces what is there",
        promise=promises.BUCKET_ON_CALL,
        file="ecom_platform/objects.py",
        original='CopySourceIfMatch=etag, IfNoneMatch="*"',
        mutated="CopySourceIfMatch=etag",
        tests=(f"{_ON_CALL_TESTS}::TestReload",),
    ),
    Mutant(
        name="what is copied in parts replaces what is there",
        promise=promises.BUCKET_ON_CALL,
        file="ecom_platform/object_parts.py",
        original=', IfNoneMatch="*")',
        mutated=")",
        tests=(f"{_TESTS}::TestLarge",),
    ),
    Mutant(
        name="what was rewritten while it was let land is deleted",
        promise=promises.BUCKET_ON_CALL,
        file=_RETURNING,
        original="zone.bucket.delete(one.found.key, one.found.etag)\n            hook",
        mutated="zone.bucket.delete_whatever(one.found.key)\n            hook",
        tests=(f"{_ON_CALL_TESTS}::TestReconcile",),
    ),
)
