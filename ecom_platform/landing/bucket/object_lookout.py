"""Looking at a bucket again and again: how often, and what is kept from one listing for the next claims.

Belongs here: a lookout (``landing.lookout``) over objects. Does not belong here: what a look is
(``object_look``), or the claim (``object_claim``).

A listing costs money and, of many objects, seconds: after one that found nothing the next comes later, up to
a second, and as many objects as one listing has found are claimed before the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.bucket.object_claim import claim_objects
from ecom_platform.landing.bucket.object_look import BucketPlacing, look
from ecom_platform.landing.claims import Claim
from ecom_platform.landing.landed import LandedFile, Scan
from ecom_platform.store.connection import Database

# Between two listings: this after one that found something, then longer each time.
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
_FACTOR = 1.5


class ObjectLookout:
    """A zone in a bucket. ``produced`` names objects that this program has made itself."""

    def __init__(
        self,
        database: Database,
        zone: BucketZone,
        declared: Mapping[str, Feed],
        produced: Collection[str] = (),
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._zone, self._timer = database, zone, timer
        self._placing = BucketPlacing(zone, declared, produced)
        self._last = Scan([], [], {})
        self._left: list[LandedFile] = []
        self._pause, self._listing_seconds = FIRST_PAUSE_SECONDS, 0.0

    @property
    def pause_seconds(self) -> float:
        # As much time passes without a listing as with one.
        return max(self._pause, 2 * self._listing_seconds)

    def look(self) -> Scan:
        if self._left:
            left, self._left = self._left, []
            return replace(self._last, settled=left)
        started = self._timer()
        self._last = look(self._database, self._zone)
        self._listing_seconds = self._timer() - started
        longer = min(self._pause * _FACTOR, LONGEST_PAUSE_SECONDS)
        self._pause = FIRST_PAUSE_SECONDS if self._last.settled else longer
        return self._last

    def put_back(self, files: Sequence[LandedFile]) -> None:
        self._left = list(files)

    def expected(self, files: Iterable[LandedFile]) -> dict[str, LandedFile]:
        # An object has landed by the name that is its key.
        return {file.key: file for file in self._placing.sort(files)[0]}

    def waiting(self, files: Iterable[LandedFile]) -> dict[str, str]:
        return self._placing.sort(files)[1]

    def place(self, found: Scan) -> Scan:
        return self._placing.place(found)[0]

    def claim(self, files: Sequence[LandedFile]) -> Claim:
        return claim_objects(self._database, self._zone, files)

    def be_patient(self, names: Iterable[str]) -> None:
        """An object is whole when it is there."""
