"""The ids of a file's rows, where its feed has no key of its own, whatever the format of the file.

Belongs here: what all formats have in common: the ids of records by their places, or by what they are
hashed to and how-manieth they are. Does not belong here: which texts of a record are hashed
(``record_ids``, ``json_ids``), the form of ids (``feeds.row_ids``), counting (``feeds.numbering``)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow, row_ids
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.numbering import Numbering
from ecom_platform.feeds.places import Array
from ecom_platform.files.chunks import LINE

NUMBERED, POSITION = "numbered", "position"


class FileIds:
    """The ids of one file's rows; its records are handed over in the order of the file, some at a time."""

    def __init__(self, feed: Feed, fingerprint: bytes) -> None:
        self._kind = feed.identity or (NUMBERED if feed.numbered else None)
        self._fingerprint = fingerprint
        self._numbering = Numbering()
        role = feed.roles.get("time")
        self.time_column = next((n for n, column in enumerate(feed.columns) if column.name == role), None)
        self._days = self.time_column is not None and feed.columns[self.time_column].type == "date"

    @property
    def needed(self) -> bool:
        """Whether the feed has no key of its own."""
        return self._kind is not None

    @property
    def by_content(self) -> bool:
        """Whether it is texts that are asked for, and not places."""
        return self._kind is not None and self._kind != POSITION

    def by_place(self, lines: Array) -> Array:
        """What records are known by that begin at these lines."""
        return row_ids.of_places(self._fingerprint, lines)

    def numbered(self, lines: Array, found: Array) -> Array:
        """What records are known by that begin at ``lines``, from their hashes: these records are all that
        come next in the file, in any order."""
        if (lines[1:] > lines[:-1]).all():
            return row_ids.numbered(found, self._numbering.next(found))
        in_order = np.argsort(lines, kind="stable")
        numbers = np.empty(len(lines), dtype=np.int64)
        numbers[in_order] = self._numbering.next(found[in_order])
        return row_ids.numbered(found, numbers)

    def ids(self, lines: Array, hashed: Array, rows: pa.RecordBatch) -> pa.Array:
        """The ids of ``rows``, whose lines are among ``lines``."""
        wanted = arrow.to_integers(rows[LINE])
        if not np.array_equal(wanted, lines):
            order = np.argsort(lines, kind="stable")
            hashed = hashed[order[np.searchsorted(lines[order], wanted)]]
        return row_ids.row_ids(hashed, self._milliseconds(rows))

    def _milliseconds(self, rows: pa.RecordBatch) -> Array | None:
        if self.time_column is None:
            return None
        moments = rows.column(self.time_column)
        values = pc.fill_null(moments.cast(pa.int32() if self._days else pa.int64()), 0).to_numpy()
        moments_ms: Array = values.astype(np.int64) * 86_400_000 if self._days else values // 1_000
        return moments_ms
