"""Which landing zone in a bucket belongs to which database, and that its store can do what is asked of it.

Belongs here: the marker, the highest number, and the proof before anything is claimed. Does not belong here:
what follows from a claim (``object_claim``).
"""

from __future__ import annotations

import logging
import secrets
from contextlib import AbstractContextManager
from itertools import islice
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from ecom_platform.errors import StorageError
from ecom_platform.landing.bucket.bucket_zone import HIGHEST, MARKER, OURS, BucketZone
from ecom_platform.landing.claims import claims_held
from ecom_platform.landing.kept_names import file_number
from ecom_platform.objects import ObjectChangedError, StoredObject
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database

log = logging.getLogger(__name__)

# Of so many objects one that is not empty is looked for.
_LOOKED_AT = 1_000
_NO_OBJECT = '"00000000000000000000000000000000"'


def claim_lock(
    database: Database, zone: BucketZone, *, adopt: bool = False
) -> AbstractContextManager[Connection]:
    """A connection that nobody else's claim or recovery runs beside; committed at the end.

    Raises :class:`StorageError` where ``zone`` is not the one that this database is about. ``adopt`` makes
    it that one.
    """

    def check(connection: Connection) -> None:
        if adopt:
            _adopt(connection, zone)
        verify(connection, zone)

    return claims_held(database, check)


def prepare(zone: BucketZone) -> None:
    """Prove that the store can be written, and keeps to the conditions of requests; raises
    :class:`StorageError`.

    One that passes over them would let two writers win, and delete what was written since it was read. Where
    objects stay, it is proven of one of them that it is not read by another ETag than its own.
    """
    if zone.leaves:
        if not _reads_by_etag(zone):
            raise _unfit(zone, "If-Match on GET", "read without taking half of one that is rewritten")
        return
    bucket, key = zone.bucket, f"{OURS}writable-{secrets.token_hex(8)}"
    first, second = secrets.token_bytes(16), secrets.token_bytes(16)
    try:
        kept = bucket.put_new(key, first) and not bucket.put_new(key, second)
        kept = kept and bucket.read(key) == first and not bucket.delete(key, _NO_OBJECT)
    finally:
        bucket.delete_whatever(key)
    if not kept:
        raise _unfit(
            zone,
            "If-None-Match and If-Match, on deletions as well",
            "claimed and put away without losing any",
        )


def any_object(zone: BucketZone) -> StoredObject | None:
    """An object that lies there and is not empty, if there is one among the first."""
    return next((found for found in islice(zone.bucket.below(""), _LOOKED_AT) if found.size), None)


def _reads_by_etag(zone: BucketZone) -> bool:
    found = any_object(zone)
    if found is None:
        return True  # nothing to read
    try:
        zone.bucket.read_range(found.key, _NO_OBJECT, 0, 1, lambda piece: None)
    except ObjectChangedError:
        return True
    return False


def _unfit(zone: BucketZone, conditions: str, wanted: str) -> StorageError:
    return StorageError(
        f"The store of {zone.location.url} passes over the conditions of requests ({conditions}), so objects "
        f"in it cannot be {wanted}.",
        "Use a store that keeps to them, or copy the objects into a folder and set ECOM_LANDING_DIR.",
    )


def verify(connection: Connection, zone: BucketZone) -> None:
    """Make sure that ``zone`` is the one that this ledger is about; raises :class:`StorageError`.

    A ledger without a zone, or without a file, takes the first one that it is shown.
    """
    found, known = read_marker(zone), ledger.zone_id(connection)
    if found is not None and found == known:
        return
    if known is not None and ledger.has_files(connection):
        mark = "lacks its marker" if found is None else f"has the {'id' if zone.leaves else 'marker'} {found}"
        raise StorageError(
            f"This database loads from the landing zone with the id {known}, and {zone.location.url} {mark}.",
            "Correct ECOM_LANDING_URL, or give this landing zone a database of its own (ECOM_POSTGRES_URL, "
            "or another "
            "ECOM_POSTGRES_SCHEMA), as another ECOM_LANDING_DONE needs as well; nothing was changed. If it "
            "is to be the one from now on, `ecom reconcile --adopt` makes it so.",
        )
    _adopt(connection, zone)


def _adopt(connection: Connection, zone: BucketZone) -> None:
    """Let ``zone`` be the one that this ledger is about."""
    found = read_marker(zone)
    if found is None:
        zone.bucket.put_new(MARKER, f"{uuid4()}\n".encode())
        found = read_marker(zone)
    if found is not None:
        ledger.set_zone_id(connection, found)
        connection.commit()


def read_marker(zone: BucketZone) -> UUID | None:
    """The id of ``zone``; ``None`` if it has none yet. Of one that may only be read its URL stands for it."""
    if zone.leaves:
        return uuid5(NAMESPACE_URL, zone.location.url)
    text = zone.bucket.read(MARKER)
    try:
        return None if text is None else UUID(text.decode("ascii").strip())
    except ValueError as error:
        raise StorageError(
            f"The marker of the landing zone, {zone.location.url_of(MARKER)}, is not an id.",
            "Bring back the version of it that was there before.",
        ) from error


def pass_over_used_numbers(connection: Connection, zone: BucketZone) -> None:
    """A database that was restored from a backup would give numbers again that objects in the archive
    have."""
    highest = _noted(zone)
    if highest is None or highest <= ledger.highest_file_id(connection):
        return
    ledger.skip_file_ids(connection, highest)
    connection.commit()
    log.warning(
        "File %d was loaded from %s and is not in the ledger: the database is older than the landing zone "
        "(restored "
        "from a backup?). What was put away since lies in %sarchive/; `ecom reconcile` loads it again.",
        highest,
        zone.location.url,
        zone.location.url_of(OURS),
    )


def newest_is_known(database: Database, zone: BucketZone) -> bool:
    """Whether the ledger has given the highest number that an object has; quickly told of however many."""
    highest = _noted(zone)
    with database.open(autocommit=True) as connection:
        return highest is None or highest <= ledger.highest_file_id(connection)


def _noted(zone: BucketZone) -> int | None:
    if zone.leaves:
        return None  # no object has a number
    return file_number((zone.bucket.read(HIGHEST) or b"").decode("ascii", "replace").strip())


def note_numbers(zone: BucketZone, highest: int) -> None:
    """Write down which numbers are about to be given. The caller holds the claim lock."""
    if zone.leaves:
        return
    zone.bucket.put(HIGHEST, f"{highest}\n".encode())
