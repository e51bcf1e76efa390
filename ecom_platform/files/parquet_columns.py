"""Which types of a Parquet file go into which types of a table, and the text of every value.

Belongs here: the pairs that fit, canonical texts, values as JSON. Does not belong here: reading files
(``parquet_decoding``), the rules of values (``feeds``).

The canonical text of a value is what a row is known by and what its column's type reads where it does not
take the value as it is: whole numbers and decimals in full, floats as the shortest text that is the same
float, days as ``2026-01-31``, times as ``2026-01-31 23:59:59.000000`` (with ``Z`` where they are instants),
true and false, UUIDs with hyphens, texts as they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.feed import Column
from ecom_platform.feeds.places import Array
from ecom_platform.files.json_values import plain_number, quoted

_TIMES = ("date", "timestamp", "timestamptz")
_NUMBERS = ("integer", "bigint", "numeric", "double precision")
# Of a decimal with more Arrow may write an exponent.
_PLAIN_SCALE = 6
_HYPHENS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))


def why_unfit(column: Column, kind: pa.DataType) -> str:
    """Why no value of a file's type goes into a column; empty where it may."""
    wanted = column.type.partition("(")[0]
    if _is_text(kind) or pa.types.is_null(kind) or _fits(column, wanted, kind):
        return ""
    return f"is of the type {kind}, and {column.type} takes none of it"


def _fits(column: Column, wanted: str, kind: pa.DataType) -> bool:
    if wanted == "jsonb":
        return _as_json(kind) and not is_time(kind) and kind != pa.binary(16)
    if pa.types.is_integer(kind):
        counted = wanted in _TIMES and any(text.startswith("epoch_") for text in column.time_formats)
        return wanted in (*_NUMBERS, "text") or counted
    if pa.types.is_decimal(kind):
        return wanted in (*_NUMBERS, "text")
    if pa.types.is_floating(kind):
        return wanted in _NUMBERS
    if pa.types.is_timestamp(kind):
        return wanted == "timestamptz" or (wanted == "timestamp" and kind.tz is None)
    if pa.types.is_date32(kind):
        return wanted == "date"
    if pa.types.is_boolean(kind):
        return wanted == "boolean"
    return wanted == "uuid" and kind == pa.binary(16)


def is_time(kind: pa.DataType) -> bool:
    """Whether its texts are times in ISO form."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _as_json(kind: pa.DataType) -> bool:
    """Whether values of a type are written as JSON."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _as_json(kind.value_type)
    if pa.types.is_struct(kind):
        return all(_as_json(kind.field(number).type) for number in range(kind.num_fields))
    if pa.types.is_map(kind):
        return _is_text(kind.key_type) and _as_json(kind.item_type)
    return bool(_is_text(kind) or _is_plain(kind))


def _is_plain(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
        or is_time(kind)
        or kind == pa.binary(16)
    )


