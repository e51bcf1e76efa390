"""Claiming: a settled file becomes ours, by a ledger row and an atomic rename.

Belongs here: the order of ledger and rename, and putting right what an interruption between the
two left behind. Does not belong here: reading what is in a file, which the unit of work does.

The ledger comes first. Killed before the rename, there is a row without a file: the next claim
finishes the rename. Killed after the rows were stored but before the file was moved away, there
is a finished file in the claimed folder: the next claim moves it.

A database that was restored from a backup is older than the disk. Its numbers would be given again to
other files, so those that the disk has are passed over; ``reconcile`` brings the two in agreement, now or
later.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.landing.scan import LandedFile, unreadable
from ecom_platform.landing.zone import LandingZone
from ecom_platform.postgres import ledger
from ecom_platform.postgres.connection import Connection, Database
from ecom_platform.postgres.lock import take_claims

log = logging.getLogger(__name__)

# Keeps row and rename of one claim together while another program puts things right.
_CLAIM_LOCK = 4_917_205_003


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an earlier interruption had left, and is now put right.

    ``unknown`` files are in the claimed folder without a ledger row of their name: a database was
    restored from a backup. ``taken_back`` files were claimed by the ledger's word and finished on disk:
    the backup was made between the two.
    """

    archived: int
    quarantined: int
    renamed: int
    missing: int
    unknown: tuple[str, ...]
    taken_back: int = 0


@contextmanager
def claim_lock(database: Database) -> Iterator[Connection]:
    """A connection that nobody else's claim or recovery runs beside; committed at the end."""
    with database.open() as connection:
        take_claims(connection, _CLAIM_LOCK)
        connection.commit()
        yield connection
        connection.commit()


def claim(database: Database, zone: LandingZone, files: Sequence[LandedFile]) -> list[int]:
    """Take ``files``; returns the ledger ids of those that were still there, in order."""
    return [file.file_id for file in claim_files(database, zone, files)]


def claim_files(
    database: Database, zone: LandingZone, files: Sequence[LandedFile]
) -> list[ledger.ClaimedFile]:
    """The same, with what a unit of work needs to know of them.

    Raises :class:`StorageError`, with nothing claimed, where another file has a number's place on disk.
    """
    if not files:
        return []
    with claim_lock(database) as connection:
        file_ids = ledger.register(
            connection,
            [file.name for file in files],
            [file.size for file in files],
            [file.landed_at for file in files],
        )
        names = [file.name for file in files]
        _refuse_used(zone.taken_place(*place) for place in zip(file_ids, names, strict=True))
        connection.commit()
        taken = []
        for file_id, file in zip(file_ids, files, strict=True):
            if _take(zone, file_id, file.name):
                taken.append(ledger.ClaimedFile(file_id, file.name, file.size))
            else:
                log.info("%s was gone before it could be claimed", file.name)
                ledger.forget(connection, file_id)
        return taken


def _take(zone: LandingZone, file_id: int, name: str) -> bool:
    """Rename a landed file to its claimed name; ``False`` if it is in neither place."""
    target = zone.claimed_path(file_id, name)
    try:
        (zone.landing / name).rename(target)
    except FileNotFoundError:
        return target.exists()
    return True


def _refuse_used(places: Iterable[Path | None]) -> None:
    for place in places:
        if place is not None:
            raise StorageError(
                f"{place} has a number that the ledger has yet to give: the database is older than the "
                "landing zone (restored from a backup?), or another one.",
                "`ecom reconcile` loads what the ledger does not know. For a database of its own set "
                "ECOM_LANDING_DIR to another folder.",
            )


def recover(database: Database, zone: LandingZone) -> Recovery:
    """Finish the moves that an interrupted run had left undone."""
    with claim_lock(database) as connection:
        _pass_over_used_numbers(connection, zone)
        return put_right(connection, zone)


def _pass_over_used_numbers(connection: Connection, zone: LandingZone) -> None:
    """Where the disk has numbers that the ledger has yet to give, it is not to give them."""
    highest = zone.highest()
    if highest is not None and highest[0] not in ledger.states(connection, [highest[0]]):
        ledger.skip_file_ids(connection, highest[0])
        connection.commit()
        log.warning(
            "%s is not in the ledger: the database is older than the landing zone (restored from a backup?), "
            "or another one. `ecom reconcile` loads what the ledger does not know.",
            highest[1],
        )


def put_right(connection: Connection, zone: LandingZone) -> Recovery:
    """:func:`recover` under a claim lock that the caller holds, however old the ledger is."""
    present = list(zone.claimed_files())
    known = ledger.states(connection, {file_id for file_id, _ in present})
    counts = {ledger.LOADED: 0, ledger.QUARANTINED: 0}
    unknown = []
    for file_id, name in present:
        state = known.get(file_id)
        if state is None or state.name != name:
            unknown.append(f"{file_id}-{name}")
        elif finish(zone, state):
            counts[state.state] += 1
        elif state.state == ledger.CLAIMED and _give_up_unreadable(connection, zone, file_id, name):
            counts[ledger.QUARANTINED] += 1
    renamed, missing, taken_back = _complete_claims(connection, zone, set(present))
    return Recovery(
        counts[ledger.LOADED], counts[ledger.QUARANTINED], renamed, missing, tuple(unknown), taken_back
    )


def _give_up_unreadable(connection: Connection, zone: LandingZone, file_id: int, name: str) -> bool:
    """Put a claimed file away that this process may not open, so that the others are loaded.

    The scan leaves such files alone; this one changed after it.
    """
    path = zone.claimed_path(file_id, name)
    reason = unreadable(path)
    if reason is None:
        return False
    log.warning("%s is %s", path, reason)
    ledger.quarantine(connection, file_id, f"unreadable: the file is {reason}")
    connection.commit()
    return zone.to_quarantine(file_id, name, f"unreadable: the file is {reason}")


def finish(zone: LandingZone, file: ledger.FileState) -> bool:
    """Move a finished file to where it belongs; ``False`` if there was nothing to move."""
    if file.state == ledger.LOADED and file.finished_at is not None:
        return zone.to_archive(file.file_id, file.name, file.finished_at)
    if file.state == ledger.QUARANTINED:
        return zone.to_quarantine(file.file_id, file.name, file.reason or "")
    return False


def _complete_claims(
    connection: Connection, zone: LandingZone, present: set[tuple[int, str]]
) -> tuple[int, int, int]:
    """Rows in state claimed whose file is not in the claimed folder."""
    renamed = missing = taken_back = 0
    for file in ledger.claimed(connection):
        if (file.file_id, file.name) in present:
            continue
        # Before the landing folder: there a file of this name may be another one.
        if _take_back(zone, file.file_id, file.name):
            taken_back += 1
        elif _take(zone, file.file_id, file.name):
            renamed += 1
        else:
            log.warning("%s (file %s) was claimed but is gone", file.name, file.file_id)
            ledger.quarantine(connection, file.file_id, "missing: the file was gone before it was read")
            missing += 1
    return renamed, missing, taken_back


def _take_back(zone: LandingZone, file_id: int, name: str) -> bool:
    """Let a file be loaded again that had been finished when the ledger was restored to before that."""
    place = zone.put_away(file_id, name)
    if place is None:
        return False
    log.warning("%s is claimed by the ledger's word: it is taken back and loaded again", place)
    place.rename(zone.claimed_path(file_id, name))
    return True
