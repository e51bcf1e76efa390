"""A second opinion on feeds: what a text must become, by code that is not the package's.

Of the package it reads the declaration as data (``feeds.feed``) and nothing else. Plain Python, one value
after the other: Decimal, strptime, zoneinfo, uuid, json.
"""

from __future__ import annotations

import calendar
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from ecom_platform.feeds.feed import Column, Dialect, Feed, When

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Wrong(Exception):  # noqa: N818
    """Its argument is the code of the reason."""


def row(feed: Feed, texts: Sequence[str], now: datetime) -> tuple[Any, ...]:
    """The values of a row in Python's own types. Raises :class:`Wrong` with reason and column."""
    values: dict[str, Any] = {}
    for column, text in zip(feed.columns, texts, strict=True):
        try:
            values[column.name] = value(column, feed.dialect, text, now)
        except Wrong as wrong:
            raise Wrong(wrong.args[0], column.name) from wrong
    for column in feed.columns:
        there = values[column.name] is not None
        if not there and holds(column.required_when, values):
            raise Wrong("required", column.name)
        if there and holds(column.absent_when, values):
            raise Wrong("must_be_absent", column.name)
    return tuple(values[column.name] for column in feed.columns)


def holds(whens: Sequence[When], values: Mapping[str, Any]) -> bool:
    """Whether one of the conditions is that of these values."""
    return any(values[when.column] in when.values for when in whens)


def value(column: Column, dialect: Dialect, text: str, now: datetime) -> Any:
    """What one text must become: ``None`` for no value."""
    if column.trim:
        while text[:1] == " ":
            text = text[1:]
        while text[-1:] == " ":
            text = text[:-1]
    if text in column.nulls:
        if column.nullable:
            return None
        raise Wrong("empty_value")
    kind = column.type.split("(")[0]
    read = {
        "text": _text,
        "uuid": _uuid,
        "boolean": _boolean,
        "jsonb": _json,
        "integer": _integer,
        "bigint": _integer,
        "numeric": _numeric,
        "double precision": _double,
        "date": _time,
        "timestamp": _time,
        "timestamptz": _time,
    }[kind]
    return read(column, dialect, text, now)


def _text(column: Column, dialect: Dialect, text: str, now: datetime) -> str:
    if column.values and text not in column.values:
        raise Wrong("not_in_list")
    if column.match is not None and re.fullmatch(column.match, text) is None:
        raise Wrong("no_match")
    return text


def _uuid(column: Column, dialect: Dialect, text: str, now: datetime) -> uuid.UUID:
    parts = text.split("-")
    if [len(part) for part in parts] != [8, 4, 4, 4, 12] or any(
        character not in "0123456789abcdefABCDEF" for character in "".join(parts)
    ):
        raise Wrong("not_a_uuid")
    return uuid.UUID(text)


def _boolean(column: Column, dialect: Dialect, text: str, now: datetime) -> bool:
    for words, meant in (
        (("true", "t", "yes", "y", "on", "1"), True),
        (("false", "f", "no", "n", "off", "0"), False),
    ):
        if any(len(text) == len(w) and text.isascii() and text.casefold() == w for w in words):
            return meant
    raise Wrong("not_a_boolean")


def _json(column: Column, dialect: Dialect, text: str, now: datetime) -> str:
    def no_constant(name: str) -> None:
        raise ValueError(name)

    try:
        found = json.loads(text, parse_constant=no_constant)
        for inside in _all_texts(found):
            inside.encode("utf-8")
            if "\0" in inside:
                raise Wrong("not_json")
    except (ValueError, RecursionError):
        raise Wrong("not_json") from None
    return text


def _all_texts(found: Any) -> list[str]:
    if isinstance(found, str):
        return [found]
    if isinstance(found, dict):
        return [text for pair in found.items() for part in pair for text in _all_texts(part)]
    return [text for part in found for text in _all_texts(part)] if isinstance(found, list) else []


