"""Rows of a feed in texts that are no files: the bytes of a reject, a row of a file of corrections.

Belongs here: decoding one such row by the feed's declaration, writing one as the feed's files do, and telling
rows by their looks. Does not belong here: what becomes of a row (``corrections``), or whole files
(``reread``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa

from ecom_platform.feeds.feed import Column, Dialect, Feed
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.rows import RowType
from ecom_platform.files.chunks import FileFacts
from ecom_platform.files.json_columns import JsonColumns
from ecom_platform.files.json_values import LineParser, json_text
from ecom_platform.files.readers import decoder_of
from ecom_platform.files.unreadable import UnreadableFile

_FACTS = FileFacts("utf-8", b"")


class Fragments:
    """Single rows of one feed."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of a file of corrections: as the feed's files call them, or as they are declared where
        files have no header."""
        if self.feed.format == "csv" and not self.feed.dialect.header:
            return self.feed.names
        found: dict[str, None] = {}
        for column in self.feed.columns:
            found |= dict.fromkeys(column.concat.columns if column.concat else [_first_name(column)])
        return tuple(found)

    def as_it_is(self, header: Sequence[str] | None, raw: bytes) -> pa.RecordBatch | None:
        """The row in the bytes of a record, or ``None`` if it is (still) not one. ``header`` has the columns
        of its file, in order; where the feed's files have none, it is not asked for."""
        if self.feed.format == "jsonl":
            return _decoded(self.feed, raw + b"\n")
        dialect = replace(self.feed.dialect, skip=0, encodings=("utf-8",))
        lines = [raw]
        if dialect.header:
            lines.insert(0, line_of(dialect, header or ()) or b"")
        return _decoded(replace(self.feed, dialect=dialect), b"\n".join([*lines, b""]))

    def corrected(self, values: Mapping[str, str]) -> pa.RecordBatch | None:
        """The row that has these values, by :attr:`names`, written as the feed's files write them; others are
        kept where the feed keeps them."""
        dialect = Dialect(decimal=self.feed.dialect.decimal, thousands=self.feed.dialect.thousands)
        names = [name for name in values if self.feed.extra == "store" or name in self.names]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerow([values[name] for name in names])
        feed = replace(self.feed, format="csv", explode=None, dialect=dialect, columns=self._columns)
        return _decoded(feed, text.getvalue().encode())

    @property
    def _columns(self) -> tuple[Column, ...]:
        """By name, also where files have no header; an empty text is no value where a file has other means to
        say that."""
        if self.feed.format != "csv":
            return tuple(replace(column, nulls=(*column.nulls, "")) for column in self.feed.columns)
        return tuple(
            column if column.concat or self.feed.dialect.header else replace(column, at=None, sources=())
            for column in self.feed.columns
        )

    def texts(self, raw: bytes) -> dict[str, str]:
        """The texts in the bytes of a refused line of JSON, by the names of the columns; none of what is no
        text, and none at all where the bytes are no object."""
        record = LineParser().parse(raw)
        columns = JsonColumns(self.feed)
        rows = record if isinstance(record, Reason) else columns.rows(record)
        texts: Sequence[Any] = ()
        if not isinstance(record, Reason) and not isinstance(rows, Reason) and rows:
            texts = columns.row(record, rows[0][1]).texts
        return {
            name: text for name, text in zip(self.feed.names, texts, strict=False) if isinstance(text, str)
        }

    def line(self, header: Sequence[str], values: Mapping[str, str]) -> str | None:
        """These values as a line of a file with this header; ``None`` where no line can have them."""
        dialect = self.feed.dialect
        if self.feed.format == "jsonl":
            return self._json_line(values)
        if dialect.header:
            fields = [values.get(name, "") for name in self._called(header)]
        else:
            fields = [""] * (dialect.width or len(self.feed.columns))
            for number, column in enumerate(self.feed.columns):
                fields[(column.at or number + 1) - 1] = values.get(column.name, "")
        line = line_of(dialect, fields)
        return None if line is None else line.decode()

    def _json_line(self, values: Mapping[str, str]) -> str | None:
        """Every value as the text that it is; of an exploded line one element."""
        types = {name: column.type for column in self.feed.columns for name in (_first_name(column),)}
        record: dict[str, Any] = {}
        for name, text in values.items():
            value: Any = text
            if not text:
                value = None
            elif types.get(name) == "jsonb":
                # As one member of an object, of which it is parsed without loss.
                parsed = LineParser().parse(f'{{"":{text}}}'.encode())
                if isinstance(parsed, Reason) or len(parsed) != 1:
                    return None
                value = parsed[""]
            _put(record, name.split("."), value)
        if self.feed.explode is not None:
            path = self.feed.explode.split(".")
            _put(record, path, [_got(record, path)])
        return json_text(record)

    def _called(self, header: Sequence[str]) -> list[str]:
        """The names of a header as :attr:`names` has them: a column may have another one in each file."""
        aliases = {
            alias: _first_name(column)
            for column in self.feed.columns
            if not column.concat
            for alias in column.sources
        }
        return [aliases.get(name.strip(), name.strip()) for name in header]

    def row_looks(self, header: Sequence[str]) -> Callable[[bytes], bool]:
        """Whether a line looks like a row of a file with this header."""
        rows, delimiter = RowType(self.feed), self.feed.dialect.delimiter.encode()
        called = self._called(header)
        places = [
            called.index(name) if name in called else None for name in map(_first_name, self.feed.columns)
        ]

        def looks_like_row(line: bytes) -> bool:
            fields = line.split(delimiter, len(header))
            return rows.looks_like_row(
                [fields[place] if place is not None and place < len(fields) else None for place in places]
            )

        return looks_like_row


def _put(record: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for key in path[:-1]:
        inside = record.setdefault(key, {})
        record = inside if isinstance(inside, dict) else record
    record[path[-1]] = value


def _got(record: Any, path: Sequence[str]) -> Any:
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _first_name(column: Column) -> str:
    return column.sources[0] if column.sources else column.name


def line_of(dialect: Dialect, fields: Sequence[str]) -> bytes | None:
    """Fields as a line has them; ``None`` where the dialect has no way to write one of them."""
    written = []
    for field in fields:
        marks = [mark for mark in (dialect.delimiter, dialect.quote, dialect.escape, "\n", "\r") if mark]
        if not any(mark in field for mark in marks):
            written.append(field)
        elif dialect.quote is not None:
            text = field.replace(dialect.escape, dialect.escape * 2) if dialect.escape else field
            written.append(f"{dialect.quote}{text.replace(dialect.quote, dialect.quote * 2)}{dialect.quote}")
        elif dialect.escape is not None:
            written.append("".join(dialect.escape + c if c in marks else c for c in field))
        else:
            return None
    return dialect.delimiter.join(written).encode()


def _decoded(feed: Feed, content: bytes) -> pa.RecordBatch | None:
    try:
        chunks = list(decoder_of(feed).decode(io.BytesIO(content), _FACTS, datetime.now(UTC)))
    except UnreadableFile:
        return None
    whole = len(chunks) == 1 and chunks[0].rows.num_rows == 1 and not chunks[0].rejects
    return chunks[0].rows if whole else None
