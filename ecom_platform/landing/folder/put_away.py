"""Where a file goes that is finished by the ledger's word, and what to do if it has been written to since.

Belongs here: the move to archive or quarantine, and back into the landing folder of what is more than was
loaded. Does not belong here: how names are given there (``no_replace``), or claiming them again.

A rename takes a file from nobody who has it open. Its size, time and inode of the claim are held against it
until it is put away, and its size for a while after. One that has grown lands again, by the name that its
writer gave it and with its inode, so that whatever is still written gets into it and a look can tell when it
rests. What was loaded stays in the archive: a copy of the bytes that the ledger has the fingerprint of.
The rows that were loaded are duplicates then, the rest is new.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from ecom_platform import durable
from ecom_platform.errors import StorageError
from ecom_platform.landing.folder import identity
from ecom_platform.landing.folder.claim_lock import claim_lock
from ecom_platform.landing.folder.no_replace import move
from ecom_platform.landing.folder.zone import LandingZone, make_room
from ecom_platform.landing.kept_names import REASON_SUFFIX, landing_names, numbered
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.outcome import Stamp

log = logging.getLogger(__name__)

# How long files are looked at after they were put away, and how many. The check of the archive has no limit.
LOOK_BACK = timedelta(hours=1)
_MOST_FILES = 10_000
_BLOCK = 1024**2


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a file that was to be put away: whether there was something to move, and the name by
    which it is back in the landing folder, if it is."""

    moved: bool
    landed_as: str | None = None


def settle(zone: LandingZone, file: ledger.FileState) -> Fate:
    """Move a finished file to where it belongs. The caller holds the claim lock if it may have changed."""
    if file.state not in (ledger.LOADED, ledger.QUARANTINED):
        return Fate(moved=False)
    source = zone.claimed_path(file.file_id, file.name)
    try:
        status = source.lstat()
    except FileNotFoundError:
        return _away(zone, file)
    if stat.S_ISREG(status.st_mode) and not _as_claimed(status, file):
        fate = _changed(zone, file, source, status)
    else:
        fate = _away(zone, file)
    if fate.moved and fate.landed_as is None:
        durable.sync(zone.path_of(file).parent)
    return fate


def _as_claimed(status: os.stat_result, file: ledger.FileState) -> bool:
    if file.stamp is None:
        return file.size_bytes is None or status.st_size == file.size_bytes
    return Stamp.of(status) == file.stamp


def _away(zone: LandingZone, file: ledger.FileState) -> Fate:
    if file.state == ledger.QUARANTINED:
        moved = zone.to_quarantine(file.file_id, file.name, file.reason or "")
    elif file.finished_at is not None:
        moved = zone.to_archive(file.file_id, file.name, file.finished_at)
    else:
        moved = False
    return Fate(moved)


def _changed(zone: LandingZone, file: ledger.FileState, source: Path, status: os.stat_result) -> Fate:
    """A file that was written to since it was claimed: only what was read is finished."""
    if file.sha256 is None or file.size_bytes is None:
        return _away(zone, file)  # nothing of it was read
    as_read = _digest(source, file.size_bytes) == file.sha256
    if as_read and status.st_size == file.size_bytes:
        return _away(zone, file)
    if as_read and file.state == ledger.LOADED:
        _keep_copy(zone, file, source)
    landed_as = move(source, zone.landing, landing_names(file.file_id, file.name))
    log.warning(
        "%s (file %s) was written to after it was claimed: of %s bytes read it has %s by now, and "
        "lands again as %s.",
        file.name,
        file.file_id,
        file.size_bytes,
        status.st_size,
        landed_as,
    )
    return Fate(moved=True, landed_as=landed_as)


def _beginning(path: Path, size: int) -> Iterator[bytes]:
    """The first ``size`` bytes, in blocks."""
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, _BLOCK))):
            yield block
            size -= len(block)


