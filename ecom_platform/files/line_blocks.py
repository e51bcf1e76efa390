"""The bytes of a file -> blocks of whole physical lines, in bounded memory.

Belongs here: where lines begin and end, their numbers, and lines that are too long. Does not belong here:
what is in a line, or records that span lines (``splitting``).

A line ends with LF or CRLF, or with the file. A line of more than ``MAX_LINE_BYTES`` is skipped without being
held in memory: a block of its own has how it begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ecom_platform.feeds.places import Array
from ecom_platform.files.splitting import MAX_BLOCK_LINES, MAX_LINE_BYTES, PADDING, Readable

_CR, _LF = ord("\r"), ord("\n")
_SKIPPED_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Whole lines of a file, with padding behind them. ``begins`` and ``ends`` bound them in ``data``,
    without their ends; ``too_long`` says which are longer than a line may be, of which only the beginning
    may be there."""

    data: bytes
    first_line: int
    begins: Array
    ends: Array
    too_long: Array

    @property
    def next_line(self) -> int:
        return self.first_line + len(self.begins)

    def line(self, at: int) -> bytes:
        """One of the lines, counted from 0."""
        return self.data[int(self.begins[at]) : int(self.ends[at])]


class LineReader:
    """Iterates over the blocks of ``stream``, each of about ``block_bytes``."""

    def __init__(self, stream: Readable, block_bytes: int) -> None:
        self._stream, self._block_bytes = stream, block_bytes
        self._pending = b""
        self._line = 1

    def __iter__(self) -> Iterator[LineBlock]:
        at_end = False
        while not at_end:
            # What is left may have whole lines, where there were too many for one block: they come first.
            # Else reading at least as much as is pending keeps the total work linear for any block size.
            has_lines = b"\n" in self._pending
            piece = b"" if has_lines else self._stream.read(max(self._block_bytes, len(self._pending)))
            at_end = not has_lines and not piece
            missing_end = at_end and self._pending and not self._pending.endswith(b"\n")
            data = b"".join((self._pending, piece, b"\n" if missing_end else b"", PADDING))
            size = len(data) - len(PADDING)
            block, end = _block(data, size, self._line)
            self._pending = data[end:size]
            at_end = at_end and not self._pending
            if end:
                yield self._counted(block)
            if len(self._pending) > MAX_LINE_BYTES and b"\n" not in self._pending:
                yield self._counted(self._skip_line())

    def _counted(self, block: LineBlock) -> LineBlock:
        self._line = block.next_line
        return block

    def _skip_line(self) -> LineBlock:
        """Drop a line that is too long up to its end, keeping only how it begins."""
        begin = self._pending[:MAX_LINE_BYTES]
        piece = self._pending
        while piece and b"\n" not in piece:
            piece = self._stream.read(max(self._block_bytes, _SKIPPED_BYTES))
        self._pending = piece.partition(b"\n")[2]
        one = np.ones(1, dtype=np.bool_)
        return LineBlock(begin + PADDING, self._line, np.array([0]), np.array([len(begin)]), one)


def _block(data: bytes, size: int, first_line: int) -> tuple[LineBlock, int]:
    """The whole lines in the first ``size`` bytes, no more than ``MAX_BLOCK_LINES``, and where they end."""
    chars = np.frombuffer(data, dtype=np.uint8)
    newlines = np.flatnonzero(chars[:size] == _LF)[:MAX_BLOCK_LINES]
    begins = np.concatenate(([0], newlines[:-1] + 1)) if len(newlines) else newlines
    has_cr = (newlines > begins) & (chars[newlines - 1] == _CR)
    block = LineBlock(data, first_line, begins, newlines - has_cr, newlines - begins > MAX_LINE_BYTES)
    return block, int(newlines[-1]) + 1 if len(newlines) else 0
