"""What waits in folders, as the sensor asks: quickly, and without claiming anything.

Belongs here: a look at the disk, and at the ledger where there is something. Does not belong here: what to do
about it (``landing.arrivals``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from ecom_platform.errors import StorageError
from ecom_platform.feeds.feed import Feed
from ecom_platform.landing import arrivals
from ecom_platform.landing.arrivals import Waiting, Work
from ecom_platform.landing.folder import identity, put_away
from ecom_platform.landing.folder.disk_account import OnDisk, claimed_on_disk
from ecom_platform.landing.folder.placing import Placing
from ecom_platform.landing.folder.watch import scan
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.landed import LandedFile
from ecom_platform.settings import Settings
from ecom_platform.store import ledger, lock
from ecom_platform.store.ledger import Leftover
from ecom_platform.store.provision import provide

# Long enough for a file to settle within the tick that sees it first (ECOM_SETTLE_SECONDS is 1).
LOOK_SECONDS = 1.5
# For which headers are read in one look: of more files than that allows, the others wait for the next.
READ_SECONDS = 0.75


def look_for_work(settings: Settings, zone: LandingZone, feeds: Mapping[str, Feed]) -> Work:
    """What waits now; the database is asked where anything is on disk. Raises :class:`StorageError`."""
    zone = zone.looking_into(feeds)
    if not settings.home.exists():
        zone.prepare()  # the very first start, before anything could have landed
    found = scan(zone.landing, settings.settle_seconds, LOOK_SECONDS, feeds=zone.feeds)
    by_feed = Placing(zone.landing, feeds).sort(found.settled, READ_SECONDS)
    landed = by_feed.expected.values()
    growing = tuple(file.name for file in found.unsettled) + tuple(
        name for name in found.unfinished if not name.startswith(".")
    )
    claimed = _claimed(zone)
    if not identity.is_marked(zone):
        _require_zone(settings, zone)
    written_to = put_away.written_to(zone)
    if not landed and not claimed and not written_to:
        return Work(growing=growing, refused=found.refused, without_feed=by_feed.waiting)
    holder, waiting = _ask_database(settings, zone, landed, claimed, written_to)
    return Work(waiting, growing, found.refused, by_feed.waiting, holder)


def _require_zone(settings: Settings, zone: LandingZone) -> None:
    """Once, where nothing was loaded before. Later a missing marker means that the landing zone is away,
    which must not pass for a folder in which nothing has landed."""
    with provide(settings) as database, database.open() as connection:
        identity.require(connection, zone)


def _claimed(zone: LandingZone) -> list[OnDisk]:
    try:
        return list(claimed_on_disk(zone))
    except FileNotFoundError:
        return []  # nothing was ever claimed here
    except OSError as error:
        raise StorageError(
            f"The folder {zone.claimed} cannot be read: {error.strerror}.",
            "Make it readable for this user, or correct ECOM_LANDING_DIR.",
        ) from error


def _ask_database(
    settings: Settings,
    zone: LandingZone,
    landed: Collection[LandedFile],
    claimed: list[OnDisk],
    written_to: list[int],
) -> tuple[lock.Holder | None, frozenset[Waiting]]:
    numbers = [file.number for file in claimed]
    with provide(settings) as database, database.open(autocommit=True) as connection:
        holder = lock.holder(connection)
        leftovers = ledger.leftovers(connection, numbers) if claimed else []
        known = ledger.states(connection, numbers) if claimed else {}
        grown = put_away.grown(connection, zone, written_to) if written_to else []
    # Files that the ledger does not know wait as well: a run cannot load them, but its checks say so.
    leftovers += [
        Leftover(file.name, file.size, file.landed_at) for file in claimed if file.number not in known
    ]
    return holder, arrivals.waiting(landed, leftovers) | {_waits_again(zone, file) for file in grown}


def _waits_again(zone: LandingZone, file: ledger.FileState) -> Waiting:
    """A file that was loaded and has grown since: the next run lets it land again."""
    status = zone.path_of(file).lstat()
    return Waiting(file.name, status.st_size, datetime.fromtimestamp(status.st_ctime_ns / 1e9, UTC))
