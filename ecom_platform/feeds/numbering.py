"""How-manieth a record is among the equal ones of its file.

Belongs here: counting hashes of 16 bytes in the order of the file. Does not belong here: what is hashed
(``row_ids``).

A table with open addressing, in NumPy: a chunk is counted within itself by sorting, then each of its
different hashes is looked up once. Exact to 128 bits. 24 bytes a place and at most 60% of them taken: 40
to 80 MB a million different records.
"""

from __future__ import annotations

import numpy as np

from ecom_platform.feeds.places import Array

_FIRST_PLACES = 1 << 16
_MOST_TAKEN = 0.6


class Numbering:
    """The counts of one file, in the order in which :meth:`next` is called."""

    def __init__(self) -> None:
        self._taken = 0
        self._make(_FIRST_PLACES)

    def _make(self, places: int) -> None:
        self._mask = np.uint64(places - 1)
        self._keys = np.zeros((places, 2), dtype=np.uint64)
        self._counts = np.zeros(places, dtype=np.uint32)
        self._owners = np.zeros(places, dtype=np.int32)

    def next(self, hashes: Array) -> Array:
        """For each of the next records its number, from 0. ``hashes``: (n, 16) bytes."""
        if not len(hashes):
            return np.zeros(0, dtype=np.int64)
        keys = np.ascontiguousarray(hashes).view(np.uint64).reshape(-1, 2)
        order = np.argsort(keys[:, 0], kind="stable")
        ordered = keys[order]
        is_first = _are_first(ordered)
        if (ordered[1:, 0] == ordered[:-1, 0]).sum() != (~is_first).sum():
            # Half of two different hashes is the same: once in a long while, and then both halves decide.
            order = np.lexsort((keys[:, 1], keys[:, 0]))
            ordered = keys[order]
            is_first = _are_first(ordered)
        firsts = np.flatnonzero(is_first)
        groups = np.cumsum(is_first) - 1
        counts = np.diff(np.append(firsts, len(keys)))
        before = self._add(ordered[firsts], counts)
        numbers = np.empty(len(keys), dtype=np.int64)
        # The sort keeps the order of equal ones.
        numbers[order] = np.arange(len(keys)) - firsts[groups] + before[groups]
        return numbers

    def _add(self, keys: Array, counts: Array) -> Array:
        """Count different keys; how often each was there before."""
        while self._taken + len(keys) > _MOST_TAKEN * len(self._counts):
            self._grow()
        return self._place(keys, counts)

    def _grow(self) -> None:
        there = np.flatnonzero(self._counts)
        keys, counts = self._keys[there], self._counts[there]
        self._make(2 * len(self._counts))
        self._taken = 0
        self._place(keys, counts)

    def _place(self, keys: Array, counts: Array) -> Array:
        before = np.zeros(len(keys), dtype=np.int64)
        left = np.arange(len(keys))
        slots = (keys[:, 0] ^ (keys[:, 1] >> np.uint64(7))) & self._mask
        while len(left):
            here = slots[left].astype(np.int64)
            empty = self._counts[here] == 0
            # Of several that want one empty place one has it.
            wanting, wanted = left[empty], here[empty]
            self._owners[wanted] = wanting
            won = wanting[self._owners[wanted] == wanting]
            self._keys[slots[won].astype(np.int64)] = keys[won]
            same = (self._keys[here] == keys[left]).all(axis=1)
            found = left[same]
            at = slots[found].astype(np.int64)
            before[found] = self._counts[at]
            self._taken += len(won)
            self._counts[at] += counts[found].astype(np.uint32)
            left = left[~same]
            slots[left] = (slots[left] + np.uint64(1)) & self._mask
        return before


def _are_first(ordered: Array) -> Array:
    """Which of sorted hashes are not those before them."""
    is_first = np.ones(len(ordered), dtype=np.bool_)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return is_first
