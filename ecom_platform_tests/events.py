"""The nine-column event in tests: reading it with its feed's decoder, and judging one row of it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, BinaryIO

import pytest

from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.rows import Fault, RowType
from ecom_platform.files.chunks import DEFAULT_CHUNK_BYTES, FeedChunk, FileFacts
from ecom_platform.files.feed_decoding import FeedDecoder
from ecom_platform.shop.event import FEED

DECODER = FeedDecoder(FEED)
ROWS = RowType(FEED)
FACTS = FileFacts("utf-8", b"")


def decode(
    stream: BinaryIO, now: datetime, chunk_bytes: int = DEFAULT_CHUNK_BYTES, *, one_by_one: bool = False
) -> Iterator[FeedChunk]:
    """The records of a file of events."""
    return DECODER.decode(stream, FACTS, now, chunk_bytes, one_by_one=one_by_one)


def raw_records(stream: BinaryIO, line_numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """The records that start at these lines."""
    return DECODER.raw_records(stream, FACTS, list(line_numbers))


def judged(fields: Sequence[str], now: datetime) -> tuple[Any, ...] | Fault:
    """The values of a row as Python has them, or what is wrong with it, by the row path."""
    if len(fields) != len(FEED.columns):
        too_few = len(fields) < len(FEED.columns)
        return Fault(Reason.MISSING_FIELDS if too_few else Reason.EXTRA_FIELDS)
    verdict = ROWS.judge(fields, now)
    if isinstance(verdict, Fault):
        return verdict
    return tuple(column[0].as_py() for column in ROWS.batch([verdict]))


def in_chunks_of(patch: pytest.MonkeyPatch, chunk_bytes: int) -> None:
    """Let files be decoded in chunks of this much text."""
    decode = functools.partialmethod(FeedDecoder.decode, chunk_bytes=chunk_bytes)
    patch.setattr(FeedDecoder, "decode", decode)
