"""What is called unusual: staged incidents are, ordinary files of many kinds of feeds are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.feeds.profile import Profile
from ecom_platform.feeds.usual.file_figures import HISTORY, LEAST_HISTORY, FileFigures
from ecom_platform.feeds.usual.judgement import unusual

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday


@dataclass(frozen=True)
class Kind:
    """A kind of feed. ``noise`` is what its sizes vary (as a logarithm), ``wander`` what its shares vary
    beyond sampling (relative to each), ``every`` how far apart its files are."""

    rows: int
    noise: float = 0.06
    wander: float = 0.06
    every: timedelta = timedelta(days=1)
    hour: float = 6.0
    weekend: float = 1.0
    day: float = 0.0
    night: float = 1.0
    growth: float = 0.0
    late: float = 0.02
    minutes: float = 15.0


# Of 1,000 to 100,000 rows; daily, weekly, hourly; steady, growing, quiet at weekends or at night.
KINDS = [
    Kind(1_000),
    Kind(10_000, weekend=0.4),
    Kind(100_000, noise=0.1),
    Kind(5_000, growth=0.01),
    Kind(30_000, weekend=1.8, late=0.1),
    Kind(2_000, noise=0.3, wander=0.2),
    Kind(20_000, every=timedelta(days=7), noise=0.12),
    Kind(3_000, every=timedelta(hours=1), day=0.8, minutes=3),
    Kind(1_000, every=timedelta(minutes=20), noise=0.15, minutes=2),
    Kind(50_000, every=timedelta(hours=12), noise=0.05, wander=0.02),
    Kind(1_000, noise=0.0, wander=0.0),
]

NULLS = {"brand": 0.3, "coupon": 0.001, "note": 0.02}
STATUS = {"paid": 0.62, "open": 0.25, "sent": 0.1, "lost": 0.03}
DEVICE = {"mobile": 0.5, "desktop": 0.45, "tablet": 0.05, "tv": 0.0}


def history(kind: Kind, count: int, random: np.random.Generator) -> list[FileFigures]:
    """So many ordinary files, one after the other."""
    return [_file(kind, number, random) for number in range(count)]


def _file(kind: Kind, number: int, random: np.random.Generator) -> FileFigures:
    at = BEGIN + timedelta(hours=kind.hour) + number * kind.every
    rows = kind.rows * np.exp(random.normal(0, kind.noise)) * (1 + kind.growth) ** number
    rows *= kind.weekend if at.weekday() >= 5 else 1
    rows *= 1 if 7 <= at.hour < 22 else kind.night
    rows *= 1 + kind.day * np.sin((at.hour - 9) / 24 * 2 * np.pi)
    at += timedelta(minutes=abs(random.normal(0, kind.minutes)))
    at += timedelta(hours=random.uniform(1, 2)) if random.random() < kind.late else timedelta()
    return drawn(f"{number}.csv", at, max(int(rows), 1), kind.wander, random)


def drawn(
    name: str,
    at: datetime,
    rows: int,
    wander: float,
    random: np.random.Generator,
    *,
    duplicates: float = 0.005,
    rejected: float = 0.002,
    nulls: dict[str, float] = NULLS,
    status: dict[str, float] = STATUS,
    device: dict[str, float] = DEVICE,
) -> FileFigures:
    """A file whose rows are drawn with these shares, each of which wanders a little."""

    def share(usual: float) -> float:
        return min(usual * float(np.exp(random.normal(0, wander))), 1.0)

    def split(shares: dict[str, float], among: int) -> Counter[str]:
        wandering = np.array([share(value) for value in shares.values()])
        counts = random.multinomial(among, wandering / wandering.sum())
        return Counter({k: int(n) for k, n in zip(shares, counts, strict=True) if n})

    bad = int(random.binomial(rows, share(rejected)))
    good = rows - bad
    profile = Profile(
        good,
        Counter({column: int(random.binomial(good, share(usual))) for column, usual in nulls.items()}),
        {"status": split(status, good), "device": split(device, good)},
    )
    return FileFigures(name, at, rows, int(random.binomial(good, share(duplicates))), bad, True, profile)


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 9), marks=pytest.mark.long)])
def test_ordinary_files_are_not_unusual(seeds: range) -> None:
    """At most one of a thousand, over all kinds of feeds."""
    judged, found = 0, []
    for seed in seeds:
        for kind in KINDS:
            files = history(kind, 500, np.random.default_rng(seed))
            for number in range(LEAST_HISTORY, len(files)):
                judged += 1
                said = unusual(files[number], files[max(number - HISTORY, 0) : number])
                found += [(kind, one) for one in said]
    assert judged > 5_000 * len(seeds)
    assert len(found) <= judged / 1000, found


# Files of every few hours: the twenty before one have not seen the last weekend, nor perhaps the night.
RHYTHMS = {
    "hourly, quiet at weekends": Kind(3_000, every=timedelta(hours=1), weekend=0.4, minutes=3),
    "hourly, of days and weekends": Kind(3_000, every=timedelta(hours=1), weekend=0.6, day=0.5, minutes=3),
    "hourly, busy at weekends": Kind(10_000, every=timedelta(hours=1), weekend=1.3, minutes=3),
    "every two hours": Kind(10_000, every=timedelta(hours=2), weekend=0.5, day=0.8, minutes=3),
    "every six hours": Kind(10_000, every=timedelta(hours=6), weekend=0.5, day=0.5, minutes=3),
    "asleep at night": Kind(5_000, every=timedelta(hours=1), weekend=0.5, night=0.05, minutes=1),
}


def around(files: list[FileFigures], number: int) -> Callable[[datetime], list[FileFigures]]:
    """Those of the files before this one that landed nearest to a moment, as the database finds them."""
    span = files[number].landed_at - files[max(number - HISTORY, 0)].landed_at
    reach = max(span, timedelta(hours=6))

    def find(moment: datetime) -> list[FileFigures]:
        near = [one for one in files[:number] if abs(one.landed_at - moment) <= reach]
        return sorted(
            sorted(near, key=lambda one: abs(one.landed_at - moment))[:HISTORY],
            key=lambda one: one.landed_at,
        )

    return find


@pytest.mark.parametrize("rhythm", RHYTHMS)
@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 4), marks=pytest.mark.long)])
def test_a_rhythm_that_the_last_files_have_not_seen_is_ordinary(rhythm: str, seeds: range) -> None:
    judged, found = 0, []
    for seed in seeds:
        files = history(RHYTHMS[rhythm], 1_000, np.random.default_rng(seed))
        for number in range(LEAST_HISTORY, len(files)):
            judged += 1
            before = files[max(number - HISTORY, 0) : number]
            found += unusual(files[number], before, around(files, number))
    assert len(found) <= judged / 1000, found


def test_what_is_said() -> None:
    random = np.random.default_rng(1)
    before = history(DAILY, HISTORY, random)
    last = _file(DAILY, HISTORY, random)
    empty = drawn("x.csv", last.landed_at + timedelta(hours=7), 100, 0, random, nulls={"brand": 1.0})
    rows, null, hour = unusual(empty, before)
    assert rows.startswith("100 rows, usually ")
    assert null.startswith("brand is null always, usually 2")
    assert hour.startswith("it landed at 13:") and " UTC, usually 06:0" in hour


def test_few_files_say_nothing() -> None:
    random = np.random.default_rng(1)
    before = history(DAILY, LEAST_HISTORY - 1, random)
    assert unusual(rows_times(100)(_file(DAILY, 7, random), random), before) == []


def test_pieces_of_one_delivery_are_not_judged_by_their_size() -> None:
    random = np.random.default_rng(1)
    before = [replace(file, alone=False) for file in history(DAILY, HISTORY, random)]
    last = replace(rows_times(0.3)(_file(DAILY, HISTORY, random), random), alone=False)
    assert unusual(last, before) == []


def test_columns_that_are_new_or_gone_are_no_concern() -> None:
    random = np.random.default_rng(1)
    *before, last = history(DAILY, HISTORY + 1, random)
    other = drawn("x.csv", last.landed_at, last.rows, 0, random, nulls={"colour": 1.0})
    assert unusual(other, before) == []
    assert unusual(last, [replace(file, profile=None) for file in before]) == []


# -- incidents -----------------------------------------------------------------------------------

Incident = Callable[[FileFigures, np.random.Generator], FileFigures]


def redrawn(**shares: object) -> Incident:
    def change(file: FileFigures, random: np.random.Generator) -> FileFigures:
        return drawn(file.name, file.landed_at, file.rows, 0.06, random, **shares)  # type: ignore[arg-type]

    return change


def rows_times(factor: float) -> Incident:
    def change(file: FileFigures, random: np.random.Generator) -> FileFigures:
        return drawn(file.name, file.landed_at, max(int(file.rows * factor), 1), 0.06, random)

    return change


def later(hours: float) -> Incident:
    return lambda file, random: replace(file, landed_at=file.landed_at + timedelta(hours=hours))


def of_a_workday(file: FileFigures, random: np.random.Generator) -> FileFigures:
    return drawn(file.name, file.landed_at, 10_000, 0.06, random)


DAILY, QUIET_WEEKENDS = KINDS[0], KINDS[1]
INCIDENTS: dict[str, tuple[Kind, Incident, str]] = {
    "half the rows": (DAILY, rows_times(0.5), "rows, usually"),
    "double the rows": (DAILY, rows_times(2), "rows, usually"),
    "ten times the rows": (KINDS[2], rows_times(10), "rows, usually"),
    "a tenth of the rows": (KINDS[5], rows_times(0.1), "rows, usually"),
    "cut off after a few rows": (KINDS[3], rows_times(0.001), "rows, usually"),
    "a third of a week's rows": (KINDS[6], rows_times(0.33), "rows, usually"),
    "a workday's rows on a Sunday": (QUIET_WEEKENDS, of_a_workday, "rows, usually"),
    "every row is known": (DAILY, redrawn(duplicates=1.0), "duplicates "),
    "ten times the duplicates": (QUIET_WEEKENDS, redrawn(duplicates=0.05), "duplicates in "),
    "a tenth of the rows is refused": (DAILY, redrawn(rejected=0.1), "rejected in "),
    "a column without a value": (DAILY, redrawn(nulls=NULLS | {"note": 1.0}), "note is null "),
    "a tenth without a value that hardly ever lacked": (
        DAILY,
        redrawn(nulls=NULLS | {"coupon": 0.1}),
        "coupon is null in ",
    ),
    "no nulls any more": (DAILY, redrawn(nulls=NULLS | {"brand": 0.0}), "brand is null never"),
    "half of the nulls": (KINDS[2], redrawn(nulls=NULLS | {"brand": 0.15}), "brand is null in "),
    "a value vanishes": (
        QUIET_WEEKENDS,
        redrawn(status=STATUS | {"sent": 0.0}),
        "status is 'sent' never",
    ),
    "one value for all": (DAILY, redrawn(status={"paid": 1.0}), "status is 'paid' "),
    "two values changed places": (
        DAILY,
        redrawn(status=STATUS | {"paid": 0.25, "open": 0.62}),
        "status is 'open' in ",
    ),
    "a value that never was": (QUIET_WEEKENDS, redrawn(device=DEVICE | {"tv": 0.05}), "device is 'tv' in "),
    "a rare value is common": (DAILY, redrawn(status=STATUS | {"lost": 0.3}), "status is 'lost' in "),
    "six hours late": (DAILY, later(6), "it landed at 1"),
    "in the night": (KINDS[2], later(20), "it landed at 0"),
    "before the day": (QUIET_WEEKENDS, later(-5), "it landed at 0"),
    "half the rows of a quarter of a day": (KINDS[9], rows_times(0.5), "rows, usually"),
}


@pytest.mark.parametrize("incident", INCIDENTS)
def test_an_incident_is_found(incident: str) -> None:
    """In 95 of 100 histories at least, whichever they are."""
    kind, happens, said = INCIDENTS[incident]
    found = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        *before, last = history(kind, HISTORY + 1 + (6 if "Sunday" in incident else 0), random)
        found += any(said in one for one in unusual(happens(last, random), before))
    assert found >= 38


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("cut off after a few rows", "half the rows"),
        ("half the rows", "half the rows"),
        ("ten times the rows", "double the rows"),
        ("a column without a value", "a column without a value"),
        ("every row is known", "ten times the duplicates"),
        ("a value vanishes", "a value vanishes"),
        ("two values changed places", "two values changed places"),
        ("six hours late", "six hours late"),
    ],
)
def test_an_incident_does_not_hide_the_next(first: str, second: str) -> None:
    """Four files later, in 28 of 30 histories at least."""
    kind, happens, said = INCIDENTS[second]
    found = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        *before, last = history(kind, HISTORY + 1, random)
        before[-4] = INCIDENTS[first][1](before[-4], random)
        found += any(said in one for one in unusual(happens(last, random), before))
    assert found >= 28


@given(st.lists(st.integers(0, 1_439), min_size=8, max_size=20), st.integers(0, 1_439))
def test_the_clock_is_a_circle(minutes: list[int], minute: int) -> None:
    """Where midnight is changes nothing, and an hour that files came at again and again is ordinary."""

    def landed(day: int, minute: int) -> FileFigures:
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day, minutes=minute % 1_440)
        return FileFigures("x.csv", at, 1_000, 0, 0)

    def is_unusual(minute: int, turned: int = 0) -> bool:
        before = [landed(day, one + turned) for day, one in enumerate(minutes)]
        return bool(unusual(landed(len(minutes), minute + turned), before))

    assert is_unusual(minute) == is_unusual(minute, 60) == is_unusual(minute, 720)
    for usual in {one for one in minutes if minutes.count(one) > len(minutes) // 10}:
        assert not is_unusual(usual)
