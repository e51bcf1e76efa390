"""A Parquet file -> chunks of typed rows and rejects, in bounded memory.

Belongs here: bringing columns and types together, so that every row ends in exactly one of rows and rejects,
and giving each row the id that its feed declares. Does not belong here: which types fit and what texts are
(``parquet_columns``), the rules of values (``feeds``).

Row groups are read some rows at a time. Where a file's type is exactly the declared one, values go over as
they are; where it is not, and wherever one of them is not certainly right, the canonical text is read, by the
same rules as a field of separated text. The line of a row is its number in the file, from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ecom_platform.feeds import arrow, row_ids
from ecom_platform.feeds.feed import Column, Feed
from ecom_platform.feeds.places import Array, Places
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.rows import Fault, RowType, Text
from ecom_platform.feeds.types.column_type import ColumnType, Value
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
from ecom_platform.files.decoder import Decoder
from ecom_platform.files.file_columns import FileColumns, HeaderMismatch, by_header
from ecom_platform.files.file_ids import NUMBERED, POSITION, FileIds
from ecom_platform.files.json_columns import null_text
from ecom_platform.files.parquet_columns import (
    canonical_texts,
    is_time,
    json_objects,
    plain_strings,
    unstorable,
    why_unfit,
)
from ecom_platform.files.unreadable import FileReason, UnreadableFile

_MOST_ROWS = 65_536
_BUFFER_BYTES = 1 << 20


class ParquetDecoder(Decoder):
    """Reads the files of one feed that are Parquet. Their streams have to be able to seek."""

    def _chunks(
        self, stream: BinaryIO, facts: FileFacts, now: datetime, chunk_bytes: int, *, one_by_one: bool
    ) -> Iterator[FeedChunk]:
        file = _File(self.feed, stream)
        columns = file.columns
        rows, ids = RowType(columns.feed), ParquetIds(columns, facts.fingerprint)
        line = 1
        for batch in file.batches(chunk_bytes):
            yield _BatchReading(file, batch, line, rows, ids, now, one_by_one=one_by_one).chunk()
            line += batch.num_rows

    def header(self, stream: BinaryIO) -> tuple[str, ...]:
        """The names of a file's columns. Raises :class:`UnreadableFile`."""
        return _File(self.feed, stream).columns.header

    def raw_records(
        self,
        stream: BinaryIO,
        facts: FileFacts,  # noqa: ARG002 (of other formats something has to be known)
        line_numbers: Sequence[int] | Array,
    ) -> Iterator[tuple[int, bytes]]:
        """The rows of these numbers as JSON, cut at ``MAX_RAW_BYTES``; in file order."""
        wanted = np.unique(np.asarray(line_numbers, dtype=np.int64))
        file, line = _File(self.feed, stream), 1
        for batch in file.batches(DEFAULT_CHUNK_BYTES):
            begin, end = np.searchsorted(wanted, (line, line + batch.num_rows))
            lines = wanted[begin:end]
            yield from zip(lines.tolist(), _raw(file, batch, lines - line), strict=True)
            line += batch.num_rows


def schema_names(stream: BinaryIO) -> tuple[str, ...]:
    """The names of a file's columns. Raises :class:`UnreadableFile`."""
    return tuple(parquet_file(stream).schema_arrow.names)


