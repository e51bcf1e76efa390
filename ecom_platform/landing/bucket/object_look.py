"""Looking at the objects that have landed, and whose each is.

Belongs here: which may be taken, and the feed of those that lie at the top, by their header. Does not belong
here: claiming them (``object_claim``).

An object is whole when it is there: an upload that is not finished is not listed. So nothing has to settle.
One at the top that is of another feed than the first stays where it is and is claimed by the name that it
would have in the folder of its feed.
"""

from __future__ import annotations

import stat
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

from ecom_platform.errors import sentence
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.belonging import Belonging, FeedFinder
from ecom_platform.files.misfits import Misfit
from ecom_platform.landing.bucket.bucket_zone import OURS, BucketZone
from ecom_platform.landing.landed import NO_FEED, LandedFile, Scan, refusal, shown, unfinished_by
from ecom_platform.objects import Location, ObjectChangedError, StoredObject, download
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.outcome import base, feed_of

# So much of an object is fetched to find its feed: more than is looked at for a header (``files.heads``). A
# zip is known by its end.
_BEGINNING_BYTES = (1 << 20) + (1 << 17)
_REQUESTS = 16
# So many headers are asked for between two looks at the clock.
_HEADS = 64
_ZIP = b"PK"
# Beyond what one look needs, judgements of objects that have gone are forgotten.
_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class LandedObject(LandedFile):
    """An object that has landed; ``name`` is what it is to be called in the ledger."""

    key: str = ""
    etag: str = ""

    @property
    def stored(self) -> StoredObject:
        return StoredObject(self.key, self.etag, self.size, self.landed_at)


@dataclass(frozen=True, slots=True)
class Listed:
    """What lies in the zone, claimed or not; ``refused`` says of folders of no feed why they are none."""

    objects: list[StoredObject]
    refused: dict[str, str]

    def without(self, held: Held) -> Scan:
        """What may be claimed now, oldest first."""
        return _judged(self, held)


@dataclass(frozen=True, slots=True)
class Held:
    """What may not be claimed: by key, and versions of a key that are known."""

    keys: frozenset[str]
    versions: frozenset[tuple[str, str]] = frozenset()

    def has(self, found: StoredObject) -> bool:
        return found.key in self.keys or (found.key, found.etag) in self.versions


def held(connection: Connection, zone: BucketZone) -> Held:
    """What is claimed and not yet put away. Where objects stay: what is being loaded, and of each key the
    version that was loaded last."""
    claimed = ledger.claimed_objects(connection).values()
    if not zone.leaves:
        return held_of(zone, claimed, frozenset())
    loading = frozenset(file.key for file in ledger.claimed(connection) if file.key is not None)
    return held_of(zone, claimed, loading)


def held_of(zone: BucketZone, claimed: Collection[ledger.ClaimedObject], loading: frozenset[str]) -> Held:
    """:func:`held`, of what the ledger has said."""
    if not zone.leaves:
        return Held(frozenset(found.key for found in claimed))
    return Held(loading, frozenset((found.key, found.etag) for found in claimed))


def look(database: Database, zone: BucketZone) -> Scan:
    """What may be claimed now, oldest first. Raises :class:`StorageError`.

    The ledger is asked first: what it has as claimed and is put away meanwhile is not taken for one that has
    landed.
    """
    with database.open(autocommit=True) as connection:
        known = held(connection, zone)
    return listed(zone).without(known)


def listed(zone: BucketZone) -> Listed:
    """All that is not ours. Raises :class:`StorageError`."""
    objects, folders = zone.bucket.level()
    refused: dict[str, str] = {}
    for folder in folders:
        name = folder.rstrip("/")
        if name in zone.feeds and folder == f"{name}/":
            objects += zone.bucket.below(folder)
        elif folder != OURS and unfinished_by(name) is None:
            refused[shown(name)] = NO_FEED
    # The last are "folders" that some programs make.
    there = [found for found in objects if found.key and not found.key.endswith("/")]
    return Listed(there, refused)


def _judged(listing: Listed, known: Held) -> Scan:
    files: list[LandedFile] = []
    refused, unfinished = dict(listing.refused), dict[str, str]()
    for found in listing.objects:
        if known.has(found):
            continue
        mark = next(filter(None, map(unfinished_by, found.key.split("/"))), None)
        reason = refusal(base(found.key), stat.S_IFREG)
        if mark is not None:
            unfinished[shown(found.key)] = f"unfinished, by its name ({mark})"
        elif reason is not None:
            refused[shown(found.key)] = reason
        else:
            files.append(_landed(found))
    files.sort(key=lambda file: (file.mtime_ns, file.name))
    return Scan(files, [], refused, unfinished)


