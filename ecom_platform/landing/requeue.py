"""Files that are to be loaded again, and putting disk and ledger in agreement.

Belongs here: bringing files back into the landing folder, from where they are claimed like any
other, and finding those that the ledger does not know after a database was restored from a backup.
Does not belong here: loading them (``streaming.ingest``).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ecom_platform.errors import StorageError, UsageError
from ecom_platform.landing.claim import claim_lock, recover
from ecom_platform.landing.zone import LandingZone
from ecom_platform.postgres import ledger
from ecom_platform.postgres.connection import Connection, Database

_OURS = re.compile(r"^([0-9]+)-(.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What disk and ledger disagreed about. ``requeued`` files land again; ``missing`` ones are loaded
    by the ledger's word but no longer in the archive; ``put_away`` were finished but not yet moved."""

    requeued: tuple[str, ...]
    missing: tuple[str, ...]
    put_away: int


def reload_files(database: Database, zone: LandingZone, files: Sequence[str]) -> list[str]:
    """Bring archived files back, by name, ledger id or path; all of them or none.

    Returns the names under which they land. Raises :class:`UsageError` naming what is not known.
    """
    with database.open() as connection:
        states = [_known(connection, file) for file in files]
    return _land_copies(zone, states)


def reload_since(database: Database, zone: LandingZone, since: datetime) -> list[str]:
    """Bring back what was loaded at or after ``since``."""
    with database.open() as connection:
        states = ledger.loaded_since(connection, since)
    return _land_copies(zone, states)


def _known(connection: Connection, file: str) -> ledger.FileState:
    name = Path(file).name
    ours = _OURS.match(name)
    number = int(name) if name.isascii() and name.isdigit() else int(ours[1]) if ours else None
    by_number = ledger.states(connection, [number]).get(number) if number is not None else None
    if by_number is not None and name in (str(number), f"{number}-{by_number.name}"):
        return by_number
    by_name = ledger.newest_by_name(connection, [name])
    if not by_name:
        raise UsageError(
            f"The ledger knows no file {file!r}.",
            "Give a name, a file_id or a path in the archive; `ecom trace` helps.",
        )
    return by_name[0]


def _land_copies(zone: LandingZone, states: Sequence[ledger.FileState]) -> list[str]:
    sources = {state.name: zone.path_of(state) for state in states}
    for name, source in sources.items():
        if not source.is_file():
            raise StorageError(
                f"{name} is not in the archive any more: {source} does not exist.",
                "Nothing was requeued. Restore it there, or drop the file into the landing folder yourself.",
            )
        if (zone.landing / name).exists():
            raise UsageError(
                f"A file {name} waits in the landing folder.", "Nothing was requeued; ingest it first."
            )
    for name, source in sources.items():
        _land_copy(zone, source, name)
    return list(sources)


def _land_copy(zone: LandingZone, source: Path, name: str) -> None:
    hidden = zone.landing / f".{name}.requeued"
    hidden.unlink(missing_ok=True)
    try:
        os.link(source, hidden)
    except OSError:
        shutil.copyfile(source, hidden)
    hidden.rename(zone.landing / name)


def reconcile(database: Database, zone: LandingZone) -> Reconciliation:
    """Put right what a restored database and a newer disk disagree about; loads nothing itself."""
    recovery = recover(database, zone)
    with claim_lock(database) as connection:
        on_disk = list(_numbered(zone))
        known = ledger.states(connection, {number for number, _, _ in on_disk})
        strangers = [
            (name, path)
            for number, name, path in on_disk
            if number not in known or known[number].name != name
        ]
        highest = max((number for number, _, _ in on_disk), default=0)
        ledger.skip_file_ids(connection, highest)
        requeued = tuple(_land_again(zone, name, path) for name, path in strangers)
        missing = tuple(_missing(connection, zone))
    return Reconciliation(requeued, missing, recovery.archived + recovery.quarantined)


def _numbered(zone: LandingZone) -> Iterator[tuple[int, str, Path]]:
    """Everything of ours in archive and claimed folder: its number, its name, where it is."""
    folders: Iterable[Path] = (zone.claimed, *sorted(zone.archive.iterdir()))
    for folder in folders:
        for path in sorted(folder.iterdir()):
            ours = _OURS.match(path.name)
            if ours:
                yield int(ours[1]), ours[2], path


def _land_again(zone: LandingZone, name: str, path: Path) -> str:
    """Move a file back under its own name, or under its numbered one where that is taken."""
    target = zone.landing / name
    if target.exists():
        target = zone.landing / path.name
    path.rename(target)
    return target.name


def _missing(connection: Connection, zone: LandingZone) -> Iterator[str]:
    for state in ledger.loaded_since(connection, datetime.min.replace(tzinfo=UTC)):
        if not zone.path_of(state).is_file():
            yield f"{state.file_id}-{state.name}"
