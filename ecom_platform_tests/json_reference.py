"""A second opinion on lines of JSON: what each must become, by code that is not the package's.

A parser of RFC 8259 written out, one character after the other, which keeps numbers as they are written; then
paths, and :mod:`feed_reference` for what a text must become. Of the package it reads the declaration as data.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from ecom_platform.feeds.feed import Column, Feed
from ecom_platform_tests import feed_reference
from ecom_platform_tests.feed_reference import Wrong

MISSING = object()
DEEPEST = 200
LONGEST = 1 << 20


class Written(str):
    """A number as it is written."""


class NoJsonError(Exception):
    """What is there is no JSON."""


class Parser:
    """One text. ``twice``: whether a key stood twice in one object."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.twice = text, 0, False

    def whole(self) -> Any:
        found = self.value(0)
        self.blanks()
        if self.at != len(self.text):
            raise NoJsonError
        return found

    def blanks(self) -> None:
        while self.here() in (" ", "\t", "\n", "\r"):
            self.at += 1

    def here(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self, wanted: str) -> None:
        if not self.text.startswith(wanted, self.at):
            raise NoJsonError
        self.at += len(wanted)

    def value(self, depth: int) -> Any:
        self.blanks()
        first = self.here()
        if first in ("{", "["):
            if depth == DEEPEST:
                raise NoJsonError
            return self.object(depth + 1) if first == "{" else self.array(depth + 1)
        if first == '"':
            return self.string()
        for word, meant in (("true", True), ("false", False), ("null", None)):
            if first and first == word[0]:
                self.take(word)
                return meant
        return self.number()

    def object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.take("{")
        self.blanks()
        if self.here() == "}":
            self.take("}")
            return found
        while True:
            self.blanks()
            key = self.string()
            self.blanks()
            self.take(":")
            self.twice |= key in found
            found[key] = self.value(depth)
            self.blanks()
            if self.here() == "}":
                self.take("}")
                return found
            self.take(",")

    def array(self, depth: int) -> list[Any]:
        found: list[Any] = []
        self.take("[")
        self.blanks()
        if self.here() == "]":
            self.take("]")
            return found
        while True:
            found.append(self.value(depth))
            self.blanks()
            if self.here() == "]":
                self.take("]")
                return found
            self.take(",")

    def string(self) -> str:
        self.take('"')
        units: list[int] = []
        while True:
            character = self.here()
            if not character or ord(character) < 32:
                raise NoJsonError
            self.at += 1
            if character == '"':
                # Two halves that follow one another are a character.
                octets = b"".join(unit.to_bytes(4, "little") for unit in _paired(units))
                return octets.decode("utf-32-le", "surrogatepass")
            units.append(self.escaped() if character == "\\" else ord(character))

    def escaped(self) -> int:
        mark = self.here()
        self.at += 1
        if mark == "u":
            digits = self.text[self.at : self.at + 4]
            if len(digits) < 4 or any(digit not in string.hexdigits for digit in digits):
                raise NoJsonError
            self.at += 4
            return int(digits, 16)
        meant = dict(zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True))
        if mark not in meant or not mark:
            raise NoJsonError
        return ord(meant[mark])

    def number(self) -> Written:
        begin = self.at
        if self.here() == "-":
            self.at += 1
        first = self.here()
        self.digits()
        if first == "0" and self.text[self.at - 1] != "0":
            raise NoJsonError
        if first == "0" and self.text[begin : self.at].lstrip("-") != "0":
            raise NoJsonError
        if self.here() == ".":
            self.at += 1
            self.digits()
        if self.here() in ("e", "E"):
            self.at += 1
            if self.here() in ("+", "-"):
                self.at += 1
            self.digits()
        return Written(self.text[begin : self.at])

    def digits(self) -> None:
        begin = self.at
        while self.here() and self.here() in string.digits:
            self.at += 1
        if self.at == begin:
            raise NoJsonError


def _paired(units: list[int]) -> Iterator[int]:
    at = 0
    while at < len(units):
        high = units[at]
        if 0xD800 <= high < 0xDC00 and at + 1 < len(units) and 0xDC00 <= units[at + 1] < 0xE000:
            yield 0x10000 + (high - 0xD800 << 10) + units[at + 1] - 0xDC00
            at += 2
        else:
            yield high
            at += 1


def outcomes(feed: Feed, content: bytes, now: datetime) -> dict[tuple[int, int | None], tuple[Any, ...]]:
    """By line and element: ``("row", values, extra)`` or ``("refused", reason, column)``."""
    found: dict[tuple[int, int | None], tuple[Any, ...]] = {}
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip(b" \t\r"):
            continue
        try:
            for element, one in _of_line(feed, line, now):
                found[number, element] = one
        except Wrong as wrong:
            found[number, 0 if feed.explode else None] = "refused", wrong.args[0], None
    return found


