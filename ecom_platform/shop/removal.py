"""Taking invented events out: their rows, their ledger and their files.

Belongs here: the order of files and database. Does not belong here: the rows (``generations``), or where
files lie (``landing.kept_files``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass

from ecom_platform.landing.kept_files import kept_files
from ecom_platform.landing.landing_zone import Zone, claims_locked
from ecom_platform.shop import generations
from ecom_platform.shop.generations import GeneratedRows
from ecom_platform.shop.rollups import CONVERSION_FUNNEL, HOURLY_SALES, refresh_all
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


def survey(connection: Connection, zone: Zone) -> Generated:
    """What :func:`remove` would take out now."""
    file_ids = generations.file_ids(connection)
    found = _discards(connection, zone, file_ids)
    return Generated(generations.count(connection, file_ids), len(found))


def remove(
    database: Database,
    zone: Zone,
    lock_wait_seconds: float,
) -> Generated:
    """Take it all out, and bring the sales figures up to date; says what was taken out.

    Everybody else's rows and files stay. The files go before the transaction is committed: ended in between,
    all rows are still there, and called again it goes on. Raises :class:`LockedError` while somebody loads.
    """
    with ingest_lock(database, lock_wait_seconds):
        with claims_locked(database, zone) as connection:
            file_ids = generations.file_ids(connection)
            found = _discards(connection, zone, file_ids)
            rows = generations.remove(connection, file_ids)
            for delete in found:
                delete()
        for _ in refresh_all(database, (HOURLY_SALES, CONVERSION_FUNNEL)):
            pass
    return Generated(rows, len(found))


def _discards(connection: Connection, zone: Zone, file_ids: Collection[int]) -> list[Callable[[], None]]:
    """What deletes each file of the generator's."""
    return kept_files(zone).discards(connection, file_ids, generations.file_names(connection))
