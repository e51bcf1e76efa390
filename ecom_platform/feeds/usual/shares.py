"""Whether a share of a file's rows is unlike those of the files before it.

Belongs here: which shares there are (duplicates, refused rows, nulls by column, listed values), and their
comparison. Does not belong here: counting them (``feeds.profile``).

Shares are compared as ``asin(sqrt(share))``, whose variance by sampling alone is ``1 / 4n`` (Anscombe, 1948);
what they vary more than that in the history is added. The prediction is Student's interval, as wide as the
number of shares asks for that are looked at together (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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

# How often an ordinary file may be called unusual because of any of its shares.
_ODDS = 1e-4
# A share that differs by fewer rows than this from what it ever was is nobody's concern.
_LEAST_ROWS = 10
# Of listed values only those are looked at that have such a share of the file or of the history.
_LEAST_SHARE = 0.01
# A share is left out of the history if it is so many standard deviations from the middle, and by so much.
_OUTLYING, _OUTLYING_DIFFERENCE = 6.0, 0.01

_Numbers = npt.NDArray[np.float64]
_Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Share:
    """So many of so many, in the file and in each one before it that has the figure."""

    name: str
    count: int
    of: int
    counts: list[int]
    ofs: list[int]
    stay: list[bool]


def unlike_shares(file: FileFigures, history: Sequence[FileFigures], difference: float) -> dict[str, str]:
    """A sentence for each share, by its name, that is larger or smaller than in any file before by
    ``difference``, and than what they predict."""
    shares = [share for share in _all_shares(file, history) if _says_something(share)]
    found: dict[str, str] = {}
    for number in sorted({len(share.ofs) for share in shares}):
        found |= _unlike([share for share in shares if len(share.ofs) == number], len(shares), difference)
    return found


def _all_shares(file: FileFigures, history: Sequence[FileFigures]) -> Iterator[_Share]:
    marks = has_to_stay(file, history).tolist()

    def of_rows(name: str, count: Callable[[FileFigures], int]) -> _Share:
        counts, ofs = [count(one) for one in history], [one.rows for one in history]
        return _Share(name, count(file), file.rows, counts, ofs, marks)

    yield of_rows("duplicates", lambda one: one.duplicates)
    yield of_rows("rejected", lambda one: one.rejected)
    profiles = [(one.profile, mark) for one, mark in zip(history, marks, strict=True) if one.profile]
    now = file.profile
    if now is None or len(profiles) < LEAST_HISTORY:
        return
    for column, count in now.nulls.items():
        known = [(p.nulls[column], p.rows, mark) for p, mark in profiles if column in p.nulls]
        counts, ofs, stay = (list(part) for part in zip(*known, strict=True)) if known else ([], [], [])
        yield _Share(f"{column} is null", count, now.rows, counts, ofs, stay)
    for column, values in now.values.items():
        earlier = [(p.values[column], mark) for p, mark in profiles if column in p.values]
        ofs, stay = [counted.total() for counted, _ in earlier], [mark for _, mark in earlier]
        of = values.total()
        for value in sorted({*values, *(value for counted, _ in earlier for value in counted)}):
            counts = [counted[value] for counted, _ in earlier]
            yield _Share(f"{column} is {value!r}", values[value], of, counts, ofs, stay)


def _says_something(share: _Share) -> bool:
    if share.of == 0 or len(share.ofs) < LEAST_HISTORY or min(share.ofs) == 0:
        return False
    return max(share.count / share.of, sum(share.counts) / sum(share.ofs)) >= _LEAST_SHARE


def _unlike(shares: list[_Share], of_all: int, difference: float) -> dict[str, str]:
    """Of shares that have histories of one length; ``of_all``: how many are asked about together."""
    shares = _out_of_the_middle(shares, difference)
    if not shares:
        return {}
    count, of = np.array([share.count for share in shares]), np.array([share.of for share in shares])
    counts, ofs = np.array([share.counts for share in shares]), np.array([share.ofs for share in shares])
    before, usual, by_sampling = counts / ofs, _stabilised(counts, ofs), 1 / (4 * ofs + 2)
    kept = _ordinary(before, usual, by_sampling, np.array([share.stay for share in shares]))
    new = count / of
    least, most = np.where(kept, before, np.inf).min(axis=1), np.where(kept, before, -np.inf).max(axis=1)
    away = np.maximum(least - new, new - most)
    worth_it = (away >= difference) & (away * of >= _LEAST_ROWS)
    if not worth_it.any():
        return {}
    number = kept.sum(axis=1)
    middle, sampling = (np.where(kept, what, 0).sum(axis=1) / number for what in (usual, by_sampling))
    varied = np.where(kept, (usual - middle[:, None]) ** 2, 0).sum(axis=1) / (number - 1)
    more = np.maximum(varied - sampling, 0)
    variance = more * (1 + 1 / number) + sampling / number + 1 / (4 * of + 2)
    quantile = np.array([student_quantile(_ODDS / of_all / 2, n - 1) for n in number.tolist()])
    worth_it &= abs(_stabilised(count, of) - middle) > quantile * np.sqrt(variance)
    return {
        shares[place].name: _sentence(shares[place].name, new[place], least[place], most[place])
        for place in np.flatnonzero(worth_it)
    }


def _out_of_the_middle(shares: list[_Share], difference: float) -> list[_Share]:
    """Those that differ enough from all but the largest and the smallest, which may be left out."""
    before = np.sort([np.divide(share.counts, share.ofs) for share in shares], axis=1)
    outer = most_left_out(before.shape[1])
    new = np.array([share.count / share.of for share in shares])
    out = (new <= before[:, outer] - difference) | (new >= before[:, -1 - outer] + difference)
    return [share for share, is_out in zip(shares, out.tolist(), strict=True) if is_out]


def _sentence(name: str, new: float, least: float, most: float) -> str:
    found = "never" if new == 0 else "always" if new == 1 else f"in {new:.1%} of the rows"
    return f"{name} {found}, usually {between(f'{least:.1%}', f'{most:.1%}')}"


def _stabilised(counts: npt.NDArray[np.int64], ofs: npt.NDArray[np.int64]) -> _Numbers:
    return np.asarray(np.arcsin(np.sqrt((counts + 0.375) / (ofs + 0.75))))


def _ordinary(before: _Numbers, usual: _Numbers, by_sampling: _Numbers, stay: _Marks) -> _Marks:
    """Which of each share's history are not to be left out as unlike all others."""
    away = np.abs(usual - np.median(usual, axis=1, keepdims=True))
    # Of a normal distribution, the median of distances from the middle is 0.6745 standard deviations.
    spread = np.median(away, axis=1, keepdims=True) / 0.6745
    difference = np.abs(before - np.median(before, axis=1, keepdims=True))
    outlying = (away > _OUTLYING * np.sqrt(spread**2 + by_sampling)) & (difference >= _OUTLYING_DIFFERENCE)
    outlying &= ~stay
    few = outlying.sum(axis=1, keepdims=True) <= most_left_out(before.shape[1])
    return np.asarray(~(outlying & few))
