"""The lock under which files change places, and the look that this is the right landing zone.

Belongs here: what has to hold whenever a file is claimed, put right or put back. Does not belong here: the
lock of an ingest as a whole, which is ``store.lock``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ecom_platform.landing import identity
from ecom_platform.landing.zone import LandingZone
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.lock import take_claims

# Keeps row and rename of one claim together while another program puts things right.
CLAIM_LOCK = 4_917_205_003


@contextmanager
def claim_lock(database: Database, zone: LandingZone, *, adopt: bool = False) -> Iterator[Connection]:
    """A connection that nobody else's claim or recovery runs beside; committed at the end.

    Raises :class:`StorageError` where ``zone`` is not the one that this database is about. ``adopt`` makes
    it that one.
    """
    with database.open() as connection:
        take_claims(connection, CLAIM_LOCK)
        if adopt:
            identity.adopt(connection, zone)
        identity.verify(connection, zone)
        connection.commit()
        yield connection
        connection.commit()
