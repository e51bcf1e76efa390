"""Claiming: a settled file becomes ours, by a ledger row and an atomic rename.

Belongs here: the order of ledger and rename, giving a claimed file back, and putting right what an
interruption between the two left behind. Does not belong here: reading what is in a file, which the unit
of work does; where a finished file goes (``put_away``).

The ledger comes first. Killed before the rename, there is a row without a file: the next claim
finishes the rename, if the file is still the one that was looked at. Killed after the rows were stored but
before the file was moved away, there is a finished file in the claimed folder: the next claim moves it.

A database that was restored from a backup is older than the disk. Its numbers would be given again to
other files, so those that the disk has are passed over; ``reconcile`` brings the two in agreement, now or
later.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ecom_platform import durable
from ecom_platform.errors import StorageError
from ecom_platform.landing.claims import Claim, Recovery
from ecom_platform.landing.folder.claim_lock import claim_lock
from ecom_platform.landing.folder.no_replace import move
from ecom_platform.landing.folder.numbers import highest as highest_number
from ecom_platform.landing.folder.put_away import Fate, land_grown, settle
from ecom_platform.landing.folder.scan import unreadable
from ecom_platform.landing.folder.zone import LandingZone, folders_of_feeds, make_room
from ecom_platform.landing.kept_names import landing_names
from ecom_platform.landing.landed import LandedFile
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.outcome import Stamp, base, kept

log = logging.getLogger(__name__)

_COPY_SUFFIX = ".copy"


def claim(database: Database, zone: LandingZone, files: Sequence[LandedFile]) -> list[int]:
    """Take ``files``; returns the ledger ids of those that were still there, in order."""
    return [file.file_id for file in claim_files(database, zone, files).taken]


def claim_files(database: Database, zone: LandingZone, files: Sequence[LandedFile]) -> Claim:
    """The same, with what a unit of work needs to know of them, and what became of the others.

    Raises :class:`StorageError`, with nothing claimed, where another file has a number's place on disk.
    """
    result = Claim()
    if not files:
        return result
    with claim_lock(database, zone) as connection:
        file_ids = ledger.register(
            connection,
            [file.name for file in files],
            [file.size for file in files],
            [file.landed_at for file in files],
            [file.stamp for file in files],
        )
        names = [file.name for file in files]
        _refuse_used(zone.taken_place(*place) for place in zip(file_ids, names, strict=True))
        connection.commit()
        for file_id, file in zip(file_ids, files, strict=True):
            try:
                _claim_one(connection, zone, file_id, file, result)
            except OSError as error:
                reason = f"a file that cannot be moved ({error.strerror or error})"
                log.warning("%s is not claimed: it is %s", file.name, reason)
                result.refused[file.name] = reason
                if os.path.lexists(zone.claimed_path(file_id, file.name)):
                    _give_back_one(connection, zone, file_id, file.name)
                else:
                    ledger.forget(connection, file_id)
        return result


def _claim_one(
    connection: Connection, zone: LandingZone, file_id: int, file: LandedFile, result: Claim
) -> None:
    if not _take(zone, file_id, file.name):
        log.info("%s was gone before it could be claimed", file.name)
        ledger.forget(connection, file_id)
        return
    path = zone.claimed_path(file_id, file.name)
    status = path.lstat()
    # Anything else that was swapped in is for the unit of work to refuse.
    if stat.S_ISREG(status.st_mode):
        stamp: Stamp | None = Stamp.of(status)
        if status.st_nlink > 1:
            stamp = _make_our_own(path, status)
        if stamp is None or (stamp.size, stamp.mtime_ns) != (file.size, file.mtime_ns):
            log.info("%s was written to while it was claimed: it is left to rest", file.name)
            result.changed.append(_give_back_one(connection, zone, file_id, file.name))
            return
        if stamp != file.stamp:
            ledger.stamp(connection, file_id, stamp)
    result.taken.append(ledger.ClaimedFile(file_id, file.name, file.size))


def _take(zone: LandingZone, file_id: int, name: str) -> bool:
    """Rename a landed file to its claimed name; ``False`` if it is in neither place."""
    target = zone.claimed_path(file_id, name)
    make_room(target)
    try:
        (zone.landing / name).rename(target)
    except FileNotFoundError:
        return target.exists()
    return True


def _make_our_own(path: Path, status: os.stat_result) -> Stamp | None:
    """Let a claimed file that has other names as well be a copy: whoever writes under one of them does not
    write into what we keep. Returns what it is then; ``None`` if it was written to meanwhile."""
    hidden = path.with_name(f".{path.name}{_COPY_SUFFIX}")
    try:
        shutil.copyfile(path, hidden, follow_symlinks=False)
        os.utime(hidden, ns=(status.st_atime_ns, status.st_mtime_ns))
        durable.sync(hidden)
        if Stamp.of(path.lstat()) != Stamp.of(status):
            return None
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
    return Stamp.of(path.lstat())


def _own(connection: Connection, zone: LandingZone, file_id: int, name: str) -> None:
    """The same for a file whose claim was interrupted."""
    path = zone.claimed_path(file_id, name)
    try:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            stamp = _make_our_own(path, status)
            if stamp is not None:
                ledger.stamp(connection, file_id, stamp)
    except OSError as error:
        log.warning("%s cannot be copied: %s", path, error.strerror or error)


def give_back(database: Database, zone: LandingZone, file_ids: Collection[int]) -> list[str]:
    """Let claimed files rest in the landing folder that their writers are still at work on.

    Returns their names there. They are claimed anew, by another number, when they rest.
    """
    names = []
    with claim_lock(database, zone) as connection:
        for file_id in file_ids:
            state = ledger.lock_file(connection, file_id)
            if state is not None and state.state == ledger.CLAIMED:
                names.append(_give_back_one(connection, zone, file_id, state.name))
    return names


def _give_back_one(connection: Connection, zone: LandingZone, file_id: int, name: str) -> str:
    """The file comes first: killed in between, a row without a file is what the next recovery finds."""
    landed_as, claimed = name, zone.claimed_path(file_id, name)
    try:
        # Of one that is written to this says nothing: it will be another by its size or time.
        ledger.note_returned(connection, Stamp.of(claimed.lstat()), file_id)
        connection.commit()
        landed_as = move(claimed, zone.landing, landing_names(file_id, name))
    except FileNotFoundError:
        log.info("%s (file %s) was taken away", name, file_id)
    ledger.forget(connection, file_id)
    connection.commit()
    return landed_as


def changed_since_claimed(
    connection: Connection, zone: LandingZone, files: Iterable[ledger.ClaimedFile]
) -> list[int]:
    """Those of ``files`` whose writers are still at work. Of an inode nothing is said: some file systems
    give another one each time that they are mounted."""
    states = ledger.states(connection, [file.file_id for file in files])
    return [file_id for file_id, state in states.items() if _has_changed(zone, state)]


def _has_changed(zone: LandingZone, state: ledger.FileState) -> bool:
    if state.stamp is None:
        return False
    try:
        status = zone.claimed_path(state.file_id, state.name).lstat()
    except OSError:
        return False
    now = Stamp.of(status)
    return stat.S_ISREG(status.st_mode) and (now.size, now.mtime_ns) != (
        state.stamp.size,
        state.stamp.mtime_ns,
    )


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
    with claim_lock(database, zone) as connection:
        _pass_over_used_numbers(connection, zone)
        return put_right(connection, zone)


def _pass_over_used_numbers(connection: Connection, zone: LandingZone) -> None:
    """Where the disk has numbers that the ledger has yet to give, it is not to give them."""
    highest = highest_number(zone)
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
    for folder in folders_of_feeds(zone.claimed):
        for left in folder.glob(f".*{_COPY_SUFFIX}"):
            left.unlink(missing_ok=True)
    present = list(zone.claimed_files())
    known = ledger.states(connection, {file_id for file_id, _ in present})
    counts = {ledger.LOADED: 0, ledger.QUARANTINED: 0}
    unknown, again = [path.name for path in zone.strangers()], []
    for file_id, name in present:
        state = known.get(file_id)
        if state is None or kept(state.name) != name:
            unknown.append(f"{name.removesuffix(base(name))}{file_id}-{base(name)}")
            continue
        if state.state == ledger.CLAIMED:
            state = _give_up_unreadable(connection, zone, state)
            _own(connection, zone, file_id, state.name)
        fate = _put_away_if_possible(zone, state)
        if fate.landed_as is not None:
            ledger.note_landed_again(connection, file_id)
            again.append(fate.landed_as)
        elif fate.moved:
            counts[state.state] += 1
    renamed, missing, taken_back = _complete_claims(connection, zone, set(present))
    again += land_grown(connection, zone)
    return Recovery(
        counts[ledger.LOADED],
        counts[ledger.QUARANTINED],
        renamed,
        missing,
        tuple(unknown),
        taken_back,
        tuple(again),
    )


def _put_away_if_possible(zone: LandingZone, state: ledger.FileState) -> Fate:
    """One that cannot be moved does not keep the others from being loaded; the check of the archive
    names it."""
    try:
        return settle(zone, state)
    except (OSError, StorageError) as error:
        log.warning("%s", error)
        return Fate(moved=False)


def _give_up_unreadable(
    connection: Connection, zone: LandingZone, state: ledger.FileState
) -> ledger.FileState:
    """Close a claimed file that this process may not open, so that the others are loaded.

    The scan leaves such files alone; this one changed after it. Returns where it stands then: a task of
    the run before may be committing it, and is waited for.
    """
    reason = unreadable(zone.claimed_path(state.file_id, state.name))
    if reason is None:
        return state
    ledger.quarantine(connection, state.file_id, f"unreadable: the file is {reason}")
    connection.commit()
    after = ledger.states(connection, [state.file_id]).get(state.file_id, state)
    if after.state == ledger.QUARANTINED:
        log.warning("%s (file %s) is given up: it is %s", state.name, state.file_id, reason)
    return after


def finish(zone: LandingZone, file: ledger.FileState) -> bool:
    """Move a finished file to where it belongs; ``False`` if there was nothing to move."""
    return settle(zone, file).moved


def _complete_claims(
    connection: Connection, zone: LandingZone, present: set[tuple[int, str]]
) -> tuple[int, int, int]:
    """Rows in state claimed whose file is not in the claimed folder."""
    renamed = missing = taken_back = 0
    for file in ledger.claimed(connection):
        if (file.file_id, kept(file.name)) in present:
            continue
        state = ledger.lock_file(connection, file.file_id)
        if state is None or state.state != ledger.CLAIMED:
            continue  # a task of the run before has finished it meanwhile
        landed = _landed_at(zone.landing / file.name)
        # Before the landing folder: there a file of this name may be another one.
        if _take_back(zone, file.file_id, file.name):
            taken_back += 1
        elif landed is not None and landed != file.landed_at:
            log.info("%s (file %s) was not claimed, and is another by now", file.name, file.file_id)
            ledger.forget(connection, file.file_id)
        elif _take_if_possible(zone, file.file_id, file.name):
            _own(connection, zone, file.file_id, file.name)
            renamed += 1
        elif landed is not None:
            ledger.forget(connection, file.file_id)
        else:
            log.warning("%s (file %s) was claimed but is gone", file.name, file.file_id)
            ledger.quarantine(connection, file.file_id, "missing: the file was gone before it was read")
            missing += 1
    return renamed, missing, taken_back


def _landed_at(path: Path) -> datetime | None:
    """When a regular file in the landing folder got its name and content, as a look sees it."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return datetime.fromtimestamp(status.st_ctime_ns / 1e9, UTC) if stat.S_ISREG(status.st_mode) else None


def _take_if_possible(zone: LandingZone, file_id: int, name: str) -> bool:
    try:
        return _take(zone, file_id, name)
    except OSError as error:
        log.warning("%s cannot be moved: %s", name, error.strerror or error)
        return False


def _take_back(zone: LandingZone, file_id: int, name: str) -> bool:
    """Let a file be loaded again that had been finished when the ledger was restored to before that."""
    place = zone.put_away(file_id, name)
    if place is None:
        return False
    log.warning("%s is claimed by the ledger's word: it is taken back and loaded again", place)
    claimed = zone.claimed_path(file_id, name)
    make_room(claimed)
    place.rename(claimed)
    return True
