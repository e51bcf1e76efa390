"""Taking invented events out: their rows, their ledger and their files.

Belongs here: which files on disk are the generator's, and the order of disk and database. Does not belong
here: the rows (``generations``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.landing.claim_lock import claim_lock
from ecom_platform.landing.zone import REASON_SUFFIX, LandingZone, numbered
from ecom_platform.shop import generations
from ecom_platform.shop.generations import GeneratedRows
from ecom_platform.shop.rollups import CONVERSION_FUNNEL, HOURLY_SALES, refresh_all
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.lock import ingest_lock


@dataclass(frozen=True, slots=True)
class Generated:
    """What there is of the generator: rows, and files on disk wherever they lie."""

    rows: GeneratedRows
    files_on_disk: int

    @property
    def nothing(self) -> bool:
        return not self.files_on_disk and not any(asdict(self.rows).values())

    def as_json(self) -> dict[str, int]:
        return {**asdict(self.rows), "files_on_disk": self.files_on_disk}

    def __str__(self) -> str:
        rows = self.rows
        return (
            f"{rows.events:,} events and {rows.rejects:,} rejects of {rows.files:,} generated files, their "
            f"ledger, {self.files_on_disk:,} files on disk, the record of {rows.generations:,} generations"
        )


def survey(connection: Connection, zone: LandingZone) -> Generated:
    """What :func:`remove` would take out now."""
    file_ids = generations.file_ids(connection)
    return Generated(generations.count(connection, file_ids), len(_on_disk(connection, zone, file_ids)))


def remove(
    database: Database,
    zone: LandingZone,
    lock_wait_seconds: float,
) -> Generated:
    """Take it all out, and bring the sales figures up to date; says what was taken out.

    Everybody else's rows and files stay. The files go before the transaction is committed: ended in between,
    all rows are still there, and called again it goes on. Raises :class:`LockedError` while somebody loads.
    """
    with ingest_lock(database, lock_wait_seconds):
        with claim_lock(database, zone) as connection:
            file_ids = generations.file_ids(connection)
            paths = _on_disk(connection, zone, file_ids)
            rows = generations.remove(connection, file_ids)
            for path in paths:
                _delete(path)
        for _ in refresh_all(database, (HOURLY_SALES, CONVERSION_FUNNEL)):
            pass
    return Generated(rows, len(paths))


def _on_disk(connection: Connection, zone: LandingZone, file_ids: Collection[int]) -> list[Path]:
    """Where the ledger has these files; and what bears a generated name and either waits to be claimed or has
    a number that the ledger does not know."""
    names = generations.file_names(connection)
    places = {zone.path_of(state) for state in ledger.states(connection, file_ids).values()}
    strangers = {}
    for folder in (*zone.unfinished_and_refused, *zone.archive_days()):
        for path in folder.iterdir():
            ours = numbered(path.name)
            if ours is not None and ours[1] in names:
                strangers[path] = ours[0]
    known = ledger.states(connection, set(strangers.values()))
    places.update(path for path, number in strangers.items() if number not in known)
    places.update(_waiting(zone, names))
    return sorted(path for path in places if path.is_file() and not path.is_symlink())


def _waiting(zone: LandingZone, names: Collection[str]) -> Iterator[Path]:
    for path in zone.landing.iterdir():
        ours = numbered(path.name)
        if path.name in names or (ours is not None and ours[1] in names):
            yield path


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        path.with_name(path.name + REASON_SUFFIX).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be deleted: {error.strerror}.",
            "No row was removed. Make its folder writable and try again; what is gone is passed over.",
        ) from error
