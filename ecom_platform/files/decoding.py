"""The bytes of a whole file -> chunks of typed rows and rejects, in bounded memory.

Belongs here: opening a file, its header, and bringing the vectorised path (``conversion``) and
the tolerant one (``validation``) together, so that every record ends in exactly one of rows and
rejects. Does not belong here: the grammar of lines (``splitting``), or what becomes of a chunk.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

import numpy as np
import pyarrow as pa

from ecom_platform.errors import EcomError
from ecom_platform.feeds import arrow
from ecom_platform.feeds.conversion import convert
from ecom_platform.feeds.declaration import COLUMN_NAMES, COLUMNS, EVENT_ARROW_SCHEMA
from ecom_platform.feeds.places import Places
from ecom_platform.feeds.validation import ReasonCode, RowProblem, Value, row_looks, validate
from ecom_platform.files.headers import strange_header
from ecom_platform.files.splitting import Block, BlockReader, Grammar, Record, split_quoted

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

    from _typeshed import WriteableBuffer

DEFAULT_CHUNK_BYTES = 8 << 20
MAX_CHUNK_BYTES = 1 << 30  # offsets into the text of a chunk have 32 bits
MAX_RAW_BYTES = 8_192
MAX_HEADER_BYTES = 1 << 16

DECODED_SCHEMA: pa.Schema = EVENT_ARROW_SCHEMA.append(pa.field("line_number", pa.int64(), nullable=False))

_READ_BYTES = 1 << 20
_SMALL_READ_BYTES = 1 << 14
_BOM = b"\xef\xbb\xbf"


class FileReason(StrEnum):
    """Why a whole file cannot be read and is quarantined."""

    EMPTY_FILE = "empty_file"
    WRONG_HEADER = "wrong_header"
    NOT_UTF8_HEADER = "not_utf8_header"
    CORRUPT_GZIP = "corrupt_gzip"
    NOT_A_FILE = "not_a_file"
    READ_ERROR = "read_error"
    MIXED_ENCODING = "mixed_encoding"

    @property
    def description(self) -> str:
        """One sentence for the docs and the UI."""
        return _FILE_DESCRIPTIONS[self]


_FILE_DESCRIPTIONS: dict[FileReason, str] = {
    FileReason.EMPTY_FILE: "The file has no header: it is empty or holds only blank lines.",
    FileReason.WRONG_HEADER: f"The header is not made of exactly the {len(COLUMNS)} names of the columns.",
    FileReason.NOT_UTF8_HEADER: "The header is not valid UTF-8.",
    FileReason.CORRUPT_GZIP: "The compressed data is damaged, cut off or not gzip at all.",
    FileReason.NOT_A_FILE: "A symbolic link, a folder, a pipe or a device took the place of the file.",
    FileReason.MIXED_ENCODING: "Some of the file is UTF-8 and at least as much of it is not.",
    FileReason.READ_ERROR: "The disk or the server of the folder fails to give it, also when asked again.",
}


class UnreadableFile(EcomError):  # noqa: N818 - it is a verdict on a file, not a fault of the program
    """The file as a whole cannot be read; none of its rows may be kept."""

    code = "unreadable_file"

    def __init__(self, reason: FileReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}", "Correct the file and drop it again.")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is not an event. ``raw`` is cut at ``MAX_RAW_BYTES`` and has no line end."""

    line_number: int
    raw: bytes
    reason: ReasonCode
    column: str | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records of a file: ``rows`` in ``DECODED_SCHEMA`` and ``rejects``, each in file order.

    ``header`` has the names of the columns as they stand in the file.
    """

    rows: pa.RecordBatch
    rejects: list[Reject]
    records: int
    header: tuple[str, ...]


def decode(stream: BinaryIO, now: datetime, chunk_bytes: int = DEFAULT_CHUNK_BYTES) -> Iterator[Chunk]:
    """The records of a CSV file, a chunk for about every ``chunk_bytes`` of text.

    ``now`` is an aware time that bounds how late an event may be. Line numbers are physical lines;
    the first line of the file is 1. The result does not depend on ``chunk_bytes``, but for where
    one chunk ends and the next begins. Raises :class:`UnreadableFile`, perhaps in mid-file.
    """
    if not 1 <= chunk_bytes <= MAX_CHUNK_BYTES:
        raise ValueError(f"chunk_bytes is {chunk_bytes}; it must be between 1 and {MAX_CHUNK_BYTES}.")
    return _decode(stream, now, chunk_bytes, one_by_one=False)


def _decode(stream: BinaryIO, now: datetime, chunk_bytes: int, *, one_by_one: bool) -> Iterator[Chunk]:
    """:func:`decode`, with the choice to have every row judged by the tolerant path, for tests."""
    header, blocks = _open_blocks(stream, chunk_bytes, one_by_one=one_by_one)
    for block in blocks:
        chunk = _BlockDecoder(block, header, now).chunk()
        if chunk.records:
            yield chunk


def read_header(stream: BinaryIO) -> tuple[str, ...]:
    """The names of the columns in the order of a file. Raises :class:`UnreadableFile`."""
    return _header_names(header_line(GuardedStream(stream))[0])


def raw_records(stream: BinaryIO, line_numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """The records that start at these lines of a file: the line, and the bytes, cut at ``MAX_RAW_BYTES``.

    In file order. Takes a second pass over the file; lines at which no record starts are left out.
    """
    wanted = np.unique(np.fromiter(line_numbers, dtype=np.int64))
    if not len(wanted):
        return
    _, blocks = _open_blocks(stream, DEFAULT_CHUNK_BYTES, one_by_one=False)
    for block in blocks:
        begin, end = np.searchsorted(wanted, (block.first_line, block.next_line))
        here = wanted[begin:end]
        irregular = {record.line: record for record in block.records}
        plain = np.isin(here, block.plain + block.first_line)
        for line, is_plain in zip(here.tolist(), plain.tolist(), strict=True):
            if is_plain:
                yield line, _raw_line(block, line)
            elif line in irregular:
                record = irregular[line]
                yield line, _raw(block, record.begin, record.end)


def _raw_line(block: Block, line: int) -> bytes:
    index = line - block.first_line
    return _raw(block, int(block.line_begins[index]), int(block.line_ends[index]))


def _raw(block: Block, begin: int, end: int) -> bytes:
    return block.data[begin : min(end, begin + MAX_RAW_BYTES)]


# -- one block -----------------------------------------------------------------------------------

_Accepted: TypeAlias = tuple[int, tuple[Value, ...]]


class _BlockDecoder:
    """Turns one block of a file with the columns ``header`` into a chunk; used once."""

    def __init__(self, block: Block, header: tuple[str, ...], now: datetime) -> None:
        self._block = block
        self._header = header
        self._order = [header.index(name) for name in COLUMN_NAMES]
        self._now = now
        self._accepted: list[_Accepted] = []
        self._rejects: list[Reject] = []

    def chunk(self) -> Chunk:
        block = self._block
        certain = self._certain_rows()
        for record in block.records:
            self._judge(record)
        rows = _merge(certain, self._accepted)
        self._rejects.sort(key=lambda reject: reject.line_number)
        return Chunk(rows, self._rejects, len(block.plain) + len(block.records), self._header)

    def _certain_rows(self) -> pa.RecordBatch:
        """The plain lines that the vectorised path accepts; the others are judged one by one."""
        block = self._block
        if not len(block.plain):
            return _NO_ROWS
        bounds = [(block.field_begins[position], block.field_ends[position]) for position in self._order]
        places = [Places(block.data, begins, ends) for begins, ends in bounds]
        arrays, accepted = convert(places, self._now)
        lines = arrow.fixed_width(block.plain + block.first_line, pa.int64())
        batch = pa.RecordBatch.from_arrays([*arrays, lines], schema=DECODED_SCHEMA)
        if accepted.all():
            return batch
        for row in np.flatnonzero(~accepted).tolist():
            self._judge(self._record(row))
        return batch.filter(arrow.booleans(accepted))

    def _record(self, row: int) -> Record:
        """A plain line in the shape of an irregular one."""
        block = self._block
        line = int(block.plain[row])
        bounds = zip(block.field_begins[:, row].tolist(), block.field_ends[:, row].tolist(), strict=True)
        return Record(
            line=block.first_line + line,
            begin=int(block.line_begins[line]),
            end=int(block.line_ends[line]),
            fields=tuple(block.data[begin:end] for begin, end in bounds),
        )

    def _judge(self, record: Record) -> None:
        verdict = self._verdict(record)
        if isinstance(verdict, RowProblem):
            raw = _raw(self._block, record.begin, record.end)
            self._rejects.append(Reject(record.line, raw, verdict.reason, verdict.column))
        else:
            self._accepted.append((record.line, verdict))

    def _verdict(self, record: Record) -> tuple[Value, ...] | RowProblem:
        """Looks at the record as a whole first, from its length to the number of its fields."""
        if record.too_long:
            return RowProblem(ReasonCode.ROW_TOO_LONG)
        raw = self._block.data[record.begin : record.end]
        if b"\0" in raw:
            return RowProblem(ReasonCode.NUL_BYTE)
        if not _is_utf8(raw):
            return RowProblem(ReasonCode.INVALID_UTF8)
        if record.fields is None:
            return RowProblem(ReasonCode.UNBALANCED_QUOTES)
        texts = [field.decode() for field in record.fields]
        if len(texts) == len(self._order):
            texts = [texts[position] for position in self._order]
        return validate(texts, self._now)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


_NO_ROWS = pa.RecordBatch.from_arrays(
    [pa.nulls(0, field.type) for field in DECODED_SCHEMA], schema=DECODED_SCHEMA
)


def _merge(certain: pa.RecordBatch, accepted: list[_Accepted]) -> pa.RecordBatch:
    """Both kinds of rows together, in the order of their lines."""
    if not accepted:
        return certain
    columns = [*zip(*(values for _, values in accepted), strict=True), [line for line, _ in accepted]]
    arrays = [
        arrow.from_values(values, field.type) for values, field in zip(columns, DECODED_SCHEMA, strict=True)
    ]
    judged = pa.RecordBatch.from_arrays(arrays, schema=DECODED_SCHEMA)
    if not certain.num_rows:
        return judged
    both = pa.concat_batches([certain, judged])
    return both.take(pa.array(np.argsort(both["line_number"].to_numpy(), kind="stable")))


# -- the header ----------------------------------------------------------------------------------


def _open_blocks(
    stream: BinaryIO, chunk_bytes: int, *, one_by_one: bool
) -> tuple[tuple[str, ...], Iterable[Block]]:
    """The names of the header and the blocks of lines that follow it."""
    guarded = GuardedStream(stream)
    line, number = header_line(guarded)
    names = _header_names(line)
    looks = row_looks(names)
    return names, BlockReader(
        guarded, Grammar(len(names)), chunk_bytes, looks, first_line=number + 1, one_by_one=one_by_one
    )


class GuardedStream:
    """A stream that says in our words when what it unpacks is damaged."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return self._guard(self._stream.read, size)

    def readline(self, size: int) -> bytes:
        return self._guard(self._stream.readline, size)

    @staticmethod
    def _guard(read: Callable[[int], bytes], size: int) -> bytes:
        try:
            return read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            # What follows in brackets are bytes of the file.
            raise UnreadableFile(FileReason.CORRUPT_GZIP, str(error).partition(" (b")[0]) from error


