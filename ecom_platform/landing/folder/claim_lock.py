"""The lock under which files change places, and the look that this is the right landing zone.

Belongs here: what has to hold whenever a file is claimed, put right or put back. Does not belong here: the
lock of an ingest as a whole, which is ``store.lock``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from ecom_platform.landing.claims import claims_held
from ecom_platform.landing.folder import identity
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.store.connection import Connection, Database


def claim_lock(
    database: Database, zone: LandingZone, *, adopt: bool = False
) -> AbstractContextManager[Connection]:
    """A connection that nobody else's claim or recovery runs beside; committed at the end.

    Raises :class:`StorageError` where ``zone`` is not the one that this database is about. ``adopt`` makes
    it that one.
    """

    def check(connection: Connection) -> None:
        if adopt:
            identity.adopt(connection, zone)
        identity.verify(connection, zone)

    return claims_held(database, check)
