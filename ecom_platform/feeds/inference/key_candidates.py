"""Which columns may be the key of a file's rows, and how many rows are copies.

Belongs here: counting, and what counts as proven. Does not belong here: types (``column_choice``).

A key is proven where every row was read, none is a copy of another, and one column that is called like a
key, and comes first or is called like nothing else, has a value of its own in every row, in enough of them.
All other candidates are only named: what is unique among few rows may be so by chance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.inference.observed import Observed

_KEY_NAME = re.compile(r"(^|_)(id|uuid|guid|key|no|nr|number)$")
_OWN_NAME = re.compile(r"(row|event|message|record|transaction|line)?_?(id|uuid|guid|key)")
# What has several lines, and what only a line has: where both are there, the first alone is no key.
_WHOLE_NAME = re.compile(r"order|invoice|basket|cart|session|receipt|shipment")
_LINE_NAME = re.compile(r"item|line|sku|product|article|quantity|qty")
_ENOUGH_ROWS, _ENOUGH_UUIDS = 10, 2
_MOST_COMBINED = 8
_APART = arrow.strings(["\x1f"])[0]


@dataclass(frozen=True, slots=True)
class Keys:
    """``copies``: rows that are equal to one before them. ``candidates``: columns, by their places in the
    file, whose values no two rows share. ``proven``: the place of the key; ``None`` where there is none."""

    copies: int
    candidates: tuple[tuple[int, ...], ...]
    proven: int | None


def find_keys(
    columns: Sequence[Observed], names: Sequence[str], types: Sequence[str], table: pa.Table, *, whole: bool
) -> Keys:
    """``names`` and ``types`` are those of the declaration; ``table`` has all texts, a column for each of
    ``columns``; ``whole``: every row was read."""
    rows = table.num_rows
    if rows < 2:
        return Keys(0, (), None)
    able = [
        n for n, kind in enumerate(types) if kind.partition("(")[0] in ("bigint", "integer", "uuid", "text")
    ]
    single = [n for n in able if columns[n].is_unique]
    if single:
        proven = next((n for n in single if whole and _is_proven(n, names, types[n], rows)), None)
        return Keys(0, tuple((n,) for n in single), proven)
    copies = rows - _different(table, range(table.num_columns))
    named = [n for n in able if not columns[n].empty and columns[n].different > 1]
    named = sorted(named, key=lambda n: (not _KEY_NAME.search(names[n]), n))[:_MOST_COMBINED]
    pairs = () if copies else combinations(sorted(n for n in named if _KEY_NAME.search(names[n])), 2)
    found = [pair for pair in pairs if _different(table, pair) == rows]
    return Keys(copies, tuple(found), None)


def _is_proven(place: int, names: Sequence[str], kind: str, rows: int) -> bool:
    name = names[place]
    if _WHOLE_NAME.search(name) and any(_LINE_NAME.search(other) for other in names if other != name):
        return False
    enough = _ENOUGH_UUIDS if kind == "uuid" else _ENOUGH_ROWS
    called = _OWN_NAME.fullmatch(name) or (place == 0 and _KEY_NAME.search(name))
    return bool(called) and rows >= enough


def _different(table: pa.Table, places: Sequence[int] | range) -> int:
    """How many different rows there are of these columns."""
    parts = [table.column(place) for place in places]
    joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, _APART)
    return int(pc.count_distinct(joined).as_py())