# -- numbers -------------------------------------------------------------------------------------


def _plain(column: Column, dialect: Dialect, text: str, reason: str) -> str:
    for character in column.remove:
        text = text.replace(character, "")
    mark = dialect.thousands
    if mark is not None and mark in text:
        sign = "-" if text.startswith("-") else ""
        whole, point, decimals = text.removeprefix("-").partition(dialect.decimal)
        groups = whole.split(mark)
        right = all(_digits(group) for group in groups) and 1 <= len(groups[0]) <= 3
        if not right or any(len(group) != 3 for group in groups[1:]) or (decimals and not _digits(decimals)):
            raise Wrong(reason)
        text = sign + "".join(groups) + point + decimals
    if dialect.decimal != ".":
        if "." in text:
            raise Wrong(reason)
        text = text.replace(dialect.decimal, ".")
    if text.lstrip("+-").lower() in ("nan", "inf", "infinity") and len(text) - len(text.lstrip("+-")) <= 1:
        raise Wrong("not_finite")
    return text


def _digits(text: str) -> bool:
    return text != "" and all(character in "0123456789" for character in text)


def _parts(text: str, reason: str) -> tuple[bool, str, str]:
    """Whether it is negative, its digits before the point, and those behind it up to the last that is not
    zero."""
    whole, _, decimals = text.removeprefix("-").partition(".")
    if not _digits(whole) or (decimals and not _digits(decimals)):
        raise Wrong(reason)
    return text.startswith("-"), whole, decimals.rstrip("0")


def _integer(column: Column, dialect: Dialect, text: str, now: datetime) -> int:
    negative, whole, decimals = _parts(_plain(column, dialect, text, "not_an_integer"), "not_an_integer")
    if decimals:
        raise Wrong("not_an_integer")
    bits = 31 if column.type == "integer" else 63
    found = -int(whole) if negative else int(whole)
    if not -(2**bits) <= found < 2**bits:
        raise Wrong("out_of_range")
    _listed_and_bounded(column, dialect, found, int)
    return found


def _numeric(column: Column, dialect: Dialect, text: str, now: datetime) -> Decimal:
    negative, whole, decimals = _parts(_plain(column, dialect, text, "not_a_number"), "not_a_number")
    inside = column.type[len("numeric(") : -1].split(",")
    precision, scale = int(inside[0]), int(inside[1]) if len(inside) > 1 else 0
    if len(decimals) > scale:
        raise Wrong("too_many_decimals")
    unscaled = int(whole + decimals.ljust(scale, "0"))
    if unscaled >= 10**precision:
        raise Wrong("out_of_range")
    found = Decimal((int(negative and unscaled != 0), tuple(map(int, str(unscaled))), -scale))
    _listed_and_bounded(column, dialect, found, Decimal)
    return found


def _double(column: Column, dialect: Dialect, text: str, now: datetime) -> float:
    plain = _plain(column, dialect, text, "not_a_number")
    if any(character not in "0123456789.eE+-" for character in plain) or plain.startswith("+"):
        raise Wrong("not_a_number")
    try:
        found = float(plain)
    except ValueError:
        raise Wrong("not_a_number") from None
    mantissa, _, exponent = plain.lower().partition("e")
    if "+" in mantissa or len(exponent.lstrip("+-")) > 4:
        raise Wrong("not_a_number")
    if found in (float("inf"), float("-inf")):
        raise Wrong("out_of_range")
    _listed_and_bounded(column, dialect, found, float)
    return found


def _listed_and_bounded(column: Column, dialect: Dialect, found: Any, kind: Any) -> None:
    # A list is written as files write it, bounds are not.
    if column.values and found not in [kind(_plain(column, dialect, text, "")) for text in column.values]:
        raise Wrong("not_in_list")
    if column.minimum is not None and found < kind(column.minimum):
        raise Wrong("out_of_range")
    if column.maximum is not None and found > kind(column.maximum):
        raise Wrong("out_of_range")
    if column.greater_than is not None and not found > kind(column.greater_than):
        raise Wrong("out_of_range")


