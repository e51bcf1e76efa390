"""What is in the bucket held against the ledger: the evidence behind the checks of the archive.

Belongs here: the same questions as ``folder.archive_check`` and ``folder.disk_account`` ask of folders. Does
not belong here: Dagster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date

from ecom_platform.landing.bucket import bucket_identity
from ecom_platform.landing.bucket.bucket_zone import OURS, QUARANTINE, BucketZone, day_of
from ecom_platform.landing.evidence import archive_finding, archived_since, counted, ledger_finding
from ecom_platform.landing.kept_names import REASON_SUFFIX, numbered
from ecom_platform.objects import StoredObject
from ecom_platform.store import ledger
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.outcome import base

_PAGE = 10_000


def archive_matches_ledger(connection: Connection, zone: BucketZone, *, whole: bool) -> Finding:
    """The archive has of each loaded file as many bytes as were loaded."""
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
    since = archived_since(connection, whole=whole)
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
    return archive_finding(differing, looked_at, absent, since)


def bucket_matches_ledger(database: Database, zone: BucketZone, *, whole_up_to: int | None = None) -> Finding:
    """The ledger knows every object of ours, as what it is; by the name of the same check of folders."""
    return ledger_finding(
        database,
        whole_up_to,
        lambda since: list(_strangers(database, zone, since)),
        "every object of ours is in the ledger",
        lambda number: f"{counted(number, 'object')} that the ledger does not know",
    )


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