def parquet_file(stream: BinaryIO) -> pq.ParquetFile:
    """An open Parquet file. Raises :class:`UnreadableFile`."""
    if not stream.seekable():
        raise UnreadableFile(FileReason.NOT_PARQUET, "the file is no Parquet")
    try:
        return pq.ParquetFile(stream, pre_buffer=False, buffer_size=_BUFFER_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> Exception:
    """In our words, but for what the disk says."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    return UnreadableFile(
        FileReason.CORRUPT_PARQUET, "the file cannot be read as the Parquet that it begins as"
    )


class _File:
    """An open file, and where the columns of its feed are in it. Raises :class:`UnreadableFile`."""

    def __init__(self, feed: Feed, stream: BinaryIO) -> None:
        self._file = parquet_file(stream)
        schema = self._file.schema_arrow
        try:
            columns = by_header(feed, schema.names)
        except HeaderMismatch as error:
            raise UnreadableFile(FileReason.WRONG_HEADER, str(error)) from error
        for column, places in zip(columns.feed.columns, columns.places, strict=True):
            for place in places:
                field = schema.field(place)
                if why := why_unfit(column, field.type):
                    said = f"the column {field.name} {why}"
                    raise UnreadableFile(FileReason.UNFIT_TYPE, said)
        fitted = tuple(
            _fitted(column, [schema.field(place).type for place in places])
            for column, places in zip(columns.feed.columns, columns.places, strict=True)
        )
        self.columns = replace(columns, feed=replace(columns.feed, columns=fitted))
        used = {place for places in columns.places for place in places} | {at for _, at in columns.extra}
        # What is neither declared nor kept is not read at all.
        self.read = sorted(used)
        self.at = {place: number for number, place in enumerate(self.read)}
        self.names = [schema.names[place] for place in self.read]
        if not self.names:
            raise UnreadableFile(FileReason.WRONG_HEADER, f"the file has no column of the feed {feed.name}")

    def batches(self, chunk_bytes: int) -> Iterator[pa.RecordBatch]:
        metadata = self._file.metadata
        packed = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
        row_bytes = max(1, packed // max(1, metadata.num_rows))
        size = max(1, min(_MOST_ROWS, chunk_bytes // row_bytes))
        try:
            for batch in self._file.iter_batches(size, columns=self.names, use_threads=False):
                # By name, so that the order is ours.
                arrays = [plain_strings(batch.column(name)) for name in self.names]
                if batch.num_rows:
                    yield pa.RecordBatch.from_arrays(arrays, self.names)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(error) from error


def _fitted(column: Column, kinds: Sequence[pa.DataType]) -> Column:
    """Values that are times have texts in ISO form, whatever texts of other files are in."""
    return replace(column, time_formats=("iso",)) if any(map(is_time, kinds)) else column


def _raw(file: _File, batch: pa.RecordBatch, rows: Array) -> list[bytes]:
    if not len(rows):
        return []
    some = batch.take(arrow.fixed_width(np.asarray(rows, dtype=np.int64), pa.int64()))
    return [text.encode()[:MAX_RAW_BYTES] for text in json_objects(file.names, some.columns).to_pylist()]


class ParquetIds(FileIds):
    """The ids of one file's rows."""

    def __init__(self, columns: FileColumns, fingerprint: bytes) -> None:
        feed = columns.feed
        super().__init__(feed, fingerprint)
        at = {column.name: number for number, column in enumerate(feed.columns)}
        if self._kind == NUMBERED:
            self._hashed = [(name, columns.places[at[name]], "") for name in feed.primary_key]
        else:
            self._hashed = columns.hashed
        self._names = [name for name, _, _ in self._hashed]
        nulls = {places: null_text(c) for c, places in zip(feed.columns, columns.places, strict=True)}
        self._nulls = [nulls.get(places, "\0") for _, places, _ in self._hashed]

    def hashes(self, file: _File, batch: pa.RecordBatch, lines: Array) -> Array:
        """What the rows of a batch are known by."""
        if self._kind == POSITION:
            return self.by_place(lines)
        texts = []
        for (_, places, joined), none in zip(self._hashed, self._nulls, strict=True):
            found = _joined(file, batch, places, joined)
            texts.append(pc.fill_null(found, none) if found.null_count else found)
        forms = row_ids.texts_of(row_ids.content_form(texts))
        return self.numbered(lines, row_ids.hashes(forms, self._names))


def _joined(file: _File, batch: pa.RecordBatch, places: Sequence[int], joined: str) -> pa.Array:
    """The canonical texts of a column that is made of those in ``places``."""
    if not places:
        return pa.nulls(batch.num_rows, pa.string())
    parts = [canonical_texts(batch.column(file.at[place])) for place in places]
    if len(parts) == 1:
        return parts[0]
    none = reduce(pc.and_, map(pc.is_null, parts))
    whole = pc.binary_join_element_wise(*(pc.fill_null(part, "") for part in parts), joined)
    return pc.if_else(none, pa.scalar(None, pa.string()), whole)


class _BatchReading:
    """Turns some rows of a file into a chunk; used once."""

    def __init__(
        self,
        file: _File,
        batch: pa.RecordBatch,
        first_line: int,
        rows: RowType,
        ids: ParquetIds,
        now: datetime,
        *,
        one_by_one: bool,
    ) -> None:
        self._file, self._batch, self._rows, self._ids, self._now = file, batch, rows, ids, now
        self._columns = file.columns
        self._lines = np.arange(first_line, first_line + batch.num_rows, dtype=np.int64)
        self._one_by_one = one_by_one

    def chunk(self) -> FeedChunk:
        arrays, right = self._converted()
        rows = self._batch_of(arrays, self._lines)
        rejects: list[RefusedRecord] = []
        if not right.all():
            judged, rejects = self._judged(np.flatnonzero(~right))
            rows = _merged(rows.filter(arrow.booleans(right)), judged)
        if self._ids.needed:
            hashed = self._ids.hashes(self._file, self._batch, self._lines)
            rows = rows.append_column(ROW_ID, self._ids.ids(self._lines, hashed, rows))
        return FeedChunk(rows, rejects, self._batch.num_rows, self._columns.header)

    def _converted(self) -> tuple[list[pa.Array], Array]:
        """All columns, and the rows that are certainly right throughout."""
        count = self._batch.num_rows
        if self._one_by_one:
            nothing = [pa.nulls(count, kind.arrow) for kind in self._rows.types]
            return nothing, np.zeros(count, dtype=np.bool_)
        arrays: list[pa.Array] = []
        right = np.ones(count, dtype=np.bool_)
        for kind, places in zip(self._rows.types, self._columns.places, strict=True):
            array, good = self._column(kind, places)
            arrays.append(array)
            right &= good
        return arrays, right & self._rows.spanning(arrays)

    def _column(self, kind: ColumnType, places: Sequence[int]) -> tuple[pa.Array, Array]:
        if len(places) == 1:
            values = self._batch.column(self._file.at[places[0]])
            is_text = pa.types.is_string(values.type)
            odd = unstorable(values) if is_text else None
            # Texts that stand for no value may be those of typed values as well.
            if odd is None and (is_text or not any(kind.column.nulls)):
                adopted = kind.adopt(values, self._now)
                if adopted is not None:
                    return adopted
        texts = _joined(self._file, self._batch, places, _joined_by(kind.column))
        odd = unstorable(texts)
        if odd is not None:
            texts = pc.if_else(arrow.booleans(~odd), texts, pa.scalar("", pa.string()))
        absent = arrow.to_mask(pc.is_null(texts)) if texts.null_count else None
        filled = pc.fill_null(texts, "") if texts.null_count else texts
        array, right = kind.convert(Places.of(filled), self._now, absent)
        return array, right if odd is None else right & ~odd

    def _batch_of(self, arrays: list[pa.Array], lines: Array) -> pa.RecordBatch:
        schema = self._rows.schema
        if self._columns.feed.extra == "store":
            schema = schema.append(pa.field(EXTRA, pa.string()))
            arrays = [*arrays, self._extra(lines)]
        schema = schema.append(pa.field(LINE, pa.int64(), nullable=False))
        return pa.RecordBatch.from_arrays([*arrays, arrow.fixed_width(lines, pa.int64())], schema=schema)

    def _extra(self, lines: Array) -> pa.Array:
        """What is not declared, as one JSON object a row."""
        if not self._columns.extra:
            return pa.repeat(pa.scalar("{}"), len(lines))
        rows = arrow.fixed_width(lines - self._lines[0], pa.int64())
        kept = [self._batch.column(self._file.at[place]).take(rows) for _, place in self._columns.extra]
        return json_objects([name for name, _ in self._columns.extra], kept)

    # -- row by row

    def _judged(self, rows: Array) -> tuple[pa.RecordBatch, list[RefusedRecord]]:
        """The rows that are right after all, and those that are refused."""
        texts = list(zip(*(self._texts(places, rows) for places in self._places()), strict=True))
        accepted: list[tuple[int, tuple[Value, ...]]] = []
        refused: list[tuple[int, Fault]] = []
        for row, own in zip(rows.tolist(), texts, strict=True):
            verdict = self._rows.judge(own, self._now)
            if isinstance(verdict, Fault):
                refused.append((row, verdict))
            else:
                accepted.append((row, verdict))
        raws = _raw(self._file, self._batch, np.array([row for row, _ in refused], dtype=np.int64))
        rejects = [
            RefusedRecord(
                int(self._lines[row]),
                raw,
                fault.reason,
                fault.column,
                None if fault.value is None else fault.value[:MAX_VALUE],
            )
            for (row, fault), raw in zip(refused, raws, strict=True)
        ]
        lines = self._lines[np.array([row for row, _ in accepted], dtype=np.int64)]
        return self._batch_of(self._rows.batch([values for _, values in accepted]), lines), rejects

    def _places(self) -> list[tuple[Column, Sequence[int]]]:
        return list(zip(self._columns.feed.columns, self._columns.places, strict=True))

    def _texts(self, column: tuple[Column, Sequence[int]], rows: Array) -> list[Text]:
        """The texts of a column in these rows, or what is wrong with one."""
        some = self._batch.take(arrow.fixed_width(rows.astype(np.int64), pa.int64()))
        texts = _joined(self._file, some, column[1], _joined_by(column[0]))
        found: list[Text] = []
        for octets in pc.cast(texts, pa.binary()).to_pylist():
            try:
                text = None if octets is None else octets.decode()
            except UnicodeDecodeError:
                found.append(Fault(Reason.INVALID_UTF8, None, octets.decode("utf-8", "replace")))
                continue
            has_nul = text is not None and "\0" in text
            found.append(Fault(Reason.NUL_BYTE, None, "") if has_nul else text)
        return found


def _joined_by(column: Column) -> str:
    return column.concat.separator if column.concat else ""


def _merged(certain: pa.RecordBatch, judged: pa.RecordBatch) -> pa.RecordBatch:
    """Both kinds of rows together, in the order of the file."""
    if not judged.num_rows:
        return certain
    both = pa.concat_batches([certain, judged])
    order = np.argsort(arrow.to_integers(both[LINE]), kind="stable")
    return both.take(arrow.fixed_width(order, pa.int64()))
