"""What is asked of a landing zone by whoever moves nothing in it: in folders, or in a bucket.

Belongs here: the questions of sensors, checks, alerts and ``ecom status``, and which code answers them for
either. Does not belong here: the answers, or a load (``landing_places``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.arrivals import Work
from ecom_platform.landing.bucket import bucket_checks, bucket_identity, object_arrivals
from ecom_platform.landing.bucket.bucket_zone import QUARANTINE, BucketZone
from ecom_platform.landing.bucket.object_look import BucketPlacing, held_of, listed, look
from ecom_platform.landing.folder import archive_check, disk_account, folder_arrivals, scan
from ecom_platform.landing.folder.placing import waiting_files
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.landed import LandedFile
from ecom_platform.settings import Settings
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.provision import provide
from ecom_platform.store.table_status import TableStatus
from ecom_platform.writable import may_be_written


@dataclass(frozen=True, slots=True)
class Landed:
    """Files that have landed and are not claimed, why others never will be, and what those of no feed look
    like."""

    files: Collection[LandedFile] = ()
    refused: dict[str, str] = field(default_factory=dict)
    without_feed: dict[str, str] = field(default_factory=dict)


class Inspection(Protocol):
    """A landing zone, as it is asked about."""

    @property
    def quarantine(self) -> str:
        """Where quarantined files lie, as people are told."""

    def taken_out(self, file_id: int, name: str) -> bool:
        """Whether somebody has taken this file out of quarantine."""

    def usable(self) -> str:
        """Whether it can be used, in words; makes nothing. Raises :class:`StorageError`."""

    def work(self, feeds: Mapping[str, Feed]) -> Work:
        """What a run would find to do; starts what it needs. Raises :class:`StorageError`."""

    def landed(self, feeds: Mapping[str, Feed], tables: TableStatus) -> Landed:
        """What has landed, by what the tables have said of it; starts nothing."""

    def without_feed(self, feeds: Mapping[str, Feed]) -> dict[str, str]:
        """What is of no feed, and why."""

    def newest_is_known(self, database: Database) -> bool:
        """Whether the ledger knows the highest number that was given; quickly told of however many."""

    def disk_matches_ledger(self, database: Database, *, whole_up_to: int | None) -> Finding: ...

    def archive_matches_ledger(self, connection: Connection, *, whole: bool) -> Finding: ...


@dataclass(frozen=True, slots=True)
class FolderInspection:
    """Of folders, which are made where they are missing."""

    settings: Settings

    @property
    def quarantine(self) -> str:
        return str(self._zone.quarantine)

    def taken_out(self, file_id: int, name: str) -> bool:
        return self._zone.taken_out(file_id, name)

    def usable(self) -> str:
        return may_be_written(self.settings.landing_dir, "ECOM_LANDING_DIR")

    def work(self, feeds: Mapping[str, Feed]) -> Work:
        return folder_arrivals.look_for_work(self.settings, self._zone, feeds)

    def landed(self, feeds: Mapping[str, Feed], tables: TableStatus) -> Landed:  # noqa: ARG002
        landing = self.settings.landing_dir
        if not landing.exists():
            return Landed()
        there = scan.look(landing, feeds=self._zone.feeds)
        waiting = waiting_files(landing, feeds, self.settings.settle_seconds)
        return Landed(there.files.values(), there.refused, waiting)

    def without_feed(self, feeds: Mapping[str, Feed]) -> dict[str, str]:
        return waiting_files(self._made.landing, feeds, self.settings.settle_seconds)

    def newest_is_known(self, database: Database) -> bool:
        return disk_account.newest_is_known(database, self._made)

    def disk_matches_ledger(self, database: Database, *, whole_up_to: int | None) -> Finding:
        return disk_account.disk_matches_ledger(database, self._made, whole_up_to=whole_up_to)

    def archive_matches_ledger(self, connection: Connection, *, whole: bool) -> Finding:
        return archive_check.archive_matches_ledger(connection, self._made, whole=whole)

    @property
    def _zone(self) -> LandingZone:
        return LandingZone.of(self.settings)

    @property
    def _made(self) -> LandingZone:
        zone = self._zone
        zone.prepare()
        return zone


@dataclass(frozen=True, slots=True)
class BucketInspection:
    """Of a bucket, to which nothing is written."""

    settings: Settings
    zone: BucketZone

    @property
    def quarantine(self) -> str:
        return self.zone.location.url_of(QUARANTINE)

    def taken_out(self, file_id: int, name: str) -> bool:
        return self.zone.taken_out(file_id, name)

    def usable(self) -> str:
        bucket_identity.read_marker(self.zone)
        return f"{self.zone.location.url}, can be read; whether it can be written, the next load proves"

    def work(self, feeds: Mapping[str, Feed]) -> Work:
        return object_arrivals.look_for_work(self.settings, self.zone, feeds)

    def landed(self, feeds: Mapping[str, Feed], tables: TableStatus) -> Landed:
        found = listed(self.zone).without(held_of(self.zone, tables.objects, tables.loading_keys))
        _, waiting = BucketPlacing(self.zone, feeds).place(found)
        return Landed(found.settled, found.refused, waiting)

    def without_feed(self, feeds: Mapping[str, Feed]) -> dict[str, str]:
        with provide(self.settings) as database:
            return BucketPlacing(self.zone, feeds).place(look(database, self.zone))[1]

    def newest_is_known(self, database: Database) -> bool:
        return bucket_identity.newest_is_known(database, self.zone)

    def disk_matches_ledger(self, database: Database, *, whole_up_to: int | None) -> Finding:
        return bucket_checks.bucket_matches_ledger(database, self.zone, whole_up_to=whole_up_to)

    def archive_matches_ledger(self, connection: Connection, *, whole: bool) -> Finding:
        return bucket_checks.archive_matches_ledger(connection, self.zone, whole=whole)


def inspection(settings: Settings, *, hurried: bool = False) -> Inspection:
    """The landing zone of these settings. ``hurried``: a store that is away is an error at once, for whoever
    looks again soon."""
    zone = BucketZone.of(settings)
    if zone is None:
        return FolderInspection(settings)
    return BucketInspection(settings, zone.in_a_hurry() if hurried else zone)
