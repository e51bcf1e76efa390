"""What is unusual about a file, held against those of its feed before it.

Belongs here: which files a file is held against, and how much has to differ. Does not belong here: the
comparisons (``sizes``, ``shares``, ``hours``), and where the figures come from (``store.usual_files``).

Each figure of a file (rows, shares, hour of arrival) is predicted from the same figure of up to ``HISTORY``
files before it, and is unusual where it lies outside a prediction interval of Student's t distribution, and
outside of everything that the history had, by an amount that somebody would want to know of. The intervals
are so wide that of a thousand ordinary files less than one is called unusual, however many columns there
are. Of a history's files, one in ten that is unlike all others is left out of it, so that an incident does
not hide the next one: a file that is how files are from now on is named twice more, and then no longer.

The twenty files before one that comes every hour have not seen the last weekend, nor perhaps the night. So
where they span less than a week, a file is also held against the files around the same time a day and a
week before, and is unusual only if it is unlike each of these. As long as the feed has no files of a week
before, only gross differences are told, and of sizes none on its first day.

What this does not see: a slow drift, since the history drifts with it; a change that is smaller than what
the feed varies by itself; anything about the first ``LEAST_HISTORY`` files; a second incident of the same
figure where the first was on the same weekday of a feed that comes daily; months and holidays, whose files
are named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ecom_platform.feeds.usual.file_figures import HISTORY, LEAST_HISTORY, FileFigures
from ecom_platform.feeds.usual.hours import unlike_hour
from ecom_platform.feeds.usual.shares import unlike_shares
from ecom_platform.feeds.usual.sizes import unlike_size

_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Concern:
    """What nobody would ask about: rows more or fewer than ever by less than ``factor``, a share that
    differs by less than ``difference`` from what it ever was."""

    factor: float
    difference: float


_ORDINARY, _GROSS = _Concern(1.2, 0.01), _Concern(3.0, 0.2)

# Up to ``HISTORY`` files that landed about then, all of them before the file asked about; oldest first.
Around = Callable[[datetime], Sequence[FileFigures]]


def unusual(
    file: FileFigures, before: Sequence[FileFigures], around: Around = lambda moment: ()
) -> list[str]:
    """What is unusual about a file, each as a sentence without its name; ``before``: older ones, oldest
    first. Nothing where there are too few of them."""
    history = list(before[-HISTORY:])
    if len(history) < LEAST_HISTORY:
        return []
    if file.landed_at - min(one.landed_at for one in history) >= _WEEK:
        found = _unlike(file, history, _ORDINARY)
    else:
        found = _unlike_at_any_time(file, history, around)
    return [*found.values(), *unlike_hour(file, history).values()]


def _unlike_at_any_time(file: FileFigures, history: list[FileFigures], around: Around) -> dict[str, str]:
    found = _unlike(file, history, _ORDINARY)
    if not found:
        return {}
    day, week = (list(around(file.landed_at - ago)) for ago in (_DAY, _WEEK))
    concern = _ORDINARY if len(week) >= LEAST_HISTORY else _GROSS
    if concern is _GROSS:
        found = _unlike(file, history, _GROSS)
        if len(day) < LEAST_HISTORY:
            found.pop("rows", None)
    for files in (day, week):
        if len(files) >= LEAST_HISTORY:
            alike = found.keys() - _unlike(file, files, concern)
            found = {figure: said for figure, said in found.items() if figure not in alike}
    return found


def _unlike(file: FileFigures, history: list[FileFigures], concern: _Concern) -> dict[str, str]:
    """By figure, what is said of it."""
    return unlike_size(file, history, concern.factor) | unlike_shares(file, history, concern.difference)
