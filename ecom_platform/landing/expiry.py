"""How long loaded files stay in the archive.

Belongs here: deleting whole days of the archive that are past their time. Does not belong here: the
ledger, whose rows stay: what was loaded remains known after its file is gone.
"""

from __future__ import annotations

import shutil
from datetime import date, timedelta

from ecom_platform.landing.zone import LandingZone


def expired_days(days: list[str], today: date, keep_days: int) -> list[str]:
    """Those archive folders, named ``YYYY-MM-DD``, that are older than ``keep_days``."""
    oldest = (today - timedelta(days=keep_days)).isoformat()
    return sorted(day for day in days if len(day) == len(oldest) and day < oldest)


def delete_expired(zone: LandingZone, today: date, keep_days: int) -> list[str]:
    """Delete what is past its time; returns the days that went."""
    folders = zone.archive_days()
    days = set(expired_days([folder.name for folder in folders], today, keep_days))
    for folder in folders:
        if folder.name in days:
            shutil.rmtree(folder)
    return sorted(days)
