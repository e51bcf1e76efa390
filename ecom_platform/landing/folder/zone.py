"""The folders of the landing zone, and the moves between them.

Belongs here: where a file is at each stage of its life, and getting it there by an atomic
rename. Does not belong here: which files may be taken (``scan``), or the ledger (``claim``).

    landing/                      anyone may drop files here; nothing but ``scan`` reads it
    landing/FEED/                 files of a feed, in folders of its own or not
    landing/.ecom/claimed/        <file_id>-<name>: ours, being loaded; of other feeds than the first in
                                  claimed/FEED/, as in the quarantine
    landing/.ecom/units/          what Spark is told to load; gone after the run
    landing/.ecom/archive/DATE/   <file_id>-<name>: loaded on that date (UTC); of other feeds than the first
                                  in archive/FEED/DATE/
    landing/.ecom/quarantine/     <file_id>-<name> and <file_id>-<name>.reason.txt
    landing/.ecom/unloaded/       <file_id>-<name>: taken out again (`ecom unload`), or of a feed that is no
                                  more; nothing looks there
    landing/.ecom/zone-id         by what the ledger knows this zone (``identity``)

A file's name in the ledger is its path below the landing folder; once it is ours it goes by the last part
of it. All lie on one file system, so a move is a rename and a file is never in two places.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ecom_platform import durable
from ecom_platform.declarations import declared_names
from ecom_platform.errors import StorageError, UsageError
from ecom_platform.feeds.declaring import NAME
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.landing.kept_names import REASON_SUFFIX, is_day, landing_folder, numbered
from ecom_platform.settings import Settings
from ecom_platform.store import ledger
from ecom_platform.store.outcome import base, folder_of, kept_as
from ecom_platform.writable import make_writable


@dataclass(frozen=True, slots=True)
class LandingZone:
    """The folders, by their absolute paths."""

    landing: Path
    claimed: Path
    archive: Path
    quarantine: Path
    units: Path
    # Whose folders in the landing folder are looked into.
    feeds: frozenset[str] = frozenset({TOP_FEED})

    @classmethod
    def of(cls, settings: Settings) -> LandingZone:
        """The folders of these settings. Raises :class:`UsageError` where files land in a bucket: what is
        meant for it must not be done in folders."""
        require_folders(settings)
        ours = settings.landing_dir / ".ecom"
        return cls(
            settings.landing_dir,
            ours / "claimed",
            ours / "archive",
            ours / "quarantine",
            ours / "units",
            frozenset({TOP_FEED, *declared_names(settings.feeds_dir)}),
        )

    def looking_into(self, feeds: Collection[str]) -> LandingZone:
        """The same zone, of which only the folders of these feeds are looked into."""
        return replace(self, feeds=frozenset({TOP_FEED, *feeds}))

    @property
    def ours(self) -> Path:
        """The folder that has all of ours."""
        return self.claimed.parent

    @property
    def unloaded(self) -> Path:
        """The folder of files that were taken out again, by feeds; nothing looks into it."""
        return self.ours / "unloaded"

    @property
    def _folders(self) -> tuple[Path, ...]:
        return self.claimed, self.archive, self.quarantine, self.units

    def prepare(self) -> None:
        """Make the folders and prove that they can be written; raises :class:`StorageError`."""
        for folder in (self.ours, *self._folders):
            if os.path.lexists(folder):
                self._refuse_swapped(folder)
        for folder in (self.landing, *self._folders):
            make_writable(folder)
        self.check_folders()
        prove_renames(self.landing, self.claimed, self.archive, self.quarantine)

    def check_folders(self) -> None:
        """Raises :class:`StorageError` if one of ours is away, a link, or another user's.

        They lie where anybody may drop files, and whoever may do so may put something else in their place.
        """
        for folder in (self.ours, *self._folders):
            if folder == self.units and not os.path.lexists(folder):
                make_writable(folder)  # scratch, which may be deleted at any time
            self._refuse_swapped(folder)

    def _refuse_swapped(self, folder: Path) -> None:
        try:
            status = folder.lstat()
        except OSError as error:
            raise StorageError(
                f"The folder {folder} of the landing zone is away: {error.strerror}.",
                "If the landing zone is a mount, mount it again; nothing was changed.",
            ) from error
        if not stat.S_ISDIR(status.st_mode):
            what = "a link" if stat.S_ISLNK(status.st_mode) else "no folder"
            raise StorageError(
                f"{folder} is {what}, and not a folder of ours: somebody has put it there.",
                "See who may write in the landing folder; move it away, and bring the folder of ours back.",
            )
        if status.st_uid not in (0, os.geteuid()) and status.st_uid not in self._owners():
            raise StorageError(
                f"{folder} belongs to user {status.st_uid}, who is neither the owner of {self.landing} nor "
                f"user {os.geteuid()}, who runs this: somebody may have put it there.",
                "If it is ours, run as its owner, or `chown` it. If not, move it away, and bring back the "
                "folder that was there.",
            )

    def _owners(self) -> set[int]:
        """Whoever owns the drop folder, and whom a file of ours belongs to there: some network file
        systems give all files to one user."""
        owners = {self.landing.stat().st_uid}
        probe = self.landing / f".writable-{secrets.token_hex(8)}"
        with suppress(OSError):
            try:
                probe.touch(exist_ok=False)
                owners.add(probe.lstat().st_uid)
            finally:
                probe.unlink(missing_ok=True)
        return owners

    def claimed_path(self, file_id: int, name: str) -> Path:
        return self.claimed / kept_as(file_id, name)

    def archived_path(self, file_id: int, name: str, finished_at: datetime) -> Path:
        folder = self.archive / folder_of(name)
        return folder / f"{finished_at.astimezone(UTC):%Y-%m-%d}" / f"{file_id}-{base(name)}"

    def quarantined_path(self, file_id: int, name: str) -> Path:
        return self.quarantine / kept_as(file_id, name)

    def landing_folder(self, path: Path) -> str:
        """Where a file lands again that lies at ``path`` among ours (``kept_names.landing_folder``)."""
        return landing_folder(path.relative_to(self.ours).parts[1:-1])

    def path_of(self, file: ledger.FileState) -> Path:
        """Where a file is that has reached this state."""
        if file.state == ledger.LOADED and file.finished_at is not None:
            return self.archived_path(file.file_id, file.name, file.finished_at)
        if file.state == ledger.QUARANTINED:
            return self.quarantined_path(file.file_id, file.name)
        return self.claimed_path(file.file_id, file.name)

    def claimed_files(self) -> Iterator[tuple[int, str]]:
        """File id and name, as ``outcome.kept`` has it, of everything that is in the claimed folder."""
        for folder in folders_of_feeds(self.claimed):
            for entry in folder.iterdir():
                ours = numbered(entry.name)
                if ours is not None:
                    yield ours[0], f"{self.landing_folder(entry)}{ours[1]}"

    def strangers(self) -> list[Path]:
        """What is in the claimed folder under a name that we do not give."""
        folders = folders_of_feeds(self.claimed)
        return [
            path
            for folder in folders
            for path in sorted(folder.iterdir())
            if not path.name.startswith(".") and not numbered(path.name) and path not in folders
        ]

    @property
    def unfinished_and_refused(self) -> list[Path]:
        """Every folder of claimed and of quarantined files."""
        return [*folders_of_feeds(self.claimed), *folders_of_feeds(self.quarantine)]

    def archive_days(self) -> list[Path]:
        """The folders of the archive that are days of some feed, oldest first."""
        days: list[Path] = []
        for folder in self.archive.iterdir():
            if folder.is_dir():
                days += [folder] if is_day(folder.name) else [day for day in folder.iterdir() if day.is_dir()]
        return sorted(days, key=lambda day: (day.name, str(day)))

    def archived_on(self) -> set[str]:
        """The days of the archive, ``YYYY-MM-DD``."""
        return {folder.name for folder in self.archive_days()}

    def delete_day(self, day: str) -> None:
        """Delete what was archived on this day, of every feed."""
        for folder in self.archive_days():
            if folder.name == day:
                shutil.rmtree(folder)

    def put_away(self, file_id: int, name: str) -> Path | None:
        """Where a file lies that some ledger once knew as finished, on whatever day: not this one's
        word, as :meth:`path_of` is, but the disk's."""
        places = [*(day / f"{file_id}-{base(name)}" for day in reversed(self.archive_days()))]
        places.append(self.quarantined_path(file_id, name))
        return next((place for place in places if os.path.lexists(place)), None)

    def taken_out(self, file_id: int, name: str) -> bool:
        """Whether somebody has taken this file out of quarantine. Where nothing at all lies in the zone,
        it is more likely not there."""
        if os.path.lexists(self.quarantined_path(file_id, name)):
            return False
        try:
            return any(next(folder.iterdir(), None) for folder in (self.quarantine, self.archive))
        except OSError:
            return False

    def taken_place(self, file_id: int, name: str) -> Path | None:
        """A file that lies where this one would, now or when it is finished today."""
        today = self.archived_path(file_id, name, datetime.now(UTC))
        places = (self.claimed_path(file_id, name), today, self.quarantined_path(file_id, name))
        return next((place for place in places if os.path.lexists(place)), None)

    def to_archive(self, file_id: int, name: str, finished_at: datetime) -> bool:
        """Move a loaded file away; ``False`` if it had been moved before."""
        target = self.archived_path(file_id, name, finished_at)
        self.make_day(target.parent)
        return _move(self.claimed_path(file_id, name), target)

    def to_quarantine(self, file_id: int, name: str, reason: str) -> bool:
        """Move an unreadable file away, its reason beside it; ``False`` if it had been moved before."""
        source, target = self.claimed_path(file_id, name), self.quarantined_path(file_id, name)
        _refuse_to_replace(source, target)
        make_room(target)
        target.with_name(target.name + REASON_SUFFIX).write_text(reason + "\n", encoding="utf-8")
        return _move(source, target)

    def make_day(self, folder: Path) -> None:
        """Make a folder of the archive, if it is not there."""
        try:
            if folder.parent != self.archive:
                folder.parent.mkdir(exist_ok=True)
                durable.sync(self.archive)
            folder.mkdir()
        except FileExistsError:
            return
        except OSError as error:
            raise StorageError(
                f"The folder {folder} cannot be made: {error.strerror}.",
                f"Check that {self.archive} is there and can be written.",
            ) from error
        durable.sync(folder.parent)


