"""Rows of ``user_events`` in texts that are no files.

Belongs here: decoding a fragment, and telling rows by their looks. Does not belong here: what
becomes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import BinaryIO

from ecom_platform.catalog import packaged
from ecom_platform.feeds.rows import RowType
from ecom_platform.files.feed_decoding import FeedChunk, FeedDecoder, FileFacts

FEED = packaged()["user_events"]
COLUMN_NAMES = FEED.names
HEADER = ",".join(COLUMN_NAMES)


def decode(stream: BinaryIO, now: datetime) -> Iterator[FeedChunk]:
    return FeedDecoder(FEED).decode(stream, FileFacts("utf-8", b""), now)


def read_header(stream: BinaryIO) -> tuple[str, ...]:
    return FeedDecoder(FEED).header(stream)


def row_looks(names: Sequence[str]) -> Callable[[bytes], bool]:
    rows = RowType(FEED)
    places = [names.index(name) if name in names else None for name in FEED.names]

    def looks_like_row(line: bytes) -> bool:
        fields = line.split(b",", len(names))
        return rows.looks_like_row(
            [fields[place] if place is not None and place < len(fields) else None for place in places]
        )

    return looks_like_row
