"""By what another machine tells that it sees the landing zone: a folder, or a bucket, of the same name would
not do.

Belongs here: leaving a sign and looking for it. Does not belong here: who is asked to look
(``streaming.probe``).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.landing.bucket import bucket_identity
from ecom_platform.landing.bucket.bucket_zone import OURS, BucketZone
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.landing_zone import Zone
from ecom_platform.objects import Location, ObjectChangedError, bucket_of


@dataclass(frozen=True, slots=True)
class Sign:
    """What executors are to find in the landing zone: a file, or an object of a bucket, and what is in it.

    Of a bucket that may only be read it is an object that lies there, by its key and ``etag``; none where
    nothing does.
    """

    place: str | Location
    name: str
    etag: str | None = None

    def unseen(self) -> str | None:
        """What is wrong with it here, if anything."""
        if isinstance(self.place, Location):
            return self._unseen_in_bucket(self.place)
        try:
            text = Path(self.place, self.name).read_text(encoding="utf-8")
            return None if text == self.name else "it is another folder"
        except OSError as error:
            return error.strerror or type(error).__name__

    def _unseen_in_bucket(self, location: Location) -> str | None:
        bucket = bucket_of(location, hurried=True)
        try:
            if self.etag is not None:
                bucket.read_range(self.name, self.etag, 0, 1, lambda piece: None)
                return None
            found = bucket.read(OURS + self.name)
        except StorageError as error:
            return error.message
        except ObjectChangedError as error:
            return f"there, {error}"
        return None if found == self.name.encode() else "it is another bucket, or another part of it"


@contextmanager
def sign_in(zone: Zone) -> Iterator[Sign | None]:
    """A sign for as long as the block lasts; nothing of a bucket that may only be read and is empty. Raises
    :class:`StorageError` where the zone cannot be used."""
    name = f"_probe-{uuid.uuid4().hex}"
    with _sign_in_bucket(zone, name) if isinstance(zone, BucketZone) else _sign_in_folder(zone, name) as sign:
        yield sign


@contextmanager
def _sign_in_folder(zone: LandingZone, name: str) -> Iterator[Sign]:
    zone.prepare()
    path = zone.units / name
    path.write_text(name, encoding="utf-8")
    try:
        yield Sign(str(zone.units), name)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _sign_in_bucket(zone: BucketZone, name: str) -> Iterator[Sign | None]:
    bucket_identity.prepare(zone)
    if zone.leaves:
        found = bucket_identity.any_object(zone)
        yield None if found is None else Sign(zone.location, found.key, found.etag)
        return
    zone.bucket.put(OURS + name, name.encode())
    try:
        yield Sign(zone.location, name)
    finally:
        zone.bucket.delete_whatever(OURS + name)
