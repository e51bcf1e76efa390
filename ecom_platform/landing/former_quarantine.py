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
from collections.abc import Callable, Collection, Mapping

from ecom_platform.alerts.outbox import DEFAULT_SOURCE, resolve_problem
from ecom_platform.alerts.problem import Kind
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.belonging import FeedFinder
from ecom_platform.files.unreadable import FileReason
from ecom_platform.landing.claim_lock import claim_lock
from ecom_platform.landing.no_replace import landing_names, move
from ecom_platform.landing.zone import REASON_SUFFIX, LandingZone
from ecom_platform.store import alerts, ledger
from ecom_platform.store.connection import Connection, Database

log = logging.getLogger(__name__)

HEADER_REASONS = (FileReason.WRONG_HEADER, FileReason.NOT_UTF8_HEADER)


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


def close_alerts(connection: Connection, taken_out: Callable[[int, str], bool], feed: str = TOP_FEED) -> None:
    """Those about files none of which lies in quarantine any more."""
    for problem in alerts.open_problems(connection, DEFAULT_SOURCE, Kind.FILE_QUARANTINED, feed):
        numbers: Collection[int] = problem.details.get("file_ids", ())
        if problem.details.get("files_in_all", len(numbers)) > len(numbers):
            continue
        left = alerts.not_loaded_since(connection, numbers)
        if all(taken_out(number, name) for number, name in left):
            resolve_problem(connection, problem.key, "None of these files lies in quarantine any more.")
