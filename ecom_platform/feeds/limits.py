"""What a declaration says of a feed as a whole, as figures that checks compare with.

Belongs here: how long no file may come, and how many rows may be refused. Does not belong here: looking
(``store.audit``).
"""

from __future__ import annotations

from datetime import timedelta

from ecom_platform.feeds.feed import Feed


def freshness_window(feed: Feed) -> timedelta | None:
    """How long there may be no new file; ``None``: for as long as one likes."""
    if feed.freshness is None:
        return None
    number, unit = feed.freshness.split()
    return timedelta(**{f"{unit.removesuffix('s')}s": int(number)})


def reject_share(feed: Feed) -> float | None:
    """The share of rows, 0 to 1, of which more may not be refused; ``None``: not said."""
    if feed.reject_share is None:
        return None
    percent = feed.reject_share.endswith("%")
    return float(feed.reject_share.removesuffix("%")) / (100 if percent else 1)
