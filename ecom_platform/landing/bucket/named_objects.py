"""Objects found by the names that they landed by, whatever has become of them.

Belongs here: the same of objects as ``folder.named_files`` does of files. Does not belong here: whose they
are, or what goes with them in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ecom_platform.errors import UsageError
from ecom_platform.landing.bucket.bucket_zone import ARCHIVE, QUARANTINE, BucketZone
from ecom_platform.landing.kept_names import REASON_SUFFIX, numbered
from ecom_platform.objects import StoredObject
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection
from ecom_platform.store.outcome import base

_REQUESTS = 16


def line_counts(connection: Connection, zone: BucketZone, names: Sequence[str]) -> dict[str, int]:
    """Line ends of the newest object of each name. One that is finished stays where it has landed until it is
    put away."""
    keys = {name: [name] for name in names}
    for state in ledger.newest_by_name(connection, names):
        put_away = zone.key_of(state)
        keys[state.name] = [state.name] if put_away is None else [put_away, state.name]

    def lines(name: str) -> int | None:
        contents = (zone.bucket.read(key) for key in keys[name])
        found = next((content for content in contents if content is not None), None)
        return None if found is None else found.count(b"\n")

    with ThreadPoolExecutor(_REQUESTS, thread_name_prefix="count") as pool:
        counted = zip(names, pool.map(lines, names), strict=True)
        return {name: number for name, number in counted if number is not None}


def discards(
    connection: Connection, zone: BucketZone, file_ids: Collection[int], names: Collection[str]
) -> list[Callable[[], None]]:
    """What deletes each of these. One that is claimed, or not yet put away, has the key that it landed by.

    Raises :class:`UsageError` where objects stay.
    """
    if zone.leaves:
        raise UsageError(
            f"Objects stay in {zone.location.url} (ECOM_LANDING_DONE is not move): without their rows, those "
            "that were generated would be loaded again.",
            "Use a database and a prefix of their own for invented events, with ECOM_LANDING_DONE=move.",
        )
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
    found = sorted((there[key] for key in keys if key in there), key=lambda one: one.key)
    return [partial(_delete, zone, one) for one in found]


def _listed(zone: BucketZone) -> Iterable[StoredObject]:
    yield from zone.bucket.level()[0]
    for folder in (ARCHIVE, QUARANTINE):
        yield from zone.bucket.below(folder)


def _delete(zone: BucketZone, found: StoredObject) -> None:
    zone.bucket.delete(found.key, found.etag)
    if found.key.startswith(QUARANTINE):
        zone.bucket.delete_whatever(found.key + REASON_SUFFIX)