def _digest(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    for block in _beginning(path, size):
        digest.update(block)
    return digest.hexdigest()


def _keep_copy(zone: LandingZone, file: ledger.FileState, source: Path) -> None:
    """Let the bytes that were loaded be in the archive. Killed after it, the copy is there and complete."""
    if file.finished_at is None or file.size_bytes is None:
        return
    target = zone.path_of(file)
    zone.make_day(target.parent)
    if os.path.lexists(target):
        if target.lstat().st_size != file.size_bytes:
            raise StorageError(
                f"{source} has grown, and another file is where what was loaded of it belongs: {target}.",
                "Nothing was overwritten. Move that one into the landing folder, where it is loaded again.",
            )
        return
    hidden = target.with_name(f".{target.name}.partial")
    with hidden.open("wb") as kept:
        for block in _beginning(source, file.size_bytes):
            kept.write(block)
    if file.mtime_ns is not None:
        os.utime(hidden, ns=(file.mtime_ns, file.mtime_ns))
    durable.sync(hidden)
    hidden.rename(target)
    durable.sync(target.parent)


def put_away(
    database: Database, zone: LandingZone, file_ids: Collection[int], wait_seconds: float
) -> list[str]:
    """Put files away that were just finished; returns the names of those that land again instead.

    One that cannot be moved stays where it is, is named in the log, and by the check of the archive.
    """
    with database.open(wait_seconds=wait_seconds) as connection:
        identity.verify(connection, zone)
        files = ledger.states(connection, file_ids).values()
    changed, places = [], set()
    for file in files:
        source = zone.claimed_path(file.file_id, file.name)
        try:
            if source.exists() and not _as_claimed(source.lstat(), file):
                changed.append(file)
            elif _away(zone, file).moved:
                places.add(zone.path_of(file).parent)
        except (OSError, StorageError) as error:
            log.warning("%s", error)
    durable.sync_all(places)
    if not changed:
        return []
    with claim_lock(database, zone) as connection:
        return settle_all(connection, zone, changed)


def settle_all(connection: Connection, zone: LandingZone, files: Iterable[ledger.FileState]) -> list[str]:
    """:func:`settle` each; returns the names of those that land again."""
    again = []
    for file in files:
        try:
            landed_as = settle(zone, file).landed_as
            if landed_as is not None:
                ledger.note_landed_again(connection, file.file_id)
                again.append(landed_as)
        except (OSError, StorageError) as error:
            log.warning("%s", error)
    return again


def land_grown(connection: Connection, zone: LandingZone, since: datetime | None = None) -> list[str]:
    """Let files land again that were written to since they were put away; returns their names.

    Of those finished in the last hour; or, of all since a given time, those that have grown. The caller
    holds the claim lock.
    """
    grown = _recently_grown(connection, zone) if since is None else _grown_since(connection, zone, since)
    again = []
    for file in grown:
        if _is_untouched(connection, zone, file):
            continue
        again.append(file)
        place, claimed = zone.path_of(file), zone.claimed_path(file.file_id, file.name)
        # From here on it is a file that is finished and not put away: killed, the next run goes on.
        make_room(claimed)
        place.rename(claimed)
        if file.state == ledger.QUARANTINED:
            place.with_name(place.name + REASON_SUFFIX).unlink(missing_ok=True)
    return settle_all(connection, zone, again)


def look_back(database: Database, zone: LandingZone) -> list[str]:
    """The same for who does not hold the lock: it is only taken where there is something to do."""
    with database.open() as connection:
        identity.verify(connection, zone)
        if not _recently_grown(connection, zone):
            return []
    with claim_lock(database, zone) as connection:
        return land_grown(connection, zone)


def written_to(zone: LandingZone) -> list[int]:
    """Numbers of archived files that may have been written to since, by the disk alone: of those of the
    newest two days, and not of more than a look may cost.

    To rename a file sets the time of its inode, to write to it sets both times alike.
    """
    found: list[int] = []
    with suppress(FileNotFoundError):
        days = zone.archive_days()
        newest = sorted({day.name for day in days})[-2:]
        for day in (day for day in days if day.name in newest):
            with os.scandir(day) as entries:
                for entry in islice(entries, _MOST_FILES):
                    ours, status = numbered(entry.name), entry.stat(follow_symlinks=False)
                    if ours is not None and status.st_mtime_ns == status.st_ctime_ns:
                        found.append(ours[0])
    return found


def grown(connection: Connection, zone: LandingZone, file_ids: Collection[int]) -> list[ledger.FileState]:
    """Those of ``file_ids`` that have grown since they were put away."""
    return [file for file in ledger.states(connection, file_ids).values() if _has_grown(zone, file)]


def _recently_grown(connection: Connection, zone: LandingZone) -> list[ledger.FileState]:
    recent = ledger.finished_since(connection, datetime.now(UTC) - LOOK_BACK, _MOST_FILES)
    return [file for file in recent if _has_grown(zone, file, or_newer=True)]


def _grown_since(connection: Connection, zone: LandingZone, since: datetime) -> list[ledger.FileState]:
    return [file for file in ledger.finished_since(connection, since) if _has_grown(zone, file)]


def _is_untouched(connection: Connection, zone: LandingZone, file: ledger.FileState) -> bool:
    """Whether a file whose time has changed is what was loaded all the same; then the new time is its own."""
    place = zone.path_of(file)
    status = place.lstat()
    if file.size_bytes is None or status.st_size != file.size_bytes:
        return False
    if _digest(place, file.size_bytes) != file.sha256:
        return False
    ledger.note_touched(connection, file.file_id, status.st_mtime_ns)
    return True


def _has_grown(zone: LandingZone, file: ledger.FileState, *, or_newer: bool = False) -> bool:
    """Whether a finished file has more bytes than were read; ``or_newer``: or as many, but a later time."""
    if file.size_bytes is None or file.sha256 is None:
        return False
    try:
        status = zone.path_of(file).lstat()
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode) or os.path.lexists(zone.claimed_path(file.file_id, file.name)):
        return False
    newer = file.mtime_ns is not None and status.st_mtime_ns > file.mtime_ns
    return status.st_size > file.size_bytes or (or_newer and status.st_size == file.size_bytes and newer)
