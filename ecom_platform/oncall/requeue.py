"""Files that are to be loaded again, and putting landing zone and ledger in agreement.

Belongs here: which files somebody means. Does not belong here: bringing them back (``landing.kept_files``),
or loading them (``streaming.ingest``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ecom_platform.errors import UsageError
from ecom_platform.landing.kept_files import kept_files
from ecom_platform.landing.kept_names import file_number, numbered
from ecom_platform.landing.landing_zone import Zone, verify
from ecom_platform.landing.reconciliation import Reconciliation
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.outcome import base


def reload_files(database: Database, zone: Zone, files: Sequence[str]) -> list[str]:
    """Bring archived files back, by name, ledger id or path; all of them or none.

    Returns the names under which they land. Raises :class:`UsageError` naming what is not known.
    """
    kept = kept_files(zone)
    with database.open() as connection:
        verify(connection, zone)
        states = [known_file(connection, file) for file in files]
    return kept.land_copies(database, states)


def reload_since(database: Database, zone: Zone, since: datetime) -> list[str]:
    """Bring back what was loaded at or after ``since``."""
    kept = kept_files(zone)
    with database.open() as connection:
        verify(connection, zone)
        states = ledger.loaded_since(connection, since)
    return kept.land_copies(database, states)


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


def reconcile(database: Database, zone: Zone, *, adopt: bool = False) -> Reconciliation:
    """Put right what a restored database and a newer landing zone disagree about; loads nothing itself.

    ``adopt``: the database is about this landing zone from now on, whichever it was about before.
    """
    return kept_files(zone).reconcile(database, adopt=adopt)
