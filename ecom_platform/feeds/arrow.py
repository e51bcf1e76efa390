"""Arrow arrays straight from NumPy buffers and back.

Belongs here: the few bridges that the event modules need. Does not belong here: what the values
mean. ``pyarrow.array``, ``pyarrow.scalar`` and ``to_numpy`` would do, but each imports pandas on
first use, which takes longer than decoding a million rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Array = npt.NDArray[Any]


def fixed_width(values: Array, data_type: pa.DataType) -> pa.Array:
    """Values, none of them null, whose memory is laid out as ``data_type`` wants it; one row each."""
    contiguous = np.ascontiguousarray(values)
    return pa.Array.from_buffers(data_type, len(values), [None, pa.py_buffer(contiguous)])


def booleans(mask: Array) -> pa.Array:
    bits = np.packbits(mask, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(mask), [None, pa.py_buffer(bits)])


def to_mask(array: pa.Array) -> Array:
    """A boolean array without nulls as a NumPy mask."""
    octets = array.cast(pa.uint8())
    values: Array = np.frombuffer(octets.buffers()[1], dtype=np.bool_, count=len(array), offset=octets.offset)
    return values


def to_integers(array: pa.Array) -> Array:
    """An array of 64 bits a value, without nulls, as NumPy has it."""
    values: Array = np.frombuffer(
        array.buffers()[1], dtype=np.int64, count=len(array), offset=8 * array.offset
    )
    return values


def strings(texts: Sequence[str]) -> pa.Array:
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))


def decimals(unscaled: Array, data_type: pa.Decimal128Type) -> pa.Array:
    """Integers in units of the last decimal as decimals, null where they are 0."""
    # A decimal is stored as a 128-bit integer; numbers of 64 bits that are not negative fill its lower half.
    halves = np.zeros((len(unscaled), 2), dtype=np.int64)
    halves[:, 0] = unscaled
    valid = np.packbits(unscaled > 0, bitorder="little")
    return pa.Array.from_buffers(data_type, len(unscaled), [pa.py_buffer(valid), pa.py_buffer(halves)])
