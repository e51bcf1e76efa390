"""What every reader of a feed's files does, whatever their format.

Belongs here: the promise, and what is the same for all. Does not belong here: a format (``feed_decoding`` for
separated text, ``json_decoding``, ``parquet_decoding``), or which one a feed has (``readers``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO

from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.places import Array
from ecom_platform.files.chunks import DEFAULT_CHUNK_BYTES, MAX_CHUNK_BYTES, FeedChunk, FileFacts


class Decoder(ABC):
    """Reads the files of one feed."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def decode(
        self,
        stream: BinaryIO,
        facts: FileFacts,
        now: datetime,
        chunk_bytes: int = DEFAULT_CHUNK_BYTES,
        *,
        one_by_one: bool = False,
    ) -> Iterator[FeedChunk]:
        """The records of a file, a chunk for about every ``chunk_bytes`` of what is in it.

        ``now`` is an aware time, for bounds that move with it. Line numbers are physical lines, the first of
        the file is 1; of Parquet they are rows. Raises :class:`UnreadableFile`, perhaps in mid-file, and
        ValueError for what no chunk can have. ``one_by_one`` is a seam for tests: every row takes the row
        path.
        """
        if not 1 <= chunk_bytes <= MAX_CHUNK_BYTES:
            raise ValueError(f"chunk_bytes is {chunk_bytes}; it must be between 1 and {MAX_CHUNK_BYTES}.")
        return self._chunks(stream, facts, now, chunk_bytes, one_by_one=one_by_one)

    @abstractmethod
    def _chunks(
        self, stream: BinaryIO, facts: FileFacts, now: datetime, chunk_bytes: int, *, one_by_one: bool
    ) -> Iterator[FeedChunk]: ...

    @abstractmethod
    def header(self, stream: BinaryIO) -> tuple[str, ...]:
        """The names of a file's columns as they stand in it; none where such files have no header. Raises
        :class:`UnreadableFile`."""

    @abstractmethod
    def raw_records(
        self, stream: BinaryIO, facts: FileFacts, line_numbers: Sequence[int] | Array
    ) -> Iterator[tuple[int, bytes]]:
        """The records that start at these lines: the line, and the bytes, cut at ``MAX_RAW_BYTES``; in file
        order."""
