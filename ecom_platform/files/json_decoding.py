"""The bytes of a file of JSON lines -> chunks of typed rows and rejects, in bounded memory.

Belongs here: bringing lines, values and types together, so that every record ends in exactly one of rows and
rejects, and giving each row the id that its feed declares. Does not belong here: what JSON is
(``json_values``), finding values in many lines at once (``json_scan``), which value is which column
(``json_columns``), the rules of values (``feeds``).

Flat lines as programs write them are scanned together and their columns converted together. What either
leaves is parsed line by line; the columns of all these rows are converted together as well, and what that
leaves is judged row by row. So the row path decides whenever anything is unusual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow, row_ids
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.places import Array, Places
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
    RecordPlace,
    RefusedRecord,
)
from ecom_platform.files.decoder import Decoder
from ecom_platform.files.file_ids import POSITION, FileIds
from ecom_platform.files.json_beginning import without_document
from ecom_platform.files.json_bulk import BulkColumns
from ecom_platform.files.json_columns import JsonColumns, JsonRow, null_text, paths_of
from ecom_platform.files.json_scan import NULL, TEXT, FlatLines, FlatScanner
from ecom_platform.files.json_values import LineParser
from ecom_platform.files.line_blocks import LineBlock, LineReader
from ecom_platform.files.unreadable import FileReason, UnreadableFile

# Parsed lines that are together in memory: so few stay in the processor's cache, and cost the collector of
# garbage little.
_LINES_AT_A_TIME = 2_048
# Of fewer rows, a row by itself takes less than the vectorised path takes to begin.
_FEW_ROWS = 24
_BLANKS = b" \t\r"
_LESS_OF_LISTS = 8
# Types whose vectorised path takes nothing but digits, a point and a minus.
_OF_DIGITS = ("integer", "bigint", "numeric")


class JsonLinesDecoder(Decoder):
    """Reads the files of one feed that are lines of JSON."""

    def _chunks(
        self, stream: BinaryIO, facts: FileFacts, now: datetime, chunk_bytes: int, *, one_by_one: bool
    ) -> Iterator[FeedChunk]:
        reading = _FileReading(self.feed, facts, now, one_by_one=one_by_one)
        # Of few characters of a list many rows are made.
        block_bytes = chunk_bytes if self.feed.explode is None else max(1, chunk_bytes // _LESS_OF_LISTS)
        for block in LineReader(without_document(stream), block_bytes):
            chunk = reading.chunk(block)
            if chunk.records:
                yield chunk
        if not reading.begun:
            raise UnreadableFile(FileReason.EMPTY_FILE, "the file has no line")

    def header(self, stream: BinaryIO) -> tuple[str, ...]:
        """None: every line has its own names. Raises :class:`UnreadableFile`."""
        without_document(stream)
        return ()

    def raw_records(
        self,
        stream: BinaryIO,
        facts: FileFacts,  # noqa: ARG002 (of other formats something has to be known)
        line_numbers: Sequence[int] | Array,
    ) -> Iterator[tuple[int, bytes]]:
        places = sorted({RecordPlace.of(self.feed, number) for number in np.asarray(line_numbers).tolist()})
        lines = np.array([place.line for place in places], dtype=np.int64)
        for block in LineReader(without_document(stream), DEFAULT_CHUNK_BYTES):
            begin, end = np.searchsorted(lines, (block.first_line, block.next_line))
            for place in places[begin:end]:
                raw = self._raw(block.line(place.line - block.first_line), place.element)
                if raw.strip(_BLANKS):
                    yield place.number, raw[:MAX_RAW_BYTES]

    @cached_property
    def _columns(self) -> JsonColumns:
        return JsonColumns(self.feed)

    def _raw(self, line: bytes, element: int | None) -> bytes:
        """The bytes of a record: those of its line, where it is all of it."""
        record = LineParser().parse(line) if element else None
        if not element or not isinstance(record, dict):
            return line
        return self._columns.alone(record, element).encode()


class _FileReading:
    """What goes on from block to block of one file."""

    def __init__(self, feed: Feed, facts: FileFacts, now: datetime, *, one_by_one: bool) -> None:
        self.feed, self.now, self.one_by_one = feed, now, one_by_one
        self.columns, self.rows = JsonColumns(feed), RowType(feed)
        self.parser = LineParser()
        self.ids = JsonIds(self.columns, facts.fingerprint)
        self.flat = None if one_by_one else FlatColumns.of(feed)
        self.bulk = None if one_by_one else BulkColumns.of(self.columns)
        # Whether there was a line that is not blank.
        self.begun = False
        schema = self.rows.schema
        if feed.extra == "store":
            schema = schema.append(pa.field(EXTRA, pa.string()))
        self.schema = schema.append(pa.field(LINE, pa.int64(), nullable=False))

    def chunk(self, block: LineBlock) -> FeedChunk:
        return _LinesReading(self, block).chunk()


class FlatColumns:
    """Where the columns of a feed are in flat lines."""

    def __init__(self, feed: Feed, names: Sequence[str]) -> None:
        self._feed = feed
        verified = {
            path[0]
            for column in feed.columns
            if column.type.partition("(")[0] in _OF_DIGITS
            and not (column.remove or column.trim or any(column.nulls))
            for path in paths_of(column)
        }
        self._scanner = FlatScanner(names, verified, others=feed.extra == "ignore")
        self._at = [[names.index(path[0]) for path in paths_of(column)] for column in feed.columns]

    @classmethod
    def of(cls, feed: Feed) -> FlatColumns | None:
        """``None`` where rows of the feed are not in flat lines, or numbers are not as JSON writes them."""
        paths = [path for column in feed.columns for path in paths_of(column)]
        marks = feed.dialect.decimal == "." and feed.dialect.thousands is None
        joined = any(column.concat for column in feed.columns)
        if feed.explode or joined or not marks or any(len(path) > 1 for path in paths):
            return None
        return cls(feed, [path[0] for path in paths])

    def found(self, block: LineBlock) -> FlatRows | None:
        """The flat lines of a block that have every column that they have to have."""
        flat = self._scanner.scan(block)
        if flat is None:
            return None
        there = flat.begins >= 0
        right = np.ones(len(flat.lines), dtype=np.bool_)
        for column, at in zip(self._feed.columns, self._at, strict=True):
            count = there[at].sum(axis=0)
            right &= count <= 1
            if self._feed.missing != "null" or not column.nullable:
                right &= count == 1
        if not right.any():
            return None
        return FlatRows(self._feed, block, flat, np.flatnonzero(right), self._at)


class FlatRows:
    """The columns of flat lines: ``places`` of their texts, and where there is no value."""

    def __init__(
        self, feed: Feed, block: LineBlock, flat: FlatLines, chosen: Array, names_at: Sequence[Sequence[int]]
    ) -> None:
        self.lines = flat.lines[chosen]
        self.places: list[Places] = []
        self.absent: list[Array | None] = []
        line_begins = block.begins[self.lines]
        for column, at in zip(feed.columns, names_at, strict=True):
            begins, ends = (part[at][:, chosen].max(axis=0) for part in (flat.begins, flat.ends))
            # No value is the largest of kinds, and one of several names alone is there.
            kinds = flat.kinds[at][:, chosen].min(axis=0)
            absent = kinds == NULL
            if column.type != "jsonb":
                quoted = kinds == TEXT
                begins, ends = begins + quoted, ends - quoted
            missing = begins < 0
            if missing.any():
                begins, ends = np.where(missing, line_begins, begins), np.where(missing, line_begins, ends)
            self.places.append(Places(block.data, begins, ends))
            self.absent.append(absent if absent.any() else None)

    def only(self, chosen: Array) -> FlatRows:
        """Some of them, by a mask."""
        found = copy(self)
        found.lines = self.lines[chosen]
        found.places = [Places(p.data, p.begins[chosen], p.ends[chosen]) for p in self.places]
        found.absent = [None if absent is None else absent[chosen] for absent in self.absent]
        return found


class JsonIds(FileIds):
    """The ids of one file's rows."""

    def __init__(self, columns: JsonColumns, fingerprint: bytes) -> None:
        super().__init__(columns.feed, fingerprint)
        self._columns = columns

    def hashes(
        self, flat: FlatRows | None, flat_lines: Array, others: Sequence[int], forms: Sequence[bytes]
    ) -> tuple[Array, Array]:
        """Of records: their lines, and what they are known by. ``flat_lines`` are the lines of ``flat``, and
        ``others`` those of records with these ``forms``."""
        lines = np.concatenate([flat_lines, np.array(others, dtype=np.int64)])
        if self._kind == POSITION:
            return lines, self.by_place(lines)
        names = self._columns.hashed_names
        own = row_ids.hashes(forms, names)
        parts = [own] if flat is None else [row_ids.hashes(self._flat_forms(flat), names), own]
        return lines, self.numbered(lines, np.concatenate(parts))

    def _flat_forms(self, flat: FlatRows) -> list[bytes]:
        columns = self._columns
        texts = [
            _with_null_text(flat.places[number], flat.absent[number], null_text(columns.feed.columns[number]))
            for number in columns.known_by
        ]
        if columns.knows_extra:
            texts.append(pa.repeat(pa.scalar("{}"), len(flat.lines)))
        return row_ids.texts_of(row_ids.content_form(texts))


