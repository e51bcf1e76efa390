"""The figures of a file that are compared, and with how many others.

Belongs here: what is known of one loaded file, and what all comparisons share. Does not belong here: the
comparisons (``sizes``, ``shares``, ``hours``), or counting what rows are like (``feeds.profile``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ecom_platform.feeds.profile import Profile

# So many files before a file are what it is compared with, and fewer than that say nothing.
HISTORY, LEAST_HISTORY = 20, 8
# Files that land within so much of each other are pieces of one delivery: their sizes are how it was cut.
TOGETHER = timedelta(minutes=1)
# Of so many files one is left out that is unlike all others: an incident that was named already, and that
# would hide the next. Where more of them are so, that is how files are.
_ONE_LEFT_OUT_OF = 10


@dataclass(frozen=True, slots=True)
class FileFigures:
    """What is known of one loaded file. ``landed_at`` is an aware time; ``alone``: no other file of the feed
    landed within ``TOGETHER`` of it."""

    name: str
    landed_at: datetime
    rows: int
    duplicates: int
    rejected: int
    alone: bool = True
    profile: Profile | None = None


def most_left_out(files: int) -> int:
    """How many of so many files may be left out."""
    return files // _ONE_LEFT_OUT_OF


def has_to_stay(file: FileFigures, history: Sequence[FileFigures]) -> npt.NDArray[np.bool_]:
    """Which files are never left out, however unlike the others they are.

    Where the history goes back further than a week, those of the file's own weekday: what Sundays are like is
    known from two of twenty files.
    """
    if file.landed_at - min(one.landed_at for one in history) < timedelta(days=7):
        return np.zeros(len(history), bool)
    day = file.landed_at.astimezone(UTC).weekday()
    return np.array([one.landed_at.astimezone(UTC).weekday() == day for one in history])


@lru_cache(maxsize=4096)
def student_quantile(odds: float, freedom: int) -> float:
    """What Student's t with so many degrees of freedom exceeds with these odds, by Fisher's expansion
    (Abramowitz and Stegun, 26.7.5)."""
    z = NormalDist().inv_cdf(1 - odds)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))


def between(least: str, most: str) -> str:
    """What was usual, in words."""
    return least if least == most else f"{least} to {most}"
