"""Where the fields of one column are in a text.

Belongs here: the places, and what can be asked of them for all rows at once. Does not belong here: what the
fields mean (``types``), and how their places are found (``files``).

Texts of one length are handled together, as a matrix with one row per character: comparing and adding up
whole rows of it is what makes the vectorised path fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ecom_platform.feeds import arrow

Array = npt.NDArray[Any]
_PADDING = bytes(64)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a field of many rows begins and ends in ``data``, which is padded at its end."""

    data: bytes
    begins: Array
    ends: Array

    @classmethod
    def of(cls, texts: Sequence[str] | pa.StringArray) -> Places:
        """The texts of an array without nulls, end to end."""
        array = arrow.strings(texts) if not isinstance(texts, pa.Array) else texts
        _, offsets, data = array.buffers()
        found = np.frombuffer(offsets, dtype=np.int32, count=len(array) + 1, offset=4 * array.offset)
        content = data.to_pybytes() if data is not None else b""
        return cls(content + _PADDING, found[:-1].astype(np.int64), found[1:].astype(np.int64))

    @property
    def lengths(self) -> Array:
        lengths: Array = self.ends - self.begins
        return lengths

    def characters(self, width: int, rows: Array | slice = slice(None)) -> Array:
        """The first ``width`` bytes of each field: a C-contiguous matrix of rows by width."""
        # A view with an element at every byte; picking from it copies each field in one go.
        windows: Array = np.ndarray(
            len(self.data) - width + 1, dtype=f"V{width}", buffer=self.data, strides=(1,)
        )
        return windows[self.begins[rows]].view(np.uint8).reshape(-1, width)

    def by_length(self, longest: int) -> Iterator[tuple[int, Array | slice]]:
        """The lengths from 1 to ``longest`` that occur, each with the rows that have it."""
        lengths = self.lengths
        counts = np.bincount(np.minimum(lengths, longest + 1), minlength=longest + 2)
        for length in np.flatnonzero(counts[1:-1]) + 1:
            all_rows = counts[length] == len(lengths)
            yield int(length), slice(None) if all_rows else np.flatnonzero(lengths == length)

    def strings(self) -> pa.StringArray:
        """The fields as strings; the data must be valid UTF-8 in these places, and they must not overlap."""
        rows = len(self.begins)
        # Arrow's strings lie end to end, so the gaps between fields are taken for strings as well.
        offsets = np.empty(2 * rows, dtype=np.int32)
        offsets[0::2], offsets[1::2] = self.begins, self.ends
        count = max(2 * rows - 1, 0)
        both = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(self.data))
        return both.take(arrow.fixed_width(np.arange(0, count, 2, dtype=np.int32), pa.int32()))

    def at(self, positions: Array) -> Array:
        """The bytes at ``positions`` of the data."""
        found: Array = np.frombuffer(self.data, dtype=np.uint8)[positions]
        return found

    def equal(self, text: bytes) -> Array:
        """Which fields are exactly ``text``."""
        same: Array = self.lengths == len(text)
        if text and same.any():
            rows = np.flatnonzero(same)
            wanted = np.frombuffer(text, dtype=np.uint8)
            same[rows] = (self.characters(len(text), rows) == wanted).all(axis=1)
        return same

    def trimmed(self) -> Places:
        """Without blanks at the ends of the fields."""
        begins, ends = self.begins.copy(), self.ends.copy()
        rows = np.flatnonzero(begins < ends)
        while len(rows := rows[(begins[rows] < ends[rows]) & (self.at(begins[rows]) == _BLANK)]):
            begins[rows] += 1
        rows = np.flatnonzero(begins < ends)
        while len(rows := rows[(begins[rows] < ends[rows]) & (self.at(ends[rows] - 1) == _BLANK)]):
            ends[rows] -= 1
        return Places(self.data, begins, ends)


_BLANK = ord(" ")
