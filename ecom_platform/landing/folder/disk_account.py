"""Whether disk and ledger know of each other.

Belongs here: that every file a run has claimed came to an end, and which files on disk the ledger does not
mean. Does not belong here: putting that right (``requeue``), or the rows of a file, whose number its ledger
row is held to by ``audit``.

A database can go back in time: PostgreSQL fails over to a standby that lagged, somebody restores a backup.
The ledger then knows less than the disk, and whoever asks it alone hears that all is well.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from ecom_platform.landing.accounting import ended
from ecom_platform.landing.evidence import counted, ledger_finding
from ecom_platform.landing.folder import numbers
from ecom_platform.landing.folder.zone import LandingZone, folders_of_feeds
from ecom_platform.landing.kept_names import REASON_SUFFIX, numbered
from ecom_platform.store import ledger
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Database
from ecom_platform.store.outcome import base, kept

log = logging.getLogger(__name__)

# Ledger rows that are asked for at once, and the highest number that one can have.
_PAGE = 10_000
_MAX_FILE_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class OnDisk:
    """One file of ours: its number, the name under which it is kept (``outcome.kept``), where it is."""

    number: int
    name: str
    path: Path
    size: int
    mtime: float

    @property
    def landed_at(self) -> datetime:
        return datetime.fromtimestamp(self.mtime, UTC)


def require_ends(database: Database, zone: LandingZone, file_ids: Collection[int]) -> None:
    """Every one of the files that a run claimed is loaded or quarantined. Raises :class:`IngestError`."""
    for state in ended(database, file_ids):
        if not _lies_where_it_should(zone, state):
            # Its rows are in the tables; only the file cannot be loaded again.
            log.warning("%s is %s by the ledger's word, but not on disk", zone.path_of(state), state.state)


def _lies_where_it_should(zone: LandingZone, state: ledger.FileState) -> bool:
    # A live mode moves a file a moment after it is finished: looked for in the order of the move.
    places = (zone.claimed_path(state.file_id, state.name), zone.path_of(state))
    # One that was gone before it was read has its end in the ledger alone.
    return any(map(os.path.lexists, places)) or (state.reason or "").startswith("missing")


def disk_matches_ledger(database: Database, zone: LandingZone, *, whole_up_to: int | None = None) -> Finding:
    """The ledger knows every file of ours on disk, as what it is."""

    def found(since: date | None) -> list[tuple[str, str]]:
        return [(file.path.name, text) for file, text in strangers(database, zone, since)]

    return ledger_finding(
        database,
        whole_up_to,
        found,
        "every file of ours on disk is in the ledger",
        lambda number: f"{counted(number, 'file')} on disk that the ledger does not know",
    )


def newest_is_known(database: Database, zone: LandingZone) -> bool:
    """Whether the ledger knows the file of the highest number on disk; quickly told of however many."""
    try:
        highest = numbers.highest(zone)
    except FileNotFoundError:
        return True  # nothing was ever claimed here
    if highest is None:
        return True
    number, path = highest
    with database.open(autocommit=True) as connection:
        state = ledger.states(connection, [number]).get(number)
    return state is not None and path.name == f"{number}-{base(state.name)}"


def strangers(database: Database, zone: LandingZone, since: date | None = None) -> list[tuple[OnDisk, str]]:
    """Files on disk that the ledger does not mean, each with what it says instead; of the archive those of
    the days from ``since`` on.

    The disk is read first. Whoever moves a file has written that down before, so what is seen there and is
    not in the ledger afterwards is strange, or has been moved on meanwhile.
    """
    seen = list(on_disk(zone, since))
    strange: list[tuple[OnDisk, str]] = []
    with database.open(autocommit=True) as connection:
        for at in range(0, len(seen), _PAGE):
            page = seen[at : at + _PAGE]
            numbers = {file.number for file in page if file.number <= _MAX_FILE_ID}
            strange += _strange(zone, page, ledger.states(connection, numbers))
    return [(file, text) for file, text in strange if os.path.lexists(file.path)]


def on_disk(zone: LandingZone, since: date | None = None) -> Iterator[OnDisk]:
    """Everything of ours: claimed, in quarantine, in the archive from the day ``since`` on.

    In the order in which files move, so that one that is moved meanwhile is seen twice rather than never.
    """
    for folder in zone.unfinished_and_refused:
        yield from _files_in(zone, folder)
    for day in zone.archive_days():
        if since is None or day.name >= since.isoformat():
            yield from _files_in(zone, day)


def claimed_on_disk(zone: LandingZone) -> Iterator[OnDisk]:
    """What is claimed by the disk's word."""
    for folder in folders_of_feeds(zone.claimed):
        yield from _files_in(zone, folder)


def _files_in(zone: LandingZone, folder: Path) -> Iterator[OnDisk]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            ours = numbered(entry.name)
            if ours is None or entry.name.endswith(REASON_SUFFIX):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # moved on meanwhile
            number, name = ours
            path = folder / entry.name
            yield OnDisk(number, zone.landing_folder(path) + name, path, status.st_size, status.st_mtime)


def _strange(
    zone: LandingZone, files: Sequence[OnDisk], states: Mapping[int, ledger.FileState]
) -> Iterator[tuple[OnDisk, str]]:
    for file in files:
        difference = _difference(zone, file, states.get(file.number))
        if difference is not None:
            yield file, difference


def _difference(zone: LandingZone, file: OnDisk, state: ledger.FileState | None) -> str | None:
    folder = f"in {file.path.parent.relative_to(zone.claimed.parent)}"
    if state is None:
        return f"{folder}, not in the ledger"
    name = kept(state.name)
    if zone.quarantine in file.path.parents and file.name.startswith(name) and file.name != name:
        return None  # what an editor or a person leaves beside a file that is being corrected
    if name != file.name:
        return f"{folder}, in the ledger under the name {state.name}"
    if zone.claimed in file.path.parents:
        return None  # of a finished one the next ingest completes the move
    if zone.path_of(state) != file.path:
        return f"{folder}, {_said(state)} by the ledger"
    return None


def _said(state: ledger.FileState) -> str:
    on = "" if state.finished_at is None else f" on {_day(state.finished_at)}"
    return f"{state.state}{on}"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"
