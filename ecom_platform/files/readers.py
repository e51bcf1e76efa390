"""How the files of a feed are read: the reader of its format, and what has to be known before.

Belongs here: the choice. Does not belong here: any of them, or what they have in common (``decoder``).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ecom_platform.feeds.feed import Feed
from ecom_platform.files.chunks import FileFacts
from ecom_platform.files.decoder import Decoder
from ecom_platform.files.encoding import MixedEncoding, decide
from ecom_platform.files.feed_decoding import FeedDecoder
from ecom_platform.files.json_decoding import JsonLinesDecoder
from ecom_platform.files.opening import open_events
from ecom_platform.files.parquet_decoding import ParquetDecoder
from ecom_platform.files.unreadable import FileReason, UnreadableFile

_READ_BYTES = 1 << 20


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
