"""Rows of a file that is read again: as it is, or as it would be with some of its rows corrected.

Belongs here: the ids that rows of a file get which have none of their own, since those depend on all of the
file. Does not belong here: which rows are wanted (``corrections``, ``trace``).

The rows of a feed are known by their place, by how-manieth they are of their key, or by their content and
how-manieth they are of that. A corrected row stands where the refused one does: it is read in its place. By
content it is read at the end of the file: it is one more of its like than the file had, so it is not taken
for one that is stored; and when the corrected file is dropped one day, it has as many of them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

from ecom_platform.feeds.feed import Feed
from ecom_platform.files.chunks import FeedChunk, RecordPlace
from ecom_platform.files.opening import open_events
from ecom_platform.files.readers import decoder_of, look_over

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@dataclass(frozen=True, slots=True)
class Replacement:
    """What stands in a file in the place of the record that begins at ``line`` (the number of a
    :class:`RecordPlace`) and has so many ``lines``.

    ``copies``: where it is read at the end of the file, the how-manieth there it is of its like.
    """

    line: int
    lines: int
    text: str
    copies: int = 1


def rows_of_line(feed: Feed, path: Path, line: int) -> list[pa.RecordBatch]:
    """The valid rows that begin at a line of a file: one, or where lines are exploded any number.

    Raises :class:`UnreadableFile` and OSError.
    """
    facts = look_over(feed, path)
    rows = []
    with open_events(path) as source:
        for chunk in decoder_of(feed).decode(source.stream, facts, datetime.now(UTC)):
            for position, number in enumerate(chunk.rows["line_number"].to_pylist()):
                if RecordPlace.of(feed, number).line == line:
                    rows.append(chunk.rows.slice(position, 1))
    return rows


def rows_at(feed: Feed, path: Path, places: Iterable[int]) -> dict[int, pa.RecordBatch]:
    """The valid rows of a file at these places, one each, by the number of the :class:`RecordPlace`.

    Raises :class:`UnreadableFile` and OSError.
    """
    wanted = set(places)
    facts = look_over(feed, path)
    with open_events(path) as source:
        return _found(decoder_of(feed).decode(source.stream, facts, datetime.now(UTC)), wanted)


def rows_replaced(feed: Feed, path: Path, replacements: Iterable[Replacement]) -> dict[int, pa.RecordBatch]:
    """The rows that the replacements are, by the lines of the records that they stand for. One that goes over
    more lines than its record did has no place there, and is none.

    Raises :class:`UnreadableFile` and OSError.
    """
    at_the_end = feed.identity == "content"
    by_line = {one.line: one for one in replacements if at_the_end or one.text.count("\n") < one.lines}
    facts = look_over(feed, path)
    with open_events(path) as source:
        edited = _Edited(source.stream, facts.encoding, by_line, at_the_end=at_the_end)
        stream = cast(BinaryIO, io.BufferedReader(edited))
        chunks = decoder_of(feed).decode(stream, facts, datetime.now(UTC))
        rows: dict[int, pa.RecordBatch] = {}
        only = None if feed.explode is None else 1
        for chunk in chunks:
            rows |= _found([chunk], {RecordPlace(line, only).number for line in edited.places})
    return {edited.places[RecordPlace.of(feed, number).line]: row for number, row in rows.items()}


def _found(chunks: Iterable[FeedChunk], wanted: set[int]) -> dict[int, pa.RecordBatch]:
    rows = {}
    for chunk in chunks:
        for position, line in enumerate(chunk.rows["line_number"].to_pylist()):
            if line in wanted:
                rows[line] = chunk.rows.slice(position, 1)
    return rows


class _Edited(io.RawIOBase):
    """A file with replacements, in their places or at its end. ``places``: by the line at which a replacement
    begins now, the line of the record that it stands for; complete when all was read."""

    def __init__(
        self, stream: BinaryIO, encoding: str, by_line: Mapping[int, Replacement], *, at_the_end: bool
    ) -> None:
        self.places: dict[int, int] = {}
        self._encoding, self._by_line = encoding, by_line
        self._pieces = self._appended(stream) if at_the_end else self._replaced(stream)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _replaced(self, stream: BinaryIO) -> Iterator[bytes]:
        """Every line behind a replacement keeps its number: one of fewer lines is followed by empty ones."""
        skipped = 0
        for number, line in enumerate(stream, 1):
            replacement = self._by_line.get(number)
            if replacement is not None:
                written = self._written(replacement)
                self.places[number] = number
                skipped = replacement.lines - 1
                yield written + b"\n" * (replacement.lines - written.count(b"\n"))
            elif skipped:
                skipped -= 1
            else:
                yield line

    def _appended(self, stream: BinaryIO) -> Iterator[bytes]:
        lines, last = 0, b"\n"
        while block := stream.read(1 << 20):
            lines, last = lines + block.count(b"\n"), block
            yield block
        if not last.endswith(b"\n"):
            lines += 1
            yield b"\n"
        for replacement in self._by_line.values():
            written = self._written(replacement)
            for _ in range(replacement.copies):
                begun = lines + 1
                lines += written.count(b"\n")
                yield written
            self.places[begun] = replacement.line

    def _written(self, replacement: Replacement) -> bytes:
        return f"{replacement.text}\n".encode(self._encoding, "replace")
