"""Which value of a line of JSON is which column of its feed.

Belongs here: paths, what is not there, what stands on the way, and the text by which a column's type reads a
value. Does not belong here: parsing (``json_values``), the rules of values (``feeds``).

A column's text is what a string says, or a number, true and false as they are written; of the type jsonb it
is the JSON of the value. null is no value, wherever it stands on the way. ``explode`` names a list: each of
its elements is a row, and paths that go through the list go through the element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ecom_platform.feeds.feed import Column, Feed
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.rows import Fault, Text
from ecom_platform.files.file_columns import canonical_name
from ecom_platform.files.json_values import Number, json_text, plain_number, quoted

_MISSING: Any = object()
_ITSELF: Sequence[tuple[int | None, Any]] = [(None, None)]
_SHOWN = 200
# Types that read a number as it is written, exponent and all.
_AS_WRITTEN = ("text", "jsonb", "double precision")
# By what the columns are known that are kept beside the declared ones: no name that a column can have.
_EXTRA_NAME = ""


@dataclass(frozen=True, slots=True)
class JsonRow:
    """``texts`` are those of the columns, as their types read them; ``known_by``, in canonical order, what
    the row is known by; ``extra`` is what else is kept, as JSON; ``fault`` what is wrong with the row as a
    whole."""

    texts: tuple[Text, ...]
    known_by: tuple[str, ...]
    extra: str
    fault: Reason | None = None


class JsonColumns:
    """The columns of a feed whose files are lines of JSON.

    ``known_by`` numbers the columns by which a row is known, in the order of ``hashed_names``; behind them
    stands what else is kept, where a row ``knows_extra``. ``read_at_top`` are the keys of a line that columns
    read.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.exploded = tuple(feed.explode.split(".")) if feed.explode else ()
        self._readers = [_reader(feed, column, self.exploded) for column in feed.columns]
        self.read_at_top = {path[0] for column in feed.columns for path in paths_of(column)} | {
            *self.exploded[:1]
        }
        known = [(canonical_name(feed, number), number) for number in range(len(feed.columns))]
        if feed.numbered:
            known = [(name, feed.names.index(name)) for name in feed.primary_key]
        self.known_by = [number for _, number in (known if feed.numbered else sorted(known))]
        self.knows_extra = feed.extra == "store" and not feed.numbered
        self.hashed_names = [name for name, _ in (known if feed.numbered else sorted(known))]
        if self.knows_extra:
            self.hashed_names.append(_EXTRA_NAME)

    def rows(self, record: dict[str, Any]) -> Sequence[tuple[int | None, Any]] | Reason:
        """The rows of a line: for each the number of its element, and the element; or why the line as a whole
        has none."""
        if not self.exploded:
            return _ITSELF
        elements = _found(record, self.exploded)
        if elements is _MISSING or elements is None:
            return () if self.feed.missing == "null" else Reason.MISSING_KEY
        if not isinstance(elements, list):
            return Reason.NOT_A_LIST
        return list(enumerate(elements, 1))

    def alone(self, record: dict[str, Any], element: int) -> str:
        """The line with this element in its list and no other."""
        return json_text(_with_one(record, self.exploded, element))

    def row(self, record: dict[str, Any], element: Any) -> JsonRow:
        """The row of a line, with what stands at ``explode`` in the place of the list."""
        read = [reader(record, element) for reader in self._readers]
        known_by = [read[number][1] for number in self.known_by]
        extra, fault = "", None
        if self.feed.extra == "store":
            extra = self.extra_of(record)
            if self.knows_extra:
                known_by.append(self.known_extra(record))
        elif self.feed.extra == "refuse" and any(key not in self.read_at_top for key in record):
            fault = Reason.UNDECLARED_KEY
        return JsonRow(tuple(text for text, _ in read), tuple(known_by), extra, fault)

    def extra_of(self, record: dict[str, Any]) -> str:
        """The keys of a line that no column reads, as JSON."""
        kept = (f"{quoted(key)}: {json_text(value)}" for key, value in self._others(record))
        return f"{{{', '.join(kept)}}}"

    def known_extra(self, record: dict[str, Any]) -> str:
        """The same in what a row is known by: whatever the order of its keys."""
        return json_text(dict(sorted(self._others(record))))

    def _others(self, record: dict[str, Any]) -> list[tuple[str, Any]]:
        return [(key, value) for key, value in record.items() if key not in self.read_at_top]


