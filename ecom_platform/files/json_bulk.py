"""The columns of many parsed lines at once.

Belongs here: what :class:`JsonColumns` does row by row, a column at a time, for rows in which nothing is
odd; which rows those are. Does not belong here: what becomes of a row that is odd: it is read by itself.

A row is odd where a value is missing that has to be there, is an object or a list where the column takes one
value, or stands behind something that is no object; where a key is not declared that has to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow, row_ids
from ecom_platform.feeds.feed import Column, Feed
from ecom_platform.feeds.places import Array, Places
from ecom_platform.files.json_columns import JsonColumns, null_text, part_of, paths_of
from ecom_platform.files.json_values import json_text

_MISSING: Any = object()
_ODD: Any = object()


@dataclass(frozen=True, slots=True)
class Bulk:
    """``texts`` of each column, empty where ``absent`` says that there is no value; ``extra`` what else is
    kept of each row; ``odd`` the rows whose texts mean nothing."""

    texts: list[list[str]]
    absent: list[Array | None]
    extra: list[str] | None
    odd: Array

    @property
    def places(self) -> list[Places]:
        return [Places.of(texts) for texts in self.texts]


class BulkColumns:
    """The columns of a feed; ``None`` from :meth:`of` where rows have to be read one by one."""

    def __init__(self, columns: JsonColumns) -> None:
        self._columns, self._feed = columns, columns.feed
        self._parts = [part_of(paths_of(column)[0], columns.exploded) for column in self._feed.columns]

    @classmethod
    def of(cls, columns: JsonColumns) -> BulkColumns | None:
        """``None`` where a column has several names, or numbers are not as JSON writes them."""
        feed = columns.feed
        single = all(len(paths_of(column)) == 1 for column in feed.columns)
        marks = feed.dialect.decimal == "." and feed.dialect.thousands is None
        return cls(columns) if single and marks else None

    def read(self, records: Sequence[dict[str, Any]], elements: Sequence[Any]) -> Bulk:
        """The rows that are these lines, each with the element that stands for its list."""
        odd = np.zeros(len(records), dtype=np.bool_)
        values = _Values(records, elements)
        texts: list[list[str]] = []
        absent: list[Array | None] = []
        for column, (inside, path) in zip(self._feed.columns, self._parts, strict=True):
            found, none = _texts(self._feed, column, values.at(inside, path), odd)
            texts.append(found)
            absent.append(none)
        return Bulk(texts, absent, self._extra(records, odd), odd)

    def _extra(self, records: Sequence[dict[str, Any]], odd: Array) -> list[str] | None:
        top = self._columns.read_at_top
        if self._feed.extra == "ignore":
            return None
        more = [number for number, record in enumerate(records) if not record.keys() <= top]
        if self._feed.extra == "refuse":
            odd[more] = True
            return None
        kept = ["{}"] * len(records)
        for number in more:
            kept[number] = self._columns.extra_of(records[number])
        return kept

    def forms(self, bulk: Bulk, records: Sequence[dict[str, Any]], rows: Array) -> list[bytes]:
        """What ``rows`` of them are known by."""
        chosen = arrow.fixed_width(rows, pa.int64())
        fields = []
        for number in self._columns.known_by:
            texts, none = pa.array(bulk.texts[number], pa.string()), bulk.absent[number]
            if none is not None:
                mark = pa.scalar(null_text(self._feed.columns[number]))
                texts = pc.if_else(arrow.booleans(none), mark, texts)
            fields.append(texts.take(chosen))
        if self._columns.knows_extra:
            own = [self._columns.known_extra(records[row]) for row in rows.tolist()]
            fields.append(pa.array(own, pa.string()))
        return row_ids.texts_of(row_ids.content_form(fields))


class _Values:
    """The values at paths, each looked up once however many columns go through it."""

    def __init__(self, records: Sequence[dict[str, Any]], elements: Sequence[Any]) -> None:
        self._found: dict[tuple[bool, tuple[str, ...]], Sequence[Any]] = {
            (False, ()): records,
            (True, ()): elements,
        }

    def at(self, inside: bool, path: tuple[str, ...]) -> Sequence[Any]:
        found = self._found.get((inside, path))
        if found is None:
            key = path[-1]
            found = [
                parent.get(key, _MISSING)
                if type(parent) is dict
                else parent
                if parent is None or parent is _MISSING
                else _ODD
                for parent in self.at(inside, path[:-1])
            ]
            self._found[inside, path] = found
        return found


def _texts(feed: Feed, column: Column, values: Sequence[Any], odd: Array) -> tuple[list[str], Array | None]:
    """The texts of a column and where there is no value; rows that are odd are marked."""
    as_json = column.type == "jsonb"
    texts: list[Any] = [value if isinstance(value, str) and not as_json else None for value in values]
    if None not in texts:
        return texts, None
    may_miss = feed.missing == "null" and column.nullable
    absent = np.zeros(len(texts), dtype=np.bool_)
    for number, text in enumerate(texts):
        if text is not None:
            continue
        value, texts[number] = values[number], ""
        if value is None or (value is _MISSING and may_miss):
            absent[number] = True
        elif value is _MISSING or value is _ODD:
            odd[number] = True
        elif as_json or isinstance(value, bool):
            texts[number] = json_text(value)
        else:
            odd[number] = True
    return texts, absent if absent.any() else None
