"""The bytes of a file of separated text -> chunks of typed rows and rejects, in bounded memory.

Belongs here: bringing header, lines and types together, so that every record ends in exactly one of rows
and rejects, and giving each row the id that its feed declares. Does not belong here: the grammar of lines
(``splitting``), the rules of values (``feeds``), or what becomes of a chunk.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import BinaryIO, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.places import Array
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.rows import Fault, RowType
from ecom_platform.feeds.types.column_type import Value
from ecom_platform.files.chunks import (
    DEFAULT_CHUNK_BYTES,
    EXTRA,
    LINE,
    MAX_RAW_BYTES,
    MAX_VALUE,
    ROW_ID,
    FeedChunk,
    FileFacts,
    RefusedRecord,
)
from ecom_platform.files.column_texts import column_texts
from ecom_platform.files.decoder import Decoder
from ecom_platform.files.encoding import UTF8, Recoded
from ecom_platform.files.file_columns import FileColumns, HeaderMismatch, by_header, without_header
from ecom_platform.files.header_lines import grammar_of, names_for, skip_titles
from ecom_platform.files.opening import WithoutMark, header_line
from ecom_platform.files.record_ids import RecordIds
from ecom_platform.files.splitting import Block, BlockReader, Grammar, Record
from ecom_platform.files.unreadable import FileReason, UnreadableFile

_READ_BYTES = 1 << 20


class FeedDecoder(Decoder):
    """Reads the files of one feed that are separated text."""

    def _chunks(
        self, stream: BinaryIO, facts: FileFacts, now: datetime, chunk_bytes: int, *, one_by_one: bool
    ) -> Iterator[FeedChunk]:
        columns, blocks = self._open(stream, facts, chunk_bytes, one_by_one=one_by_one)
        rows = RowType(columns.feed)
        ids = RecordIds(columns, facts.fingerprint)
        for block in blocks:
            chunk = _BlockReading(block, columns, rows, ids, now).chunk()
            if chunk.records:
                yield chunk

    def header(self, stream: BinaryIO) -> tuple[str, ...]:
        """The names of a file's columns as they stand in it; none where the feed's files have no header.

        Raises :class:`UnreadableFile`.
        """
        return self._open(stream, FileFacts(UTF8, b""), DEFAULT_CHUNK_BYTES, one_by_one=False)[0].header

    def raw_records(
        self, stream: BinaryIO, facts: FileFacts, line_numbers: Sequence[int] | Array
    ) -> Iterator[tuple[int, bytes]]:
        wanted = np.unique(np.asarray(line_numbers, dtype=np.int64))
        if not len(wanted):
            return
        _, blocks = self._open(stream, facts, DEFAULT_CHUNK_BYTES, one_by_one=False)
        for block in blocks:
            begin, end = np.searchsorted(wanted, (block.first_line, block.next_line))
            irregular = {record.line: record for record in block.records}
            plain = set((block.plain + block.first_line).tolist())
            for line in wanted[begin:end].tolist():
                if line in irregular:
                    yield line, _raw(block, irregular[line].begin, irregular[line].end)
                elif line in plain:
                    at = line - block.first_line
                    yield line, _raw(block, int(block.line_begins[at]), int(block.line_ends[at]))

    def _open(
        self, stream: BinaryIO, facts: FileFacts, chunk_bytes: int, *, one_by_one: bool
    ) -> tuple[FileColumns, BlockReader]:
        dialect = self.feed.dialect
        if facts.encoding != UTF8:
            stream = cast(BinaryIO, io.BufferedReader(Recoded(stream, facts.encoding), _READ_BYTES))
        if not dialect.header and not dialect.skip:
            stream = cast(BinaryIO, WithoutMark(stream))
        skip_titles(dialect, stream)
        columns, read = self._columns(stream)
        number = dialect.skip + read
        grammar = grammar_of(dialect, columns.width)
        looks = _Looks(columns, grammar, RowType(columns.feed))
        blocks = BlockReader(
            stream, grammar, chunk_bytes, looks, first_line=number + 1, one_by_one=one_by_one
        )
        return columns, blocks

    def _columns(self, stream: BinaryIO) -> tuple[FileColumns, int]:
        """Which fields are which columns, and how many lines that took."""
        try:
            if not self.feed.dialect.header:
                return without_header(self.feed), 0
            line, number = header_line(stream)
            return by_header(self.feed, names_for(self.feed, line)), number
        except HeaderMismatch as error:
            raise UnreadableFile(FileReason.WRONG_HEADER, str(error)) from error


class _Looks:
    """Whether a line inside a field looks like a row of the file."""

    def __init__(self, columns: FileColumns, grammar: Grammar, rows: RowType) -> None:
        self._columns, self._grammar, self._rows = columns, grammar, rows

    def __call__(self, line: bytes) -> bool:
        fields = line.split(self._grammar.delimiter, self._columns.width)
        found: list[bytes | None] = [
            fields[places[0]] if len(places) == 1 and places[0] < len(fields) else None
            for places in self._columns.places
        ]
        return self._rows.looks_like_row(found)


# -- one block -----------------------------------------------------------------------------------

_Accepted: TypeAlias = "tuple[int, tuple[Value, ...], str]"


class _BlockReading:
    """Turns one block of a file into a chunk; used once."""

    def __init__(
        self, block: Block, columns: FileColumns, rows: RowType, ids: RecordIds, now: datetime
    ) -> None:
        self._block, self._columns, self._rows, self._ids, self._now = block, columns, rows, ids, now
        self._accepted: list[_Accepted] = []
        self._rejects: list[RefusedRecord] = []

    def chunk(self) -> FeedChunk:
        block = self._block
        certain = self._certain_rows()
        whole = []
        for record in block.records:
            fault = self._fault(record)
            if fault is None:
                whole.append(record)
                self._judge(record)
            else:
                self._refuse(record, fault)
        rows = self._merged(certain)
        self._rejects.sort(key=lambda reject: reject.line_number)
        if self._ids.needed:
            lines, hashed = self._ids.hashes(block, whole)
            rows = rows.append_column(ROW_ID, self._ids.ids(lines, hashed, rows))
        return FeedChunk(rows, self._rejects, len(block.plain) + len(block.records), self._columns.header)

    @cached_property
    def _stores_extra(self) -> bool:
        return self._columns.feed.extra == "store"

    @cached_property
    def _schema(self) -> pa.Schema:
        schema = self._rows.schema
        if self._stores_extra:
            schema = schema.append(pa.field(EXTRA, pa.string()))
        return schema.append(pa.field(LINE, pa.int64(), nullable=False))

    def _certain_rows(self) -> pa.RecordBatch:
        """The plain lines that the vectorised path accepts; the others are judged one by one."""
        block = self._block
        if not len(block.plain):
            return pa.RecordBatch.from_arrays(
                [pa.nulls(0, f.type) for f in self._schema], schema=self._schema
            )
        joints = [column.concat.separator if column.concat else "" for column in self._columns.feed.columns]
        texts = [
            column_texts(block, places, joint)
            for places, joint in zip(self._columns.places, joints, strict=True)
        ]
        arrays, accepted = self._rows.convert(texts, self._now)
        if self._stores_extra:
            arrays.append(_extra_texts(block, self._columns.extra))
        lines = arrow.fixed_width(block.plain + block.first_line, pa.int64())
        batch = pa.RecordBatch.from_arrays([*arrays, lines], schema=self._schema)
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

    def _fault(self, record: Record) -> Reason | None:
        """What is wrong with a record as a whole, from its length to the number of its fields."""
        if record.too_long:
            return Reason.ROW_TOO_LONG
        raw = self._block.data[record.begin : record.end]
        if b"\0" in raw or (record.fields is not None and any(b"\0" in field for field in record.fields)):
            return Reason.NUL_BYTE
        try:
            raw.decode()
        except UnicodeDecodeError:
            return Reason.INVALID_UTF8
        if record.fields is None:
            return Reason.UNBALANCED_QUOTES
        if len(record.fields) != self._columns.width:
            too_few = len(record.fields) < self._columns.width
            return Reason.MISSING_FIELDS if too_few else Reason.EXTRA_FIELDS
        return None

    def _judge(self, record: Record) -> None:
        fields = [field.decode() for field in record.fields or ()]
        columns = self._columns
        texts = [
            (column.concat.separator if column.concat else "").join(fields[place] for place in places)
            for column, places in zip(columns.feed.columns, columns.places, strict=True)
        ]
        verdict = self._rows.judge(texts, self._now)
        if isinstance(verdict, Fault):
            self._refuse(record, verdict.reason, verdict.column, verdict.value)
            return
        extra = ""
        if self._stores_extra:
            kept = {name: fields[at] for name, at in columns.extra}
            extra = json.dumps(kept, ensure_ascii=False)
        self._accepted.append((record.line, verdict, extra))

    def _refuse(
        self, record: Record, reason: Reason, column: str | None = None, value: str | None = None
    ) -> None:
        raw = _raw(self._block, record.begin, record.end)
        shown = None if value is None else value[:MAX_VALUE]
        self._rejects.append(RefusedRecord(record.line, raw, reason, column, shown))

    def _merged(self, certain: pa.RecordBatch) -> pa.RecordBatch:
        """Both kinds of rows together, in the order of their lines."""
        if not self._accepted:
            return certain
        arrays = self._rows.batch([values for _, values, _ in self._accepted])
        if self._stores_extra:
            arrays.append(arrow.strings([extra for _, _, extra in self._accepted]))
        lines = np.array([line for line, _, _ in self._accepted], dtype=np.int64)
        arrays.append(arrow.fixed_width(lines, pa.int64()))
        judged = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        both = pa.concat_batches([certain, judged])
        order = np.argsort(arrow.to_integers(both[LINE]), kind="stable")
        return both.take(arrow.fixed_width(order, pa.int64()))


def _extra_texts(block: Block, extra: Sequence[tuple[str, int]]) -> pa.Array:
    """The fields that are not declared, as one JSON object a row."""
    count = len(block.plain)
    parts: list[pa.Array | str] = ["{"]
    for number, (name, place) in enumerate(extra):
        key = json.dumps(name, ensure_ascii=False)
        parts.append(f'{", " if number else ""}{key}: "')
        parts += [_escaped_json(column_texts(block, (place,), "").strings()), '"']
    parts.append("}")
    if not extra:
        return pa.repeat(pa.scalar("{}"), count)
    return pc.binary_join_element_wise(*parts, "")


def _escaped_json(texts: pa.Array) -> pa.Array:
    """What stands between the quotes of a JSON text."""
    if not pc.any(pc.match_substring_regex(texts, '[\\x00-\\x1f"\\\\]')).as_py():
        return texts
    return pa.array([json.dumps(text, ensure_ascii=False)[1:-1] for text in texts.to_pylist()], pa.string())


def _raw(block: Block, begin: int, end: int) -> bytes:
    return block.data[begin : min(end, begin + MAX_RAW_BYTES)]
