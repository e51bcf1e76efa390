"""How the files of a feed are read: the reader of its format, and what has to be known before.

Belongs here: the choice, and what all readers have in common. Does not belong here: any of them
(``feed_decoding`` for separated text, ``json_decoding``, ``parquet_decoding``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.places import Array
from ecom_platform.files.chunks import DEFAULT_CHUNK_BYTES, FeedChunk, FileFacts
from ecom_platform.files.encoding import MixedEncoding, decide
from ecom_platform.files.feed_decoding import FeedDecoder
from ecom_platform.files.json_decoding import JsonLinesDecoder
from ecom_platform.files.opening import open_events
from ecom_platform.files.parquet_decoding import ParquetDecoder
from ecom_platform.files.unreadable import FileReason, UnreadableFile

_READ_BYTES = 1 << 20


class Decoder(Protocol):
    """Reads the files of one feed."""

    feed: Feed

    def decode(
        self, stream: BinaryIO, facts: FileFacts, now: datetime, chunk_bytes: int = DEFAULT_CHUNK_BYTES
    ) -> Iterator[FeedChunk]:
        """The records of a file, a chunk for about every ``chunk_bytes`` of text; ``now`` is an aware time.

        Raises :class:`UnreadableFile`, perhaps in mid-file.
        """

    def header(self, stream: BinaryIO) -> tuple[str, ...]:
        """The names of a file's columns as they stand in it; none where such files have no header."""

    def raw_records(
        self, stream: BinaryIO, facts: FileFacts, line_numbers: Sequence[int] | Array
    ) -> Iterator[tuple[int, bytes]]:
        """The records that start at these lines: the line, and the bytes; in file order."""


def decoder_of(feed: Feed) -> Decoder:
    """The reader of the feed's files."""
    if feed.format == "jsonl":
        return JsonLinesDecoder(feed)
    if feed.format == "parquet":
        return ParquetDecoder(feed)
    return FeedDecoder(feed)


def look_over(feed: Feed, path: Path) -> FileFacts:
    """Read a file through, as far as its feed demands. Raises :class:`UnreadableFile` and OSError."""
    encoding, fingerprint = feed.dialect.encodings[0], b""
    if len(feed.dialect.encodings) > 1:
        with open_events(path) as source:
            try:
                encoding = decide(source.stream, feed.dialect.encodings)
            except MixedEncoding as error:
                raise UnreadableFile(FileReason.MIXED_ENCODING, str(error)) from error
    if feed.identity == "position":
        digest = hashlib.sha256()
        with open_events(path) as source:
            while block := source.stream.read(_READ_BYTES):
                digest.update(block)
        fingerprint = digest.digest()
    return FileFacts(encoding, fingerprint)
