"""Quarantined files that land again, since a header that did not fit does by now.

Belongs here: for which reasons a file is looked at again, and the end of the alert that spoke of it. Does not
belong here: letting it land (``folder.former_quarantine``, ``bucket.object_returning``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ecom_platform.alerts.outbox import DEFAULT_SOURCE, resolve_problem
from ecom_platform.alerts.problem import Kind
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.unreadable import FileReason
from ecom_platform.store import alerts
from ecom_platform.store.connection import Connection

HEADER_REASONS = (FileReason.WRONG_HEADER, FileReason.NOT_UTF8_HEADER)


def close_alerts(connection: Connection, taken_out: Callable[[int, str], bool], feed: str = TOP_FEED) -> None:
    """Those about files none of which lies in quarantine any more."""
    for problem in alerts.open_problems(connection, DEFAULT_SOURCE, Kind.FILE_QUARANTINED, feed):
        numbers: Collection[int] = problem.details.get("file_ids", ())
        if problem.details.get("files_in_all", len(numbers)) > len(numbers):
            continue
        left = alerts.not_loaded_since(connection, numbers)
        if all(taken_out(number, name) for number, name in left):
            resolve_problem(connection, problem.key, "None of these files lies in quarantine any more.")
