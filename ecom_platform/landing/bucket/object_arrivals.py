"""What waits in a bucket, as the sensor asks: quickly, and without claiming anything.

Belongs here: a look at the store, and at the ledger where there is something. Does not belong here: what to
do about it (``landing.arrivals``).

A store that is away is not waited for: the next tick looks again.
"""

from __future__ import annotations

from collections.abc import Mapping

from ecom_platform.feeds.feed import Feed
from ecom_platform.landing import arrivals
from ecom_platform.landing.arrivals import Work
from ecom_platform.landing.bucket import bucket_identity
from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.bucket.object_look import BucketPlacing, held, listed
from ecom_platform.settings import Settings
from ecom_platform.store import ledger, lock
from ecom_platform.store.provision import provide

# For which headers are fetched in one look: of more objects than that allows, the others wait for the next.
FETCH_SECONDS = 1.5


def look_for_work(settings: Settings, zone: BucketZone, feeds: Mapping[str, Feed]) -> Work:
    """What waits now; the database is asked where anything lies there. Raises :class:`StorageError`.

    The bucket is listed first. What somebody else puts away between the two looks seems to have landed: a run
    is begun that finds nothing to do.
    """
    zone = zone.looking_into(feeds).in_a_hurry()
    listing = listed(zone)
    marked = bucket_identity.read_marker(zone) is not None
    if marked and not listing.objects:
        return Work(refused=listing.refused)
    with provide(settings) as database, database.open(autocommit=True) as connection:
        if not marked:
            # Once, where nothing was loaded before. Later a missing marker means that it is another part of
            # the bucket, which must not pass for one in which nothing has landed.
            bucket_identity.verify(connection, zone)
        holder = lock.holder(connection)
        known = held(connection, zone)
        leftovers = ledger.leftovers(connection, list(ledger.claimed_objects(connection)))
    found = listing.without(known)
    landed, without_feed = BucketPlacing(zone, feeds).sort(found.settled, FETCH_SECONDS)
    growing = tuple(name for name in found.unfinished if not name.startswith("."))
    return Work(arrivals.waiting(landed, leftovers), growing, found.refused, without_feed, holder)