def require_folders(settings: Settings) -> None:
    """Raises :class:`UsageError` where files land in a bucket, for whoever asks for folders."""
    if settings.landing_bucket is not None:
        raise UsageError(
            f"This asks for folders, and files land in a bucket: ECOM_LANDING_URL is "
            f"{settings.landing_bucket.url}.",
            "With a landing folder (ECOM_LANDING_URL unset, and a database of its own) it can be done.",
        )


def folders_of_feeds(folder: Path) -> list[Path]:
    """A folder of claimed or quarantined files, and those of feeds in it."""
    inside = [path for path in folder.iterdir() if NAME.fullmatch(path.name) and path.is_dir()]
    return [folder, *sorted(path for path in inside if not path.is_symlink())]


def make_room(path: Path) -> None:
    """Make the folder of a feed that a file is about to be moved into, if it is not there."""
    if not path.parent.is_dir():
        with suppress(FileExistsError):
            path.parent.mkdir()
        durable.sync(path.parent.parent)


def _refuse_to_replace(source: Path, target: Path) -> None:
    """Nobody but us moves files here, so what is there before a move is there during it."""
    if os.path.lexists(source) and os.path.lexists(target):
        raise StorageError(
            f"{source} cannot be moved to {target}: another file is there.",
            "Nothing was overwritten. Move that one into the landing folder, where it is loaded again, "
            "and run `ecom reconcile`.",
        )


