"""How-manieth a record is among the equal ones of its file.

Belongs here: counting hashes of 16 bytes in the order of the file, in bounded memory. Does not belong here:
what is hashed (``row_ids``), how a hash is found (``count_table``).

A chunk is sorted and counted within itself, then each of its different hashes is looked up once. Exact to 128
bits. The table takes 42 MB at most; with 1.4 million different hashes it is full, is written to disk, and
begins anew. Of each that is on disk 2 MB stay in memory.
"""

from __future__ import annotations

import numpy as np

from ecom_platform.feeds.count_table import CountTable, SpilledTable
from ecom_platform.feeds.places import Array

_FIRST_PLACES = 1 << 16
_GROWTH = 4
MOST_PLACES = 1 << 21
_MOST_TAKEN = 0.65


class Numbering:
    """The counts of one file, in the order in which :meth:`next` is called.

    ``most_places``, a power of two from 2 on, bounds the table: a seam for tests.
    """

    def __init__(self, most_places: int = MOST_PLACES) -> None:
        self._most_places = most_places
        self._table = CountTable(min(_FIRST_PLACES, most_places))
        self._spilled: list[SpilledTable] = []

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
        while self._table.taken + len(high) > _MOST_TAKEN * self._table.places:
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
            self._spilled.append(SpilledTable(self._table))
            self._table.clear()
            return
        larger = CountTable(min(_GROWTH * self._table.places, self._most_places))
        for entries in self._table.entries():
            larger.add(*entries)
        self._table = larger


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
