"""What a load does with the places of a landing zone: in folders, or in a bucket.

Belongs here: the steps, and which code takes them for either. Does not belong here: the steps themselves, or
their order (``streaming.ingest``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.accounting import ended
from ecom_platform.landing.arriving import folder_of_feed, require_files
from ecom_platform.landing.bucket import object_arriving, object_claim
from ecom_platform.landing.bucket.bucket_zone import BucketZone, quarantined_key
from ecom_platform.landing.bucket.object_look import BucketPlacing, look
from ecom_platform.landing.bucket.object_lookout import ObjectLookout
from ecom_platform.landing.claims import Claim, Recovery
from ecom_platform.landing.folder import claim, no_replace, placing, put_away
from ecom_platform.landing.folder.disk_account import require_ends
from ecom_platform.landing.folder.folder_lookout import FolderLookout
from ecom_platform.landing.folder.former_quarantine import release_from_quarantine
from ecom_platform.landing.folder.watch import scan
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.landed import LandedFile, Scan
from ecom_platform.landing.landing_zone import Zone, zone_of
from ecom_platform.landing.lookout import Lookout
from ecom_platform.objects import Location
from ecom_platform.settings import Settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database


class Placer(Protocol):
    """Finds the feeds of what lies at the top."""

    def place(self, found: Scan) -> tuple[Scan, dict[str, str]]:
        """``found`` without what waits for a feed, and what waits. Whoever calls this holds the ingest
        lock."""


class LandingPlaces(Protocol):
    """A landing zone, as a load sees it."""

    @property
    def zone(self) -> Zone:
        """The zone itself (``landing_zone``)."""

    @property
    def units(self) -> Path:
        """The folder for what Spark is told to load."""

    @property
    def units_are_shared(self) -> bool:
        """Whether tasks see that folder, wherever they run; they are told what is in it otherwise."""

    @property
    def source(self) -> str | Location:
        """Where tasks find what is claimed: the folder, or the part of a bucket."""

    @property
    def uri(self) -> str:
        """Where files land, as a link."""

    def looking_into(self, feeds: Collection[str]) -> LandingPlaces:
        """The same, of which only the folders of these feeds are looked into."""

    def recover(self, database: Database, declared: Mapping[str, Feed]) -> Recovery:
        """Put right what an interrupted run had left."""

    def placer(self, declared: Mapping[str, Feed], produced: Collection[str]) -> Placer: ...

    def look(
        self,
        database: Database,
        settle_seconds: float,
        wait_seconds: float,
        produced: Collection[str],
        slow: Collection[str],
    ) -> Scan:
        """What has landed, once it rests or ``wait_seconds`` have passed."""

    def claim(self, database: Database, files: Sequence[LandedFile]) -> Claim: ...

    def filling(self) -> AbstractContextManager[Path]:
        """A folder for files that are to land, each written whole by a name of its own. They land at the end
        of the block at the latest, all of them or none; raises :class:`StorageError` where something has the
        place of one."""

    def bring_in(self, feed: str, files: Sequence[Path]) -> list[str]:
        """Let copies of files that somebody names land as files of the feed; returns their names.

        What is there is not replaced: another file of a name lands under a name of its own. Raises
        :class:`UsageError` before anything is copied.
        """

    def lookout(
        self,
        database: Database,
        settle_seconds: float,
        declared: Mapping[str, Feed],
        produced: Collection[str] = (),
    ) -> Lookout:
        """For whoever looks again and again."""

    def waiting(
        self, database: Database, declared: Mapping[str, Feed], settle_seconds: float
    ) -> dict[str, str]:
        """What is of no feed, and why."""

    def given_back(self, database: Database, unknown: Collection[int]) -> set[int]:
        """Of files that the ledger does not know, those that it has forgotten since they were given back."""

    def changed(self, connection: Connection, files: Sequence[ledger.ClaimedFile]) -> list[int]:
        """Those that are seen not to be what was claimed, before a task reads them."""

    def give_back(self, database: Database, file_ids: Collection[int]) -> list[str]:
        """Let them be claimed anew; returns the names by which they will be."""

    def put_away(self, database: Database, file_ids: Collection[int], wait_seconds: float) -> list[str]:
        """Put finished files away; returns the names of those that land again."""

    def look_back(self, database: Database) -> list[str]:
        """Let land again what has grown since it was put away, and put away what could not be then; returns
        the names of what lands again. Whoever calls this holds the ingest lock."""

    def require_ends(self, database: Database, file_ids: Collection[int]) -> None:
        """Every one of these has come to an end; raises :class:`IngestError`."""

    def quarantined_place(self, file_id: int, name: str) -> str:
        """Where a quarantined file lies, as people are told."""


@dataclass(frozen=True, slots=True)
class Folders:
    """A landing zone in folders."""

    zone: LandingZone

    @property
    def units(self) -> Path:
        return self.zone.units

    @property
    def units_are_shared(self) -> bool:
        return True

    @property
    def source(self) -> str:
        return str(self.zone.claimed)

    @property
    def uri(self) -> str:
        return self.zone.landing.as_uri()

    def looking_into(self, feeds: Collection[str]) -> Folders:
        return Folders(self.zone.looking_into(feeds))

    def recover(self, database: Database, declared: Mapping[str, Feed]) -> Recovery:
        recovery = claim.recover(database, self.zone)
        release_from_quarantine(database, self.zone, declared)
        return recovery

    def placer(self, declared: Mapping[str, Feed], produced: Collection[str]) -> Placer:
        return placing.Placing(self.zone.landing, declared, produced)

    def look(
        self,
        database: Database,  # noqa: ARG002 (folders tell by themselves what is claimed)
        settle_seconds: float,
        wait_seconds: float,
        produced: Collection[str],
        slow: Collection[str],
    ) -> Scan:
        return scan(self.zone.landing, settle_seconds, wait_seconds, produced, slow, feeds=self.zone.feeds)

    def claim(self, database: Database, files: Sequence[LandedFile]) -> Claim:
        return claim.claim_files(database, self.zone, files)

    def filling(self) -> AbstractContextManager[Path]:
        return nullcontext(self.zone.landing)

    def bring_in(self, feed: str, files: Sequence[Path]) -> list[str]:
        require_files(files)
        folder = folder_of_feed(feed)
        return [no_replace.place(path.resolve(), self.zone.landing, [folder + path.name]) for path in files]

    def lookout(
        self,
        database: Database,
        settle_seconds: float,
        declared: Mapping[str, Feed],
        produced: Collection[str] = (),
    ) -> Lookout:
        return FolderLookout(database, self.zone, settle_seconds, declared, produced)

    def waiting(
        self,
        database: Database,  # noqa: ARG002
        declared: Mapping[str, Feed],
        settle_seconds: float,
    ) -> dict[str, str]:
        return placing.waiting_files(self.zone.landing, declared, settle_seconds)

    def given_back(self, database: Database, unknown: Collection[int]) -> set[int]:  # noqa: ARG002
        return set(unknown) - {number for number, _ in self.zone.claimed_files()}

    def changed(self, connection: Connection, files: Sequence[ledger.ClaimedFile]) -> list[int]:
        return claim.changed_since_claimed(connection, self.zone, files)

    def give_back(self, database: Database, file_ids: Collection[int]) -> list[str]:
        return claim.give_back(database, self.zone, file_ids)

    def put_away(self, database: Database, file_ids: Collection[int], wait_seconds: float) -> list[str]:
        return put_away.put_away(database, self.zone, file_ids, wait_seconds)

    def look_back(self, database: Database) -> list[str]:
        return put_away.look_back(database, self.zone)

    def require_ends(self, database: Database, file_ids: Collection[int]) -> None:
        require_ends(database, self.zone, file_ids)

    def quarantined_place(self, file_id: int, name: str) -> str:
        return str(self.zone.quarantined_path(file_id, name))


@dataclass(frozen=True, slots=True)
class Objects:
    """A landing zone in a bucket."""

    zone: BucketZone

    @property
    def units(self) -> Path:
        return self.zone.units

    @property
    def units_are_shared(self) -> bool:
        return False

    @property
    def source(self) -> Location:
        return self.zone.location

    @property
    def uri(self) -> str:
        return self.zone.location.url

    def looking_into(self, feeds: Collection[str]) -> Objects:
        return Objects(self.zone.looking_into(feeds))

    def recover(self, database: Database, declared: Mapping[str, Feed]) -> Recovery:  # noqa: ARG002
        return object_claim.recover(database, self.zone)

    def placer(self, declared: Mapping[str, Feed], produced: Collection[str]) -> Placer:
        return BucketPlacing(self.zone, declared, produced)

    def look(
        self,
        database: Database,
        settle_seconds: float,  # noqa: ARG002 (an object is whole when it is there)
        wait_seconds: float,  # noqa: ARG002
        produced: Collection[str],  # noqa: ARG002
        slow: Collection[str],  # noqa: ARG002
    ) -> Scan:
        return look(database, self.zone)

    def claim(self, database: Database, files: Sequence[LandedFile]) -> Claim:
        return object_claim.claim_objects(database, self.zone, files)

    @contextmanager
    def filling(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="ecom-landing-") as folder:
            yield Path(folder)
            object_arriving.let_land(
                self.zone, Path(folder), sorted(path.name for path in Path(folder).iterdir())
            )

    def bring_in(self, feed: str, files: Sequence[Path]) -> list[str]:
        return object_arriving.bring_in(self.zone, feed, files)

    def lookout(
        self,
        database: Database,
        settle_seconds: float,  # noqa: ARG002 (an object is whole when it is there)
        declared: Mapping[str, Feed],
        produced: Collection[str] = (),
    ) -> Lookout:
        return ObjectLookout(database, self.zone, declared, produced)

    def waiting(
        self,
        database: Database,
        declared: Mapping[str, Feed],
        settle_seconds: float,  # noqa: ARG002
    ) -> dict[str, str]:
        return BucketPlacing(self.zone, declared).sort(look(database, self.zone).settled)[1]

    def given_back(self, database: Database, unknown: Collection[int]) -> set[int]:
        # A number that the ledger has yet to give was forgotten in another way: the database went back.
        with database.open(autocommit=True) as connection:
            highest = ledger.highest_file_id(connection)
        return {number for number in unknown if number <= highest}

    def changed(self, connection: Connection, files: Sequence[ledger.ClaimedFile]) -> list[int]:  # noqa: ARG002
        return []  # the task that reads it finds out

    def give_back(self, database: Database, file_ids: Collection[int]) -> list[str]:
        return object_claim.give_back(database, self.zone, file_ids)

    def put_away(self, database: Database, file_ids: Collection[int], wait_seconds: float) -> list[str]:
        return object_claim.put_away(database, self.zone, file_ids, wait_seconds)

    def look_back(self, database: Database) -> list[str]:
        # Nobody writes on in an object. A store that is away for longer is for the next look.
        return object_claim.put_away_left(database, self.zone.in_a_hurry())

    def require_ends(self, database: Database, file_ids: Collection[int]) -> None:
        ended(database, file_ids)

    def quarantined_place(self, file_id: int, name: str) -> str:
        if self.zone.leaves:
            return self.zone.location.url
        return self.zone.location.url_of(quarantined_key(file_id, name))


def places_of(settings: Settings) -> LandingPlaces:
    """The landing zone of these settings."""
    zone = zone_of(settings)
    return Objects(zone) if isinstance(zone, BucketZone) else Folders(zone)
