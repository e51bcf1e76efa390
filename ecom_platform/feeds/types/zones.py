"""Local times of a time zone, all at once.

Belongs here: which instant a local time is, and where there is none or there are two. Does not belong here:
reading times (``times``).

The rules of zones are those that ``zoneinfo`` has: of the system, else of the package tzdata.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from ecom_platform.feeds.places import Array

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400_000_000
FIRST_YEAR, LAST_YEAR = 1900, 2199


class Zone:
    """A time zone by its IANA name."""

    def __init__(self, name: str) -> None:
        self.info = ZoneInfo(name)
        self.fixed = name == "UTC"

    def instants(self, local: Array, fold: str | None) -> tuple[Array, Array]:
        """Microseconds since 1970 of local ones, and which of these are exactly one instant (or the one that
        ``fold`` names)."""
        if self.fixed or not len(local):
            return local, np.ones(len(local), dtype=np.bool_)
        years = _years(local)
        begins, offsets = _segments(self.info.key, *years)
        local_begins = begins + offsets
        at = np.clip(np.searchsorted(local_begins, local, side="right") - 1, 0, None)
        # The end of a segment by its own clock: beyond it, and before the next, there is no such time.
        ends = np.append(begins[1:], np.iinfo(np.int64).max // 2) + offsets
        right = local < ends[at]
        earlier = np.clip(at - 1, 0, None)
        twice = (at > 0) & (local < ends[earlier])
        if fold is None:
            right &= ~twice
        elif fold == "first":
            at = np.where(twice, earlier, at)
        return local - offsets[at], right


@lru_cache(maxsize=32)
def zone(name: str) -> Zone:
    """The zone of this name. Raises :class:`zoneinfo.ZoneInfoNotFoundError` or ValueError."""
    return Zone(name)


def _years(local: Array) -> tuple[int, int]:
    """The first and the last year, with one more at each end."""
    year_us = 365.2425 * _DAY_US
    low, high = int(local.min() // year_us) + 1969, int(local.max() // year_us) + 1972
    return max(low, FIRST_YEAR), min(max(high, low), LAST_YEAR + 1)


@lru_cache(maxsize=256)
def _segments(name: str, first_year: int, last_year: int) -> tuple[Array, Array]:
    """The moments from which an offset holds, and the offsets, both in microseconds."""
    info = ZoneInfo(name)
    moment = datetime(first_year, 1, 1, tzinfo=UTC)
    end = datetime(last_year + 1, 1, 1, tzinfo=UTC)
    begins, offsets = [_microseconds(moment)], [_offset(moment, info)]
    while moment < end:
        after = moment + timedelta(days=1)
        if _offset(after, info) != offsets[-1]:
            change = _change(moment, after, info)
            begins.append(_microseconds(change))
            offsets.append(_offset(change, info))
        moment = after
    return np.array(begins, dtype=np.int64), np.array(offsets, dtype=np.int64)


def _change(before: datetime, after: datetime, info: ZoneInfo) -> datetime:
    """The second from which the later offset holds."""
    wanted = _offset(after, info)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if _offset(middle, info) == wanted:
            after = middle
        else:
            before = middle
    return after


def _offset(moment: datetime, info: ZoneInfo) -> int:
    offset = moment.astimezone(info).utcoffset()
    return 0 if offset is None else offset // timedelta(microseconds=1)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