def _of_line(feed: Feed, line: bytes, now: datetime) -> Iterator[tuple[int | None, tuple[Any, ...]]]:
    record = _record(line)
    if feed.explode is None:
        yield None, _of_row(feed, record, None, now)
        return
    elements = _at(record, feed.explode)
    if elements is MISSING or elements is None:
        if feed.missing != "null":
            raise Wrong("missing_key")
        return
    if not isinstance(elements, list):
        raise Wrong("not_a_list")
    for number, element in enumerate(elements, 1):
        yield number, _of_row(feed, record, element, now)


def _record(line: bytes) -> dict[str, Any]:
    if len(line) > LONGEST:
        raise Wrong("row_too_long")
    if b"\0" in line:
        raise Wrong("nul_byte")
    try:
        parser = Parser(line.decode())
    except UnicodeDecodeError:
        raise Wrong("invalid_utf8") from None
    try:
        record = parser.whole()
    except NoJsonError:
        raise Wrong("invalid_json") from None
    if parser.twice:
        raise Wrong("duplicate_key")
    texts = list(_all_texts(record))
    if any("\0" in text for text in texts):
        raise Wrong("nul_byte")
    try:
        "".join(texts).encode()
        "x".join(texts).encode()
    except UnicodeEncodeError:
        raise Wrong("lone_surrogate") from None
    if not isinstance(record, dict):
        raise Wrong("not_an_object")
    return record


def _all_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and not isinstance(value, Written):
        yield value
    for inside in value.items() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(value, dict):
            yield inside[0]
        yield from _all_texts(inside[1] if isinstance(value, dict) else inside)


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        if value is MISSING or value is None:
            return value
        if not isinstance(value, dict):
            raise Wrong("not_an_object")
        value = value.get(key, MISSING)
    return value


def _of_row(feed: Feed, record: dict[str, Any], element: Any, now: datetime) -> tuple[Any, ...]:
    declared = {name for column in feed.columns for name in column.sources or (column.name,)}
    at_top = {name.split(".")[0] for name in declared} | {
        (feed.explode or next(iter(declared))).split(".")[0]
    }
    others = {key: value for key, value in record.items() if key not in at_top}
    if others and feed.extra == "refuse":
        return "refused", "undeclared_key", None
    values: dict[str, Any] = {}
    for column in feed.columns:
        try:
            values[column.name] = _value(feed, column, record, element, now)
        except Wrong as wrong:
            return "refused", wrong.args[0], column.name
    for column in feed.columns:
        there = values[column.name] is not None
        if not there and feed_reference.holds(column.required_when, values):
            return "refused", "required", column.name
        if there and feed_reference.holds(column.absent_when, values):
            return "refused", "must_be_absent", column.name
    return "row", tuple(values.values()), others if feed.extra == "store" else None


def _value(feed: Feed, column: Column, record: dict[str, Any], element: Any, now: datetime) -> Any:
    there = []
    for name in column.sources or (column.name,):
        if feed.explode is not None and name == feed.explode:
            found = element
        elif feed.explode is not None and name.startswith(f"{feed.explode}."):
            found = _at(element, name.removeprefix(f"{feed.explode}."))
        else:
            found = _at(record, name)
        if found is not MISSING:
            there.append(found)
    if len(there) > 1:
        raise Wrong("duplicate_key")
    if not there and not (feed.missing == "null" and column.nullable):
        raise Wrong("missing_key")
    if not there or there[0] is None:
        if not column.nullable:
            raise Wrong("empty_value")
        return None
    return feed_reference.value(column, feed.dialect, _text(column, there[0]), now)


def _text(column: Column, value: Any) -> str:
    if column.type == "jsonb":
        return written(value)
    if isinstance(value, Written):
        keeps = column.type in ("text", "double precision") or not {"e", "E"} & set(value)
        return str(value) if keeps else _without_exponent(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    raise Wrong("nested_value")


def _without_exponent(number: str) -> str:
    exponent = int(number.lower().partition("e")[2])
    if abs(exponent) > 500:  # no type holds so many places
        number = f"{number.lower().partition('e')[0]}e{500 if exponent > 0 else -500}"
    return f"{Decimal(number):f}"


def written(value: Any) -> str:
    """JSON with every number as it was, and no blanks."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{written(key)}:{written(inside)}" for key, inside in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    if isinstance(value, Written):
        return str(value)
    if isinstance(value, str):
        short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
        return '"' + "".join(short.get(c, c if ord(c) > 31 else f"\\u{ord(c):04x}") for c in value) + '"'
    return {True: "true", False: "false", None: "null"}[value]
