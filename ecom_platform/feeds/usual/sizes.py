"""Whether the number of a file's rows is unlike those before it.

Belongs here: the comparison of sizes. Does not belong here: which files are compared (``judgement``).

Sizes are compared as logarithms, by weekday, by workday and weekend, or all alike: whichever predicts each
file of the history best from the others. The prediction is Student's interval about the mean of the group,
with the spread of all groups together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from ecom_platform.feeds.usual.file_figures import (
    LEAST_HISTORY,
    FileFigures,
    between,
    has_to_stay,
    most_left_out,
    student_quantile,
)

# How often an ordinary file may be called unusual because of its rows.
_ODDS = 1e-4
# Rows of ordinary feeds vary at least so much (as a logarithm), whatever a short history says.
_LEAST_SPREAD = 0.03
# A size is left out of the history if it is so many spreads from the middle of its group, and by this factor.
_OUTLYING, _OUTLYING_FACTOR = 6.0, 1.5
_LEAST_GROUP = 3

_Numbers = npt.NDArray[np.float64]
_Marks = npt.NDArray[np.bool_]
_Group = Callable[[datetime], int]
_GROUPS: tuple[tuple[_Group, str], ...] = (
    (lambda _: 0, ""),
    (lambda at: at.astimezone(UTC).weekday() // 5, " on such a day"),
    (lambda at: at.astimezone(UTC).weekday(), " on that weekday"),
)


def unlike_size(file: FileFigures, history: Sequence[FileFigures], factor: float) -> dict[str, str]:
    """``{"rows": sentence}`` if the file is larger or smaller than any before it by ``factor``, and than what
    they predict. Pieces of a delivery are not compared."""
    others = [one for one in history if one.alone]
    if not file.alone or len(others) < LEAST_HISTORY:
        return {}
    sizes, size = np.log([one.rows + 1 for one in others]), math.log(file.rows + 1)
    near, stay = math.log(factor), has_to_stay(file, others)
    if stay.any() and sizes[stay].min() - near <= size <= sizes[stay].max() + near:
        return {}  # these are in any group that follows
    group, when = min(
        _GROUPS, key=lambda way: _left_unexplained(sizes, np.array([way[0](o.landed_at) for o in others]))
    )
    groups = np.array([group(one.landed_at) for one in others])
    if (groups == group(file.landed_at)).sum() < 2:
        group, when = _GROUPS[0]
        groups = np.zeros(len(others), int)
    kept = _ordinary(sizes, groups, stay)
    sizes, groups = sizes[kept], groups[kept]
    usual = sizes[groups == group(file.landed_at)]
    if usual.min() - near <= size <= usual.max() + near:
        return {}
    freedom = len(sizes) - len(set(groups))
    spread = max(math.sqrt(_residues(sizes, groups) / freedom), _LEAST_SPREAD)
    reach = spread * math.sqrt(1 + 1 / len(usual)) * student_quantile(_ODDS / 2, freedom)
    if abs(size - usual.mean()) <= reach:
        return {}
    least, most = (f"{round(math.exp(value)) - 1:,}" for value in (usual.min(), usual.max()))
    return {"rows": f"{file.rows:,} rows, usually {between(least, most)}{when}"}


def _residues(sizes: _Numbers, groups: npt.NDArray[np.int64]) -> float:
    """The sum of squares that the means of groups leave."""
    parts = (sizes[groups == kind] for kind in set(groups.tolist()))
    return float(sum(((part - part.mean()) ** 2).sum() for part in parts))


def _left_unexplained(sizes: _Numbers, groups: npt.NDArray[np.int64]) -> float:
    """How far each size is from the median of the others of its group, in all."""
    found = 0.0
    for kind in set(groups.tolist()):
        part = np.sort(sizes[groups == kind])
        if len(part) < 2:
            return math.inf
        place = np.arange(len(part))
        low, high = (len(part) - 2) // 2, (len(part) - 1) // 2
        # Of what is left without one, the middle lies one further if that one was below it.
        middle = (part[low + (place <= low)] + part[high + (place <= high)]) / 2
        found += float(np.abs(part - middle).sum())
    return found


def _ordinary(sizes: _Numbers, groups: npt.NDArray[np.int64], stay: _Marks) -> _Marks:
    """Which sizes are not to be left out as unlike all others."""
    away = np.zeros(len(sizes))
    for kind in set(groups.tolist()):
        part = groups == kind
        if part.sum() >= _LEAST_GROUP:
            away[part] = np.abs(sizes[part] - np.median(sizes[part]))
    # Of a normal distribution, the median of distances from the middle is 0.6745 standard deviations.
    spread = max(float(np.median(away)) / 0.6745, _LEAST_SPREAD)
    outlying = (away > max(_OUTLYING * spread, math.log(_OUTLYING_FACTOR))) & ~stay
    few = outlying.sum() <= most_left_out(len(sizes))
    return np.asarray(~outlying if few else np.ones(len(sizes), bool))
