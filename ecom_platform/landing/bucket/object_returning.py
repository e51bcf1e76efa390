"""Objects that are to be loaded again or taken out, and putting bucket and ledger in agreement.

Belongs here: the same as ``folder.returning`` does with files. Does not belong here: as what objects land
once more (``returned_objects``), or which somebody wants (``oncall.requeue``).

Nothing is deleted before its copy is there, and the deletion is bound to the ETag. Killed in between, an
object is in both places: the next reconciliation lets it land again, all duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from ecom_platform.errors import StorageError, UsageError
from ecom_platform.feeds.feed import Feed
from ecom_platform.files.belonging import FeedFinder
from ecom_platform.landing.bucket import object_claim
from ecom_platform.landing.bucket.bucket_identity import claim_lock
from ecom_platform.landing.bucket.bucket_zone import (
    QUARANTINE,
    BucketZone,
    lands_below,
    quarantined_key,
    unloaded_key,
)
from ecom_platform.landing.bucket.returned_objects import Returning, let_land
from ecom_platform.landing.kept_names import LARGEST_NUMBER, REASON_SUFFIX, landing_names, numbered
from ecom_platform.landing.reconciliation import LONG_AGO, Reconciliation
from ecom_platform.landing.released import HEADER_REASONS, close_alerts
from ecom_platform.objects import ObjectChangedError, StoredObject, as_file
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.outcome import Stamp, base

_REQUESTS = 16
# So many land while nobody else can claim.
_AT_ONCE = 100
_DATABASE_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Lying:
    """An object of ours, by the number and the name that are in its key."""

    number: int
    name: str
    found: StoredObject


def land_copies(
    database: Database,
    zone: BucketZone,
    states: Sequence[ledger.FileState],
    hook: Callable[[str], None] = lambda step: None,
) -> list[str]:
    """Let copies of these archived objects land; returns the names by which they do.

    All of them or none, but for a store that fails half way: the rest is asked for again then.
    """
    require_kept(zone)
    distinct = list({state.file_id: state for state in states}.values())
    with database.open(autocommit=True) as connection:
        claimed = ledger.claimed_objects(connection)
    keys_claimed = {one.key for one in claimed.values()}
    with ThreadPoolExecutor(_REQUESTS, thread_name_prefix="archived") as pool:
        sources = [*pool.map(partial(_archived, zone), distinct)]
        waiting = [*pool.map(lambda state: waits(zone, state.name, keys_claimed), distinct)]
    for state, source, its_name_waits in zip(distinct, sources, waiting, strict=True):
        if source is None:
            raise _not_archived(zone, state, on_its_way=state.file_id in claimed)
        if its_name_waits:
            raise UsageError(
                f"An object {state.name} waits in {zone.location.url}.",
                "Nothing was requeued; ingest it first.",
            )
    names: list[str] = []
    pairs = [(state, source) for state, source in zip(distinct, sources, strict=True) if source is not None]
    for at in range(0, len(pairs), _AT_ONCE):
        with claim_lock(database, zone) as connection:
            wanted = [
                Returning(
                    source,
                    landing_names(state.file_id, state.name),
                    partial(_note_known, connection, state.file_id),
                )
                for state, source in pairs[at : at + _AT_ONCE]
            ]
            names += let_land(connection, zone, wanted, hook)
    return names


def require_kept(zone: BucketZone) -> None:
    """Raises :class:`UsageError` where objects stay where they are."""
    if zone.leaves:
        raise UsageError(
            f"Objects of {zone.location.url} stay where they are (ECOM_LANDING_DONE is not move): there is "
            "no archive that they could be brought back from or taken out of.",
            "Nothing was changed. Put the object under another key to have it loaded again.",
        )


def _note_known(connection: Connection, file_id: int, stamp: Stamp) -> None:
    ledger.note_returned(connection, stamp, file_id)


def _archived(zone: BucketZone, state: ledger.FileState) -> StoredObject | None:
    key = zone.key_of(state)
    return None if key is None else zone.bucket.head(key)


def waits(zone: BucketZone, name: str, claimed: Collection[str]) -> bool:
    """Whether an object has landed by this name, and is none of the ``claimed``."""
    return name not in claimed and zone.bucket.head(name) is not None


def _not_archived(zone: BucketZone, state: ledger.FileState, *, on_its_way: bool) -> StorageError:
    if on_its_way:
        return StorageError(
            f"{state.name} (file {state.file_id}) is {state.state} and not put away yet.",
            "Nothing was requeued. `ecom ingest` puts it away.",
        )
    key = zone.key_of(state)
    where = "" if key is None else f": there is no {zone.location.url_of(key)}"
    return StorageError(
        f"{state.name} is not in the archive any more{where}.",
        "Nothing was requeued. Restore it there, or put the object into the landing zone yourself.",
    )


def archived(zone: BucketZone) -> Iterator[StoredObject]:
    """Every object of archive and quarantine."""
    for folder in (QUARANTINE, *zone.archive_days()):
        yield from zone.bucket.below(folder)


def reconcile(
    database: Database,
    zone: BucketZone,
    *,
    adopt: bool = False,
    hook: Callable[[str], None] = lambda step: None,
) -> Reconciliation:
    """Put right what a restored database and a newer bucket disagree about; loads nothing itself."""
    with claim_lock(database, zone, adopt=adopt) as connection:
        recovery = object_claim.put_right(connection, zone)
        lying = list(_lying(zone))
        claimed = ledger.claimed_objects(connection)
        known = ledger.states(connection, {one.number for one in lying})
        finished = [one for one in lying if _had_been_finished(known.get(one.number), one, claimed)]
        for one in finished:
            # It lies finished, so it is loaded again from there, under another number.
            ledger.forget(connection, one.number)
            known.pop(one.number, None)
        strangers = [one for one in lying if not _is_known(zone, known.get(one.number), one)]
        highest = max((one.number for one in lying if one.number <= LARGEST_NUMBER), default=0)
        ledger.skip_file_ids(connection, highest)
        names = let_land(connection, zone, _returning(connection, strangers), hook)
        for one in strangers:
            zone.bucket.delete(one.found.key, one.found.etag)
            hook("deleted")
            if one.found.key.startswith(QUARANTINE):
                zone.bucket.delete_whatever(one.found.key + REASON_SUFFIX)
        there = {one.found.key for one in lying}
        missing = tuple(_missing(connection, zone, there))
    again = {one.found.key for one in finished}
    requeued = [name for one, name in zip(strangers, names, strict=True) if one.found.key not in again]
    put_away = recovery.archived + recovery.quarantined
    return Reconciliation((*recovery.landed_again, *requeued), missing, put_away, len(finished))


def _lying(zone: BucketZone) -> Iterator[_Lying]:
    """Everything of ours in quarantine and archive."""
    for found in archived(zone):
        ours = numbered(base(found.key))
        if ours is not None and not found.key.endswith(REASON_SUFFIX):
            yield _Lying(*ours, found)


def _had_been_finished(
    state: ledger.FileState | None, one: _Lying, claimed: Mapping[int, ledger.ClaimedObject]
) -> bool:
    """Whether the ledger has gone back to when this object was claimed."""
    return (
        state is not None
        and state.state == ledger.CLAIMED
        and state.file_id in claimed
        and base(state.name) == one.name
        and claimed[state.file_id].size == one.found.size
    )


def _is_known(zone: BucketZone, state: ledger.FileState | None, one: _Lying) -> bool:
    """Whether the object is the one that the ledger means by its number.

    The number and the name may be those of another, where a ledger was restored and went on.
    """
    if state is None:
        return False
    key = one.found.key
    if key.startswith(QUARANTINE) and one.name.startswith(base(state.name)) and one.name != base(state.name):
        return True  # what a person leaves beside an object that is being corrected
    if zone.key_of(state) != key:
        return False
    return state.state != ledger.LOADED or one.found.size == state.size_bytes


def _returning(connection: Connection, strangers: Sequence[_Lying]) -> list[Returning]:
    """They landed in the order of their numbers, and each before it was put away: so each before the first of
    those that have a higher number."""
    latest = datetime.max.replace(tzinfo=LONG_AGO.tzinfo)
    landings: dict[str, datetime] = {}
    for one in sorted(strangers, key=lambda stranger: stranger.number, reverse=True):
        latest = min(latest, one.found.modified)
        landings[one.found.key] = latest
    return [
        Returning(
            one.found,
            landing_names(one.number, lands_below(one.found.key) + one.name),
            partial(_note_unknown, connection, landings[one.found.key], one.number),
        )
        for one in strangers
    ]


def _note_unknown(connection: Connection, landed_at: datetime, number: int, stamp: Stamp) -> None:
    ledger.note_returned_unknown(connection, stamp, landed_at, number)


def _missing(connection: Connection, zone: BucketZone, there: Collection[str]) -> Iterator[str]:
    on_their_way = ledger.claimed_objects(connection)
    for state in ledger.loaded_since(connection, LONG_AGO):
        if zone.key_of(state) not in there and state.file_id not in on_their_way:
            yield f"{state.file_id}-{state.name}"


def quarantine(
    database: Database,
    zone: BucketZone,
    states: Iterable[ledger.FileState],
    archived_as: Iterable[ledger.FileState],
) -> None:
    """Move objects from where they were archived into the quarantine, which is their state by now.

    By way of a claim: killed in between, the next ingest puts them away.
    """
    quarantined = {state.file_id for state in states if state.state == ledger.QUARANTINED}
    sources = [state for state in archived_as if state.file_id in quarantined]
    with ThreadPoolExecutor(_REQUESTS, thread_name_prefix="archived") as pool:
        found = [*pool.map(partial(_archived, zone), sources)]
    claims = [
        ledger.ClaimedObject(state.file_id, one.key, one.etag, one.size)
        for state, one in zip(sources, found, strict=True)
        if one is not None
    ]
    if not claims:
        return
    with claim_lock(database, zone) as connection:
        ledger.claim_objects(connection, claims)
    object_claim.put_away(database, zone, [one.file_id for one in claims], _DATABASE_WAIT_SECONDS)


def release_what_fits(database: Database, zone: BucketZone, feed: Feed) -> list[str]:
    """Let objects of ``feed`` that were quarantined for their header land again where it fits by now; returns
    the names by which they do."""
    with database.open(autocommit=True) as connection:
        refused = [number for number, _ in ledger.quarantined_for(connection, feed.name, HEADER_REASONS)]
        states = ledger.states(connection, refused)
    finder = FeedFinder([feed])
    fitting: list[tuple[ledger.FileState, StoredObject]] = []
    for state in states.values():
        found = zone.bucket.head(quarantined_key(state.file_id, state.name))
        if found is None:
            continue
        with suppress(ObjectChangedError), as_file(zone.bucket, found, base(state.name)) as path:
            if finder.feed_of_file(path).feed == feed.name:
                fitting.append((state, found))
    if not fitting:
        return []
    with claim_lock(database, zone) as connection:
        wanted = [
            Returning(
                found,
                landing_names(state.file_id, state.name),
                partial(_note_known, connection, state.file_id),
            )
            for state, found in fitting
        ]
        names = let_land(connection, zone, wanted)
        for state, found in fitting:
            zone.bucket.delete(found.key, found.etag)
            zone.bucket.delete_whatever(found.key + REASON_SUFFIX)
            ledger.note_landed_again(connection, state.file_id)
        close_alerts(connection, zone.taken_out, feed.name)
    return names


class ObjectMoves:
    """Objects on their way out of archive and quarantine."""

    def __init__(
        self,
        zone: BucketZone,
        states: Sequence[ledger.FileState],
        hook: Callable[[str], None] = lambda step: None,
        *,
        with_reasons: bool = False,
    ) -> None:
        self._zone, self._hook = zone, hook
        self._steps = [
            (key, unloaded_key(state.file_id, state.name))
            for state in states
            if (key := zone.key_of(state)) is not None
        ]
        if with_reasons:
            self._steps += [
                (source + REASON_SUFFIX, target + REASON_SUFFIX)
                for source, target in self._steps
                if source.startswith(QUARANTINE)
            ]
        # With the ETag of what was copied.
        self._made: list[tuple[str, str, str]] = []

    def make(self) -> None:
        bucket = self._zone.bucket
        for source, target in self._steps:
            found = bucket.head(source)
            if found is None:
                continue  # gone before, or moved by a run that was killed
            try:
                bucket.copy(source, found.etag, target, found.size)
                self._made.append((source, target, found.etag))
                self._hook("copied")
                if not bucket.delete(source, found.etag):
                    raise ObjectChangedError(self._zone.location.url_of(source), gone=False)
            except ObjectChangedError as error:
                raise StorageError(
                    f"{error} while it was taken out.", "Nothing was changed. See who writes there."
                ) from error
            self._hook("deleted")

    def take_back(self) -> None:
        bucket = self._zone.bucket
        for source, target, etag in self._made:
            with suppress(StorageError, ObjectChangedError):
                copied, there = bucket.head(target), bucket.head(source)
                if copied is None or (there is not None and there.etag != etag):
                    continue  # of what was rewritten meanwhile the copy is all that there is
                if there is None:
                    bucket.copy(target, copied.etag, source, copied.size)
                bucket.delete(target, copied.etag)

    def forget_reasons(self) -> None:
        for source, _ in self._steps:
            if source.startswith(QUARANTINE):
                self._zone.bucket.delete_whatever(source + REASON_SUFFIX)

    @property
    def places(self) -> list[str | None]:
        bucket, location = self._zone.bucket, self._zone.location
        return [
            location.url_of(target) if bucket.head(target) is not None else None for _, target in self._steps
        ]
