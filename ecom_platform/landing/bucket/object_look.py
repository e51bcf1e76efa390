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
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ecom_platform.errors import sentence
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.belonging import Belonging, FeedFinder
from ecom_platform.files.misfits import Misfit
from ecom_platform.landing.bucket.bucket_zone import OURS, BucketZone
from ecom_platform.landing.scan import NO_FEED, LandedFile, Scan, refusal, shown, unfinished_by
from ecom_platform.objects import LARGEST_COPY, ObjectChangedError, StoredObject, download
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.outcome import base, feed_of

# So much of an object is fetched to find its feed: more than is looked at for a header (``files.heads``). A
# zip is known by its end.
_BEGINNING_BYTES = (1 << 20) + (1 << 17)
_REQUESTS = 16
_ZIP = b"PK"


@dataclass(frozen=True, slots=True)
class LandedObject(LandedFile):
    """An object that has landed; ``name`` is what it is to be called in the ledger."""

    key: str = ""
    etag: str = ""

    @property
    def stored(self) -> StoredObject:
        return StoredObject(self.key, self.etag, self.size, self.landed_at)


def look(database: Database, zone: BucketZone) -> Scan:
    """What may be claimed now, oldest first. Raises :class:`StorageError`.

    The ledger is asked first: what it has as claimed and is put away meanwhile is not taken for one that has
    landed.
    """
    with database.open(autocommit=True) as connection:
        claimed = {found.key for found in ledger.claimed_objects(connection).values()}
    objects, folders = zone.bucket.level()
    refused: dict[str, str] = {}
    for folder in folders:
        name = folder.rstrip("/")
        if name in zone.feeds and folder == f"{name}/":
            objects += zone.bucket.below(folder)
        elif folder != OURS and unfinished_by(name) is None:
            refused[shown(name)] = NO_FEED
    files: list[LandedFile] = []
    unfinished: dict[str, str] = {}
    for found in objects:
        if found.key in claimed or not found.key or found.key.endswith("/"):
            continue  # the last are "folders" that some programs make
        mark = next(filter(None, map(unfinished_by, found.key.split("/"))), None)
        reason = refusal(base(found.key), stat.S_IFREG) or _too_large(found)
        if mark is not None:
            unfinished[shown(found.key)] = f"unfinished, by its name ({mark})"
        elif reason is not None:
            refused[shown(found.key)] = reason
        else:
            files.append(_landed(found))
    files.sort(key=lambda file: (file.mtime_ns, file.name))
    return Scan(files, [], refused, unfinished)


def _too_large(found: StoredObject) -> str | None:
    if found.size <= LARGEST_COPY:
        return None
    return f"larger than {LARGEST_COPY // 1024**3} GiB, which a store does not copy as a whole: split it"


def _landed(found: StoredObject) -> LandedObject:
    modified_ns = round(found.modified.timestamp() * 1e9)
    return LandedObject(found.key, found.size, modified_ns, modified_ns, 0, found.key, found.etag)


class BucketPlacing:
    """Finds the feeds of objects at the top. ``whole`` names those that this program has made itself."""

    def __init__(self, zone: BucketZone, feeds: Mapping[str, Feed], whole: Collection[str] = ()) -> None:
        self._zone, self._whole = zone, whole
        self._finder = FeedFinder(feeds.values())
        self._known: dict[tuple[str, str], Belonging] = {}

    def place(self, found: Scan) -> tuple[Scan, dict[str, str]]:
        """``found`` without the objects that wait, those of other feeds by their names there; and what "
        "waits."""
        settled: list[LandedFile] = []
        waiting: dict[str, str] = {}
        objects = [*_objects(found.settled)]
        with ThreadPoolExecutor(_REQUESTS, thread_name_prefix="heads") as pool:
            belongings = [*pool.map(self._belonging, objects)]
        for file, belonging in zip(objects, belongings, strict=True):
            if belonging is None:
                continue  # it changes just now: the next look sees what it has become
            if belonging.misfit is not None:
                waiting[file.name] = self._sentence(belonging.misfit)
            elif self._is_placed(file) or belonging.feed in (None, TOP_FEED):
                settled.append(file)
            else:
                settled.append(replace(file, name=f"{belonging.feed}/{file.name}"))
        return replace(found, settled=settled), waiting

    def _is_placed(self, file: LandedObject) -> bool:
        return "/" in file.name or file.name in self._whole

    def _belonging(self, file: LandedObject) -> Belonging | None:
        if self._is_placed(file):
            return Belonging(feed_of(file.name))
        version = file.key, file.etag
        if version not in self._known:
            try:
                self._known[version] = self._find(file)
            except ObjectChangedError:
                return None
        return self._known[version]

    def _find(self, file: LandedObject) -> Belonging:
        bucket = self._zone.bucket
        with tempfile.TemporaryDirectory(prefix="ecom-heads-") as folder:
            path = Path(folder, "head" + "".join(Path(file.name).suffixes[-2:]))
            download(bucket, file.stored, path, _BEGINNING_BYTES)
            with path.open("rb") as head:
                is_zip = head.read(len(_ZIP)) == _ZIP
            if is_zip and file.size > _BEGINNING_BYTES:
                download(bucket, file.stored, path)
            return self._finder.feed_of_file(path)

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
