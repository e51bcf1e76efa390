"""The ids of rows of separated text, where their feed has no key of its own.

Belongs here: which fields of a record it is known by, for all records of a block. Does not belong here: what
ids of all formats have in common (``file_ids``), the form of what is hashed (``feeds.row_ids``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa

from ecom_platform.feeds import arrow, row_ids
from ecom_platform.feeds.places import Array
from ecom_platform.files.column_texts import column_texts
from ecom_platform.files.file_columns import FileColumns
from ecom_platform.files.file_ids import NUMBERED, POSITION, FileIds
from ecom_platform.files.splitting import Block, Record

# Neither a mark between fields nor one that is escaped: no plain line holds one.
_ROW_END = b"\n"
_LINES_AT_A_TIME = 8_192


class RecordIds(FileIds):
    """The ids of one file's rows; its blocks are handed over in order."""

    def __init__(self, columns: FileColumns, fingerprint: bytes) -> None:
        feed = columns.feed
        super().__init__(feed, fingerprint)
        if self._kind == NUMBERED:
            at = {column.name: number for number, column in enumerate(feed.columns)}
            self._hashed = [(name, columns.places[at[name]], "") for name in feed.primary_key]
        else:
            self._hashed = columns.hashed
        self._names = [name for name, _, _ in self._hashed]
        self._fields = _single_fields([places for _, places, _ in self._hashed])

    def hashes(self, block: Block, records: Sequence[Record]) -> tuple[Array, Array]:
        """Of all records of a block that have fields, plain ones first: their lines, and what they are
        known by."""
        lines = block.plain + block.first_line
        if records:
            lines = np.concatenate([lines, np.array([record.line for record in records], dtype=np.int64)])
        if self._kind == POSITION:
            return lines, self.by_place(lines)
        own = [self._form(record.fields or ()) for record in records]
        parts = [row_ids.hashes(forms, self._names) for forms in chain(self._plain_forms(block), [own])]
        return lines, self.numbered(lines, np.concatenate(parts))

    def _plain_forms(self, block: Block) -> Iterator[list[bytes]]:
        """The forms of a block's plain lines, many at a time."""
        if not len(block.plain):
            return
        marks = (row_ids.BETWEEN, row_ids.ESCAPE)
        if self._fields is None or any(block.data.find(mark) >= 0 for mark in marks):
            texts = [column_texts(block, places, joined).strings() for _, places, joined in self._hashed]
            yield row_ids.texts_of(row_ids.content_form(texts))
        else:
            yield from _forms(block, self._fields)

    def _form(self, fields: Sequence[bytes]) -> bytes:
        texts = (
            joined.join(fields[place].decode("utf-8", "surrogateescape") for place in places)
            for _, places, joined in self._hashed
        )
        return row_ids.content_form_of(texts)


def _single_fields(columns: Sequence[Sequence[int]]) -> list[int] | None:
    """The fields of columns that are one field each, no two the same; else none."""
    fields = [places[0] for places in columns if len(places) == 1]
    return fields if len(fields) == len(columns) == len(set(fields)) else None


def _forms(block: Block, fields: Sequence[int]) -> Iterator[list[bytes]]:
    """The forms of a block's plain lines, made of fields that hold no mark: one copy of the text with the
    marks in it, then the fields of many lines picked from it in one go."""
    text = np.frombuffer(block.data, dtype=np.uint8).copy()
    # Behind a field is a delimiter, a quote or a line end, which is no other field's.
    for field in fields[:-1]:
        text[block.field_ends[field]] = row_ids.BETWEEN[0]
    text[block.field_ends[fields[-1]]] = _ROW_END[0]
    buffer = pa.py_buffer(text)
    for begin in range(0, len(block.plain), _LINES_AT_A_TIME):
        lines = slice(begin, begin + _LINES_AT_A_TIME)
        yield _picked(buffer, block.field_begins[:, lines], block.field_ends[:, lines] + 1, fields)


def _picked(text: pa.Buffer, begins: Array, ends: Array, fields: Sequence[int]) -> list[bytes]:
    """Of each line these fields, each with what ends it, up to the end of the row."""
    width, rows = begins.shape
    # Arrow's strings lie end to end, so what is between two fields is one as well.
    offsets = np.empty((rows, width, 2), dtype=np.int32)
    offsets[:, :, 0], offsets[:, :, 1] = begins.T, ends.T
    count = 2 * rows * width - 1
    every = pa.BinaryArray.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), text])
    wanted = np.arange(0, 2 * width * rows, 2 * width, dtype=np.int32)[:, None]
    wanted = wanted + 2 * np.array(fields, dtype=np.int32)
    picked = every.take(arrow.fixed_width(wanted.ravel(), pa.int32()))
    rows_and_rest: list[bytes] = picked.buffers()[2].to_pybytes().split(_ROW_END)
    return rows_and_rest[:-1]