def _landed(found: StoredObject) -> LandedObject:
    modified_ns = round(found.modified.timestamp() * 1e9)
    return LandedObject(found.key, found.size, modified_ns, modified_ns, 0, found.key, found.etag)


@dataclass(slots=True)
class _KnownObjects:
    """What was found of the objects of a zone by these declarations, by key and ETag. Each is read once."""

    feeds: dict[str, Feed]
    finder: FeedFinder
    found: dict[tuple[str, str], Belonging] = field(default_factory=dict)


# By zone: sensors and checks look at the same objects again and again.
_remembered: dict[Location, _KnownObjects] = {}


class BucketPlacing:
    """Finds the feeds of objects at the top. ``whole`` names those that this program has made itself."""

    def __init__(self, zone: BucketZone, feeds: Mapping[str, Feed], whole: Collection[str] = ()) -> None:
        self._zone, self._whole = zone, whole
        judged = _remembered.get(zone.location)
        if judged is None or judged.feeds != feeds:
            judged = _remembered[zone.location] = _KnownObjects(dict(feeds), FeedFinder(feeds.values()))
        self._judged = judged

    def place(self, found: Scan) -> tuple[Scan, dict[str, str]]:
        """``found`` without the objects that wait, those of other feeds by their names there; and what
        waits."""
        settled, waiting = self.sort(found.settled)
        return replace(found, settled=list[LandedFile](settled)), waiting

    def sort(
        self, files: Iterable[LandedFile], seconds: float = inf
    ) -> tuple[list[LandedObject], dict[str, str]]:
        """Those that may be claimed, by the names that they are to have in the ledger; and what waits.

        When ``seconds`` have passed no other header is fetched: such objects are in neither, and are looked
        at the next time.
        """
        settled: list[LandedObject] = []
        waiting: dict[str, str] = {}
        objects = [*_objects(files)]
        self._fetch([file for file in objects if self._belonging(file) is None], time.monotonic() + seconds)
        self._forget(objects)
        for file in objects:
            belonging = self._belonging(file)
            if belonging is None:
                continue  # not looked at yet, or it changes just now: the next look sees what it has become
            if belonging.misfit is not None:
                waiting[file.name] = self._sentence(belonging.misfit)
            elif self._is_placed(file) or belonging.feed in (None, TOP_FEED):
                settled.append(file)
            else:
                settled.append(replace(file, name=f"{belonging.feed}/{file.name}"))
        return settled, waiting

    def _forget(self, there: Collection[LandedObject]) -> None:
        known = self._judged.found
        if len(known) > len(there) + _KEPT:
            versions = {(file.key, file.etag) for file in there}
            self._judged.found = {version: known[version] for version in versions & known.keys()}

    def _is_placed(self, file: LandedObject) -> bool:
        return "/" in file.name or file.name in self._whole

    def _belonging(self, file: LandedObject) -> Belonging | None:
        if self._is_placed(file):
            return Belonging(feed_of(file.name))
        return self._judged.found.get((file.key, file.etag))

    def _fetch(self, unknown: Sequence[LandedObject], deadline: float) -> None:
        """Look at the headers of objects, until the ``deadline``; of one that changes just now not at all."""

        def remember(file: LandedObject) -> None:
            with suppress(ObjectChangedError):
                self._judged.found[file.key, file.etag] = self._find(file)

        if not unknown:
            return
        with ThreadPoolExecutor(_REQUESTS, thread_name_prefix="heads") as pool:
            for at in range(0, len(unknown), _HEADS):
                if at and time.monotonic() > deadline:
                    return
                list(pool.map(remember, unknown[at : at + _HEADS]))

    def _find(self, file: LandedObject) -> Belonging:
        bucket = self._zone.bucket
        with tempfile.TemporaryDirectory(prefix="ecom-heads-") as folder:
            path = Path(folder, "head" + "".join(Path(file.name).suffixes[-2:]))
            download(bucket, file.stored, path, _BEGINNING_BYTES)
            with path.open("rb") as head:
                is_zip = head.read(len(_ZIP)) == _ZIP
            if is_zip and file.size > _BEGINNING_BYTES:
                download(bucket, file.stored, path)
            return self._judged.finder.feed_of_file(path)

    def _sentence(self, misfit: Misfit) -> str:
        url = self._zone.location.url
        if misfit.feeds:
            return f"{misfit.said}: move it to {' or '.join(f'{url}{feed}/' for feed in misfit.feeds)}"
        if misfit.remedy:
            return f"{sentence(misfit.said)} {misfit.remedy}"
        return (
            f"{sentence(misfit.said)} `ecom feeds init` with a copy of it writes a declaration that takes "
            "it; what is "
            f"of a declared feed all the same belongs in {url}FEED/."
        )


def _objects(files: Iterable[LandedFile]) -> Iterable[LandedObject]:
    return (file for file in files if isinstance(file, LandedObject))
