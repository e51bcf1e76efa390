"""Rows in the order of their key, as PostgreSQL sorts it.

Belongs here: sorting, and which keys occur twice. Does not belong here: what that means for a row (``sink``,
``newer_rows``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow


def in_key_order(rows: pa.Table, key: Sequence[str]) -> tuple[pa.Table, bool]:
    """``rows`` sorted by their key, as PostgreSQL sorts it, and whether one occurs twice.

    Ties keep the order of the file, so the first copy stays the first.
    """
    if len(key) == 1 and pa.types.is_fixed_size_binary(rows.schema.field(key[0]).type):
        return _in_id_order(rows, key[0])
    order = pc.sort_indices(rows, [(name, "ascending") for name in (*key, "file_id", "line_number")])
    rows = rows.take(order)
    if len(rows) < 2:
        return rows, False
    same = [pc.equal(rows[name].slice(1), rows[name].slice(0, len(rows) - 1)) for name in key]
    return rows, bool(pc.any(reduce(pc.and_, same)).as_py())


def of_repeated_keys(rows: pa.Table, key: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which of ``rows``, in the order of their key, have it in common with another."""
    same = [pc.equal(rows[name].slice(1), rows[name].slice(0, len(rows) - 1)) for name in key]
    as_before = arrow.to_mask(reduce(pc.and_, same).combine_chunks())
    found: npt.NDArray[np.bool_] = np.append(as_before, False) | np.append(False, as_before)
    return found


def _in_id_order(rows: pa.Table, name: str) -> tuple[pa.Table, bool]:
    """The same for a uuid: two numbers are sorted faster than bytes."""
    ids = rows[name].combine_chunks()
    ids = ids.chunk(0) if isinstance(ids, pa.ChunkedArray) else ids
    halves = np.frombuffer(ids.buffers()[1], dtype=">u8", count=2 * len(ids), offset=16 * ids.offset)
    high, low = halves.reshape(-1, 2).astype(np.uint64).T
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    repeated = bool(np.any((high[1:] == high[:-1]) & (low[1:] == low[:-1])))
    return rows.take(pa.array(order)), repeated
