"""The objects of a feed, by another name of it.

Belongs here: the same as ``folder.feed_folders`` does with folders. Does not belong here: as what objects
land once more (``returned_objects``).

Each object is copied, by its ETag and to a key where nothing is, then deleted by its ETag. Killed in between,
the next call makes no other copy. What is claimed stays where it is: it is read from there, and put away by
the new name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ecom_platform.errors import StorageError, UsageError
from ecom_platform.landing.bucket.bucket_zone import ARCHIVE, OURS, QUARANTINE, UNLOADED, BucketZone
from ecom_platform.landing.bucket.returned_objects import Returning, let_land, note_moved
from ecom_platform.objects import ObjectChangedError, StoredObject
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection

_REQUESTS = 16
_LANDING = "landing"


def require_movable(zone: BucketZone) -> None:
    """Raises :class:`UsageError` where objects stay where they are."""
    if zone.leaves:
        raise UsageError(
            f"Objects of {zone.location.url} stay where they are (ECOM_LANDING_DONE is not move): those of a "
            "feed cannot be moved into the folder of another name.",
            "Nothing was changed. With `table: NAME` in its declaration the table of the feed has another "
            "name.",
        )


def rename_objects(
    connection: Connection,
    zone: BucketZone,
    old: str,
    new: str,
    hook: Callable[[str], None] = lambda step: None,
) -> list[str]:
    """Let what lies in the folders of ``old`` lie in those of ``new``; returns the folders that had any.

    The caller holds the claim lock. Raises :class:`StorageError`.
    """
    moved = [_LANDING] if _move_landed(connection, zone, old, new, hook) else []
    hook(_LANDING)
    for folder in (ARCHIVE, QUARANTINE, UNLOADED):
        name = folder.removeprefix(OURS).rstrip("/")
        if _move(zone, [*zone.bucket.below(f"{folder}{old}/")], f"{folder}{old}/", f"{folder}{new}/", hook):
            moved.append(name)
        hook(name)
    return moved


def _move_landed(
    connection: Connection, zone: BucketZone, old: str, new: str, hook: Callable[[str], None]
) -> bool:
    """Objects that nobody has claimed; they keep their landings."""
    claimed = {one.key for one in ledger.claimed_objects(connection).values()}
    landed = [found for found in zone.bucket.below(f"{old}/") if found.key not in claimed]
    # The others are "folders" that some programs make.
    files = [found for found in landed if not found.key.endswith("/")]
    # As they would be claimed now: by their time, then by their names.
    files.sort(key=lambda found: (found.modified, found.key))
    highest = ledger.highest_file_id(connection)
    let_land(
        connection,
        zone,
        [
            Returning(
                found,
                [f"{new}/{found.key.removeprefix(f'{old}/')}"],
                partial(note_moved, connection, zone, found, highest + number),
            )
            for number, found in enumerate(files, 1)
        ],
        hook,
    )

    def delete(found: StoredObject) -> None:
        _delete(zone, found)
        hook("deleted")

    _of_each(files, delete)
    for found in landed:
        if found.key.endswith("/") and not found.size:
            # Whether it is gone then, is the store's affair: some show folders as long as they know them.
            zone.bucket.delete(found.key, found.etag)
    return bool(files)


def _move(
    zone: BucketZone, objects: Collection[StoredObject], old: str, new: str, hook: Callable[[str], None]
) -> bool:
    """Whether there was anything to move."""

    def move(found: StoredObject) -> None:
        try:
            zone.bucket.copy(found.key, found.etag, f"{new}{found.key.removeprefix(old)}", found.size)
        except ObjectChangedError as error:
            raise _changed(error) from error
        hook("copied")
        _delete(zone, found)
        hook("deleted")

    _of_each(objects, move)
    return bool(objects)


def _of_each(objects: Collection[StoredObject], work: Callable[[StoredObject], None]) -> None:
    with ThreadPoolExecutor(_REQUESTS, thread_name_prefix="rename") as pool:
        list(pool.map(work, objects))


def _delete(zone: BucketZone, found: StoredObject) -> None:
    if not zone.bucket.delete(found.key, found.etag):
        raise _changed(ObjectChangedError(zone.location.url_of(found.key), gone=False))


def _changed(error: ObjectChangedError) -> StorageError:
    return StorageError(
        f"{error} while it was moved to the new name of its feed.",
        "See who writes there, and run the command again: it goes on from here.",
    )
