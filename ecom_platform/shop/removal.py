"""Taking invented events out: their rows, their ledger and their files.

Belongs here: which files on disk, or objects of a bucket, are the generator's, and the order of them and the
database. Does not belong here: the rows (``generations``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from ecom_platform.errors import StorageError, UsageError
from ecom_platform.landing import claim_lock
from ecom_platform.landing.bucket import bucket_identity
from ecom_platform.landing.bucket.bucket_zone import ARCHIVE, QUARANTINE, BucketZone
from ecom_platform.landing.landing_places import Folders, Objects
from ecom_platform.landing.zone import REASON_SUFFIX, LandingZone, numbered
from ecom_platform.objects import StoredObject
from ecom_platform.shop import generations
from ecom_platform.shop.generations import GeneratedRows
from ecom_platform.shop.rollups import CONVERSION_FUNNEL, HOURLY_SALES, refresh_all
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.lock import ingest_lock
from ecom_platform.store.outcome import base


@dataclass(frozen=True, slots=True)
class Generated:
    """What there is of the generator: rows, and files on disk wherever they lie."""

    rows: GeneratedRows
    files_on_disk: int

    @property
    def nothing(self) -> bool:
        return not self.files_on_disk and not any(asdict(self.rows).values())

    def as_json(self) -> dict[str, int]:
        return {**asdict(self.rows), "files_on_disk": self.files_on_disk}

    def __str__(self) -> str:
        rows = self.rows
        return (
            f"{rows.events:,} events and {rows.rejects:,} rejects of {rows.files:,} generated files, their "
            f"ledger, {self.files_on_disk:,} files on disk, the record of {rows.generations:,} generations"
        )


def survey(connection: Connection, places: Folders | Objects) -> Generated:
    """What :func:`remove` would take out now."""
    file_ids = generations.file_ids(connection)
    found = _found(connection, places, file_ids)
    return Generated(generations.count(connection, file_ids), len(found))


def remove(
    database: Database,
    places: Folders | Objects,
    lock_wait_seconds: float,
) -> Generated:
    """Take it all out, and bring the sales figures up to date; says what was taken out.

    Everybody else's rows and files stay. The files go before the transaction is committed: ended in between,
    all rows are still there, and called again it goes on. Raises :class:`LockedError` while somebody loads.
    """
    with ingest_lock(database, lock_wait_seconds):
        with _claims_locked(database, places) as connection:
            file_ids = generations.file_ids(connection)
            found = _found(connection, places, file_ids)
            rows = generations.remove(connection, file_ids)
            for delete in found:
                delete()
        for _ in refresh_all(database, (HOURLY_SALES, CONVERSION_FUNNEL)):
            pass
    return Generated(rows, len(found))


def _claims_locked(database: Database, places: Folders | Objects) -> AbstractContextManager[Connection]:
    if isinstance(places, Folders):
        return claim_lock.claim_lock(database, places.zone)
    return bucket_identity.claim_lock(database, places.zone)


def _found(
    connection: Connection, places: Folders | Objects, file_ids: Collection[int]
) -> list[Callable[[], object]]:
    """What deletes each file of the generator's."""
    if isinstance(places, Folders):
        return [partial(_delete, path) for path in _on_disk(connection, places.zone, file_ids)]
    zone = places.zone
    return [partial(_delete_object, zone, found) for found in _in_bucket(connection, zone, file_ids)]


def _on_disk(connection: Connection, zone: LandingZone, file_ids: Collection[int]) -> list[Path]:
    """Where the ledger has these files; and what bears a generated name and either waits to be claimed or has
    a number that the ledger does not know."""
    names = generations.file_names(connection)
    places = {zone.path_of(state) for state in ledger.states(connection, file_ids).values()}
    strangers = {}
    for folder in (*zone.unfinished_and_refused, *zone.archive_days()):
        for path in folder.iterdir():
            ours = numbered(path.name)
            if ours is not None and ours[1] in names:
                strangers[path] = ours[0]
    known = ledger.states(connection, set(strangers.values()))
    places.update(path for path, number in strangers.items() if number not in known)
    places.update(_waiting(zone, names))
    return sorted(path for path in places if path.is_file() and not path.is_symlink())


def _waiting(zone: LandingZone, names: Collection[str]) -> Iterator[Path]:
    for path in zone.landing.iterdir():
        ours = numbered(path.name)
        if path.name in names or (ours is not None and ours[1] in names):
            yield path


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        path.with_name(path.name + REASON_SUFFIX).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be deleted: {error.strerror}.",
            "No row was removed. Make its folder writable and try again; what is gone is passed over.",
        ) from error


def _in_bucket(connection: Connection, zone: BucketZone, file_ids: Collection[int]) -> list[StoredObject]:
    """The same of objects. One that is claimed, or not yet put away, has the key that it landed by."""
    if zone.leaves:
        raise UsageError(
            f"Objects stay in {zone.location.url} (ECOM_LANDING_DONE is not move): without their rows, those "
            "that were generated would be loaded again.",
            "Use a database and a prefix of their own for invented events, with ECOM_LANDING_DONE=move.",
        )
    names = generations.file_names(connection)
    there = {found.key: found for found in _listed(zone)}
    keys = {zone.key_of(state) for state in ledger.states(connection, file_ids).values()}
    claimed = ledger.claimed_objects(connection)
    keys |= {found.key for file_id, found in claimed.items() if file_id in set(file_ids)}
    held = {found.key for found in claimed.values()}
    strangers: dict[str, int] = {}
    for key in there.keys() - held:
        ours = numbered(base(key))
        is_numbered, waits = ours is not None and ours[1] in names, "/" not in key
        if waits and (key in names or is_numbered):
            keys.add(key)
        elif ours is not None and is_numbered:
            strangers[key] = ours[0]
    known = ledger.states(connection, set(strangers.values()))
    keys |= {key for key, number in strangers.items() if number not in known}
    return sorted((there[key] for key in keys if key in there), key=lambda found: found.key)


def _listed(zone: BucketZone) -> Iterable[StoredObject]:
    yield from zone.bucket.level()[0]
    for folder in (ARCHIVE, QUARANTINE):
        yield from zone.bucket.below(folder)


def _delete_object(zone: BucketZone, found: StoredObject) -> None:
    zone.bucket.delete(found.key, found.etag)
    if found.key.startswith(QUARANTINE):
        zone.bucket.delete_whatever(found.key + REASON_SUFFIX)
