"""Texts and what is told by its spelling: text, uuid, boolean, jsonb.

Belongs here: these four types. Does not belong here: numbers and times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.feed import Column, Dialect
from ecom_platform.feeds.places import Array, Places
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.types.column_type import ColumnType, Value, fixed, nulls_of, valid_bits


class TextType(ColumnType):
    """Any text, one of a list, or one that matches a pattern."""

    def __init__(self, column: Column, dialect: Dialect) -> None:
        super().__init__(column, dialect)
        self._values = frozenset(column.values)
        self._pattern = None if column.match is None else rf"\A(?:{column.match})\z"

    @property
    def tells_rows(self) -> bool:  # type: ignore[override]
        return bool(self._values or self._pattern)

    @property
    def arrow(self) -> pa.DataType:
        return pa.string()

    def _read(self, text: str) -> Value | Reason:
        return text

    def _judge(self, text: str, value: Value, now: datetime) -> Value | Reason:  # noqa: ARG002
        if self._values and text not in self._values:
            return Reason.NOT_IN_LIST
        if self._pattern is not None and not _matches(pa.array([text]), self._pattern)[0]:
            return Reason.NO_MATCH
        return value

    def array(self, values: Sequence[Value]) -> pa.Array:
        return text_array(values)

    @cached_property
    def _value_set(self) -> pa.Array:
        return arrow.strings(self.column.values)

    def _convert(self, places: Places, null: Array | None, now: datetime) -> tuple[pa.Array, Array]:  # noqa: ARG002
        texts = places.strings()
        right = np.ones(len(texts), dtype=np.bool_)
        if self._values:
            right = arrow.to_mask(pc.is_in(texts, value_set=self._value_set))
        if self._pattern is not None:
            right = right & _matches(texts, self._pattern)
        return with_nulls(texts, null), right

    def adopt(self, values: pa.Array, now: datetime) -> tuple[pa.Array, Array] | None:  # noqa: ARG002
        if not pa.types.is_string(values.type) or self.column.trim:
            return None
        if self._nulls:
            none = pc.is_in(values, value_set=arrow.strings(self.column.nulls))
            if pc.any(none).as_py():
                values = pc.if_else(none, pa.scalar(None, pa.string()), values)
        texts = pc.fill_null(values, "") if values.null_count else values
        right = np.ones(len(texts), dtype=np.bool_)
        if self._values:
            right &= arrow.to_mask(pc.is_in(texts, value_set=self._value_set))
        if self._pattern is not None:
            right &= _matches(texts, self._pattern)
        return self._adopted(values, right)

    def listed(self) -> str | None:
        if not self._values:
            return None
        return f"{{column}} IN ({', '.join(_literal(value) for value in self.column.values)})"


def _matches(texts: pa.Array, pattern: str) -> Array:
    return arrow.to_mask(pc.match_substring_regex(texts, pattern))


def text_array(values: Sequence[Value]) -> pa.Array:
    """Texts, some of which may be none."""
    return with_nulls(
        arrow.strings([str(value) if value is not None else "" for value in values]), nulls_of(values)
    )


def with_nulls(texts: pa.Array, null: Array | None) -> pa.Array:
    """``texts``, null where that holds."""
    if null is None:
        return texts
    _, offsets, data = texts.buffers()
    return pa.Array.from_buffers(
        texts.type, len(texts), [valid_bits(null, len(texts)), offsets, data], offset=0
    )


class JsonType(ColumnType):
    """JSON as PostgreSQL's jsonb takes it."""

    tells_rows = False

    @property
    def arrow(self) -> pa.DataType:
        return pa.string()

    def _read(self, text: str) -> Value | Reason:
        try:
            # Of numbers PostgreSQL keeps every digit, so none is read as a float.
            json.loads(text, parse_float=str, parse_int=str, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return Reason.NOT_JSON
        if _UNSTORABLE.search(text) and not _storable(text):
            return Reason.NOT_JSON
        return text

    def array(self, values: Sequence[Value]) -> pa.Array:
        return text_array(values)

    def _convert(self, places: Places, null: Array | None, now: datetime) -> tuple[pa.Array, Array]:
        texts = places.strings()
        judged = [not isinstance(self.parse(text, now), Reason) for text in texts.to_pylist()]
        return with_nulls(texts, null), np.array(judged, dtype=np.bool_)


# Escapes of what PostgreSQL's text cannot hold: NUL, and halves of a character.
_UNSTORABLE = re.compile(r"\\u(0000|[dD][89abAB])")


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _storable(text: str) -> bool:
    def texts(value: Any) -> Any:
        if isinstance(value, dict):
            for key, item in value.items():
                yield key
                yield from texts(item)
        elif isinstance(value, list):
            for item in value:
                yield from texts(item)
        elif isinstance(value, str):
            yield value

    for found in texts(json.loads(text, parse_float=str, parse_int=str)):
        if "\0" in found or any("\ud800" <= character <= "\udfff" for character in found):
            return False
    return True


_TRUE = ("true", "t", "yes", "y", "on", "1")
_FALSE = ("false", "f", "no", "n", "off", "0")


class BooleanType(ColumnType):
    """True or false, in the spellings of PostgreSQL and in any case of letters."""

    @property
    def arrow(self) -> pa.DataType:
        return pa.bool_()

    def _read(self, text: str) -> Value | Reason:
        lowered = text.lower() if text.isascii() else text
        return True if lowered in _TRUE else False if lowered in _FALSE else Reason.NOT_A_BOOLEAN

    def array(self, values: Sequence[Value]) -> pa.Array:
        return _booleans(np.array([bool(value) for value in values], dtype=np.bool_), nulls_of(values))

    def _convert(self, places: Places, null: Array | None, now: datetime) -> tuple[pa.Array, Array]:  # noqa: ARG002
        texts = pc.ascii_lower(places.strings())
        true = arrow.to_mask(pc.is_in(texts, value_set=arrow.strings(_TRUE)))
        false = arrow.to_mask(pc.is_in(texts, value_set=arrow.strings(_FALSE)))
        return _booleans(true, null), true | false

    def adopt(self, values: pa.Array, now: datetime) -> tuple[pa.Array, Array] | None:  # noqa: ARG002
        if not pa.types.is_boolean(values.type):
            return None
        return self._adopted(values, np.ones(len(values), dtype=np.bool_))


def _booleans(values: Array, null: Array | None) -> pa.Array:
    bits = pa.py_buffer(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [valid_bits(null, len(values)), bits])


class UuidType(ColumnType):
    """A UUID of 36 characters; its 16 bytes."""

    @property
    def arrow(self) -> pa.DataType:
        return pa.binary(16)

    def _read(self, text: str) -> Value | Reason:
        return bytes.fromhex(text.replace("-", "")) if _UUID.fullmatch(text) else Reason.NOT_A_UUID

    def array(self, values: Sequence[Value]) -> pa.Array:
        octets = b"".join(value if isinstance(value, bytes) else bytes(16) for value in values)
        return fixed(np.frombuffer(octets, dtype="V16"), nulls_of(values), self.arrow)

    def _convert(self, places: Places, null: Array | None, now: datetime) -> tuple[pa.Array, Array]:  # noqa: ARG002
        octets, right = octets_of(places)
        return fixed(octets, null, self.arrow), right

    def adopt(self, values: pa.Array, now: datetime) -> tuple[pa.Array, Array] | None:  # noqa: ARG002
        if values.type != self.arrow:
            return None
        return self._adopted(values, np.ones(len(values), dtype=np.bool_))


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_UUID_LENGTH = 36
_HYPHENS = (8, 13, 18, 23)
# The digits between the hyphens, as machine words: copying words is faster than copying characters.
_DIGIT_WORDS = {0: "<u8", 9: "<u4", 14: "<u4", 19: "<u4", 24: "<u4", 28: "<u8"}
_NOT_HEXADECIMAL = 256


def _octets_by_digits() -> Array:
    """The octet that two hexadecimal digits stand for, by the digits read as a 16-bit number."""
    table = np.full(1 << 16, _NOT_HEXADECIMAL, dtype=np.uint16)
    for octet in range(256):
        high, low = "0123456789abcdef"[octet // 16], "0123456789abcdef"[octet % 16]
        for first, second in product((high, high.upper()), (low, low.upper())):
            table[ord(first) | ord(second) << 8] = octet
    return table


_OCTETS = _octets_by_digits()


def octets_of(places: Places) -> tuple[Array, Array]:
    """The 16 bytes of each UUID, and which fields are one."""
    characters = places.characters(_UUID_LENGTH)
    octets = _OCTETS[_hexadecimal_digits(characters)]
    right = (places.lengths == _UUID_LENGTH) & (octets < _NOT_HEXADECIMAL).all(axis=1)
    for position in _HYPHENS:
        right &= characters[:, position] == ord("-")
    return octets.astype(np.uint8), right


def _hexadecimal_digits(characters: Array) -> Array:
    """The 32 digits of each UUID as 16 pairs, the hyphens left out."""
    names = [str(position) for position in _DIGIT_WORDS]
    formats = list(_DIGIT_WORDS.values())
    layout = {"names": names, "formats": formats, "offsets": list(_DIGIT_WORDS), "itemsize": _UUID_LENGTH}
    source = characters.view(np.dtype(layout))[:, 0]  # type: ignore[call-overload]
    packed = np.empty(len(characters), dtype=list(zip(names, formats, strict=True)))
    for name in names:
        packed[name] = source[name]
    return packed.view("<u2").reshape(-1, 16)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
