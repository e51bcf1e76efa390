"""Counts of hashes that memory has no room for: sorted, in a scratch file without a name.

Belongs here: writing them, and finding some of them again. Does not belong here: who counts what
(``numbering``).

In memory stays a filter of 12 to 24 bits a hash, which tells nearly all hashes that are not there. The file
is unlinked from the beginning and open only as a mapping, so it goes when nobody needs it any more,
whatever happens to the process. Its pages are given back after each search: they would count as memory of
the process.
"""

from __future__ import annotations

import mmap
import tempfile

import numpy as np

from ecom_platform.errors import StorageError
from ecom_platform.feeds.places import Array

_FILTER_BITS_PER_HASH = 12


class SpilledCounts:
    """The counts of different hashes; ``high`` and ``low`` are their halves, sorted by ``high``.

    Raises :class:`StorageError` where the scratch file cannot be written.
    """

    def __init__(self, high: Array, low: Array, counts: Array) -> None:
        self._mapping = _written((high, low, counts))
        size = len(high)
        self._high = np.frombuffer(self._mapping, dtype=np.uint64, count=size)
        self._low = np.frombuffer(self._mapping, dtype=np.uint64, count=size, offset=8 * size)
        self._counts = np.frombuffer(self._mapping, dtype=np.uint32, count=size, offset=16 * size)
        self._filter = _Filter(high, low)

    def find(self, high: Array, low: Array) -> Array:
        """The counts of hashes whose ``high`` are in order, 0 for those that are not there."""
        found = np.zeros(len(high), dtype=np.int64)
        left = self._filter.may_have(high, low)
        if not len(left):
            return found
        places = np.searchsorted(self._high, high[left])
        while len(left):
            inside = places < len(self._high)
            left, places = left[inside], places[inside]
            halfway = self._high[places] == high[left]
            left, places = left[halfway], places[halfway]
            same = self._low[places] == low[left]
            found[left[same]] = self._counts[places[same]]
            # Of several hashes with one ``high`` it may be the next.
            left, places = left[~same], places[~same] + 1
        self._mapping.madvise(mmap.MADV_DONTNEED)
        return found


class _Filter:
    """A Bloom filter whose two functions are the halves of a hash."""

    def __init__(self, high: Array, low: Array) -> None:
        bits = max(3, (len(high) * _FILTER_BITS_PER_HASH - 1).bit_length())
        self._shift = np.uint64(64 - bits)
        marked = np.zeros(1 << bits, dtype=np.bool_)
        marked[high >> self._shift] = True
        marked[low >> self._shift] = True
        self._octets = np.packbits(marked, bitorder="little")

    def may_have(self, high: Array, low: Array) -> Array:
        """The rows of the hashes that may be there: all that are, and 3 of 100 others."""
        rows = np.flatnonzero(self._are_marked(high))
        return rows[self._are_marked(low[rows])]

    def _are_marked(self, halves: Array) -> Array:
        bits = halves >> self._shift
        octets = self._octets[(bits >> np.uint64(3)).view(np.int64)]
        marked: Array = (octets >> (bits & np.uint64(7)).astype(np.uint8) & 1).view(np.bool_)
        return marked


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
