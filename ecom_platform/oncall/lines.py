"""Finding the rows of one UUID in a file, however large and however packed.

Belongs here: which lines may hold an id, and what they decode to. Does not belong here: what a valid
row is (``files.feed_decoding``), or which of them is the stored one (``trace``).

Decoding a whole file takes half a minute for 2 GB, searching its text a few seconds. So the
lines in which the id stands are searched for and only these decoded, unless one of them is part of a
record that spans lines.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds.feed import Feed
from ecom_platform.files.chunks import FileFacts, RecordPlace
from ecom_platform.files.opening import header_line, open_events
from ecom_platform.files.readers import decoder_of, look_over
from ecom_platform.files.splitting import MAX_LINE_BYTES
from ecom_platform.files.unreadable import UnreadableFile

_BLOCK_BYTES = 4 << 20


def rows_with(feed: Feed, column: str, path: Path, key: UUID) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The valid rows of a file of ``feed`` whose ``column`` is this key: the line where each begins, and the
    row itself, in the file's order.

    Yields nothing for a file that is gone or cannot be read.
    """
    searched = Searched(feed, column, key)
    try:
        found = searched.by_lines(path) if searched.stands_in_the_text else None
        yield from searched.by_decoding(path) if found is None else found
    except (OSError, UnreadableFile):
        return


class Searched:
    """What is looked for: a key in a column of a feed's files."""

    def __init__(self, feed: Feed, column: str, key: UUID) -> None:
        self._feed, self._column, self._key = feed, column, key

    @property
    def stands_in_the_text(self) -> bool:
        """Whether a line that has the key has its text, and begins where a line does."""
        dialect = self._feed.dialect
        plain = self._feed.has_header and not dialect.skip and not dialect.escape
        return plain and dialect.encodings == ("utf-8",) and self._column in self._feed.names

    def by_lines(self, path: Path) -> list[tuple[int, pa.RecordBatch]] | None:
        """By the lines in which the key stands; ``None`` if one of them is part of a longer record."""
        found: list[tuple[int, pa.RecordBatch]] = []
        quote = (self._feed.dialect.quote or "").encode()
        with open_events(path) as source:
            header, number = header_line(source.stream)
            for lines in _lines_with(source.stream, str(self._key).encode(), number + 1):
                # Where a value in quotes goes on in the next line, the quotes of this one are odd.
                if quote and any(line.count(quote) % 2 for _, line in lines):
                    return None
                text = io.BytesIO(b"\n".join([header, *(line for _, line in lines)]) + b"\n")
                for position, row in self._rows(text, FileFacts("utf-8", b"")):
                    found.append((lines[position - 2][0], row))
        return found

    def by_decoding(self, path: Path) -> Iterator[tuple[int, pa.RecordBatch]]:
        """By decoding all of the file."""
        facts = look_over(self._feed, path)
        with open_events(path) as source:
            yield from self._rows(source.stream, facts)

    def _rows(self, stream: BinaryIO, facts: FileFacts) -> Iterator[tuple[int, pa.RecordBatch]]:
        wanted = pa.scalar(self._key.bytes, pa.binary(16))
        for chunk in decoder_of(self._feed).decode(stream, facts, datetime.now(UTC)):
            rows = chunk.rows.filter(pc.equal(chunk.rows[self._column], wanted))
            for position in range(rows.num_rows):
                row = rows.slice(position, 1)
                yield RecordPlace.of(self._feed, row["line_number"][0].as_py()).line, row


def _lines_with(stream: BinaryIO, key: bytes, number: int) -> Iterator[list[tuple[int, bytes]]]:
    """Number and bytes of the lines in which ``key`` stands, in any case, for some text at a time.

    ``number`` is that of the first line of the stream.
    """
    rest = b""
    while block := stream.read(_BLOCK_BYTES):
        end = block.rfind(b"\n") + 1
        if not end:
            # Of a line that is too long to be an event its beginning will do.
            rest = (rest + block)[: MAX_LINE_BYTES + 1]
            continue
        text, rest = rest + block[:end], block[end:]
        yield from _found(text, key, number)
        number += text.count(b"\n")
    yield from _found(rest, key, number)


def _found(text: bytes, key: bytes, number: int) -> Iterator[list[tuple[int, bytes]]]:
    lowered = text.lower()
    lines: list[tuple[int, bytes]] = []
    counted = 0
    at = lowered.find(key)
    while at >= 0:
        begin = text.rfind(b"\n", 0, at) + 1
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        number += text.count(b"\n", counted, begin)
        counted = begin
        lines.append((number, text[begin:end]))
        at = lowered.find(key, end)
    if lines:
        yield lines