def _with_one(value: Any, path: Sequence[str], element: int) -> Any:
    if not path:
        return [value[element - 1]]
    return {**value, path[0]: _with_one(value[path[0]], path[1:], element)}


def paths_of(column: Column) -> list[tuple[str, ...]]:
    """Where the values of a column may be: the keys on the way."""
    names = column.concat.columns if column.concat else column.sources or (column.name,)
    return [tuple(name.split(".")) for name in names]


def null_text(column: Column) -> str:
    """What stands for no value in what a row is known by: an empty text, where that means the same."""
    return "" if "" in column.nulls else "\0"


_Reader = Callable[[dict[str, Any], Any], "tuple[Text, str]"]


def _reader(feed: Feed, column: Column, exploded: tuple[str, ...]) -> _Reader:
    """What gives the text of a column, and its text in what the row is known by."""
    parts = [part_of(path, exploded) for path in paths_of(column)]
    none = null_text(column)
    json_of_all, as_written = column.type == "jsonb", column.type in _AS_WRITTEN
    decimal = feed.dialect.decimal
    may_miss = feed.missing == "null" and column.nullable
    joined = column.concat.separator if column.concat else None

    def read(record: dict[str, Any], element: Any) -> tuple[Text, str]:
        found = [_found(element if inside else record, path) for inside, path in parts]
        if joined is not None:
            return _joined([text_of(value) for value in found], joined, none)
        there = [value for value in found if value is not _MISSING]
        if len(there) > 1:
            return Fault(Reason.DUPLICATE_KEY, None, ""), none
        return text_of(there[0] if there else _MISSING)

    def text_of(value: Any) -> tuple[Text, str]:
        if value is None:
            return None, none
        if value is _MISSING:
            return None if may_miss else Fault(Reason.MISSING_KEY, None, ""), none
        if isinstance(value, Fault):
            return value, none
        if json_of_all:
            text = json_text(value)
            return text, text
        if isinstance(value, Number):
            text = str(value)
            return text if as_written else plain_number(text).replace(".", decimal), text
        if isinstance(value, str):
            return value, value
        text = json_text(value)
        if isinstance(value, bool):
            return text, text
        return Fault(Reason.NESTED_VALUE, None, text[:_SHOWN]), text

    if len(parts) == 1 and joined is None:
        inside, path = parts[0]
        if len(path) == 1:
            key = path[0]
            if not inside:
                return lambda record, element: text_of(record.get(key, _MISSING))
        return lambda record, element: text_of(_found(element if inside else record, path))
    return read


def part_of(path: tuple[str, ...], exploded: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
    """Whether a path goes through the element of an exploded list, and the keys from there."""
    inside = bool(exploded) and path[: len(exploded)] == exploded
    return inside, path[len(exploded) :] if inside else path


def _found(value: Any, path: Sequence[str]) -> Any:
    """What is at the end of a path; ``_MISSING``, or a fault where something on the way is no object."""
    for key in path:
        if value is None or value is _MISSING:
            return value
        if not isinstance(value, dict):
            return Fault(Reason.NOT_AN_OBJECT, None, json_text(value)[:_SHOWN])
        value = value.get(key, _MISSING)
    return value


def _joined(parts: Sequence[tuple[Text, str]], separator: str, none: str) -> tuple[Text, str]:
    fault = next((text for text, _ in parts if isinstance(text, Fault)), None)
    if fault is not None:
        return fault, none
    if all(text is None for text, _ in parts):
        return None, none
    return separator.join(str(text or "") for text, _ in parts), separator.join(known for _, known in parts)