def header_line(stream: BinaryIO | GuardedStream) -> tuple[bytes, int]:
    """The first line that is not blank, without byte order mark and line end, and its number.

    Raises :class:`UnreadableFile` where there is none.
    """
    number = 0
    while line := stream.readline(MAX_HEADER_BYTES):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if line.strip(b" \t"):
            return line, number
    raise UnreadableFile(FileReason.EMPTY_FILE, "the file has no header")


def _header_names(line: bytes) -> tuple[str, ...]:
    """The names, in the order of the file: each column exactly once."""
    if not _is_utf8(line):
        raise UnreadableFile(FileReason.NOT_UTF8_HEADER, f"the first line of {len(line):,} bytes is no UTF-8")
    terminated = line + b"\n"
    split = split_quoted(terminated, 0, len(line), len(terminated), Grammar(len(COLUMN_NAMES)))
    names = tuple(name.decode() for name in split[0]) if split else ()
    if sorted(names) != sorted(COLUMN_NAMES):
        raise UnreadableFile(FileReason.WRONG_HEADER, strange_header(names if split else None))
    return names


# -- files ---------------------------------------------------------------------------------------


class EventFile:
    """An open file of events: its text, and the fingerprint of its bytes as they lie on disk."""

    def __init__(self, path: Path, raw: io.FileIO) -> None:
        self._hashing = _HashingReader(raw)
        # Buffered in large pieces, since every piece is hashed by itself.
        buffered = io.BufferedReader(self._hashing, buffer_size=_READ_BYTES)
        unpacks = path.name.endswith(".gz")
        self.stream = cast(BinaryIO, gzip.GzipFile(fileobj=buffered) if unpacks else buffered)

    def sha256(self) -> str:
        """The digest of the whole file, whose rest is read if need be; as 64 hexadecimal digits."""
        return self._hashing.finish().hexdigest()

    @property
    def size(self) -> int:
        """The number of bytes of the whole file, whose rest is read if need be."""
        self._hashing.finish()
        return self._hashing.size