# -- times ---------------------------------------------------------------------------------------


def _time(column: Column, dialect: Dialect, text: str, now: datetime) -> Any:
    for form in column.time_formats:
        read = _read_time(column, form, text)
        if read is not None:
            return _bounded_time(column, _placed(column, form, read), now)
    raise Wrong("not_a_time")


def _read_time(column: Column, form: str, text: str) -> datetime | None:
    """With an offset where the text says one; without where it does not; ``None`` if it is not of this
    form."""
    if form.startswith("epoch_"):
        per_second = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}[form]
        if not _digits(text.removeprefix("-")) or len(text.removeprefix("-")) > 18:
            return None
        micros = int(text) * (1_000_000 // per_second)
        if abs(micros) > (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1):
            return None
        return EPOCH + timedelta(microseconds=micros)
    if form == "iso":
        return _read_iso(column, text)
    return _read_strptime(form, text)


def _read_iso(column: Column, text: str) -> datetime | None:
    if column.type == "date":
        return _read_strptime("%Y-%m-%d", text) if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    found = re.fullmatch(
        "([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})([.][0-9]+)?"
        "([zZ]|[+-][0-9]{2}(:?[0-9]{2})?)?",
        text,
    )
    if not found:
        return None
    fraction = (found[3] or ".0")[1:]
    if fraction[6:].strip("0"):
        return None
    try:
        local = datetime.strptime(f"{found[1]} {found[2]}", "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
    if found[2].endswith(":60") or found[2].endswith(":61"):
        return None
    local = local.replace(microsecond=int(fraction[:6].ljust(6, "0")))
    return _with_offset(local, found[4]) if found[4] else local


def _with_offset(local: datetime, text: str) -> datetime | None:
    if text in "zZ":
        return local.replace(tzinfo=UTC)
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        return None
    moved = timedelta(hours=hours, minutes=minutes)
    return local.replace(tzinfo=timezone(-moved if text[0] == "-" else moved))


def _read_strptime(form: str, text: str) -> datetime | None:
    """Python's own reading, made as strict as the reference says: ASCII digits, years from 1900 to 2199, no
    second 60."""
    if not text.isascii() or text != text.strip() or (" " not in form and " " in text):
        return None
    if re.search(r"\s", text.replace(" ", "")) or "  " in text:
        return None
    try:
        found = datetime.strptime(text, form)
    except ValueError:
        return None
    return found if 1900 <= found.year <= 2199 else None


def _placed(column: Column, form: str, read: datetime) -> Any:
    """As an instant, a local time or a day."""
    if column.type == "timestamptz":
        return read.astimezone(UTC) if read.tzinfo else _instant(column, read)
    if read.tzinfo and not form.startswith("epoch_"):
        raise Wrong("not_a_time")
    local = read.replace(tzinfo=None)
    return local.date() if column.type == "date" else local


def _instant(column: Column, local: datetime) -> datetime:
    zone = ZoneInfo(column.zone)
    found = []
    for fold in (0, 1):
        there = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if there.astimezone(zone).replace(tzinfo=None, fold=0) == local and there not in found:
            found.append(there)
    if not found:
        raise Wrong("nonexistent_time")
    if len(found) == 2 and column.fold is None:
        raise Wrong("ambiguous_time")
    return max(found) if column.fold == "second" else min(found)


def _bounded_time(column: Column, found: Any, now: datetime) -> Any:
    if column.values and found not in [_bound(column, text, now) for text in column.values]:
        raise Wrong("not_in_list")
    if column.minimum is not None and found < _bound(column, column.minimum, now):
        raise Wrong("out_of_range")
    if column.maximum is not None and found > _bound(column, column.maximum, now):
        raise Wrong("out_of_range")
    return found


def _bound(column: Column, text: str, now: datetime) -> Any:
    if text.startswith("now"):
        parts = text.split()
        moved = timedelta(**{parts[3].rstrip("s") + "s": int(parts[2])}) if len(parts) > 1 else timedelta()
        moment = now - moved if len(parts) > 1 and parts[1] == "-" else now + moved
    else:
        moment = datetime.fromisoformat(text)
        moment = (
            moment
            if moment.tzinfo or column.type != "timestamptz"
            else moment.replace(tzinfo=ZoneInfo(column.zone))
        )
    if column.type == "timestamptz":
        return moment.astimezone(UTC)
    moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return moment.date() if column.type == "date" else moment


def months() -> list[str]:
    """English short names, whatever the locale: what strptime reads in the tests' one."""
    return list(calendar.month_abbr)[1:]


def days_between(day: date) -> int:
    """Days since 1970."""
    return (day - date(1970, 1, 1)).days


# -- lines ---------------------------------------------------------------------------------------


def records(content: bytes, dialect: Dialect) -> list[tuple[int, tuple[bytes, ...] | None]]:
    """The records of a text without a header, byte by byte: the line where each begins, and its fields;
    ``None`` where the quotes do not go together, which gives up one line."""
    if content and not content.endswith(b"\n"):
        content += b"\n"
    blank = b" \t".replace(dialect.delimiter.encode(), b"")
    found: list[tuple[int, tuple[bytes, ...] | None]] = []
    position, line = 0, 1
    while position < len(content):
        end = content.index(b"\n", position)
        text = content[position:end].removesuffix(b"\r")
        after = end + 1
        if text.strip(blank):
            split = _record(content, position, dialect)
            if split is None:
                found.append((line, None))
            else:
                fields, after = split
                found.append((line, tuple(fields)))
        line += content.count(b"\n", position, after)
        position = after
    return found


def _record(content: bytes, position: int, dialect: Dialect) -> tuple[list[bytes], int] | None:
    delimiter = dialect.delimiter.encode()
    quote = dialect.quote.encode() if dialect.quote else None
    fields: list[bytes] = []
    while True:
        quoted = quote is not None and content[position : position + 1] == quote
        field = _field(content, position + quoted, dialect, quoted=quoted)
        if field is None:
            return None
        text, position = field
        fields.append(text)
        if content[position : position + 1] == delimiter:
            position += 1
        elif content[position : position + 1] == b"\n":
            return fields, position + 1
        elif quoted and content[position : position + 2] == b"\r\n":
            return fields, position + 2
        else:
            return None


def _field(content: bytes, position: int, dialect: Dialect, *, quoted: bool) -> tuple[bytes, int] | None:
    """What a field stands for, and where it ends; ``None`` where it does not."""
    delimiter = dialect.delimiter.encode()
    quote = dialect.quote.encode() if dialect.quote else None
    escape = dialect.escape.encode() if dialect.escape else None
    text, begin = bytearray(), position
    escaped_end = -1
    while position < len(content):
        here = content[position : position + 1]
        if escape is not None and here == escape:
            following = content[position + 1 : position + 2]
            if not following:
                return None
            text += b"\0" if following == b"0" else following
            position += 2
            escaped_end = position
        elif quoted and here == quote:
            if content[position + 1 : position + 2] == quote:
                text += here
                position += 2
            else:
                whole = content[begin:position]
                return (whole if escape and whole == escape + b"N" else bytes(text)), position + 1
        elif not quoted and here in (delimiter, b"\n"):
            whole = content[begin:position]
            if here == b"\n" and whole.endswith(b"\r") and escaped_end != position:
                whole = whole[:-1]
                del text[-1:]
            return (whole if escape and whole == escape + b"N" else bytes(text)), position
        elif not quoted and here == quote:
            return None
        else:
            text += here
            position += 1
    return None


def iso(column: Column) -> Column:
    """The column as if its texts were in ISO form."""
    return replace(column, time_formats=("iso",))
