"""What is in the bucket held against the ledger: the evidence behind the checks of the archive.

Belongs here: the same questions as ``landing.archive_check`` and ``landing.accounting`` ask of folders. Does
not belong here: Dagster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime

from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.archive_check import LAST_DAY, WHOLE_UP_TO_FILES
from ecom_platform.landing.bucket import bucket_identity
from ecom_platform.landing.bucket.bucket_zone import DAY, OURS, QUARANTINE, BucketZone, day_of
from ecom_platform.landing.bucket.object_look import BucketPlacing, look
from ecom_platform.landing.expiry import expired_days
from ecom_platform.landing.placing import feed_finding
from ecom_platform.landing.zone import REASON_SUFFIX, numbered
from ecom_platform.objects import StoredObject
from ecom_platform.store import ledger
from ecom_platform.store.audit import Finding, named
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.outcome import base
from ecom_platform.store.scope import looking

_PAGE = 10_000


def archive_matches_ledger(connection: Connection, zone: BucketZone, *, whole: bool) -> Finding:
    """The archive has of each loaded file as many bytes as were loaded.

    What is not there at all is counted, not faulted: archives are emptied, by ``ECOM_ARCHIVE_DAYS`` or by
    hand.
    """
    bucket_identity.verify(connection, zone)
    if zone.leaves:
        return Finding(
            "archive_matches_ledger",
            True,
            "objects stay where they are",
            "objects stay where they are",
            "There is no archive: ECOM_LANDING_DONE is not move.",
            {},
        )
    all_files = whole or ledger.loaded_count(connection) <= WHOLE_UP_TO_FILES
    since = None if all_files else datetime.now(UTC) - LAST_DAY
    # In this order: what is put away meanwhile is in one of the two at least.
    on_their_way = ledger.claimed_objects(connection)
    sizes = {found.key: found.size for found in _archived(zone, None if since is None else since.date())}
    looked_at = absent = 0
    differing: list[tuple[str, str]] = []
    for file in ledger.loaded_files(connection, since):
        looked_at += 1
        size = sizes.get(zone.key_of(file) or "")
        called = f"{file.name} (file {file.file_id})"
        if size is None and file.file_id in on_their_way:
            differing.append((called, "loaded, but it is not put away: `ecom ingest` tries again"))
        elif size is None:
            absent += 1
        elif size != file.size_bytes:
            differing.append((called, f"{size} bytes, of which {file.size_bytes} were loaded"))
    return Finding(
        "archive_matches_ledger",
        not differing,
        "0 files of another size",
        f"{len(differing)} files of another size",
        "The archive has of each loaded file as many bytes as were loaded.",
        {
            "files_looked_at": looked_at,
            "files_not_in_the_archive": absent,
            **({} if since is None else {"looked_at": "files loaded within the last day"}),
            **named(differing),
        },
    )


def bucket_matches_ledger(database: Database, zone: BucketZone, *, whole_up_to: int | None = None) -> Finding:
    """The ledger knows every object of ours, as what it is; by the name of the same check of folders."""
    with looking(database, "disk_matches_ledger", whole_up_to=whole_up_to) as look_at:
        since = look_at.scope.whole_at
        strange = list(_strangers(database, zone, None if since is None else since.astimezone(UTC).date()))
        look_at.found_right(not strange)
    expected = "every object of ours is in the ledger"
    count = f"{len(strange):,} object{'' if len(strange) == 1 else 's'}"
    return Finding(
        "disk_matches_ledger",
        not strange,
        expected,
        f"{count} that the ledger does not know" if strange else expected,
        "Objects that were finished are in the ledger. They are not where PostgreSQL went back to an earlier "
        "state: a "
        "failover, a restore.",
        look_at.scope.details() | named(strange),
    )


def objects_have_a_feed(database: Database, zone: BucketZone, feeds: Mapping[str, Feed]) -> Finding:
    """Whether every object that has landed is some feed's."""
    _, waiting = BucketPlacing(zone, feeds).place(look(database, zone))
    return feed_finding(waiting)


def _archived(zone: BucketZone, since: date | None) -> Iterator[StoredObject]:
    for day in zone.archive_days():
        if since is None or day_of(day) >= since.isoformat():
            yield from zone.bucket.below(day)


def _strangers(database: Database, zone: BucketZone, since: date | None) -> Iterator[tuple[str, str]]:
    """The store is read first: what is there has a row before."""
    seen = [*zone.bucket.below(QUARANTINE), *_archived(zone, since)]
    with database.open(autocommit=True) as connection:
        for at in range(0, len(seen), _PAGE):
            yield from _strange(connection, zone, seen[at : at + _PAGE])


def _strange(
    connection: Connection, zone: BucketZone, page: Collection[StoredObject]
) -> Iterator[tuple[str, str]]:
    ours = {found.key: numbered(base(found.key)) for found in page if not found.key.endswith(REASON_SUFFIX)}
    states = ledger.states(connection, {number[0] for number in ours.values() if number is not None})
    for key, number in ours.items():
        if number is None:
            continue
        state = states.get(number[0])
        place = key.removeprefix(OURS).rpartition("/")[0]
        if state is None:
            yield base(key), f"in {place}, not in the ledger"
        elif (
            key.startswith(QUARANTINE)
            and number[1].startswith(base(state.name))
            and number[1] != base(state.name)
        ):
            continue  # what a person leaves beside an object that is being corrected
        elif zone.key_of(state) != key:
            yield base(key), f"in {place}, {state.state} as {state.name} by the ledger"


def delete_expired(zone: BucketZone, today: date, keep_days: int) -> list[str]:
    """Delete what is past its time; returns the days that went."""
    folders = zone.archive_days()
    days = set(expired_days([day_of(folder) for folder in folders], today, keep_days))
    for folder in folders:
        if day_of(folder) in days and DAY.fullmatch(day_of(folder)):
            for found in zone.bucket.below(folder):
                zone.bucket.delete(found.key, found.etag)
    return sorted(days)
