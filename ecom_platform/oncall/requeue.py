"""Files that are to be loaded again, and putting disk and ledger in agreement.

Belongs here: bringing files back into the landing folder, from where they are claimed like any
other, and finding those that the ledger does not know after a database was restored from a backup.
Does not belong here: loading them (``streaming.ingest``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ecom_platform.errors import StorageError, UsageError
from ecom_platform.landing import identity
from ecom_platform.landing.claim import put_right
from ecom_platform.landing.claim_lock import claim_lock
from ecom_platform.landing.no_replace import landing_names, move, place, prefixed
from ecom_platform.landing.numbers import HIGHEST
from ecom_platform.landing.put_away import land_grown
from ecom_platform.landing.zone import REASON_SUFFIX, LandingZone, file_number, numbered
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.outcome import Stamp, base

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What disk and ledger disagreed about. ``requeued`` files land again, since the ledger does not know
    them or they have grown since they were loaded; ``missing`` ones are loaded by the ledger's word but no
    longer in the archive; ``put_away`` were finished but not yet moved; ``taken_back`` are claimed by the
    ledger's word and had been finished: they are loaded again."""

    requeued: tuple[str, ...]
    missing: tuple[str, ...]
    put_away: int
    taken_back: int


def reload_files(database: Database, zone: LandingZone, files: Sequence[str]) -> list[str]:
    """Bring archived files back, by name, ledger id or path; all of them or none.

    Returns the names under which they land. Raises :class:`UsageError` naming what is not known.
    """
    with database.open() as connection:
        identity.verify(connection, zone)
        states = [known_file(connection, file) for file in files]
    return _land_copies(database, zone, states)


def reload_since(database: Database, zone: LandingZone, since: datetime) -> list[str]:
    """Bring back what was loaded at or after ``since``."""
    with database.open() as connection:
        identity.verify(connection, zone)
        states = ledger.loaded_since(connection, since)
    return _land_copies(database, zone, states)


def known_file(connection: Connection, file: str) -> ledger.FileState:
    """The file of this name (the newest of it), ledger id or path. Raises :class:`UsageError`."""
    name = Path(file).name
    ours = numbered(name)
    number = file_number(name) if ours is None else ours[0]
    by_number = ledger.states(connection, [number]).get(number) if number is not None else None
    if by_number is not None and name in (str(number), f"{number}-{base(by_number.name)}"):
        return by_number
    # No file was ever claimed whose name is not UTF-8.
    # A file of a feed is called by its path below the landing folder.
    by_name = ledger.newest_by_name(connection, [file, name]) if _utf8(file) else []
    if not by_name:
        raise UsageError(
            f"The ledger knows no file {file!r}.",
            "Give a name, a file_id or a path in the archive; `ecom trace` helps.",
        )
    return by_name[0]


def _utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _land_copies(database: Database, zone: LandingZone, states: Sequence[ledger.FileState]) -> list[str]:
    sources = {state.file_id: (state.name, zone.path_of(state)) for state in states}
    for name, source in sources.values():
        if not source.is_file():
            raise StorageError(
                f"{name} is not in the archive any more: {source} does not exist.",
                "Nothing was requeued. Restore it there, or drop the file into the landing folder yourself.",
            )
        if os.path.lexists(zone.landing / name):
            raise UsageError(
                f"A file {name} waits in the landing folder.", "Nothing was requeued; ingest it first."
            )
    with database.open(autocommit=True) as connection:

        def keep_landing(status: os.stat_result, file_id: int) -> None:
            ledger.note_returned(connection, Stamp.of(status), file_id)

        return [
            place(source, zone.landing, landing_names(file_id, name), partial(keep_landing, file_id=file_id))
            for file_id, (name, source) in sources.items()
        ]


def reconcile(database: Database, zone: LandingZone, *, adopt: bool = False) -> Reconciliation:
    """Put right what a restored database and a newer disk disagree about; loads nothing itself.

    ``adopt``: the database is about this landing zone from now on, whichever it was about before.
    """
    with claim_lock(database, zone, adopt=adopt) as connection:
        recovery = put_right(connection, zone)
        grown = [*recovery.landed_again, *land_grown(connection, zone, _LONG_AGO)]
        on_disk = list(_numbered(zone))
        known = ledger.states(connection, {number for number, _, _ in on_disk})
        strangers = [
            (number, name, path)
            for number, name, path in on_disk
            if not _is_known(zone, known.get(number), name, path)
        ]
        numbers = (number for number, _, _ in on_disk)
        ledger.skip_file_ids(connection, max((n for n in numbers if n <= HIGHEST), default=0))
        _keep_landings(connection, strangers)
        requeued = (
            *(_land_again(zone, *stranger) for stranger in strangers),
            *(_land_unnumbered(zone, path) for path in zone.strangers()),
        )
        missing = tuple(_missing(connection, zone))
    put_away = recovery.archived + recovery.quarantined
    return Reconciliation((*grown, *requeued), missing, put_away, recovery.taken_back)


def _is_known(zone: LandingZone, state: ledger.FileState | None, name: str, path: Path) -> bool:
    """Whether the file at ``path`` is the one that the ledger means by its number.

    The number and the name may be those of another file, where a ledger was restored and went on.
    """
    if state is None:
        return False
    if zone.quarantine in path.parents and name.startswith(base(state.name)) and name != base(state.name):
        return True  # what an editor or a person leaves beside a file that is being corrected
    if base(state.name) != name or zone.path_of(state) != path:
        return False
    return state.state != ledger.LOADED or path.stat().st_size == state.size_bytes


def _numbered(zone: LandingZone) -> Iterator[tuple[int, str, Path]]:
    """Everything of ours in claimed folder, quarantine and archive: its number, its name, where it is."""
    for folder in (*zone.unfinished_and_refused, *zone.archive_days()):
        yield from _in(folder)


def _in(folder: Path) -> Iterator[tuple[int, str, Path]]:
    for path in sorted(folder.iterdir()):
        ours = numbered(path.name)
        if ours is not None and not path.name.endswith(REASON_SUFFIX):
            yield *ours, path


def _keep_landings(connection: Connection, strangers: Sequence[tuple[int, str, Path]]) -> None:
    """They landed in the order of their numbers, and each before it was put away, which is when it was last
    renamed: so each before the first of those that have a higher number."""
    latest = datetime.now(UTC)
    for number, _, path in sorted(strangers, key=lambda stranger: stranger[0], reverse=True):
        status = path.lstat()
        latest = min(latest, datetime.fromtimestamp(status.st_ctime_ns / 1e9, UTC))
        ledger.note_returned_unknown(connection, Stamp.of(status), latest, number)
    connection.commit()


def _land_again(zone: LandingZone, number: int, name: str, path: Path) -> str:
    """Move a file back. Killed in between, it is in both places and is loaded twice: all duplicates."""
    landed_as = move(path, zone.landing, landing_names(number, zone.landing_folder(path) + name))
    path.with_name(path.name + REASON_SUFFIX).unlink(missing_ok=True)  # of one from the quarantine
    return landed_as


def _land_unnumbered(zone: LandingZone, path: Path) -> str:
    """Somebody has put it into the claimed folder, where nothing would ever be done with it."""
    folder = zone.landing_folder(path)
    return move(path, zone.landing, (folder + path.name, folder + prefixed("claimed", path.name)))


def _missing(connection: Connection, zone: LandingZone) -> Iterator[str]:
    for state in ledger.loaded_since(connection, _LONG_AGO):
        if not zone.path_of(state).is_file():
            yield f"{state.file_id}-{state.name}"
