"""Counts by hash: a table with open addressing, in NumPy; in memory, or in a scratch file once it is full.

Belongs here: finding a hash's place, for many at a time. Does not belong here: what is counted, and when a
table is full (``numbering``).

A hash is two halves of 64 bits, ``high`` and ``low``. Its place follows from its first bits, so sorted hashes
are met from the beginning of the table to its end; the next places are tried until it, or none, is there.

A scratch file is unlinked from the beginning and open only as a mapping, so it goes when nobody needs it any
more, whatever happens to the process. Its pages are given back after each search: they would count as memory
of the process.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator

import numpy as np

from ecom_platform.errors import StorageError
from ecom_platform.feeds.places import Array

_FILTER_BITS_PER_PLACE = 8
# Searched at a time in a scratch file, whose pages are memory of the process meanwhile.
_ROWS_AT_A_TIME = 16_384
_PLACES_AT_A_TIME = 65_536


class CountTable:
    """A table in memory. ``places``: how many there are, a power of two and at least 2."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken = 0
        self.high = np.zeros(places, dtype=np.uint64)
        self.low = np.zeros(places, dtype=np.uint64)
        # 0: the place is empty.
        self.counts = np.zeros(places, dtype=np.uint32)

    def add(self, high: Array, low: Array, counts: Array) -> tuple[Array, Array]:
        """Count different hashes, for which there must be room: how often each was there before, and its
        place."""
        before = np.zeros(len(high), dtype=np.int64)
        places = _first_places(high, self.places)
        left, here = np.arange(len(high)), places
        while len(left):
            there = self.counts[here]
            empty = there == 0
            # Of several that want one empty place the last has it.
            wanting, wanted = left[empty], here[empty]
            self.high[wanted], self.low[wanted] = high[wanting], low[wanting]
            same = (self.high[here] == high[left]) & (self.low[here] == low[left])
            found = left[same]
            before[found] = there[same]
            self.counts[here[same]] = there[same] + counts[found]
            self.taken += int((empty & same).sum())
            left = left[~same]
            here = (here[~same] + 1) & (self.places - 1)
            places[left] = here
        return before, places

    def raise_by(self, places: Array, counts: Array) -> None:
        """Add to the counts in places, all of them different."""
        self.counts[places] += counts.astype(np.uint32)

    def entries(self) -> Iterator[tuple[Array, Array, Array]]:
        """All hashes and their counts, some at a time."""
        for begin in range(0, self.places, _PLACES_AT_A_TIME):
            piece = slice(begin, begin + _PLACES_AT_A_TIME)
            there = self.counts[piece] > 0
            yield self.high[piece][there], self.low[piece][there], self.counts[piece][there]

    def clear(self) -> None:
        """Forget all of them."""
        self.counts.fill(0)
        self.taken = 0


class SpilledTable:
    """What a table has, in a scratch file; in memory is one byte a place, which tells nearly all hashes that
    are not there.

    Raises :class:`StorageError` where the scratch file cannot be written.
    """

    def __init__(self, table: CountTable) -> None:
        self._places = table.places
        self._mapping = _written((table.high, table.low, table.counts))
        self._high = np.frombuffer(self._mapping, np.uint64, self._places)
        self._low = np.frombuffer(self._mapping, np.uint64, self._places, 8 * self._places)
        self._counts = np.frombuffer(self._mapping, np.uint32, self._places, 16 * self._places)
        self._filter = _Filter(table)

    def find(self, high: Array, low: Array) -> Array:
        """The counts of hashes, in order for speed; 0 for those that are not there."""
        found = np.zeros(len(high), dtype=np.int64)
        rows = self._filter.may_have(high, low)
        for begin in range(0, len(rows), _ROWS_AT_A_TIME):
            some = rows[begin : begin + _ROWS_AT_A_TIME]
            found[some] = self._search(high[some], low[some])
            self._mapping.madvise(mmap.MADV_DONTNEED)
        return found

    def _search(self, high: Array, low: Array) -> Array:
        found = np.zeros(len(high), dtype=np.int64)
        left, here = np.arange(len(high)), _first_places(high, self._places)
        while len(left):
            there = self._counts[here]
            same = (self._high[here] == high[left]) & (self._low[here] == low[left])
            # Of an empty place the count is 0, whatever else it holds.
            found[left[same]] = there[same]
            further = ~same & (there > 0)
            left, here = left[further], (here[further] + 1) & (self._places - 1)
        return found


class _Filter:
    """A Bloom filter whose two functions are the halves of a hash."""

    def __init__(self, table: CountTable) -> None:
        bits = _FILTER_BITS_PER_PLACE * table.places
        self._shift = np.uint64(65 - bits.bit_length())
        marked = np.zeros(bits, dtype=np.bool_)
        for high, low, _ in table.entries():
            marked[high >> self._shift] = True
            marked[low >> self._shift] = True
        self._octets = np.packbits(marked, bitorder="little")

    def may_have(self, high: Array, low: Array) -> Array:
        """The rows of the hashes that may be there: all that are, and 2 of 100 others."""
        rows = np.flatnonzero(self._are_marked(high))
        return rows[self._are_marked(low[rows])]

    def _are_marked(self, halves: Array) -> Array:
        bits = halves >> self._shift
        octets = self._octets[(bits >> np.uint64(3)).view(np.int64)]
        marked: Array = (octets >> (bits & np.uint64(7)).astype(np.uint8) & 1).view(np.bool_)
        return marked


def _first_places(high: Array, places: int) -> Array:
    """The places where hashes are looked for first."""
    found: Array = (high >> np.uint64(65 - places.bit_length())).view(np.int64)
    return found


def _written(parts: tuple[Array, ...]) -> mmap.mmap:
    """A mapping of a scratch file that holds ``parts`` end to end."""
    try:
        with tempfile.TemporaryFile(prefix="ecom-counts-") as file:
            for part in parts:
                file.write(part.data)
            file.flush()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        folder = tempfile.tempdir or "the folder for temporary files"
        raise StorageError(
            f"The equal rows of a large file are counted in a scratch file in {folder}, which cannot be "
            f"written: {error.strerror or error}.",
            "Free space there, or let TMPDIR name another folder where tasks run; nothing of the file was "
            "stored.",
        ) from error
