"""What is read of a file of any format: chunks of typed rows and rejects, and what is known before the first.

Belongs here: the forms that every reader gives and is given. Does not belong here: any reader
(``feed_decoding``, ``json_decoding``, ``parquet_decoding``), or which one a feed has (``readers``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.reasons import Reason

DEFAULT_CHUNK_BYTES = 4 << 20
MAX_CHUNK_BYTES = 1 << 30  # offsets into the text of a chunk have 32 bits
MAX_RAW_BYTES = 8_192
MAX_VALUE = 200

# Columns that chunks have beside the declared ones.
ROW_ID, EXTRA, LINE = "row_id", "extra", "line_number"


# A line of at most 1 MiB has fewer elements.
_ELEMENT_BITS = 20


@dataclass(frozen=True, slots=True, order=True)
class RecordPlace:
    """Where a record begins: its physical line, counted from 1; where lines are exploded also the how-manieth
    element it is, from 1, and 0 for a line as a whole.

    As one number, which is what chunks have for ``line_number``, no two records of a file have the same, and
    they are in the order of the file.
    """

    line: int
    element: int | None = None

    @property
    def number(self) -> int:
        return self.line if self.element is None else self.line << _ELEMENT_BITS | self.element

    @classmethod
    def of(cls, feed: Feed, number: int) -> RecordPlace:
        """The place that a number of a chunk of ``feed`` is."""
        if feed.explode is None:
            return cls(number)
        return cls(number >> _ELEMENT_BITS, number & (1 << _ELEMENT_BITS) - 1)


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A record that is not loaded. ``raw`` is cut at ``MAX_RAW_BYTES`` and has no line end. ``value`` is the
    text in ``column``, cut at ``MAX_VALUE``; ``None`` where the record as a whole is at fault. ``element``
    is that of its :class:`RecordPlace`."""

    line_number: int
    raw: bytes
    reason: Reason
    column: str | None
    value: str | None = field(default=None, compare=False)
    element: int | None = None


@dataclass(frozen=True, slots=True)
class FeedChunk:
    """Some records of a file: ``rows`` with the columns of the table and ``line_number`` (the number of a
    :class:`RecordPlace`), and ``rejects``, each in file order. ``header`` has the names of the columns as
    they stand in the file."""

    rows: pa.RecordBatch
    rejects: list[RefusedRecord]
    records: int
    header: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What has to be known of a file before its first row: its encoding, and what its content is known by."""

    encoding: str
    fingerprint: bytes