def plain_strings(values: pa.Array) -> pa.Array:
    """Texts of any spelling of that type as ``string``, others as they are. Bytes that are no UTF-8 stay."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if _is_text(values.type) and not pa.types.is_string(values.type):
        return pc.cast(values, pa.string(), safe=False)
    return values


def canonical_texts(values: pa.Array) -> pa.Array:
    """The canonical text of each value; null stays null."""
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_null(kind):
        return pc.cast(values, pa.string())
    if pa.types.is_timestamp(kind):
        return _times(values)
    if pa.types.is_decimal(kind) and 0 <= kind.scale <= _PLAIN_SCALE:
        return pc.cast(values, pa.string())
    if pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        return _without_exponents(pc.cast(values, pa.string()), floats=pa.types.is_floating(kind))
    if kind == pa.binary(16):
        return _uuids(values)
    if pa.types.is_nested(kind):
        return pa.array([None if v is None else _json_of(v) for v in values.to_pylist()], pa.string())
    return pc.cast(values, pa.string())


def _times(values: pa.Array) -> pa.Array:
    zone = values.type.tz and "UTC"
    if values.type.tz and values.type.tz != zone:
        values = pc.cast(values, pa.timestamp(values.type.unit, zone))
    # What has more than microseconds is said with all it has, and refused.
    with suppress(pa.ArrowInvalid):
        values = pc.cast(values, pa.timestamp("us", zone))
    if zone is None or values.type.unit != "us":
        return pc.cast(values, pa.string())
    # The same as of a local time, which takes a tenth of the time, and what says that it is an instant.
    local = pc.cast(pc.cast(values, pa.int64()), pa.timestamp("us"))
    return pc.binary_join_element_wise(pc.cast(local, pa.string()), "Z", "")


def _without_exponents(texts: pa.Array, *, floats: bool) -> pa.Array:
    """Numbers written out; what is no number stays as it is."""
    if not pc.any(pc.match_substring(texts, "e", ignore_case=True)).as_py():
        return texts
    written = [
        text if text is None or (floats and text.endswith(("nan", "inf"))) else plain_number(text)
        for text in texts.to_pylist()
    ]
    return pa.array(written, pa.string())


def _uuids(values: pa.Array) -> pa.Array:
    digits = [None if value is None else value.hex() for value in values.to_pylist()]
    spelled = [None if text is None else "-".join(text[a:b] for a, b in _HYPHENS) for text in digits]
    return pa.array(spelled, pa.string())


def unstorable(texts: pa.Array) -> Array | None:
    """Which texts are no UTF-8, or have a NUL; ``None`` where none is and none has."""
    _, offsets, data = texts.buffers()
    if data is None:
        return None
    first, last = np.frombuffer(offsets, dtype=np.int32, count=len(texts) + 1, offset=4 * texts.offset)[
        [0, -1]
    ]
    whole = data.slice(int(first), int(last - first)).to_pybytes()
    if b"\0" not in whole and (whole.isascii() or _are_valid(texts)):
        return None
    octets = pc.cast(texts, pa.binary()).to_pylist()
    return np.array([not is_storable(one) for one in octets], dtype=np.bool_)


def _are_valid(texts: pa.Array) -> bool:
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def is_storable(octets: bytes | None) -> bool:
    """Whether PostgreSQL can store it as a text."""
    try:
        return "\0" not in (octets or b"").decode()
    except UnicodeDecodeError:
        return False


# -- as JSON -------------------------------------------------------------------------------------


def json_objects(names: Sequence[str], columns: Sequence[pa.Array]) -> pa.Array:
    """The rows of these columns, each as one JSON object."""
    parts: list[Any] = ["{"]
    for number, (name, values) in enumerate(zip(names, columns, strict=True)):
        parts += [f"{', ' if number else ''}{quoted(name)}: ", _json_values(values)]
    parts.append("}")
    return pc.binary_join_element_wise(*parts, "") if columns else pa.array([], pa.string())


def _json_values(values: pa.Array) -> pa.Array:
    kind = values.type
    texts = canonical_texts(values)
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind):
        return pc.fill_null(texts, "null")
    if pa.types.is_nested(kind):
        return pc.fill_null(texts, "null")
    if pa.types.is_floating(kind):
        odd = [text is not None and text.endswith(("nan", "inf")) for text in texts.to_pylist()]
        texts = pc.if_else(arrow.booleans(np.array(odd, dtype=np.bool_)), _quoted(texts), texts)
        return pc.fill_null(texts, "null")
    return pc.fill_null(_quoted(texts), "null")


def _quoted(texts: pa.Array) -> pa.Array:
    octets = pc.cast(texts, pa.binary()).to_pylist()
    return pa.array(
        [None if one is None else quoted(one.decode("utf-8", "replace")) for one in octets], pa.string()
    )


def _json_of(value: Any) -> str:
    """A nested value as JSON; what JSON has no form for is its text."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{quoted(str(key))}: {_json_of(inside)}' for key, inside in value.items())}}}"
    if isinstance(value, list):
        pairs = bool(value) and all(isinstance(one, tuple) for one in value)
        return _json_of(dict(value)) if pairs else f"[{', '.join(map(_json_of, value))}]"
    if value is None or isinstance(value, bool | int | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return repr(value)
    if isinstance(value, bytes):
        return quoted(value.decode("utf-8", "replace"))
    return quoted(str(value))
