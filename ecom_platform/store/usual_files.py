"""Whether the newest files of a feed are like those before them.

Belongs here: which files are compared with which, and the finding. Does not belong here: the judgement
(``feeds.usual``), or counting what rows are like (``feeds.profile``, in the transaction that loads them).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from ecom_platform.feeds.profile import Profile
from ecom_platform.feeds.usual.file_figures import HISTORY, LEAST_HISTORY, TOGETHER, FileFigures
from ecom_platform.feeds.usual.judgement import unusual
from ecom_platform.store.audit import Finding, named
from ecom_platform.store.connection import Connection
from ecom_platform.store.statements import queries

CHECK = "nothing_unusual"
# Of a run's files the newest are judged; a hundred say what a thousand would.
_JUDGED = 100
# How far from a moment files are looked for that landed about then, at least: the twenty before a file may be
# pieces of one delivery.
_LEAST_REACH = timedelta(hours=6)


def nothing_unusual(connection: Connection, feed: str) -> Finding:
    """Of the files of the feed's newest run, none is unlike the ``HISTORY`` files before it."""
    newest_first = list(queries("checks").files_to_compare(connection, feed=feed, files=_JUDGED + HISTORY))
    rows = newest_first[::-1]
    files = _figures(rows)
    found: list[tuple[str, str]] = []
    judged = 0
    for place, file in enumerate(files):
        before = files[max(place - HISTORY, 0) : place]
        if not rows[place][-1] or len(before) < LEAST_HISTORY or place < len(files) - _JUDGED:
            continue
        judged += 1
        around = _Around(connection, feed, rows[place][0], file.landed_at - before[0].landed_at)
        said = unusual(file, before, around)
        if said:
            found.append((file.name, "; ".join(said)))
    return Finding(
        CHECK,
        not found,
        f"files like the {HISTORY} before each",
        f"{found[0][0]}: {found[0][1]}" + (f", and {len(found) - 1} more" if len(found) > 1 else "")
        if found
        else f"{judged} files like those before them"
        if judged
        else f"no new file that has {LEAST_HISTORY} before it",
        "Nothing about a file is what it never was before.",
        {"files_compared": judged, **named(found)},
    )


class _Around:
    """The files of ``feed`` that landed about a moment, of those before a file; ``span``: how far the
    ``HISTORY`` files before it go back, so that these cover as much."""

    def __init__(self, connection: Connection, feed: str, file_id: int, span: timedelta) -> None:
        self._connection, self._feed, self._file_id = connection, feed, file_id
        self._reach = max(span, _LEAST_REACH)

    def __call__(self, moment: datetime) -> list[FileFigures]:
        rows = queries("checks").files_around(
            self._connection,
            feed=self._feed,
            before=self._file_id,
            moment=moment,
            reach=self._reach,
            files=HISTORY,
        )
        return _figures(list(rows))


def _figures(rows: Sequence[tuple[Any, ...]]) -> list[FileFigures]:
    """Of files in the order in which they came."""
    moments = [row[2] for row in rows]
    ordered = sorted(range(len(rows)), key=moments.__getitem__)
    together = {
        place
        for pair in pairwise(ordered)
        if moments[pair[1]] - moments[pair[0]] <= TOGETHER
        for place in pair
    }
    return [
        FileFigures(
            f"{name} (file {file_id})",
            landed_at,
            read,
            duplicates,
            rejected,
            place not in together,
            None if profile is None else Profile.from_data(profile),
        )
        for place, (file_id, name, landed_at, read, duplicates, rejected, profile, *_) in enumerate(rows)
    ]
