"""The bytes of a CSV file -> blocks of lines, each line sorted into *plain* or *irregular*.

Belongs here: the grammar of RFC 4180 as this platform reads it, line numbers, and everything that
bounds memory and time. Does not belong here: what a field means.

Nearly every line of nearly every file is plain: the right number of commas, and quotes, if any,
only around whole fields. Where its fields are is found for all plain lines of a block at once.
Every other line is looked at by itself, as the start of a record that may span lines. One
irregular line therefore never makes its neighbours slow.

The grammar, and where it is stricter or more tolerant than RFC 4180:

- A line ends with LF or CRLF, or with the file. A CR elsewhere is part of a value.
- Lines that are empty, or hold only spaces and tabs that are no delimiters, are no records, but they are
  counted.
- A quoted field begins with a quote and its closing quote is followed by a delimiter or a line end.
  A record that breaks this is *unbalanced*: its first line alone is given up and the next line
  starts a new record, so that one stray quote never swallows good rows.
- A record that spans lines is unbalanced too if it does not end within ``MAX_SPAN_BYTES`` or has
  more than ``MAX_SPAN_FIELDS`` fields, or than the file has columns. These bounds also keep the time linear.
- It is unbalanced as well if a line inside one of its fields looks like a row, which the caller decides:
  two stray quotes make one field of all the rows between them, and no row is ever text inside another.
- A line of more than ``MAX_LINE_BYTES`` is skipped without being held in memory.
- With an escape (a backslash), the character behind it is part of the value, whatever it is; a backslash
  before N stays, since it is the usual text for no value, and one before 0 is a NUL, as MySQL writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Readable(Protocol):
    """What is needed of a stream: at most ``size`` bytes, and none at its end."""

    def read(self, size: int) -> bytes: ...


MAX_LINE_BYTES = 1 << 20
MAX_SPAN_BYTES = 1 << 16
MAX_SPAN_FIELDS = 64
# Whatever their length: each line that is not plain becomes an object.
MAX_BLOCK_LINES = 200_000
# Of so little, a row by itself takes less than the vectorised path takes to begin.
SMALL_BLOCK_BYTES = 4_096

# What follows the last line in a block's data, so that reading a fixed width from any field stays inside.
PADDING = bytes(64)

_CR, _LF = ord("\r"), ord("\n")

_LINE_END = re.compile(rb"[\r\n]+")


@dataclass(frozen=True)
class Grammar:
    """The marks of a file's lines, each one byte; ``width`` is how many fields a line has.

    ``quote`` and ``escape`` are empty where there is none.
    """

    width: int
    delimiter: bytes = b","
    quote: bytes = b'"'
    escape: bytes = b""

    @cached_property
    def field(self) -> re.Pattern[bytes]:
        """A field and what ends it. The quantifiers are possessive: a failure is found without
        backtracking."""
        mark, quote, escape = map(re.escape, (self.delimiter, self.quote, self.escape))
        escaped = rb"|" + escape + rb"(?s:.)" if escape else b""
        plain = rb"((?:[^" + quote + escape + mark + rb"\n]++" + escaped + rb")*+)(" + mark + rb"|\n)"
        if not quote:
            return re.compile(rb"()()" + plain)
        inside = rb"(?:[^" + quote + escape + rb"]++|" + quote + quote + escaped + rb")*+"
        return re.compile(quote + rb"(" + inside + rb")" + quote + rb"(" + mark + rb"|\r?\n)|" + plain)

    @cached_property
    def blank(self) -> bytes:
        """What a line that holds nothing may consist of."""
        return b" \t".replace(self.delimiter, b"")

    @cached_property
    def has_marks(self) -> Callable[[bytes, int, int], bool]:
        """Whether a stretch has a quote or an escape."""
        marks = [mark for mark in (self.quote, self.escape) if mark]
        return lambda data, begin, end: any(data.find(mark, begin, end) >= 0 for mark in marks)

    def split_line(self, line: bytes) -> list[bytes]:
        """The fields of a line without quotes and escapes."""
        return line.split(self.delimiter)

    def without_cr(self, text: bytes) -> bytes:
        """The last field of a line that ends with CRLF; a CR that is escaped is part of it."""
        if not text.endswith(b"\r"):
            return text
        before = text[:-1]
        escapes = len(before) - len(before.rstrip(self.escape)) if self.escape else 0
        return text if escapes % 2 else before

    def unescaped(self, text: bytes, *, quoted: bool) -> bytes:
        """What a field stands for."""
        if quoted and self.quote:
            text = text.replace(self.quote * 2, self.quote)
        if self.escape and self.escape in text and text != self.escape + b"N":
            text = re.sub(rb"(?s)" + re.escape(self.escape) + rb"(.)", _meant, text)
        return text


def _meant(match: re.Match[bytes]) -> bytes:
    return b"\0" if match[1] == b"0" else match[1]


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was split by itself.

    ``begin`` and ``end`` bound its bytes in the block, without the line end. ``fields`` are
    unquoted; None stands for unbalanced quotes. ``line`` counts from 1 at the top of the file.
    """

    line: int
    begin: int
    end: int
    fields: tuple[bytes, ...] | None
    too_long: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file, with ``PADDING`` behind them.

    ``plain`` are the indices of the plain lines; ``field_begins`` and ``field_ends`` bound their
    fields, without quotes, one row per field of the header and one column per plain line.
    """

    data: bytes
    first_line: int
    line_begins: Array
    line_ends: Array
    plain: Array
    field_begins: Array
    field_ends: Array
    records: list[Record]
    consumed: int

    @property
    def next_line(self) -> int:
        return self.first_line + len(self.line_begins)


class BlockReader:
    """Iterates over the blocks of ``stream``, from the line ``first_line`` on.

    ``grammar`` says what a plain line is. ``looks_like_row`` is asked of lines inside a field.
    ``one_by_one`` treats every line as irregular: a seam for tests, which compare the two.
    """

    def __init__(
        self,
        stream: Readable,
        grammar: Grammar,
        block_bytes: int,
        looks_like_row: Callable[[bytes], bool],
        *,
        first_line: int = 1,
        one_by_one: bool = False,
    ) -> None:
        self._stream = stream
        self._grammar = grammar
        self._looks_like_row = looks_like_row
        self._block_bytes = block_bytes
        self._pending = b""
        self._ahead = b""
        self._line = first_line
        self._one_by_one = one_by_one

    def __iter__(self) -> Iterator[Block]:
        at_end = False
        while not at_end:
            data, size, at_end = self._fill()
            if not size:
                break
            one_by_one = self._one_by_one or size <= SMALL_BLOCK_BYTES
            scan = _Scan(data, size, at_end, self._line, self._grammar, one_by_one, self._looks_like_row)
            block = scan.block()
            yield block
            self._advance(block, data[block.consumed : size])
            if len(self._pending) > MAX_LINE_BYTES and b"\n" not in self._pending:
                yield self._skip_line()

    def _fill(self) -> tuple[bytes, int, bool]:
        """More data, padded; how much of it counts; and whether the stream has ended."""
        # Reading at least as much as is pending keeps the total work linear for any block size.
        piece = self._read(max(self._block_bytes, len(self._pending)))
        missing_end = not piece and self._pending and not self._pending.endswith(b"\n")
        ending = b"\n" if missing_end else b""
        data = b"".join((self._pending, piece, ending, PADDING))
        return data, len(data) - len(PADDING), not piece

    def _read(self, size: int) -> bytes:
        """More of the stream, but no more than :data:`MAX_BLOCK_LINES` of it; the rest comes next time."""
        piece = self._ahead or self._stream.read(size)
        self._ahead = b""
        if piece.count(b"\n") > MAX_BLOCK_LINES:
            ends = np.flatnonzero(np.frombuffer(piece, dtype=np.uint8) == _LF)
            end = int(ends[MAX_BLOCK_LINES - 1]) + 1
            piece, self._ahead = piece[:end], piece[end:]
        return piece

    def _advance(self, block: Block, pending: bytes) -> None:
        self._line = block.next_line
        self._pending = pending

    def _skip_line(self) -> Block:
        """Drop a line that is too long up to its end, keeping only how it begins."""
        block = _too_long(self._pending, self._line)
        piece = self._pending
        while piece and b"\n" not in piece:
            piece = self._read(max(self._block_bytes, MAX_SPAN_BYTES))
        self._advance(block, piece.partition(b"\n")[2])
        return block


def _too_long(start: bytes, line: int) -> Block:
    none = np.empty(0, dtype=np.int64)
    bounds = np.array([0]), np.array([len(start)])
    record = Record(line, 0, len(start), None, too_long=True)
    return Block(start, line, *bounds, none, none, none, [record], len(start))


class _Scan:
    """Finds the lines and fields of one block; used once."""

    def __init__(
        self,
        data: bytes,
        size: int,
        at_end: bool,
        first_line: int,
        grammar: Grammar,
        one_by_one: bool,
        looks_like_row: Callable[[bytes], bool],
    ) -> None:
        self._looks_like_row = looks_like_row
        self._data = data
        self._size = size
        self._at_end = at_end
        self._first_line = first_line
        self._grammar = grammar
        self._width = grammar.width
        self._one_by_one = one_by_one
        self._chars = np.frombuffer(data, dtype=np.uint8)
        body = self._chars[: data.rfind(b"\n", 0, size) + 1]
        self._marks = np.flatnonzero((body == ord(grammar.delimiter)) | (body == _LF))
        # Where in the marks the line ends are.
        self._last_marks = np.flatnonzero(self._chars[self._marks] == _LF)
        self._newlines = self._marks[self._last_marks]
        self._begins = np.concatenate(([0], self._newlines + 1))[:-1]
        self._ends = self._without_cr()

    def block(self) -> Block:
        irregular = self._irregular()
        records, spanned, complete = self._split_irregular(np.flatnonzero(irregular))
        irregular[spanned] = True
        plain = np.flatnonzero(~irregular[:complete])
        field_begins, field_ends = self._unquoted(*self._fields(plain))
        return Block(
            data=self._data,
            first_line=self._first_line,
            line_begins=self._begins[:complete],
            line_ends=self._ends[:complete],
            plain=plain,
            field_begins=field_begins,
            field_ends=field_ends,
            records=records,
            consumed=int(self._newlines[complete - 1]) + 1 if complete else 0,
        )

    def _without_cr(self) -> Array:
        has_cr = (self._newlines > self._begins) & (self._chars[self._newlines - 1] == _CR)
        ends: Array = self._newlines - has_cr
        return ends

    # -- which lines are irregular

    def _irregular(self) -> Array:
        """A mask of the lines that must be looked at one by one."""
        if self._one_by_one:
            return np.ones(len(self._newlines), dtype=np.bool_)
        delimiters = np.diff(self._last_marks, prepend=-1) - 1
        irregular: Array = (delimiters != self._width - 1) | (self._newlines - self._begins > MAX_LINE_BYTES)
        if self._width == 1:
            irregular |= self._newlines - self._begins <= 1  # perhaps blank
        if self._grammar.quote:
            irregular |= self._with_irregular_quotes(~irregular)
        if self._grammar.escape and self._data.find(self._grammar.escape, 0, self._size) >= 0:
            irregular |= self._has(self._chars[: self._size] == ord(self._grammar.escape)) > 0
        if self._data.find(b"\0", 0, self._size) >= 0:
            irregular |= self._has(self._chars[: self._size] == 0) > 0
        if not self._is_utf8():
            irregular |= self._has(self._chars[: self._size] >= 0x80) > 0
        return irregular

    def _is_utf8(self) -> bool:
        if self._data.isascii():
            return True
        try:
            # Whole lines only: a character may be cut at the end of the data.
            self._data[: self._newlines[-1] if len(self._newlines) else 0].decode()
        except UnicodeDecodeError:
            return False
        return True

    def _has(self, mask: Array) -> Array:
        """How many of the marked bytes each line has."""
        before = np.searchsorted(np.flatnonzero(mask), self._newlines)
        counts: Array = np.diff(before, prepend=0)
        return counts

    def _with_irregular_quotes(self, candidates: Array) -> Array:
        """Lines with quotes other than one pair around a whole field."""
        if self._data.find(self._grammar.quote, 0, self._size) < 0:
            return ~candidates
        quotes = self._has(self._chars[: self._size] == ord(self._grammar.quote))
        lines = np.flatnonzero(candidates & (quotes > 0))
        begins, ends = self._fields(lines)
        pairs = self._is_quote(begins) & self._is_quote(ends - 1) & (ends - begins >= 2)
        irregular = quotes > 0
        # Two quotes for each quoted field leave none for the inside of any.
        irregular[lines] = quotes[lines] != 2 * pairs.sum(axis=0)
        return irregular

    def _is_quote(self, positions: Array) -> Array:
        is_quote: Array = self._chars[positions] == ord(self._grammar.quote)
        return is_quote

    # -- the fields of plain lines

    def _fields(self, lines: Array) -> tuple[Array, Array]:
        """Where the fields of ``lines`` begin and end; these must have the right number of commas."""
        if len(lines) * self._width == len(self._marks):
            ends = self._marks.reshape(-1, self._width)
        else:
            ends = self._marks[self._last_marks[lines][:, None] + np.arange(1 - self._width, 1)]
        ends = np.ascontiguousarray(ends.T)
        begins = np.empty_like(ends)
        begins[0] = self._begins[lines]
        begins[1:] = ends[:-1] + 1
        ends[-1] = self._ends[lines]
        return begins, ends

    def _unquoted(self, begins: Array, ends: Array) -> tuple[Array, Array]:
        if not self._grammar.quote or self._data.find(self._grammar.quote, 0, self._size) < 0:
            return begins, ends
        quoted = self._is_quote(begins)
        return begins + quoted, ends - quoted

    # -- irregular lines

    def _split_irregular(self, lines: Array) -> tuple[list[Record], list[int], int]:
        """The records that start at ``lines``, the further lines they span, and how many lines are complete.

        A record whose end depends on data that is not there yet is left, with all that follows it.
        """
        records: list[Record] = []
        spanned: list[int] = []
        next_line = 0
        for line in lines.tolist():
            if line < next_line or self._is_blank(line):
                continue
            record = self._record(line)
            if record is None:
                return records, spanned, line
            records.append(record)
            next_line = self._line_after(line, record)
            spanned.extend(range(line + 1, next_line))
        return records, spanned, len(self._newlines)

    def _is_blank(self, line: int) -> bool:
        begin, end = int(self._begins[line]), int(self._ends[line])
        return end - begin <= MAX_LINE_BYTES and not self._data[begin:end].strip(self._grammar.blank)

    def _line_after(self, line: int, record: Record) -> int:
        if record.end <= self._newlines[line]:
            return line + 1
        return int(np.searchsorted(self._newlines, record.end)) + 1

    def _record(self, line: int) -> Record | None:
        """The record that starts at ``line``, or None if its end cannot be known yet."""
        begin, end, newline = (int(bound[line]) for bound in (self._begins, self._ends, self._newlines))
        number = self._first_line + line
        if newline - begin > MAX_LINE_BYTES:
            return Record(number, begin, end, None, too_long=True)
        if not self._grammar.has_marks(self._data, begin, end):
            return Record(number, begin, end, tuple(self._grammar.split_line(self._data[begin:end])))
        limit = max(newline + 1, begin + MAX_SPAN_BYTES)
        split = split_quoted(self._data, begin, newline, min(limit, self._size), self._grammar)
        if split is not None:
            fields, after = split
            if after - 1 > newline and self._holds_rows(fields):
                return Record(number, begin, end, None)
            return Record(number, begin, _before_line_end(self._data, after), fields)
        if limit > self._size and not self._at_end:
            return None
        return Record(number, begin, end, None)

    def _holds_rows(self, fields: tuple[bytes, ...]) -> bool:
        """Whether a line that begins inside one of the fields looks, as far as it is inside, like a row."""
        return any(
            self._looks_like_row(line)
            for field in fields
            if b"\n" in field
            for line in _LINE_END.split(field)[1:]
        )


def split_quoted(
    data: bytes, begin: int, first_newline: int, limit: int, grammar: Grammar
) -> tuple[tuple[bytes, ...], int] | None:
    """The unquoted fields of the record at ``begin`` and where the next one starts.

    None if it breaks the grammar, does not end before ``limit``, or spans lines, the first of which
    ends at ``first_newline``, with too many fields.
    """
    fields: list[bytes] = []
    position = begin
    most = max(MAX_SPAN_FIELDS, grammar.width)
    while match := grammar.field.match(data, position, limit):
        quoted, after_quoted, plain, after_plain = match.groups()
        at_line_end = (after_quoted or after_plain) != grammar.delimiter
        if plain is None:
            fields.append(grammar.unescaped(quoted, quoted=True))
        else:
            plain = grammar.without_cr(plain) if at_line_end else plain
            fields.append(grammar.unescaped(plain, quoted=False))
        position = match.end()
        if at_line_end:
            return tuple(fields), position
        if position > first_newline and len(fields) >= most:
            return None
    return None


def _before_line_end(data: bytes, after: int) -> int:
    return after - 2 if data[after - 2] == _CR else after - 1
