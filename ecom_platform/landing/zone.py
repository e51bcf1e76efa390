"""The folders of the landing zone, and the moves between them.

Belongs here: where a file is at each stage of its life, and getting it there by an atomic
rename. Does not belong here: which files may be taken (``scan``), or the ledger (``claim``).

    landing/                      anyone may drop files here; nothing but ``scan`` reads it
    landing/.ecom/claimed/        <file_id>-<name>: ours, being loaded
    landing/.ecom/units/          what Spark is told to load; gone after the run
    landing/.ecom/archive/DATE/   <file_id>-<name>: loaded on that date (UTC)
    landing/.ecom/quarantine/     <file_id>-<name> and <file_id>-<name>.reason.txt

All lie on one file system, so a move is a rename and a file is never in two places.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.postgres import ledger
from ecom_platform.settings import Settings

_OURS = re.compile(r"^([0-9]+)-(.+)$", re.DOTALL)
REASON_SUFFIX = ".reason.txt"


@dataclass(frozen=True, slots=True)
class LandingZone:
    """The folders, by their absolute paths."""

    landing: Path
    claimed: Path
    archive: Path
    quarantine: Path
    units: Path

    @classmethod
    def of(cls, settings: Settings) -> LandingZone:
        ours = settings.landing_dir / ".ecom"
        return cls(
            settings.landing_dir, ours / "claimed", ours / "archive", ours / "quarantine", ours / "units"
        )

    def prepare(self) -> None:
        """Make the folders and prove that they can be written; raises :class:`StorageError`."""
        for folder in (self.landing, self.claimed, self.archive, self.quarantine, self.units):
            make_writable(folder)

    def claimed_path(self, file_id: int, name: str) -> Path:
        return self.claimed / f"{file_id}-{name}"

    def archived_path(self, file_id: int, name: str, finished_at: datetime) -> Path:
        return self.archive / f"{finished_at.astimezone(UTC):%Y-%m-%d}" / f"{file_id}-{name}"

    def quarantined_path(self, file_id: int, name: str) -> Path:
        return self.quarantine / f"{file_id}-{name}"

    def path_of(self, file: ledger.FileState) -> Path:
        """Where a file is that has reached this state."""
        if file.state == ledger.LOADED and file.finished_at is not None:
            return self.archived_path(file.file_id, file.name, file.finished_at)
        if file.state == ledger.QUARANTINED:
            return self.quarantined_path(file.file_id, file.name)
        return self.claimed_path(file.file_id, file.name)

    def claimed_files(self) -> Iterator[tuple[int, str]]:
        """File id and name of everything that is in the claimed folder."""
        for entry in self.claimed.iterdir():
            ours = _OURS.match(entry.name)
            if ours:
                yield int(ours[1]), ours[2]

    def archive_days(self) -> list[Path]:
        """The folders of the archive, oldest first."""
        return sorted(folder for folder in self.archive.iterdir() if folder.is_dir())

    def put_away(self, file_id: int, name: str) -> Path | None:
        """Where a file lies that some ledger once knew as finished, on whatever day: not this one's
        word, as :meth:`path_of` is, but the disk's."""
        places = [*(day / f"{file_id}-{name}" for day in reversed(self.archive_days()))]
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

    def highest(self) -> tuple[int, Path] | None:
        """The highest number among the claimed files and the newest day of the archive, and its file.

        Numbers grow with time, so it is the highest of all, and older days cost nothing.
        """
        found: tuple[int, Path] | None = None
        for folder in (self.claimed, *self.archive_days()[-1:]):
            with os.scandir(folder) as entries:
                for entry in entries:
                    number = entry.name.partition("-")[0]
                    if number.isascii() and number.isdigit() and (found is None or int(number) > found[0]):
                        found = int(number), folder / entry.name
        return found

    def to_archive(self, file_id: int, name: str, finished_at: datetime) -> bool:
        """Move a loaded file away; ``False`` if it had been moved before."""
        target = self.archived_path(file_id, name, finished_at)
        target.parent.mkdir(parents=True, exist_ok=True)
        return _move(self.claimed_path(file_id, name), target)

    def to_quarantine(self, file_id: int, name: str, reason: str) -> bool:
        """Move an unreadable file away, its reason beside it; ``False`` if it had been moved before."""
        source, target = self.claimed_path(file_id, name), self.quarantined_path(file_id, name)
        _refuse_to_replace(source, target)
        target.with_name(target.name + REASON_SUFFIX).write_text(reason + "\n", encoding="utf-8")
        return _move(source, target)


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
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(
            f"{source} cannot be moved to {target}: {error.strerror}.",
            "The rows are safe in the table; make the folder writable and run again to finish the move.",
        ) from error
    return True


def make_writable(folder: Path) -> None:
    """Make ``folder`` and write a file in it; raises :class:`StorageError`.

    Root passes every permission check, so writing is the only test that counts.
    """
    probe = folder / f".writable-{datetime.now(UTC):%H%M%S%f}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StorageError(
            f"The folder {folder} cannot be written: {error.strerror}.",
            "Make it writable, or set ECOM_LANDING_DIR (ECOM_HOME for the rest) to a folder that is.",
        ) from error
