"""Files in quarantine that would wait today: earlier versions put every header there that did not fit.

Belongs here: letting them land again, where they wait or are placed, and closing the alert that spoke of
them; and those of a feed whose declaration has come to fit them. Does not belong here: whose a file is
(``files.belonging``), or what waits (``placing``).

What is damaged stays in quarantine. The file's row in
the ledger stays as it was, as that of a file that a person takes out: it is history, and the file is another
one when it is claimed again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping

from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.belonging import FeedFinder
from ecom_platform.landing.folder.claim_lock import claim_lock
from ecom_platform.landing.folder.no_replace import move
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.kept_names import REASON_SUFFIX, landing_names
from ecom_platform.landing.released import HEADER_REASONS, close_alerts
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database

log = logging.getLogger(__name__)


def release_from_quarantine(database: Database, zone: LandingZone, feeds: Mapping[str, Feed]) -> list[str]:
    """Let files land again that a version without placing has quarantined for their header; returns their
    names in the landing folder. ``feeds`` are all that are declared."""
    with database.open(autocommit=True) as connection:
        refused = ledger.quarantined_for(connection, TOP_FEED, HEADER_REASONS)
    there = [
        (number, name)
        for number, name in refused
        if "/" not in name and os.path.lexists(zone.quarantined_path(number, name))
    ]
    if not there:
        return []
    finder = FeedFinder(feeds.values())
    with claim_lock(database, zone) as connection:
        released = {}
        for number, name in there:
            if finder.feed_of_file(zone.quarantined_path(number, name)).feed != TOP_FEED:
                landed_as = _release(zone, number, name)
                if landed_as is not None:
                    released[number] = landed_as
                    ledger.note_landed_again(connection, number)
        if released:
            close_alerts(connection, _taken_out_of(zone))
    return [*released.values()]


def release_what_fits(database: Database, zone: LandingZone, feed: Feed) -> list[str]:
    """Let files of ``feed`` that were quarantined for their header land again where it fits by now; returns
    their names in the landing folder."""
    with database.open(autocommit=True) as connection:
        refused = ledger.quarantined_for(connection, feed.name, HEADER_REASONS)
    there = [
        (number, name) for number, name in refused if os.path.lexists(zone.quarantined_path(number, name))
    ]
    if not there:
        return []
    finder = FeedFinder([feed])
    released = []
    with claim_lock(database, zone) as connection:
        for number, name in there:
            if finder.feed_of_file(zone.quarantined_path(number, name)).feed == feed.name:
                landed_as = _release(zone, number, name)
                if landed_as is not None:
                    released.append(landed_as)
                    ledger.note_landed_again(connection, number)
        if released:
            close_alerts(connection, _taken_out_of(zone), feed.name)
    return released


def _release(zone: LandingZone, number: int, name: str) -> str | None:
    """Its name in the landing folder; nothing where it cannot be moved, or somebody has taken it."""
    path = zone.quarantined_path(number, name)
    try:
        landed_as = move(path, zone.landing, landing_names(number, name))
        path.with_name(path.name + REASON_SUFFIX).unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s stays in quarantine: %s", path, error.strerror or error)
        return None
    log.info("%s was quarantined for its header: it lands again as %s", path, landed_as)
    return landed_as


def _taken_out_of(zone: LandingZone) -> Callable[[int, str], bool]:
    return lambda number, name: not os.path.lexists(zone.quarantined_path(number, name))
