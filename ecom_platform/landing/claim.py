"""Claiming: a settled file becomes ours, by a ledger row and an atomic rename.

Belongs here: the order of ledger and rename, and putting right what an interruption between the
two left behind. Does not belong here: reading what is in a file, which the unit of work does.

The ledger comes first. Killed before the rename, there is a row without a file: the next claim
finishes the rename. Killed after the rows were stored but before the file was moved away, there
is a finished file in the claimed folder: the next claim moves it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ecom_platform.landing.scan import LandedFile
from ecom_platform.landing.zone import LandingZone
from ecom_platform.postgres import ledger
from ecom_platform.postgres.connection import Connection, Database

log = logging.getLogger(__name__)

# Keeps row and rename of one claim together while another program puts things right.
_CLAIM_LOCK = 4_917_205_003


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an earlier interruption had left, and is now put right. ``unknown`` files are in the
    claimed folder without a ledger row of their name: a database was restored from a backup."""

    archived: int
    quarantined: int
    renamed: int
    missing: int
    unknown: tuple[str, ...]


@contextmanager
def claim_lock(database: Database) -> Iterator[Connection]:
    """A connection that nobody else's claim or recovery runs beside; committed at the end."""
    with database.open() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_CLAIM_LOCK,))
        connection.commit()
        yield connection
        connection.commit()


def claim(database: Database, zone: LandingZone, files: Sequence[LandedFile]) -> list[int]:
    """Take ``files``; returns the ledger ids of those that were still there, in order."""
    return [file.file_id for file in claim_files(database, zone, files)]


def claim_files(
    database: Database, zone: LandingZone, files: Sequence[LandedFile]
) -> list[ledger.ClaimedFile]:
    """The same, with what a unit of work needs to know of them."""
    if not files:
        return []
    with claim_lock(database) as connection:
        file_ids = ledger.register(
            connection,
            [file.name for file in files],
            [file.size for file in files],
            [file.landed_at for file in files],
        )
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


def recover(database: Database, zone: LandingZone) -> Recovery:
    """Finish the moves that an interrupted run had left undone."""
    with claim_lock(database) as connection:
        present = dict(zone.claimed_files())
        known = ledger.states(connection, present)
        counts = {ledger.LOADED: 0, ledger.QUARANTINED: 0}
        unknown = []
        for file_id, name in present.items():
            state = known.get(file_id)
            if state is None or state.name != name:
                unknown.append(f"{file_id}-{name}")
            elif finish(zone, state):
                counts[state.state] += 1
        renamed, missing = _complete_claims(connection, zone, present)
    return Recovery(counts[ledger.LOADED], counts[ledger.QUARANTINED], renamed, missing, tuple(unknown))


def finish(zone: LandingZone, file: ledger.FileState) -> bool:
    """Move a finished file to where it belongs; ``False`` if there was nothing to move."""
    if file.state == ledger.LOADED and file.finished_at is not None:
        return zone.to_archive(file.file_id, file.name, file.finished_at)
    if file.state == ledger.QUARANTINED:
        return zone.to_quarantine(file.file_id, file.name, file.reason or "")
    return False


def _complete_claims(connection: Connection, zone: LandingZone, present: dict[int, str]) -> tuple[int, int]:
    """Rows in state claimed whose file is not in the claimed folder."""
    renamed = missing = 0
    for file in ledger.claimed(connection):
        if file.file_id in present:
            continue
        if _take(zone, file.file_id, file.name):
            renamed += 1
        else:
            log.warning("%s (file %s) was claimed but is gone", file.name, file.file_id)
            ledger.quarantine(connection, file.file_id, "missing: the file was gone before it was read")
            missing += 1
    return renamed, missing
