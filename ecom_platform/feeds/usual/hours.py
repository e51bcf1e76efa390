"""Whether a file landed at another time of day than those before it.

Belongs here: the comparison of hours, on the circle of the clock, in UTC. Does not belong here: whether a
file is missing, which is what ``freshness`` of a declaration says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from ecom_platform.feeds.usual.file_figures import (
    LEAST_HISTORY,
    TOGETHER,
    FileFigures,
    between,
    has_to_stay,
    most_left_out,
)

# Hours of arrival say something where all lie within so many hours; so much later or earlier is unusual.
_MOST_ARC, _LEAST_DELAY = 12.0, 3.0


def unlike_hour(file: FileFigures, history: Sequence[FileFigures]) -> dict[str, str]:
    """``{"hour": sentence}``, where files come at about the same hour of different days."""
    arrivals: list[FileFigures] = []
    for one in sorted(history, key=lambda one: one.landed_at):
        # Pieces of one delivery have arrived once.
        if not arrivals or one.landed_at - arrivals[-1].landed_at > TOGETHER:
            arrivals.append(one)
    if len({one.landed_at.date() for one in arrivals}) < LEAST_HISTORY:
        return {}
    hours, hour = np.array([_hours(one.landed_at) for one in arrivals]), _hours(file.landed_at)
    stay, apart = has_to_stay(file, arrivals), np.abs(hours - hour)
    if stay.any() and np.minimum(apart, 24 - apart)[stay].min() <= _LEAST_DELAY:
        return {}
    first, arc = _ordinary_arc(hours, stay)
    if arc > _MOST_ARC:
        return {}
    after = (hour - first) % 24
    away = min(after - arc, 24 - after)
    if away <= max(_LEAST_DELAY, arc):
        return {}
    usual = between(_clock(first), _clock((first + arc) % 24))
    return {"hour": f"it landed at {_clock(hour)} UTC, usually {usual}"}


def _hours(at: datetime) -> float:
    at = at.astimezone(UTC)
    return at.hour + at.minute / 60 + at.second / 3600


def _clock(hours: float) -> str:
    minutes = int(hours * 60) % (24 * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _ordinary_arc(hours: npt.NDArray[np.float64], stay: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Where the shortest stretch of the clock that has all of them begins, and how long it is; without a few
    of them where these are far from the others."""
    order = np.argsort(hours)
    ordered, stay = hours[order], stay[order]
    whole = _arc(ordered, stay, 0)
    most = _arc(ordered, stay, most_left_out(len(hours)))
    return most if whole[1] - most[1] > _LEAST_DELAY else whole


def _arc(ordered: npt.NDArray[np.float64], stay: npt.NDArray[np.bool_], without: int) -> tuple[float, float]:
    number = len(ordered)
    twice_round = np.concatenate([ordered, ordered + 24])
    lengths = twice_round[number - without - 1 : 2 * number - without - 1] - ordered
    for step in range(1, without + 1):  # those before where it begins are the ones left out
        lengths = np.where(np.roll(stay, step), np.inf, lengths)
    begin = int(np.argmin(lengths))
    return float(ordered[begin]), float(lengths[begin])
