"""How long loaded files stay in the archive.

Belongs here: deleting whole days of the archive that are past their time. Does not belong here: the
ledger, whose rows stay: what was loaded remains known after its file is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.kept_names import is_day


def expired_days(days: Iterable[str], today: date, keep_days: int) -> list[str]:
    """Those days of the archive, ``YYYY-MM-DD``, that are older than ``keep_days``, oldest first."""
    oldest = (today - timedelta(days=keep_days)).isoformat()
    return sorted(day for day in days if is_day(day) and day < oldest)


def delete_expired(zone: LandingZone | BucketZone, today: date, keep_days: int) -> list[str]:
    """Delete what is past its time; returns the days that went."""
    days = expired_days(zone.archived_on(), today, keep_days)
    for day in days:
        zone.delete_day(day)
    return days
