"""The days that the sales figures can be counted anew by: from the first that has any.

Belongs here: remembering that day beside the other state, where it is known before there is a database to
ask, as when a code location is loaded. Does not belong here: counting (``rollups``).
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ecom_platform.shop.rollups import first_day
from ecom_platform.store.connection import Database

_FILE = "first_sales_day"
# As far as a first run of the generator reaches back, where no figures have been counted yet.
_UNKNOWN_DAYS = 90


def known_first_day(home: Path) -> date:
    """The first day with figures, as of the last time they were counted."""
    with suppress(OSError, ValueError):
        return date.fromisoformat((home / _FILE).read_text(encoding="ascii").strip())
    return datetime.now(UTC).date() - timedelta(days=_UNKNOWN_DAYS)


def remember_first_day(database: Database, home: Path) -> None:
    """Write the first day down, unless one before it is known: a run may have been launched for that."""
    first = first_day(database)
    target = home / _FILE
    if first is None or (target.exists() and known_first_day(home) <= first):
        return
    written = target.with_name(f"{_FILE}.new")
    written.write_text(f"{first.isoformat()}\n", encoding="ascii")
    written.replace(target)
