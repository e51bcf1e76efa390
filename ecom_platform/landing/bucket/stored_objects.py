"""The objects that the ledger knows, where they lie now.

Belongs here: finding that of a file, put away, on its way there or left where it landed, exactly as it was
loaded. Does not belong here: what is done with it (``landing.kept_files``).
"""

from __future__ import annotations

from collections.abc import Iterable

from ecom_platform.landing.bucket import object_returning
from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.bucket.object_look import listed
from ecom_platform.objects import StoredObject
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection
from ecom_platform.store.ledger import FileState


def found(connection: Connection, zone: BucketZone, file: FileState) -> StoredObject | None:
    """The object of a file; nothing if it is gone, or another by now."""
    key = zone.key_of(file)
    there = None if key is None else zone.bucket.head(key)
    if there is not None:
        return there
    claimed = ledger.claimed_objects(connection, [file.file_id]).get(file.file_id)
    there = None if claimed is None else zone.bucket.head(claimed.key)
    return there if claimed is not None and there is not None and there.etag == claimed.etag else None


def sizes(connection: Connection, zone: BucketZone, files: Iterable[FileState]) -> dict[int, int]:
    """How large those are that are where they belong, by one listing."""
    if zone.leaves:
        claimed = ledger.claimed_objects(connection, [file.file_id for file in files])
        there = {(one.key, one.etag): one.size for one in listed(zone).objects} if claimed else {}
        keys = {file_id: (one.key, one.etag) for file_id, one in claimed.items()}
        return {file_id: there[key] for file_id, key in keys.items() if key in there}
    archived = {key: file.file_id for file in files if (key := zone.key_of(file)) is not None}
    if not archived:
        return {}
    return {archived[one.key]: one.size for one in object_returning.archived(zone) if one.key in archived}
