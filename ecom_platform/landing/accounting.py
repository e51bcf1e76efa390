"""Whether disk and ledger know of each other: the account of a run, and what a check holds against the disk.

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

from ecom_platform.errors import IngestError
from ecom_platform.landing import numbers
from ecom_platform.landing.zone import REASON_SUFFIX, LandingZone, folders_of_feeds, numbered
from ecom_platform.store import ledger
from ecom_platform.store.audit import Finding, named
from ecom_platform.store.connection import Database
from ecom_platform.store.outcome import base, kept
from ecom_platform.store.scope import looking

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


def ended(database: Database, file_ids: Collection[int]) -> list[ledger.FileState]:
    """The states of the files that a run claimed, each of which has to be an end.

    A stream that ends without an error has loaded what Spark showed it, and what the ledger said at that
    moment; neither need be what was claimed. Raises :class:`IngestError`.
    """
    with database.open() as connection:
        states = ledger.states(connection, file_ids)
    unknown = [file_id for file_id in file_ids if file_id not in states]
    if unknown:
        raise IngestError(
            f"The ledger does not know {len(unknown)} of the {len(file_ids)} files that this run claimed, "
            f"such as number {unknown[0]}: PostgreSQL is in an earlier state (a failover, a restore).",
            "`ecom reconcile` loads what is on disk and not in the ledger.",
        )
    claimed = [state for state in states.values() if state.state == ledger.CLAIMED]
    if claimed:
        raise IngestError(
            f"The stream ended with {len(claimed)} of {len(file_ids)} files not loaded, such as "
            f"{claimed[0].name}.",
            "Run `ecom ingest` again: they are still claimed, so it loads them.",
        )
    return [*states.values()]


def _lies_where_it_should(zone: LandingZone, state: ledger.FileState) -> bool:
    # A live mode moves a file a moment after it is finished: looked for in the order of the move.
    places = (zone.claimed_path(state.file_id, state.name), zone.path_of(state))
    # One that was gone before it was read has its end in the ledger alone.
    return any(map(os.path.lexists, places)) or (state.reason or "").startswith("missing")


def disk_matches_ledger(database: Database, zone: LandingZone, *, whole_up_to: int | None = None) -> Finding:
    """The ledger knows every file of ours on disk, as what it is.

    Of a table that is not looked at as a whole (``scope``): the days of the archive since the whole was found
    right. A database that went back in time went back with that moment, so they are all that it can lack.
    """
    with looking(database, "disk_matches_ledger", whole_up_to=whole_up_to) as look:
        since = look.scope.whole_at
        strange = strangers(database, zone, None if since is None else since.astimezone(UTC).date())
        look.found_right(not strange)
    expected = "every file of ours on disk is in the ledger"
    return Finding(
        "disk_matches_ledger",
        not strange,
        expected,
        f"{_count(len(strange))} on disk that the ledger does not know" if strange else expected,
        "Files that were claimed or finished are in the ledger. They are not where PostgreSQL went back to "
        "an earlier state: a failover, a restore.",
        look.scope.details() | named((file.path.name, text) for file, text in strange),
    )


def _count(files: int) -> str:
    return f"{files:,} file{'' if files == 1 else 's'}"


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
