"""What is unusual about a file, held against those of its feed before it.

Belongs here: the judgement, from counts alone. Does not belong here: counting (``profile``), and which
files are asked about (``store.audit``).

Each figure of a file (rows, shares, hour of arrival) is predicted from the same figure of up to ``HISTORY``
files before it, and is unusual where it lies outside a prediction interval of Student's t distribution, and
outside of everything that the history had, by an amount that somebody would want to know of. Rows are
compared as logarithms, by weekday or by workday and weekend where that predicts the history better; shares as
``asin(sqrt(share))``, whose variance by sampling alone is ``1 / 4n`` (Anscombe, 1948), plus what they vary
more than that. The intervals are so wide that of a thousand ordinary files less than one is called unusual,
however many columns there are.

What this does not see: a slow drift, since the history drifts with it; a change that is smaller than what the
feed varies by itself; anything about the first ``LEAST_HISTORY`` files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import numpy as np

from ecom_platform.feeds.profile import Profile

# So many files before a file are what it is compared with, and fewer than that say nothing.
HISTORY, LEAST_HISTORY = 20, 8
# Files that land within so much of each other are pieces of one delivery: their sizes are how it was cut.
TOGETHER = timedelta(minutes=1)

# How often an ordinary file may be called unusual: because of its rows, and because of any of its shares.
_ODDS_OF_ROWS, _ODDS_OF_SHARES = 1e-4, 1e-4
# Numbers of rows that nobody would ask about: a fifth more than ever before, a fifth fewer.
_FACTOR = 1.2
# Rows of ordinary feeds vary at least so much (as a logarithm), whatever a short history says.
_LEAST_SPREAD = 0.03
# A share that differs by less than this from what it ever was is nobody's concern; nor are fewer rows.
_LEAST_DIFFERENCE, _LEAST_ROWS = 0.01, 10
# Of listed values only those are looked at that have such a share of the file or of the history.
_LEAST_SHARE = 0.01
# Hours of arrival say something where all lie within so many hours; so much later or earlier is unusual.
_MOST_ARC, _LEAST_DELAY = 12.0, 3.0


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


def unusual(file: FileFigures, before: Sequence[FileFigures]) -> list[str]:
    """What is unusual about a file, each as a sentence without its name; ``before``: older ones, oldest
    first. Nothing where there are too few of them."""
    history = list(before[-HISTORY:])
    if len(history) < LEAST_HISTORY:
        return []
    return [*_rows(file, history), *_shares(file, history), *_hour(file, history)]


# -- rows ----------------------------------------------------------------------------------------

_Group = Callable[[datetime], int]
_GROUPS: tuple[tuple[_Group, str], ...] = (
    (lambda _: 0, ""),
    (lambda at: at.astimezone(UTC).weekday() // 5, " on such a day"),
    (lambda at: at.astimezone(UTC).weekday(), " on that weekday"),
)


def _rows(file: FileFigures, history: list[FileFigures]) -> Iterator[str]:
    others = [one for one in history if one.alone]
    if not file.alone or len(others) < LEAST_HISTORY:
        return
    sizes = np.log([one.rows + 1 for one in others])
    group, when = min(
        _GROUPS, key=lambda way: _left_unexplained(sizes, [way[0](o.landed_at) for o in others])
    )
    groups = np.array([group(one.landed_at) for one in others])
    same = groups == group(file.landed_at)
    if same.sum() < 2:
        group, when = _GROUPS[0]
        groups, same = np.zeros(len(others), int), np.ones(len(others), bool)
    freedom = len(others) - len(set(groups))
    spread = max(math.sqrt(_residues(sizes, groups) / freedom), _LEAST_SPREAD)
    size, usual = math.log(file.rows + 1), sizes[same]
    reach = spread * math.sqrt(1 + 1 / same.sum()) * _quantile(_ODDS_OF_ROWS / 2, freedom)
    near = math.log(_FACTOR)
    if abs(size - usual.mean()) > reach and not usual.min() - near <= size <= usual.max() + near:
        least, most = (round(math.exp(value)) - 1 for value in (usual.min(), usual.max()))
        yield f"{file.rows:,} rows, usually {_between(f'{least:,}', f'{most:,}')}{when}"


def _residues(sizes: np.ndarray, groups: np.ndarray) -> float:
    """The sum of squares that the means of groups leave."""
    return float(
        sum(((part - part.mean()) ** 2).sum() for g in set(groups) if len(part := sizes[groups == g]))
    )


def _left_unexplained(sizes: np.ndarray, groups: list[int]) -> float:
    """How badly the means of groups predict each value that is left out of them: its mean square."""
    found = 0.0
    kinds = np.array(groups)
    for kind in set(groups):
        part = sizes[kinds == kind]
        if len(part) < 2:
            return math.inf
        found += float((((part - part.mean()) * len(part) / (len(part) - 1)) ** 2).sum())
    return found


# -- shares --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Share:
    """So many of so many, in the file and in each one before it."""

    name: str
    count: int
    of: int
    counts: list[int]
    ofs: list[int]


def _shares(file: FileFigures, history: list[FileFigures]) -> Iterator[str]:
    shares = [share for share in _all_shares(file, history) if _says_something(share)]
    for number in sorted({len(share.ofs) for share in shares}):
        yield from _judged([share for share in shares if len(share.ofs) == number], len(shares))


def _all_shares(file: FileFigures, history: list[FileFigures]) -> Iterator[_Share]:
    def of_rows(name: str, count: Callable[[FileFigures], int]) -> _Share:
        return _Share(name, count(file), file.rows, [count(o) for o in history], [o.rows for o in history])

    yield of_rows("duplicates", lambda one: one.duplicates)
    yield of_rows("rejected", lambda one: one.rejected)
    profiles = [one.profile for one in history if one.profile is not None]
    if file.profile is None or len(profiles) < LEAST_HISTORY:
        return
    now = file.profile
    for column in now.nulls:
        counts = [profile.nulls[column] for profile in profiles if column in profile.nulls]
        ofs = [profile.rows for profile in profiles if column in profile.nulls]
        yield _Share(f"{column} is null", now.nulls[column], now.rows, counts, ofs)
    for column, values in now.values.items():
        earlier = [profile.values[column] for profile in profiles if column in profile.values]
        ofs = [counted.total() for counted in earlier]
        for value in sorted({*values, *(value for counted in earlier for value in counted)}):
            counts = [counted[value] for counted in earlier]
            yield _Share(f"{column} is {value!r}", values[value], values.total(), counts, ofs)


def _says_something(share: _Share) -> bool:
    whole, part = sum(share.ofs), sum(share.counts)
    if share.of == 0 or len(share.ofs) < LEAST_HISTORY or min(share.ofs) == 0:
        return False
    return max(share.count / share.of, part / whole) >= _LEAST_SHARE


def _judged(shares: list[_Share], of_all: int) -> Iterator[str]:
    """Of shares that have histories of one length; ``of_all``: how many are asked about together."""
    count, of = (
        np.array(given) for given in zip(*((share.count, share.of) for share in shares), strict=True)
    )
    counts, ofs = np.array([share.counts for share in shares]), np.array([share.ofs for share in shares])
    usual, by_sampling, number = _stabilised(counts, ofs), (1 / (4 * ofs + 2)).mean(axis=1), ofs.shape[1]
    more = np.maximum(usual.var(axis=1, ddof=1) - by_sampling, 0)
    variance = more * (1 + 1 / number) + by_sampling / number + 1 / (4 * of + 2)
    reach = _quantile(_ODDS_OF_SHARES / of_all / 2, number - 1) * np.sqrt(variance)
    new, least, most = count / of, (counts / ofs).min(axis=1), (counts / ofs).max(axis=1)
    away = np.maximum(least - new, new - most)
    is_unusual = abs(_stabilised(count, of) - usual.mean(axis=1)) > reach
    is_unusual &= (away >= _LEAST_DIFFERENCE) & (away * of >= _LEAST_ROWS)
    for place in np.flatnonzero(is_unusual):
        share, ever = shares[place], new[place]
        found = "never" if ever == 0 else "always" if ever == 1 else f"in {ever:.1%} of the rows"
        yield f"{share.name} {found}, usually {_between(f'{least[place]:.1%}', f'{most[place]:.1%}')}"


def _stabilised(counts: np.ndarray, ofs: np.ndarray) -> np.ndarray:
    return np.arcsin(np.sqrt((counts + 0.375) / (ofs + 0.75)))


# -- the hour ------------------------------------------------------------------------------------


def _hour(file: FileFigures, history: list[FileFigures]) -> Iterator[str]:
    """Where files come at about the same hour of different days."""
    arrivals: list[datetime] = []
    for one in sorted(one.landed_at for one in history):
        if not arrivals or one - arrivals[-1] > TOGETHER:
            arrivals.append(one)
    if len({at.date() for at in arrivals}) < LEAST_HISTORY:
        return
    first, arc = _arc([_hours(at) for at in arrivals])
    if arc > _MOST_ARC:
        return
    after = (_hours(file.landed_at) - first) % 24
    away = min(after - arc, 24 - after)
    if away > max(_LEAST_DELAY, arc):
        last = (first + arc) % 24
        usual = _between(_clock(first), _clock(last))
        yield f"it landed at {_clock(_hours(file.landed_at))} UTC, usually {usual}"


def _hours(at: datetime) -> float:
    at = at.astimezone(UTC)
    return at.hour + at.minute / 60 + at.second / 3600


def _clock(hours: float) -> str:
    minutes = int(hours * 60) % (24 * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _arc(hours: list[float]) -> tuple[float, float]:
    """Where the shortest stretch of the clock that has all of them begins, and how long it is."""
    ordered = sorted(hours)
    gaps = [after - before for before, after in zip(ordered, [*ordered[1:], ordered[0] + 24], strict=True)]
    longest = max(range(len(gaps)), key=gaps.__getitem__)
    return ordered[(longest + 1) % len(ordered)], 24 - gaps[longest]


# -- words and figures ---------------------------------------------------------------------------


def _between(least: str, most: str) -> str:
    return least if least == most else f"{least} to {most}"


def _quantile(odds: float, freedom: int) -> float:
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
