"""How-manieth a record is among the equal ones of its file.

Belongs here: counting hashes of 16 bytes in the order of the file. Does not belong here: what is hashed
(``row_ids``), where counts go for which there is no room (``spilled_counts``).

A table with open addressing, in NumPy: a chunk is sorted and counted within itself, then each of its
different hashes is looked up once. A hash's place follows from its first bits, so what is sorted is met
from the beginning of the table to its end. Exact to 128 bits. The table takes 42 MB at most; with 1.4
million different hashes it is full, is written to disk, and begins anew. Of what is on disk 2 bytes a hash
stay in memory.
"""

from __future__ import annotations

import numpy as np

from ecom_platform.feeds.places import Array
from ecom_platform.feeds.spilled_counts import SpilledCounts

_FIRST_PLACES = 1 << 16
_GROWTH = 4
MOST_PLACES = 1 << 21
_MOST_TAKEN = 0.65


class Numbering:
    """The counts of one file, in the order in which :meth:`next` is called.

    ``most_places``, a power of two, bounds the table: a seam for tests.
    """

    def __init__(self, most_places: int = MOST_PLACES) -> None:
        self._most_places = most_places
        self._table = _Table(min(_FIRST_PLACES, most_places))
        self._spilled: list[SpilledCounts] = []

    def next(self, hashes: Array) -> Array:
        """For each of the next records its number, from 0. ``hashes``: (n, 16) bytes.

        Raises :class:`~ecom_platform.errors.StorageError` where there is no room for what memory cannot hold.
        """
        if not len(hashes):
            return np.zeros(0, dtype=np.int64)
        high, low = np.ascontiguousarray(np.ascontiguousarray(hashes).view(np.uint64).reshape(-1, 2).T)
        order = _order(high, low)
        high, low = high[order], low[order]
        is_first = np.ones(len(order), dtype=np.bool_)
        is_first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        numbers = np.empty(len(order), dtype=np.int64)
        if is_first.all():
            numbers[order] = self._add(high, low, np.ones(len(order), dtype=np.uint32))
            return numbers
        firsts = np.flatnonzero(is_first)
        counts = np.diff(np.append(firsts, len(order)))
        before = self._add(high[firsts], low[firsts], counts.astype(np.uint32))
        numbers[order] = np.arange(len(order)) - np.repeat(firsts - before, counts)
        return numbers

    def _add(self, high: Array, low: Array, counts: Array) -> Array:
        """Count different hashes, in order; how often each was there before."""
        before = np.empty(len(high), dtype=np.int64)
        step = int(_MOST_TAKEN * self._most_places)
        for begin in range(0, len(high), step):
            piece = slice(begin, begin + step)
            before[piece] = self._add_piece(high[piece], low[piece], counts[piece])
        return before

    def _add_piece(self, high: Array, low: Array, counts: Array) -> Array:
        while not self._table.has_room(len(high)):
            self._make_room()
        before, places = self._table.add(high, low, counts)
        new = np.flatnonzero(before == 0)
        # The latest knows the count of all before it.
        for spilled in reversed(self._spilled):
            if not len(new):
                break
            found = spilled.find(high[new], low[new])
            known = found > 0
            before[new[known]] = found[known]
            self._table.raise_by(places[new[known]], found[known])
            new = new[~known]
        return before

    def _make_room(self) -> None:
        if self._table.places == self._most_places:
            self._spilled.append(SpilledCounts(*self._table.entries()))
            self._table.clear()
        else:
            entries = self._table.entries()
            self._table = _Table(min(_GROWTH * self._table.places, self._most_places))
            self._table.add(*entries)


def _order(high: Array, low: Array) -> Array:
    """The order of hashes, equal ones as they come."""
    # A sort that need not keep the order of equal ones is several times as fast, and few are equal.
    order = np.argsort(high)
    ordered = high[order]
    same = ordered[1:] == ordered[:-1]
    if same.any():
        rows = np.flatnonzero(np.append(same, False) | np.append(False, same))
        unsure = order[rows]
        order[rows] = unsure[np.lexsort((unsure, low[unsure], high[unsure]))]
    return order


class _Table:
    """Counts by hash. ``places``: how many there are, a power of two."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._taken = 0
        self._shift = np.uint64(65 - places.bit_length())
        self._high = np.zeros(places, dtype=np.uint64)
        self._low = np.zeros(places, dtype=np.uint64)
        self._counts = np.zeros(places, dtype=np.uint32)

    def has_room(self, hashes: int) -> bool:
        """Whether so many more fit in."""
        return self._taken + hashes <= _MOST_TAKEN * self.places

    def add(self, high: Array, low: Array, counts: Array) -> tuple[Array, Array]:
        """Count different hashes: how often each was there before, and its place."""
        before = np.zeros(len(high), dtype=np.int64)
        places = (high >> self._shift).view(np.int64)
        left, here = np.arange(len(high)), places
        while len(left):
            there = self._counts[here]
            empty = there == 0
            # Of several that want one empty place the last has it.
            wanting, wanted = left[empty], here[empty]
            self._high[wanted], self._low[wanted] = high[wanting], low[wanting]
            same = (self._high[here] == high[left]) & (self._low[here] == low[left])
            found = left[same]
            before[found] = there[same]
            self._counts[here[same]] = there[same] + counts[found]
            self._taken += int((empty & same).sum())
            left = left[~same]
            here = (here[~same] + 1) & (self.places - 1)
            places[left] = here
        return before, places

    def raise_by(self, places: Array, counts: Array) -> None:
        """Add to the counts in places, all of them different."""
        self._counts[places] += counts.astype(np.uint32)

    def entries(self) -> tuple[Array, Array, Array]:
        """All hashes, sorted by the first half, and their counts."""
        there = np.flatnonzero(self._counts)
        there = there[np.argsort(self._high[there])]
        return self._high[there], self._low[there], self._counts[there]

    def clear(self) -> None:
        """Forget all of them."""
        self._counts.fill(0)
        self._taken = 0
