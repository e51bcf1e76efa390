"""Claiming objects, giving them back, and putting them away.

Belongs here: the order of ledger and store, and what an interruption between the two left behind. Does not
belong here: reading what is in an object (the unit of work).

The claim is a row of the ledger (``claimed_objects``), of which there is one for each key: of any number of
claimers one wins, in the transaction that gives the file its number. The object stays where it is and is read
by its ETag. Put away, it is first copied, by its ETag and to a key where nothing is; then deleted, by its
ETag; then the row goes. Killed anywhere between, the row is there and the next ingest goes on: a copy that is
there is not made again, an object that is gone is not deleted again, and one that was written to the key
meanwhile stays and is claimed anew.

Where objects stay where they are (``ECOM_LANDING_DONE=leave`` or ``tag``), the row stays as well: it says
which version of the key was loaded last, and another version claims the key anew. A tag is for people and
the bucket's lifecycle rules; what is loaded is told by the row alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ecom_platform.errors import StorageError
from ecom_platform.landing.bucket import bucket_identity
from ecom_platform.landing.bucket.bucket_identity import claim_lock
from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.bucket.object_look import LandedObject
from ecom_platform.landing.bucket.returned_objects import stamps_of
from ecom_platform.landing.claims import Claim, Recovery
from ecom_platform.landing.kept_names import REASON_SUFFIX
from ecom_platform.landing.landed import LandedFile
from ecom_platform.objects import ObjectChangedError
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database

log = logging.getLogger(__name__)

# A request waits for the store most of its time.
_REQUESTS = 16
# A put-away has objects in hand that nobody else of this process may put away: whoever deletes one a second
# time might delete what has come to its key since.
_in_hand = threading.Lock()
_MISSING = "missing: the object was gone before it was read"
# The tag of finished objects that stay; its value is the state of the file.
TAG_NAME = "ecom_platform"


@dataclass(frozen=True, slots=True)
class _Fate:
    """What became of a finished object: whether its row may go, and whether its key has another object by
    now."""

    file_id: int
    done: bool
    again: bool = False


def claim_objects(database: Database, zone: BucketZone, files: Sequence[LandedFile]) -> Claim:
    """Claim ``files``; those that somebody else has claimed meanwhile are left out."""
    objects = [file for file in files if isinstance(file, LandedObject)]
    if not objects:
        return Claim()
    with claim_lock(database, zone) as connection:
        file_ids = ledger.register(
            connection,
            [file.name for file in objects],
            [file.size for file in objects],
            [file.landed_at for file in objects],
            stamps_of(connection, zone, objects),
        )
        won = (ledger.claim_versions if zone.leaves else ledger.claim_objects)(
            connection,
            [
                ledger.ClaimedObject(file_id, file.key, file.etag, file.size)
                for file_id, file in zip(file_ids, objects, strict=True)
            ],
        )
        ledger.forget_files(connection, [file_id for file_id in file_ids if file_id not in won])
        # Before the rows are seen: no object is put away under a number that is not written down.
        bucket_identity.note_numbers(zone, max(file_ids))
        connection.commit()
    return Claim(
        [
            ledger.ClaimedFile(file_id, file.name, file.size, file.landed_at, file.key, file.etag)
            for file_id, file in zip(file_ids, objects, strict=True)
            if file_id in won
        ]
    )


def give_back(database: Database, zone: BucketZone, file_ids: Collection[int]) -> list[str]:
    """Let objects be claimed anew that are no longer what was claimed; returns their names. Of one that is
    gone the ledger says so."""
    names = []
    with claim_lock(database, zone) as connection:
        objects = ledger.claimed_objects(connection, file_ids)
        for file_id in file_ids:
            state = ledger.lock_file(connection, file_id)
            if state is None or state.state != ledger.CLAIMED:
                continue
            if file_id in objects and zone.bucket.head(objects[file_id].key) is not None:
                log.info("%s (file %s) was rewritten: it is claimed anew", state.name, file_id)
                ledger.forget(connection, file_id)
                names.append(state.name)
            else:
                log.warning("%s (file %s) was claimed but is gone", state.name, file_id)
                ledger.quarantine(connection, file_id, _MISSING)
                ledger.release_objects(connection, [file_id])
            connection.commit()
    return names


def recover(database: Database, zone: BucketZone) -> Recovery:
    """Put away what an interrupted run had finished. What it had claimed and not finished is loaded by the
    next."""
    with claim_lock(database, zone) as connection:
        bucket_identity.pass_over_used_numbers(connection, zone)
        return put_right(connection, zone)


def put_right(connection: Connection, zone: BucketZone) -> Recovery:
    """:func:`recover` under a claim lock that the caller holds, however old the ledger is."""
    _tag_finished(connection, zone)
    objects = ledger.claimed_objects(connection)
    finished = [] if zone.leaves else _finished(connection, objects)
    again = _put_away(connection, zone, finished, objects)
    archived = sum(state.state == ledger.LOADED for state in finished)
    return Recovery(archived, len(finished) - archived, 0, 0, (), landed_again=tuple(again))


def put_away(
    database: Database,
    zone: BucketZone,
    file_ids: Collection[int],
    wait_seconds: float,
    hook: Callable[[str], None] = lambda step: None,
) -> list[str]:
    """Put objects away that were just finished; returns the names of those whose keys have others by now.

    One that cannot be moved stays where it is, and the next ingest tries again. ``hook`` is called with the
    name of each step that has just been taken; tests abort there. Where objects stay, the claim of this
    version stays with them, and they get their tag, if that is wanted.
    """
    if zone.leaves:
        if zone.tags:
            with database.open(wait_seconds=wait_seconds) as connection:
                _tag_finished(connection, zone, file_ids)
        return []
    with _in_hand, database.open(wait_seconds=wait_seconds) as connection:
        bucket_identity.verify(connection, zone)
        objects = ledger.claimed_objects(connection, file_ids)
        return _put_away(connection, zone, _finished(connection, objects), objects, hook)


def put_away_left(database: Database, zone: BucketZone) -> list[str]:
    """Put away what could not be when it was finished; returns the names of those whose keys have others by
    now. Whoever calls this holds the ingest lock. The store is asked where anything is left."""
    if zone.leaves:
        if zone.tags:
            with database.open() as connection:
                _tag_finished(connection, zone)
        return []
    if not _in_hand.acquire(blocking=False):
        return []  # the next look sees what is left by then
    try:
        with database.open() as connection:
            objects = ledger.claimed_objects(connection)
            finished = _finished(connection, objects)
            if finished:
                bucket_identity.verify(connection, zone)
            return _put_away(connection, zone, finished, objects)
    finally:
        _in_hand.release()


def _tag_finished(connection: Connection, zone: BucketZone, file_ids: Collection[int] | None = None) -> None:
    """Tag the objects of finished files that have no tag yet. One that cannot be stays for the next time."""
    if not zone.tags:
        return
    found = ledger.untagged_objects(connection, file_ids)
    connection.commit()
    if not found:
        return
    with ThreadPoolExecutor(min(_REQUESTS, len(found)), thread_name_prefix="tag") as pool:
        done = [*pool.map(lambda one: _tag(zone, *one), found)]
    tagged = [claimed.file_id for (claimed, _), is_done in zip(found, done, strict=True) if is_done]
    ledger.note_tagged(connection, tagged)
    connection.commit()


def _tag(zone: BucketZone, claimed: ledger.ClaimedObject, state: str) -> bool:
    """Whether nothing is left to do: another object that has the key by now gets its own when loaded."""
    try:
        zone.bucket.tag(claimed.key, claimed.etag, TAG_NAME, state)
    except ObjectChangedError:
        pass
    except StorageError as error:
        log.warning("%s", error)
        return False
    return True


def _finished(connection: Connection, objects: Mapping[int, ledger.ClaimedObject]) -> list[ledger.FileState]:
    states = ledger.states(connection, objects).values()
    return [state for state in states if state.state in (ledger.LOADED, ledger.QUARANTINED)]


def _put_away(
    connection: Connection,
    zone: BucketZone,
    states: Sequence[ledger.FileState],
    objects: dict[int, ledger.ClaimedObject],
    hook: Callable[[str], None] = lambda step: None,
) -> list[str]:
    if not states:
        return []
    # Requests may take a while: no transaction is open meanwhile.
    connection.commit()
    with ThreadPoolExecutor(min(_REQUESTS, len(states)), thread_name_prefix="put-away") as pool:
        fates = [*pool.map(lambda state: _put_one_away(zone, state, objects[state.file_id], hook), states)]
    ledger.release_objects(connection, [fate.file_id for fate in fates if fate.done])
    connection.commit()
    names = {state.file_id: state.name for state in states}
    return [names[fate.file_id] for fate in fates if fate.again]


def _put_one_away(
    zone: BucketZone, state: ledger.FileState, found: ledger.ClaimedObject, hook: Callable[[str], None]
) -> _Fate:
    bucket, target = zone.bucket, zone.key_of(state)
    if target is None:
        return _Fate(state.file_id, done=False)
    try:
        if state.state == ledger.QUARANTINED:
            bucket.put(target + REASON_SUFFIX, f"{state.reason or ''}\n".encode())
            hook("reason")
        try:
            bucket.copy(found.key, found.etag, target, found.size)
        except ObjectChangedError as error:
            if state.state == ledger.QUARANTINED:
                bucket.delete_whatever(target + REASON_SUFFIX)
            log.warning(
                "%s, and is %s as file %s by the ledger's word: what was read of it is not in the archive.",
                error,
                state.state,
                state.file_id,
            )
            return _Fate(state.file_id, done=True, again=not error.gone)
        hook("copied")
        deleted = bucket.delete(found.key, found.etag)
        hook("deleted")
    except StorageError as error:
        log.warning("%s", error)
        return _Fate(state.file_id, done=False)
    if not deleted:
        log.info(
            "%s was written anew after it was read: that is another file", zone.location.url_of(found.key)
        )
    return _Fate(state.file_id, done=True, again=not deleted)
