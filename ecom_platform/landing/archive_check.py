"""What is on disk held against the ledger: the evidence behind the checks of the archive.

Belongs here: whether the archive has of each loaded file as many bytes as were loaded, and whether a line
was loaded before its writer had finished it. Does not belong here: Dagster, or loading what is missing
(``put_away``, ``requeue``).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from ecom_platform.landing import identity
from ecom_platform.landing.zone import LandingZone
from ecom_platform.store import ledger
from ecom_platform.store.audit import Finding, named
from ecom_platform.store.connection import Connection
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.ledger import FileState

# Of more files a run that loads looks at those of the last day: asking for the size of so many takes half a
# second.
WHOLE_UP_TO_FILES = 20_000
LAST_DAY = timedelta(hours=25)
# How long a file may be on its way from the claimed folder into the archive, among many of a micro-batch.
_LOOKS = 10
_LOOK_SECONDS = 0.5


def archive_matches_ledger(connection: Connection, zone: LandingZone, *, whole: bool) -> Finding:
    """The archive has of each loaded file as many bytes as were loaded.

    What is not there at all is counted, not faulted: archives are emptied, by ``ECOM_ARCHIVE_DAYS`` or by
    hand.
    """
    identity.verify(connection, zone)  # an archive that is away is not an empty one
    all_files = whole or ledger.loaded_count(connection) <= WHOLE_UP_TO_FILES
    since = None if all_files else datetime.now(UTC) - LAST_DAY
    looked_at = absent = 0
    wrong: list[FileState] = []
    for file in ledger.loaded_files(connection, since):
        looked_at += 1
        size = _size(zone, file)
        if size is None and not _stays_claimed(zone, file):
            absent += 1
        elif size != file.size_bytes:
            wrong.append(file)
    differing = _still_wrong(zone, wrong)
    return Finding(
        "archive_matches_ledger",
        not differing,
        "0 files of another size",
        f"{len(differing)} files of another size",
        "The archive has of each loaded file as many bytes as were loaded.",
        {
            "files_looked_at": looked_at,
            "files_not_in_the_archive": absent,
            **({} if since is None else {"looked_at": "files loaded within the last day"}),
            **named((f"{file.name} (file {file.file_id})", text) for file, text in differing),
        },
    )


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


def no_line_half_read(connection: Connection, tables: Iterable[FeedTable]) -> Finding:
    """No row is stored that was read before its writer had finished the line.

    Such a row shows when its file has grown and is loaded again: the whole line is in conflict with it.
    """
    rows = [
        row
        for table in tables
        for row in connection.execute(
            table.query("half_read_rows" if table.has_uuid else "half_read_lines", "checks")
        )
    ]
    return Finding(
        "no_line_half_read",
        not rows,
        "0 rows",
        f"{len(rows)} rows",
        "Rows that were stored from a line of which the rest came later.",
        named(
            (f"{name}, line {line} (file {file_id})", f"{_row(key)} is stored as the first half said")
            for file_id, name, line, key in rows
        ),
    )


def _row(key: str | None) -> str:
    return "its row" if key is None else f"the row {key}"