@contextmanager
def open_events(path: Path) -> Iterator[EventFile]:
    """Open a file of events; a name that ends in ``.gz`` is unpacked on the way.

    Raises :class:`UnreadableFile` for what is no regular file, and :class:`OSError`.
    """
    with io.FileIO(path, "rb", opener=_open_regular) as raw:
        yield EventFile(path, raw)


def _open_regular(path: str, flags: int) -> int:
    """A descriptor of a regular file. Whoever could write in the landing folder may have put something
    else in its place since it was looked at: a link would lay its target open, a pipe would hold us up.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in _NOT_OPENED:
            raise UnreadableFile(FileReason.NOT_A_FILE, _NOT_OPENED[error.errno]) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFile(FileReason.NOT_A_FILE, "a folder, a pipe or a device")
    return descriptor


_NOT_OPENED = {errno.ELOOP: "a symbolic link", errno.ENXIO: "a socket or a device"}


class _HashingReader(io.RawIOBase):
    """Passes the bytes of a file on and takes their fingerprint in passing."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__()
        self._raw = raw
        self._digest = hashlib.sha256()
        self._at_end = False
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        count = self._raw.readinto(view)
        self._digest.update(view[:count])
        self.size += count
        self._at_end = count == 0
        return count

    def finish(self) -> Digest:
        """Read what nobody has read yet; when all is read, the file may be closed by now."""
        rest = bytearray(_SMALL_READ_BYTES)
        while not self._at_end:
            self.readinto(rest)
        return self._digest