def _move(source: Path, target: Path) -> bool:
    _refuse_to_replace(source, target)
    try:
        source.rename(target)
    except FileNotFoundError as error:
        # A folder that is away must not pass for a file that was moved before.
        for folder in (source.parent, target.parent):
            if not folder.is_dir():
                raise StorageError(
                    f"{source} cannot be moved to {target}: the folder {folder} is gone.",
                    "The rows are safe in the table; bring the landing zone back and run again.",
                ) from error
        return False
    except OSError as error:
        raise StorageError(
            f"{source} cannot be moved to {target}: {error.strerror}.",
            "The rows are safe in the table; make the folder writable and run again to finish the move.",
        ) from error
    return True


def prove_renames(*folders: Path) -> None:
    """Move a file through ``folders``, as files will be; raises :class:`StorageError`.

    A folder that is a mount of its own is on another file system even if the device is the same.
    """
    name = f".writable-{secrets.token_hex(8)}"
    probe = folders[0] / name
    try:
        probe.touch()
        for folder in folders[1:]:
            try:
                probe.rename(folder / name)
            except OSError as error:
                raise StorageError(
                    f"A file cannot be moved from {probe.parent} to {folder}: {error.strerror}.",
                    "All of the landing zone has to be on one file system: mount that as a whole, and let "
                    "none of its folders be a mount or a link.",
                ) from error
            probe = folder / name
    except OSError as error:
        raise StorageError(
            f"The folder {probe.parent} cannot be written: {error.strerror}.",
            "Make it writable, or set ECOM_LANDING_DIR to a folder that is.",
        ) from error
    finally:
        probe.unlink(missing_ok=True)
