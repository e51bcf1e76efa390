"""JSON without loss: what a line says, down to the digits of its numbers.

Belongs here: parsing one line, what makes it no line of a feed, and writing a value as JSON again. Does not
belong here: which value is which column (``json_columns``), or many lines at once (``json_scan``).

Source: RFC 8259. Where it leaves a choice: a key that stands twice in one object is refused, since readers
differ in which value they take; so are halves of characters (``\\ud83d`` alone) and ``\\u0000``, which no
text of PostgreSQL can hold; NaN and Infinity are no JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from ecom_platform.feeds.reasons import Reason

# Of more, parsers differ by how much is on their stack already.
MAX_DEPTH = 200
# No type has so many digits, before the point or behind it.
_MOST_PLACES = 400

# Escapes that may be of what a text cannot hold.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_BLANKS = " \t\r\n"
_ESCAPED = re.compile(r'["\\\x00-\x1f]')


class Number(str):
    """A number of JSON, as it is written."""

    __slots__ = ()


Json: TypeAlias = "dict[str, Any] | list[Any] | str | Number | bool | None"


class LineParser:
    """Parses lines, one after the other: whether a key stood twice is known only when all of one was read."""

    def __init__(self) -> None:
        self._twice = False
        decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_float=Number,
            parse_int=Number,
            parse_constant=_no_constant,
        )
        self._decode = decoder.raw_decode

    def parse(self, line: bytes) -> dict[str, Any] | Reason:
        """The object that a line is, or why it is none that can be taken. Numbers are :class:`Number`."""
        if b"\0" in line:
            return Reason.NUL_BYTE
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return Reason.INVALID_UTF8
        self._twice = False
        try:
            text = text.strip(_BLANKS)
            found, end = self._decode(text)
        except (ValueError, RecursionError):
            return Reason.INVALID_JSON
        if end != len(text):
            return Reason.INVALID_JSON
        if text.count("{") + text.count("[") > MAX_DEPTH and _depth(found) > MAX_DEPTH:
            return Reason.INVALID_JSON
        if self._twice:
            return Reason.DUPLICATE_KEY
        if b"\\u" in line and _SUSPECT.search(line) and (fault := _unstorable(found)) is not None:
            return fault
        return found if isinstance(found, dict) else Reason.NOT_AN_OBJECT

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            self._twice = True
        return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _depth(value: Json) -> int:
    depth, level = 0, [value]
    while level:
        depth += any(isinstance(one, dict | list) for one in level)
        level = [
            inside
            for one in level
            if isinstance(one, dict | list)
            for inside in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def _unstorable(value: Json) -> Reason | None:
    texts = list(_texts(value))
    if any("\0" in text for text in texts):
        return Reason.NUL_BYTE
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        return Reason.LONE_SURROGATE
    return None


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inside in value.items():
            yield key
            yield from _texts(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _texts(inside)
    elif isinstance(value, str):
        yield value


def json_text(value: Json) -> str:
    """A value as JSON, with numbers as they were written and no blanks between."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return f"{{{','.join(f'{quoted(key)}:{json_text(inside)}' for key, inside in value.items())}}}"
    return f"[{','.join(map(json_text, value))}]"


def quoted(text: str) -> str:
    """A text as JSON has it; nothing is escaped that need not be."""
    return json.dumps(text, ensure_ascii=False) if _ESCAPED.search(text) else f'"{text}"'


def plain_number(number: str) -> str:
    """A number with an exponent as the same number without: every digit stays."""
    mantissa, mark, exponent = number.replace("E", "e").partition("e")
    if not mark:
        return number
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, decimals = mantissa.removeprefix("-").partition(".")
    shift = _clipped(exponent)
    digits = whole + decimals
    place = len(whole) + shift
    if place <= 0:
        return f"{sign}0.{'0' * -place}{digits}"
    if place >= len(digits):
        return f"{sign}{digits}{'0' * (place - len(digits))}"
    return f"{sign}{digits[:place]}.{digits[place:]}"


def _clipped(exponent: str) -> int:
    """So that ``1e999999999`` takes no memory: no type holds so many places."""
    digits = exponent.lstrip("+-").lstrip("0")
    size = _MOST_PLACES if len(digits) > 3 else min(int(digits or "0"), _MOST_PLACES)
    return -size if exponent.startswith("-") else size
