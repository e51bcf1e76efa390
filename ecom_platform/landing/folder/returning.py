"""Files in folders that land once more, and putting disk and ledger in agreement.

Belongs here: bringing files back into the landing folder, from where they are claimed like any other, and
finding those that the ledger does not know after a database was restored from a backup. Does not belong here:
which files somebody wants again (``oncall.requeue``), or objects of a bucket (``bucket.object_returning``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ecom_platform.errors import StorageError, UsageError
from ecom_platform.landing.folder.claim import put_right
from ecom_platform.landing.folder.claim_lock import claim_lock
from ecom_platform.landing.folder.no_replace import move, place
from ecom_platform.landing.folder.put_away import land_grown
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.kept_names import LARGEST_NUMBER, REASON_SUFFIX, landing_names, numbered, prefixed
from ecom_platform.landing.reconciliation import LONG_AGO, Reconciliation
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.outcome import Stamp, base


def land_copies(database: Database, zone: LandingZone, states: Sequence[ledger.FileState]) -> list[str]:
    """Let copies of these archived files land, all of them or none; returns the names by which they do."""
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
        grown = [*recovery.landed_again, *land_grown(connection, zone, LONG_AGO)]
        on_disk = list(_numbered(zone))
        known = ledger.states(connection, {number for number, _, _ in on_disk})
        strangers = [
            (number, name, path)
            for number, name, path in on_disk
            if not _is_known(zone, known.get(number), name, path)
        ]
        numbers = (number for number, _, _ in on_disk)
        ledger.skip_file_ids(connection, max((n for n in numbers if n <= LARGEST_NUMBER), default=0))
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
    for state in ledger.loaded_since(connection, LONG_AGO):
        if not zone.path_of(state).is_file():
            yield f"{state.file_id}-{state.name}"
