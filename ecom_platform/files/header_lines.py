"""The header of a file: the line that it is, and the names in it.

Belongs here: title lines, and splitting one line as its feed declares. Does not belong here: which names are
which columns (``file_columns``), or the rows (``feed_decoding``).
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from typing import BinaryIO

from ecom_platform.feeds.feed import Dialect, Feed
from ecom_platform.files.encoding import UTF8
from ecom_platform.files.file_columns import HeaderMismatch, known_names
from ecom_platform.files.header_wording import mark_in_words, separated_by
from ecom_platform.files.opening import MAX_HEADER_BYTES, header_line
from ecom_platform.files.splitting import Grammar, split_quoted
from ecom_platform.files.unreadable import FileReason, UnreadableFile


@cache
def grammar_of(dialect: Dialect, width: int) -> Grammar:
    """How lines of ``width`` fields are split; ``width`` 0: of any number."""
    quote, escape = (dialect.quote or "").encode(), (dialect.escape or "").encode()
    return Grammar(width, dialect.delimiter.encode(), quote, escape)


def skip_titles(dialect: Dialect, stream: BinaryIO) -> None:
    """Read past the lines above the header. Raises :class:`UnreadableFile`."""
    for _ in range(dialect.skip):
        if not stream.readline(MAX_HEADER_BYTES):
            raise UnreadableFile(FileReason.EMPTY_FILE, "the file ends before its header")


def split_header(dialect: Dialect, line: bytes) -> tuple[str, ...]:
    """The names in a header, which is UTF-8. Raises :class:`UnreadableFile` and :class:`HeaderMismatch`."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            FileReason.NOT_UTF8_HEADER, f"the header of {len(line):,} bytes is no UTF-8"
        ) from error
    terminated = line + b"\n"
    split = split_quoted(terminated, 0, len(line), len(terminated), grammar_of(dialect, 0))
    if split is None:
        raise HeaderMismatch("the first line has a quote that is not closed")
    return tuple(name.decode() for name in split[0])


def names_for(feed: Feed, line: bytes) -> tuple[str, ...]:
    """The names in a header of a file of ``feed``; where it is separated otherwise, that is what is said.

    Raises :class:`UnreadableFile` and :class:`HeaderMismatch`.
    """
    try:
        return split_header(feed.dialect, line)
    except HeaderMismatch as error:
        delimiter = feed.dialect.delimiter
        other = separated_by([line.decode()], delimiter, known_names(feed))
        if other is None:
            raise
        raise HeaderMismatch(
            f"it is separated by {mark_in_words(other)}, the feed by {mark_in_words(delimiter)}"
        ) from error


def names_by(dialect: Dialect, beginning: bytes) -> list[str]:
    """The names in the header of a file that begins like this, read as ``dialect`` says.

    Raises :class:`UnreadableFile` and :class:`HeaderMismatch`.
    """
    stream = io.BytesIO(beginning)
    skip_titles(dialect, stream)
    line, _ = header_line(stream)
    return [name.strip() for name in split_header(dialect, _as_utf8(line, dialect.encodings))]


def _as_utf8(line: bytes, encodings: Iterable[str]) -> bytes:
    """In the first encoding that it can be in; as it is where that is none."""
    for encoding in encodings:
        try:
            return line.decode(encoding).encode(UTF8)
        except UnicodeDecodeError:
            continue
    return line
