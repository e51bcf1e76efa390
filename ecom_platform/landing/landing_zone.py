"""Which landing zone there is: folders, or a part of a bucket.

Belongs here: finding it, and what has to hold before anything else is asked of it. Does not belong here: what
is asked: by a load (``landing_places``), of files that a load has done with (``kept_files``), or without
moving anything (``inspection``).
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from ecom_platform.landing.bucket import bucket_identity
from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.folder import claim_lock, identity
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.settings import Settings
from ecom_platform.store.connection import Connection, Database

Zone = LandingZone | BucketZone


def zone_of(settings: Settings) -> Zone:
    """The landing zone of these settings."""
    return BucketZone.of(settings) or LandingZone.of(settings)


def prepare(zone: Zone) -> None:
    """Make what is needed and prove that it can be used; raises :class:`StorageError`."""
    if isinstance(zone, BucketZone):
        bucket_identity.prepare(zone)
    else:
        zone.prepare()


def verify(connection: Connection, zone: Zone) -> None:
    """Make sure that it is the one that this ledger is about; raises :class:`StorageError`."""
    if isinstance(zone, BucketZone):
        bucket_identity.verify(connection, zone)
    else:
        identity.verify(connection, zone)


def claims_locked(database: Database, zone: Zone) -> AbstractContextManager[Connection]:
    """A connection that nobody else's claim or recovery runs beside; committed at the end. Raises
    :class:`StorageError` where this is not the zone that the ledger is about."""
    if isinstance(zone, BucketZone):
        return bucket_identity.claim_lock(database, zone)
    return claim_lock.claim_lock(database, zone)
