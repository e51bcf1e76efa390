"""The keys of a landing zone in a bucket.

Belongs here: where an object is at each stage of its life. Does not belong here: moving it there
(``put_away``), or which may be taken (``object_look``).

    prefix/                        anyone may put objects here
    prefix/FEED/                   objects of a feed, in folders of its own or not
    prefix/.ecom/archive/DATE/     <file_id>-<name>: loaded on that date (UTC); of other feeds than the first
                                   in archive/FEED/DATE/
    prefix/.ecom/quarantine/       <file_id>-<name> and <file_id>-<name>.reason.txt; of other feeds in FEED/
    prefix/.ecom/unloaded/         <file_id>-<name>: taken out again (`ecom unload`); nothing looks there
    prefix/.ecom/zone-id           by what the ledger knows this zone
    prefix/.ecom/highest-number    the highest file_id that was given to one of these objects

There is no folder of claimed ones: an object is claimed by a row of the ledger, and stays where it is until
it is put away. Where objects stay for good (``ECOM_LANDING_DONE=leave`` or ``tag``) nothing of ``.ecom/`` is
written.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path

from ecom_platform.declarations import declared_names
from ecom_platform.errors import StorageError
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.landing import kept_names
from ecom_platform.objects import Bucket, Location, bucket_of
from ecom_platform.settings import Settings
from ecom_platform.store import ledger
from ecom_platform.store.outcome import base, folder_of, kept_as
from ecom_platform.variable_reader import MOVE, TAG

OURS = ".ecom/"
ARCHIVE, QUARANTINE = f"{OURS}archive/", f"{OURS}quarantine/"
UNLOADED = f"{OURS}unloaded/"
MARKER, HIGHEST = f"{OURS}zone-id", f"{OURS}highest-number"


@dataclass(frozen=True, slots=True)
class BucketZone:
    """A part of a bucket, and the folder on this machine for what Spark is told to load."""

    location: Location
    units: Path
    # Whose folders are looked into.
    feeds: frozenset[str] = frozenset({TOP_FEED})
    # Whether objects stay where they are when they are loaded, and nothing is written to the bucket but tags.
    leaves: bool = False
    # Whether they get a tag then that says so.
    tags: bool = False
    # Whether a store that is away is an error at once (``objects.Bucket``).
    hurried: bool = False

    @classmethod
    def of(cls, settings: Settings) -> BucketZone | None:
        """The zone of these settings, where files land in a bucket."""
        if settings.landing_bucket is None:
            return None
        feeds = frozenset({TOP_FEED, *declared_names(settings.feeds_dir)})
        done = settings.landing_done
        return cls(settings.landing_bucket, settings.home / "units", feeds, done != MOVE, done == TAG)

    def looking_into(self, feeds: Collection[str]) -> BucketZone:
        """The same zone, of which only the folders of these feeds are looked into."""
        return replace(self, feeds=frozenset({TOP_FEED, *feeds}))

    def in_a_hurry(self) -> BucketZone:
        """The same for whoever looks again soon: a store that is away is not waited for."""
        return replace(self, hurried=True)

    @property
    def bucket(self) -> Bucket:
        return bucket_of(self.location, hurried=self.hurried)

    def key_of(self, file: ledger.FileState) -> str | None:
        """Where a finished file belongs; nothing of one that is not, nor where objects stay."""
        if self.leaves:
            return None
        if file.state == ledger.QUARANTINED:
            return quarantined_key(file.file_id, file.name)
        if file.state == ledger.LOADED and file.finished_at is not None:
            day = f"{file.finished_at.astimezone(UTC):%Y-%m-%d}"
            return f"{ARCHIVE}{folder_of(file.name)}{day}/{file.file_id}-{base(file.name)}"
        return None

    def archive_days(self) -> list[str]:
        """The folders of the archive that are days of some feed, each as the beginning of a key, oldest
        first."""
        _, folders = self.bucket.level(ARCHIVE)
        days: list[str] = []
        for folder in folders:
            days += [folder] if _is_day(folder) else filter(_is_day, self.bucket.level(folder)[1])
        return sorted(days, key=lambda day: (day_of(day), day))

    def archived_on(self) -> set[str]:
        """The days of the archive, ``YYYY-MM-DD``."""
        return {day_of(folder) for folder in self.archive_days()}

    def delete_day(self, day: str) -> None:
        """Delete what was archived on this day, of every feed."""
        for folder in self.archive_days():
            if day_of(folder) == day:
                for found in self.bucket.below(folder):
                    self.bucket.delete(found.key, found.etag)

    def taken_out(self, file_id: int, name: str) -> bool:
        """Whether somebody has taken this object out of quarantine; not where the store cannot say."""
        # One that stays where it is has the key that it landed by: with the folder of its feed, or at the
        # top.
        keys = {name, base(name)} if self.leaves else {quarantined_key(file_id, name)}
        try:
            return all(self.bucket.head(key) is None for key in keys)
        except StorageError:
            return False


def quarantined_key(file_id: int, name: str) -> str:
    return f"{QUARANTINE}{kept_as(file_id, name)}"


def unloaded_key(file_id: int, name: str) -> str:
    return f"{UNLOADED}{kept_as(file_id, name)}"


def lands_below(key: str) -> str:
    """Where an object lands again that lies at ``key`` among ours (``kept_names.landing_folder``)."""
    return kept_names.landing_folder(key.removeprefix(OURS).split("/")[1:-1])


def day_of(folder: str) -> str:
    """The day of a folder of the archive."""
    return folder.rstrip("/").rpartition("/")[2]


def _is_day(folder: str) -> bool:
    return kept_names.is_day(day_of(folder))
