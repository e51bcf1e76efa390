"""What is done with files that a load has done with: in folders, or in a bucket.

Belongs here: what the person on call, and changes of tables, ask of a landing zone, and which code does it
for either. Does not belong here: a load (``landing_places``), or doing it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from errno import ENOENT
from pathlib import Path
from typing import Protocol

from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.bucket import (
    feed_objects,
    named_objects,
    object_claim,
    object_returning,
    stored_objects,
)
from ecom_platform.landing.bucket.bucket_zone import UNLOADED, BucketZone
from ecom_platform.landing.folder import claim, feed_folders, named_files, returning
from ecom_platform.landing.folder.former_quarantine import release_what_fits
from ecom_platform.landing.folder.taking_out import Moves
from ecom_platform.landing.folder.zone import LandingZone, make_room
from ecom_platform.landing.landing_zone import Zone
from ecom_platform.landing.reconciliation import Reconciliation
from ecom_platform.objects import ObjectChangedError, as_file
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.ledger import FileState
from ecom_platform.store.outcome import base


class TakingOut(Protocol):
    """Files on their way to where nothing looks."""

    def make(self) -> None:
        """Take them there; what is gone already is passed over. Raises :class:`StorageError`."""

    def take_back(self) -> None:
        """Undo what this one has done."""

    def forget_reasons(self) -> None:
        """Delete what stood beside those of the quarantine."""

    @property
    def places(self) -> list[str | None]:
        """Where each lies now, nothing of one that is gone."""


class KeptFiles(Protocol):
    """A landing zone, as whoever looks for files there sees it that are in the ledger."""

    @property
    def feeds(self) -> frozenset[str]:
        """Whose folders are looked into."""

    def recover(self, database: Database) -> None:
        """Put right what an interrupted run had left: what was loaded is in the archive then."""

    def where(self, file: FileState) -> str | None:
        """Where a file belongs that has reached this state, as people are told."""

    def place_of(self, connection: Connection, file: FileState) -> str | None:
        """The same of one that is there; nothing of any other."""

    def sizes(self, connection: Connection, files: Iterable[FileState]) -> dict[int, int]:
        """How large those are that are where they belong."""

    def reading(self, connection: Connection, file: FileState) -> AbstractContextManager[Path]:
        """The file, to be read while the block lasts. Raises OSError where it is gone."""

    def waits(self, connection: Connection, name: str) -> bool:
        """Whether a file of this name has landed and is not claimed."""

    def land_copies(self, database: Database, files: Sequence[FileState]) -> list[str]:
        """Let copies of archived files land, all of them or none; returns the names by which they do."""

    def reconcile(self, database: Database, *, adopt: bool) -> Reconciliation:
        """Put right what a restored database and a newer landing zone disagree about."""

    def taking_out(self, files: Sequence[FileState]) -> TakingOut:
        """Some files. Raises :class:`UsageError` where none are kept."""

    def taking_out_feed(self, files: Sequence[FileState]) -> TakingOut:
        """All files of a feed, and what stands beside those of the quarantine."""

    def taken_out(self, feed: str) -> str:
        """Where the files of a feed lie that was taken out."""

    def require_renamable(self) -> None:
        """Raises :class:`UsageError` where files cannot be moved to another name of their feed."""

    def rename_feed(self, connection: Connection, old: str, new: str) -> list[str]:
        """Let what has landed or is kept of the feed ``old`` lie where that of ``new`` does; returns the
        folders that had any. The caller holds the claim lock. Raises :class:`StorageError`."""

    def landing_of(self, feed: str) -> str:
        """Where files of the feed land, as people are told."""

    def quarantine(
        self, database: Database, files: Iterable[FileState], archived: Iterable[FileState]
    ) -> None:
        """Move files from where they were ``archived`` into the quarantine, which is their state by now.
        Killed in between, the next ingest goes on."""

    def line_counts(self, connection: Connection, names: Sequence[str]) -> dict[str, int]:
        """How many line ends there are in the newest file of each name: waiting, being loaded or put away.
        One that is being moved just now may be missing."""

    def discards(
        self, connection: Connection, file_ids: Collection[int], names: Collection[str]
    ) -> list[Callable[[], None]]:
        """What deletes each of these files wherever it lies: those of the ledger, and what bears one of the
        ``names`` and waits to be claimed or has a number that the ledger does not know. Each raises
        :class:`StorageError`."""

    def release_what_fits(self, database: Database, feed: Feed) -> list[str]:
        """Let files of ``feed`` land again that were quarantined for a header that fits by now."""


@dataclass(frozen=True, slots=True)
class InFolders:
    """Kept in folders."""

    zone: LandingZone

    @property
    def feeds(self) -> frozenset[str]:
        return self.zone.feeds

    def recover(self, database: Database) -> None:
        claim.recover(database, self.zone)

    def where(self, file: FileState) -> str:
        return str(self.zone.path_of(file))

    def place_of(self, connection: Connection, file: FileState) -> str | None:  # noqa: ARG002
        path = self.zone.path_of(file)
        return str(path) if path.exists() else None

    def sizes(self, connection: Connection, files: Iterable[FileState]) -> dict[int, int]:  # noqa: ARG002
        found: dict[int, int] = {}
        for file in files:
            with suppress(OSError):
                found[file.file_id] = os.lstat(self.zone.path_of(file)).st_size
        return found

    def reading(
        self,
        connection: Connection,  # noqa: ARG002 (folders tell by themselves where it lies)
        file: FileState,
    ) -> AbstractContextManager[Path]:
        return nullcontext(self.zone.path_of(file))

    def waits(self, connection: Connection, name: str) -> bool:  # noqa: ARG002
        try:
            return (self.zone.landing / name).exists()
        except OSError:  # longer than any name can be
            return False

    def land_copies(self, database: Database, files: Sequence[FileState]) -> list[str]:
        return returning.land_copies(database, self.zone, files)

    def reconcile(self, database: Database, *, adopt: bool) -> Reconciliation:
        return returning.reconcile(database, self.zone, adopt=adopt)

    def taking_out(self, files: Sequence[FileState]) -> TakingOut:
        return Moves(self.zone, files)

    def taking_out_feed(self, files: Sequence[FileState]) -> TakingOut:
        return Moves(self.zone, files, with_reasons=True)

    def taken_out(self, feed: str) -> str:
        return str(self.zone.unloaded / feed)

    def require_renamable(self) -> None:
        """Folders are renamed."""

    def rename_feed(self, connection: Connection, old: str, new: str) -> list[str]:  # noqa: ARG002
        return feed_folders.rename_folders(self.zone, old, new)

    def landing_of(self, feed: str) -> str:
        return str(self.zone.landing / feed)

    def quarantine(
        self,
        database: Database,  # noqa: ARG002
        files: Iterable[FileState],
        archived: Iterable[FileState],
    ) -> None:
        states = {file.file_id: file for file in files}
        for file in archived:
            path = self.zone.path_of(file)
            if file.file_id not in states or not os.path.lexists(path):
                continue
            claimed = self.zone.claimed_path(file.file_id, file.name)
            make_room(claimed)
            path.rename(claimed)
            claim.finish(self.zone, states[file.file_id])

    def line_counts(self, connection: Connection, names: Sequence[str]) -> dict[str, int]:
        return named_files.line_counts(connection, self.zone, names)

    def discards(
        self, connection: Connection, file_ids: Collection[int], names: Collection[str]
    ) -> list[Callable[[], None]]:
        return named_files.discards(connection, self.zone, file_ids, names)

    def release_what_fits(self, database: Database, feed: Feed) -> list[str]:
        return release_what_fits(database, self.zone, feed)


@dataclass(frozen=True, slots=True)
class InBucket:
    """Kept in a bucket. What is read is as_file into a folder of its own, whole and by its ETag."""

    zone: BucketZone

    @property
    def feeds(self) -> frozenset[str]:
        return self.zone.feeds

    def recover(self, database: Database) -> None:
        object_claim.recover(database, self.zone)

    def where(self, file: FileState) -> str | None:
        key = self.zone.key_of(file)
        return None if key is None else self.zone.location.url_of(key)

    def place_of(self, connection: Connection, file: FileState) -> str | None:
        found = stored_objects.found(connection, self.zone, file)
        return None if found is None else self.zone.location.url_of(found.key)

    def sizes(self, connection: Connection, files: Iterable[FileState]) -> dict[int, int]:
        return stored_objects.sizes(connection, self.zone, files)

    @contextmanager
    def reading(self, connection: Connection, file: FileState) -> Iterator[Path]:
        found = stored_objects.found(connection, self.zone, file)
        if found is None:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), self.where(file) or file.name)
        try:
            with as_file(self.zone.bucket, found, base(file.name)) as path:
                yield path
        except ObjectChangedError as error:
            raise FileNotFoundError(ENOENT, str(error), found.key) from error

    def waits(self, connection: Connection, name: str) -> bool:
        claimed = {one.key for one in ledger.claimed_objects(connection).values()}
        return object_returning.waits(self.zone, name, claimed)

    def land_copies(self, database: Database, files: Sequence[FileState]) -> list[str]:
        return object_returning.land_copies(database, self.zone, files)

    def reconcile(self, database: Database, *, adopt: bool) -> Reconciliation:
        return object_returning.reconcile(database, self.zone, adopt=adopt)

    def taking_out(self, files: Sequence[FileState]) -> TakingOut:
        object_returning.require_kept(self.zone)
        return object_returning.ObjectMoves(self.zone, files)

    def taking_out_feed(self, files: Sequence[FileState]) -> TakingOut:
        return object_returning.ObjectMoves(self.zone, files, with_reasons=True)

    def taken_out(self, feed: str) -> str:
        return self.zone.location.url_of("" if self.zone.leaves else f"{UNLOADED}{feed}/")

    def require_renamable(self) -> None:
        feed_objects.require_movable(self.zone)

    def rename_feed(self, connection: Connection, old: str, new: str) -> list[str]:
        return feed_objects.rename_objects(connection, self.zone, old, new)

    def landing_of(self, feed: str) -> str:
        return self.zone.location.url_of(f"{feed}/")

    def quarantine(
        self, database: Database, files: Iterable[FileState], archived: Iterable[FileState]
    ) -> None:
        object_returning.quarantine(database, self.zone, files, archived)

    def line_counts(self, connection: Connection, names: Sequence[str]) -> dict[str, int]:
        return named_objects.line_counts(connection, self.zone, names)

    def discards(
        self, connection: Connection, file_ids: Collection[int], names: Collection[str]
    ) -> list[Callable[[], None]]:
        return named_objects.discards(connection, self.zone, file_ids, names)

    def release_what_fits(self, database: Database, feed: Feed) -> list[str]:
        return object_returning.release_what_fits(database, self.zone, feed)


def kept_files(zone: Zone) -> KeptFiles:
    """What is kept in ``zone``."""
    return InBucket(zone) if isinstance(zone, BucketZone) else InFolders(zone)


@contextmanager
def reading_all(
    kept: KeptFiles, database: Database, files: Iterable[FileState]
) -> Iterator[tuple[dict[Path, FileState], list[FileState]]]:
    """Files to be read while the block lasts, by their paths, and those that are gone."""
    found: dict[Path, FileState] = {}
    gone: list[FileState] = []
    with ExitStack() as stack, database.open(autocommit=True) as connection:
        for file in files:
            try:
                path = stack.enter_context(kept.reading(connection, file))
            except OSError:
                gone.append(file)
                continue
            if path.is_file():
                found[path] = file
            else:
                gone.append(file)
        yield found, gone
