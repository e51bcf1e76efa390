"""What is on disk held against the ledger: the evidence behind the checks of the archive.

Belongs here: whether the archive has of each loaded file as many bytes as were loaded. Does not belong here:
Dagster, or loading what is missing (``put_away``, ``requeue``).
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ecom_platform.landing.evidence import archive_finding, archived_since
from ecom_platform.landing.folder import identity
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.store import ledger
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Connection
from ecom_platform.store.ledger import FileState

# How long a file may be on its way from the claimed folder into the archive, among many of a micro-batch.
_LOOKS = 10
_LOOK_SECONDS = 0.5


def archive_matches_ledger(connection: Connection, zone: LandingZone, *, whole: bool) -> Finding:
    """The archive has of each loaded file as many bytes as were loaded."""
    identity.verify(connection, zone)  # an archive that is away is not an empty one
    since = archived_since(connection, whole=whole)
    looked_at = absent = 0
    wrong: list[FileState] = []
    for file in ledger.loaded_files(connection, since):
        looked_at += 1
        size = _size(zone, file)
        if size is None and not _stays_claimed(zone, file):
            absent += 1
        elif size != file.size_bytes:
            wrong.append(file)
    differing = [(f"{file.name} (file {file.file_id})", text) for file, text in _still_wrong(zone, wrong)]
    return archive_finding(differing, looked_at, absent, since)


def _size(zone: LandingZone, file: FileState) -> int | None:
    try:
        return zone.path_of(file).lstat().st_size
    except OSError:
        return None


def _stays_claimed(zone: LandingZone, file: FileState) -> bool:
    return zone.claimed_path(file.file_id, file.name).exists()


def _still_wrong(zone: LandingZone, files: Iterable[FileState]) -> list[tuple[FileState, str]]:
    """Those that stay wrong. What is loaded and claimed may be on its way into the archive just now."""
    left = list(files)
    differing: list[tuple[FileState, str]] = []
    for _ in range(_LOOKS):
        differing = [(file, text) for file in left if (text := _verdict(zone, file)) is not None]
        left = [file for file, _ in differing]
        if not any(_stays_claimed(zone, file) for file in left):
            break
        time.sleep(_LOOK_SECONDS)
    return differing


def _verdict(zone: LandingZone, file: FileState) -> str | None:
    size = _size(zone, file)
    if size is None:
        stays = _stays_claimed(zone, file)
        return "loaded, but it cannot be moved out of the claimed folder" if stays else None
    if size == file.size_bytes:
        return None
    if size < (file.size_bytes or 0):
        return f"{size} bytes are left of the {file.size_bytes} that were loaded"
    return f"{size} bytes, of which {file.size_bytes} were loaded: `ecom reconcile` loads the rest"
