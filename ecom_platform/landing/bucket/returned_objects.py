"""Objects that land once more: as whose, and by what they are known again.

Belongs here: letting them land so that each keeps the landing that it had, by which the newest row of a key
is told. Does not belong here: which objects (``object_returning``), or claiming them (``object_claim``).

A copy has the time of the copy. So before it is made the ledger notes the landing of its source, for its key
and a mark; the copy has the mark in its metadata. Whoever claims an object whose key was noted asks the store
for its mark. An object that somebody else has put there has none, and its own landing. Key and mark stand in
``returned_files`` where the inode and the time of a file do.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b

from ecom_platform.errors import StorageError
from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.bucket.object_look import LandedObject
from ecom_platform.landing.kept_names import prefixed
from ecom_platform.objects import ObjectChangedError, StoredObject
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection
from ecom_platform.store.outcome import Stamp, base

_REQUESTS = 16


@dataclass(frozen=True, slots=True)
class Returning:
    """An object that is to land once more. ``names`` are tried in their order; ``note`` writes down whose
    landing it has."""

    found: StoredObject
    names: Sequence[str]
    note: Callable[[Stamp], None]

    @property
    def mark(self) -> int:
        """The same whenever this version lands: whoever was killed while it did finds the copy."""
        return _number(f"{self.found.key}\0{self.found.etag}")


def let_land(
    connection: Connection,
    zone: BucketZone,
    wanted: Sequence[Returning],
    hook: Callable[[str], None] = lambda step: None,
) -> list[str]:
    """Let a copy of each land, in the place of nothing; returns the names by which they do.

    Where no name is free, the last gets a random prefix. The caller holds the claim lock: no other copy is
    made to the same key meanwhile. Raises :class:`StorageError` where one is not what it was.
    """
    names = [_candidates(one.names) for one in wanted]
    claimed = {one.key for one in ledger.claimed_objects(connection).values()}
    landed: dict[int, str] = {}
    with ThreadPoolExecutor(_REQUESTS, thread_name_prefix="return") as pool:
        while len(landed) < len(wanted):
            tried: dict[str, int] = {}
            for number in range(len(wanted)):
                if number not in landed:
                    tried.setdefault(next(names[number]), number)

            def is_free(name: str, tried: dict[str, int] = tried) -> bool:
                return name not in claimed and _is_free(zone, name, wanted[tried[name]].mark)

            free = [name for name, it_is in zip(tried, pool.map(is_free, tried), strict=True) if it_is]
            for name in free:
                one = wanted[tried[name]]
                one.note(_stamp(name, one.found.size, one.mark))
            # Before a copy is seen: whoever claims it finds the note.
            connection.commit()
            hook("noted")

            def copy(name: str, tried: dict[str, int] = tried) -> bool:
                return _copy(zone, wanted[tried[name]], name)

            for name, is_there in zip(free, pool.map(copy, free), strict=True):
                if is_there:
                    landed[tried[name]] = name
            hook("landed")
    return [landed[number] for number in range(len(wanted))]


def stamps_of(
    connection: Connection, zone: BucketZone, objects: Collection[LandedObject]
) -> list[Stamp | None]:
    """By what those of ``objects`` are known again that were let land once more; nothing of any other."""
    noted = ledger.noted_returns(connection, [_number(found.key) for found in objects])
    stamps: list[Stamp | None] = []
    for found in objects:
        mark = noted.get(_number(found.key))
        ours = mark is not None and zone.bucket.mark_of(found.key, found.etag) == str(mark)
        stamps.append(_stamp(found.key, found.size, mark) if ours and mark is not None else None)
    return stamps


def note_moved(
    connection: Connection, zone: BucketZone, found: StoredObject, number: int, stamp: Stamp
) -> None:
    """Write down that an object which nobody has claimed is about to land under another key, and has the
    landing of ``found``: that which it was let land with once more, or its own, as the file ``number``."""
    noted = ledger.noted_returns(connection, [_number(found.key)]).get(_number(found.key))
    if noted is not None and zone.bucket.mark_of(found.key, found.etag) == str(noted):
        ledger.note_moved(connection, stamp, _stamp(found.key, found.size, noted))
    else:
        ledger.note_returned_unknown(connection, stamp, found.modified, number)


def _candidates(names: Sequence[str]) -> Iterator[str]:
    yield from names
    last = names[-1]
    while True:
        yield last.removesuffix(base(last)) + prefixed(secrets.token_hex(8), base(last))


def _is_free(zone: BucketZone, name: str, mark: int) -> bool:
    """Whether nothing is there, or this copy itself."""
    there = zone.bucket.head(name)
    return there is None or zone.bucket.mark_of(name, there.etag) == str(mark)


def _copy(zone: BucketZone, one: Returning, name: str) -> bool:
    try:
        return zone.bucket.copy_marked(one.found, name, str(one.mark))
    except ObjectChangedError as error:
        raise StorageError(
            f"{error} while it was brought back.",
            "Nothing was lost. Run this again, and see who writes there.",
        ) from error


def _stamp(key: str, size: int, mark: int) -> Stamp:
    return Stamp(size, mark, _number(key))


def _number(key: str) -> int:
    """The key as a number that PostgreSQL can store."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)
