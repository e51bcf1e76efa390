"""What becomes of what is claimed, and the lock under which it changes places.

Belongs here: what holds of files in folders and of objects in a bucket alike. Does not belong here: claiming
(``folder.claim``, ``bucket.object_claim``), or the lock of an ingest as a whole (``store.lock``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.lock import take_claims

# Keeps row and move of one claim together while another program puts things right.
_CLAIMS = 4_917_205_003


@dataclass(frozen=True, slots=True)
class Claim:
    """What became of files that were to be claimed.

    ``refused`` cannot be moved, for a reason each. ``changed`` were written to since they were looked at.
    """

    taken: list[ledger.ClaimedFile] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an earlier interruption had left, and is now put right.

    ``unknown`` files are in the claimed folder without a ledger row of their name: a database was
    restored from a backup, or somebody has put them there. ``taken_back`` files were claimed by the
    ledger's word and finished on disk: the backup was made between the two. ``landed_again`` had grown
    after they were loaded.
    """

    archived: int
    quarantined: int
    renamed: int
    missing: int
    unknown: tuple[str, ...]
    taken_back: int = 0
    landed_again: tuple[str, ...] = ()


@contextmanager
def claims_held(database: Database, check: Callable[[Connection], None]) -> Iterator[Connection]:
    """A connection that nobody else's claim or recovery runs beside; committed at the end.

    ``check`` raises :class:`StorageError` where the landing zone is not the one that this database is about.
    """
    with database.open() as connection:
        take_claims(connection, _CLAIMS)
        check(connection)
        connection.commit()
        yield connection
        connection.commit()