def _with_null_text(places: Places, absent: Array | None, none: str) -> pa.Array:
    texts = places.strings()
    if absent is None:
        return texts
    return pc.if_else(arrow.booleans(absent), pa.scalar(none), texts)


# -- one block -----------------------------------------------------------------------------------

_Accepted: TypeAlias = "tuple[int, tuple[Value, ...], str]"


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A row of a line that was parsed: ``record`` is all of the line, ``element`` what stands for its
    list."""

    line: int
    number: int | None
    raw: bytes
    record: dict[str, Any]
    element: Any

    @property
    def place(self) -> RecordPlace:
        return RecordPlace(self.line, self.number)


class _LinesReading:
    """Turns one block of a file into a chunk; used once."""

    def __init__(self, reading: _FileReading, block: LineBlock) -> None:
        self._reading, self._block = reading, block
        self._accepted: list[_Accepted] = []
        self._rejects: list[RefusedRecord] = []

    def chunk(self) -> FeedChunk:
        reading = self._reading
        flat, certain = self._flat_rows()
        left = np.ones(len(self._block.begins), dtype=np.bool_)
        if flat is not None:
            left[flat.lines] = False
        batches, numbers, forms = [certain], list[int](), list[bytes]()
        lines = np.flatnonzero(left).tolist()
        for begin in range(0, len(lines), _LINES_AT_A_TIME):
            parsed = self._parsed(lines[begin : begin + _LINES_AT_A_TIME])
            batch, own = self._judged(parsed)
            batches.append(batch)
            forms += own
            if reading.ids.needed:
                numbers += _numbers(parsed)
        rows = self._merged([*batches, self._row_by_row()])
        self._rejects.sort(key=lambda reject: (reject.line_number, reject.element or 0))
        if reading.ids.needed:
            flat_lines = arrow.to_integers(certain[LINE])
            known = reading.ids.hashes(flat, flat_lines, numbers, forms)
            rows = rows.append_column(ROW_ID, reading.ids.ids(*known, rows))
        return FeedChunk(rows, self._rejects, rows.num_rows + len(self._rejects), ())

    # -- flat lines

    def _flat_rows(self) -> tuple[FlatRows | None, pa.RecordBatch]:
        """The lines that the vectorised path accepts; all others are parsed."""
        reading = self._reading
        flat = None if reading.flat is None else reading.flat.found(self._block)
        if flat is None:
            return None, self._batch([pa.nulls(0, f.type) for f in reading.rows.schema], [], [])
        arrays, accepted = reading.rows.convert(flat.places, reading.now, flat.absent)
        batch = self._batch(arrays, None, flat.lines + self._block.first_line)
        if not accepted.all():
            flat = flat.only(accepted)
            batch = batch.filter(arrow.booleans(accepted))
        reading.begun = True
        return flat, batch

    def _batch(
        self, arrays: list[pa.Array], extra: Sequence[str] | None, lines: Array | Sequence[int]
    ) -> pa.RecordBatch:
        """Typed columns with what else chunks have; ``extra`` is ``None`` where nothing was kept."""
        reading = self._reading
        numbers = np.asarray(lines, dtype=np.int64)
        if reading.feed.extra == "store":
            kept = pa.repeat(pa.scalar("{}"), len(numbers)) if extra is None else arrow.strings(extra)
            arrays = [*arrays, kept]
        return pa.RecordBatch.from_arrays(
            [*arrays, arrow.fixed_width(numbers, pa.int64())], schema=reading.schema
        )

    # -- parsed lines

    def _parsed(self, lines: Sequence[int]) -> list[_Parsed]:
        """The rows of lines that have any; what is no row as a whole is refused."""
        found = []
        block, reading = self._block, self._reading
        for at in lines:
            raw = block.line(at)
            number = block.first_line + at
            if not raw.strip(_BLANKS):
                continue
            reading.begun = True
            if block.too_long[at]:
                self._refuse(number, raw, Reason.ROW_TOO_LONG)
                continue
            record = reading.parser.parse(raw)
            if isinstance(record, Reason):
                self._refuse(number, raw, record)
                continue
            rows = reading.columns.rows(record)
            if isinstance(rows, Reason):
                self._refuse(number, raw, rows)
                continue
            found += [_Parsed(number, which, raw, record, element) for which, element in rows]
        return found

    def _judged(self, parsed: Sequence[_Parsed]) -> tuple[pa.RecordBatch, list[bytes]]:
        """The parsed rows whose columns the vectorised path accepts; the others are read and judged one by
        one. Also what each of ``parsed`` is known by, where that is asked for."""
        reading = self._reading
        bulk = None
        if reading.bulk is not None and len(parsed) >= _FEW_ROWS:
            records = [one.record for one in parsed]
            bulk = reading.bulk.read(records, [one.element for one in parsed])
        odd = np.ones(len(parsed), dtype=np.bool_) if bulk is None else bulk.odd
        batch = self._batch([pa.nulls(0, f.type) for f in reading.rows.schema], [], [])
        left = odd
        if bulk is not None and not odd.all():
            arrays, accepted = reading.rows.convert(bulk.places, reading.now, bulk.absent)
            left = odd | ~accepted
            batch = self._batch(arrays, bulk.extra, _numbers(parsed))
            batch = batch.filter(arrow.booleans(~left)) if left.any() else batch
        forms = [b""] * len(parsed) if reading.ids.by_content else []
        for number in np.flatnonzero(left).tolist():
            row = reading.columns.row(parsed[number].record, parsed[number].element)
            self._judge(parsed[number], row)
            if forms:
                forms[number] = row_ids.content_form_of(row.known_by)
        if forms and bulk is not None and reading.bulk is not None:
            rest = np.flatnonzero(~left)
            own = reading.bulk.forms(bulk, [one.record for one in parsed], rest)
            for number, form in zip(rest.tolist(), own, strict=True):
                forms[number] = form
        return batch, forms

    def _judge(self, one: _Parsed, row: JsonRow) -> None:
        verdict = Fault(row.fault) if row.fault else self._reading.rows.judge(row.texts, self._reading.now)
        if isinstance(verdict, Fault):
            self._refuse_row(one, verdict)
        else:
            self._accepted.append((one.place.number, verdict, row.extra))

    def _refuse(self, line: int, raw: bytes, reason: Reason) -> None:
        """A line that is no row as a whole."""
        element = 0 if self._reading.columns.exploded else None
        self._rejects.append(RefusedRecord(line, raw[:MAX_RAW_BYTES], reason, None, element=element))

    def _refuse_row(self, one: _Parsed, fault: Fault) -> None:
        shown = None if fault.value is None else fault.value[:MAX_VALUE]
        raw, element = one.raw, one.place.element
        if element:
            raw = self._reading.columns.alone(one.record, element).encode()
        self._rejects.append(
            RefusedRecord(one.place.line, raw[:MAX_RAW_BYTES], fault.reason, fault.column, shown, element)
        )

    def _row_by_row(self) -> pa.RecordBatch:
        arrays = self._reading.rows.batch([values for _, values, _ in self._accepted])
        extra = [extra for _, _, extra in self._accepted]
        return self._batch(arrays, extra, [line for line, _, _ in self._accepted])

    @staticmethod
    def _merged(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        """All kinds of rows together, in the order of their lines."""
        there = [part for part in parts if part.num_rows]
        if len(there) < 2:
            return there[0] if there else parts[0]
        both = pa.concat_batches(there)
        order = np.argsort(arrow.to_integers(both[LINE]), kind="stable")
        return both.take(arrow.fixed_width(order, pa.int64()))


def _numbers(parsed: Sequence[_Parsed]) -> list[int]:
    return [one.line if one.number is None else one.place.number for one in parsed]
