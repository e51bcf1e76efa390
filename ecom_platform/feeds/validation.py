"""The text of one record -> its typed values, or the first reason why not.

Belongs here: the closed list of reasons, the grammar of each kind of column, and the order in
which rules are looked at. Does not belong here: how bytes become fields (``splitting``), and the
vectorised twin of these rules for whole columns (``conversion``), which may accept less but
never more than what is accepted here.

The order: first the number of fields; then each column in the order of the declaration, within a
column from its form to its bounds; then the rule that spans columns, the price that goes with
every event type but one. The first rule that is broken names the column and the reason. Nothing
is repaired or guessed: a value is never stripped, rounded or completed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from ecom_platform.feeds.declaration import (
    CATEGORIES,
    COLUMN_NAMES,
    COLUMNS,
    COUNTRIES,
    DEVICES,
    EARLIEST_EVENT_TIME,
    EVENT_TYPES,
    LATEST_EVENT_TIME_AHEAD,
    MAX_PRICE,
    MAX_USER_ID,
    UNPRICED_EVENT_TYPE,
    ColumnKind,
    EventColumn,
)

Value: TypeAlias = bytes | int | str | datetime | Decimal | None
Parser: TypeAlias = "Callable[[str, datetime], Value | ReasonCode]"


class ReasonCode(StrEnum):
    """Why a record is not in ``user_events``. The codes are stable: tables and scripts keep them."""

    ROW_TOO_LONG = "row_too_long"
    NUL_BYTE = "nul_byte"
    INVALID_UTF8 = "invalid_utf8"
    UNBALANCED_QUOTES = "unbalanced_quotes"
    MISSING_FIELDS = "missing_fields"
    EXTRA_FIELDS = "extra_fields"
    EMPTY_VALUE = "empty_value"
    INVALID_UUID = "invalid_uuid"
    INVALID_NUMBER = "invalid_number"
    USER_ID_OUT_OF_RANGE = "user_id_out_of_range"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    UNPARSABLE_TIME = "unparsable_time"
    IMPLAUSIBLE_TIME = "implausible_time"
    PRICE_NAN = "price_nan"
    PRICE_INFINITE = "price_infinite"
    PRICE_NOT_POSITIVE = "price_not_positive"
    PRICE_TOO_MANY_DECIMALS = "price_too_many_decimals"
    PRICE_OVERFLOW = "price_overflow"
    UNKNOWN_CATEGORY = "unknown_category"
    UNKNOWN_DEVICE = "unknown_device"
    UNKNOWN_COUNTRY = "unknown_country"
    PRICE_ON_VIEW = "price_on_view"
    PRICE_MISSING = "price_missing"
    ID_CONFLICT = "id_conflict"
    REFUSED_BY_DATABASE = "refused_by_database"

    @property
    def description(self) -> str:
        """One sentence for the docs and the UI."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS: dict[ReasonCode, str] = {
    ReasonCode.ROW_TOO_LONG: "The line is longer than 1 MiB.",
    ReasonCode.NUL_BYTE: "The record contains a NUL byte, which PostgreSQL cannot store in text.",
    ReasonCode.INVALID_UTF8: "The record is not valid UTF-8.",
    ReasonCode.UNBALANCED_QUOTES: (
        "A quote opens inside a value, is followed by something other than a comma or the line end, is not "
        "closed within 64 KiB, or has what looks like another row before it closes; this line alone is "
        "refused."
    ),
    ReasonCode.MISSING_FIELDS: f"The record has fewer than {len(COLUMNS)} fields.",
    ReasonCode.EXTRA_FIELDS: f"The record has more than {len(COLUMNS)} fields.",
    ReasonCode.EMPTY_VALUE: "A value that every event must have is empty.",
    ReasonCode.INVALID_UUID: "The identifier is not a UUID of 36 characters: 8-4-4-4-12 hexadecimal digits.",
    ReasonCode.INVALID_NUMBER: "The value is not a plain decimal number (no sign +, exponent or blanks).",
    ReasonCode.USER_ID_OUT_OF_RANGE: f"The user id is not between 1 and {MAX_USER_ID}.",
    ReasonCode.UNKNOWN_EVENT_TYPE: f"The event type is not one of {', '.join(EVENT_TYPES)}.",
    ReasonCode.UNPARSABLE_TIME: (
        "The time is not an existing date and time of the form YYYY-MM-DD HH:MM:SS[.ffffff][offset]."
    ),
    ReasonCode.IMPLAUSIBLE_TIME: (
        f"The time is before {EARLIEST_EVENT_TIME.date()} or more than "
        f"{LATEST_EVENT_TIME_AHEAD.days} day in the future."
    ),
    ReasonCode.PRICE_NAN: "The price is NaN.",
    ReasonCode.PRICE_INFINITE: "The price is infinite.",
    ReasonCode.PRICE_NOT_POSITIVE: "The price is zero or negative.",
    ReasonCode.PRICE_TOO_MANY_DECIMALS: "The price has more than two decimals that are not zero.",
    ReasonCode.PRICE_OVERFLOW: f"The price is above {MAX_PRICE}.",
    ReasonCode.UNKNOWN_CATEGORY: f"The category is not one of {', '.join(CATEGORIES)}.",
    ReasonCode.UNKNOWN_DEVICE: f"The device is not one of {', '.join(DEVICES)}.",
    ReasonCode.UNKNOWN_COUNTRY: f"The location is not one of the {len(COUNTRIES)} ISO 3166-1 alpha-2 codes.",
    ReasonCode.PRICE_ON_VIEW: f"An event of type {UNPRICED_EVENT_TYPE} has a price.",
    ReasonCode.PRICE_MISSING: f"An event of a type other than {UNPRICED_EVENT_TYPE} has no price.",
    ReasonCode.ID_CONFLICT: "Another event with this id and other content is already stored.",
    ReasonCode.REFUSED_BY_DATABASE: (
        "PostgreSQL refused the row: a constraint, an index, a type or a trigger that somebody gave the "
        "table; the column `message` says which."
    ),
}


@dataclass(frozen=True, slots=True)
class RowProblem:
    """The first rule a record breaks. ``column`` is None when the record as a whole is at fault."""

    reason: ReasonCode
    column: str | None = None


def validate(fields: Sequence[str], now: datetime) -> tuple[Value, ...] | RowProblem:
    """The typed values of a record whose ``fields`` are in the order of the declaration.

    The values are 16 bytes for a UUID, ``int``, ``str``, an aware UTC ``datetime`` and ``Decimal``;
    None stands for an absent price. ``now`` is an aware time that bounds how late an event may be.
    """
    if len(fields) != len(COLUMNS):
        too_few = len(fields) < len(COLUMNS)
        return RowProblem(ReasonCode.MISSING_FIELDS if too_few else ReasonCode.EXTRA_FIELDS)
    values: list[Value] = []
    for column, parse, text in zip(COLUMNS, _PARSERS, fields, strict=True):
        value = parse(text, now) if text else _EMPTY[column.nullable]
        if isinstance(value, ReasonCode):
            return RowProblem(value, column.name)
        values.append(value)
    return _check_price_presence(values) or tuple(values)


# Of a row's looks only the form counts, whenever it is read.
_ANY_TIME = datetime(9999, 1, 1, tzinfo=UTC)
_ROW_LOOKS = 2


def row_looks(names: Sequence[str]) -> Callable[[bytes], bool]:
    """Tells whether a line looks like a row of a file with the columns ``names``.

    It does if the text at the places of at least two columns, not counting those of any text, is a value of
    them. A note with commas in it has none.
    """
    parsers = [_BY_NAME[name] for name in names]

    def looks_like_row(line: bytes) -> bool:
        found = 0
        for parse, field in zip(parsers, line.split(b",", len(parsers)), strict=False):
            if parse is not _text and field:
                value = parse(field.decode(errors="replace"), _ANY_TIME)
                found += not isinstance(value, ReasonCode)
                if found == _ROW_LOOKS:
                    return True
        return False

    return looks_like_row


def _check_price_presence(values: Sequence[Value]) -> RowProblem | None:
    unpriced = values[_EVENT_TYPE] == UNPRICED_EVENT_TYPE
    if unpriced and values[_PRICE] is not None:
        return RowProblem(ReasonCode.PRICE_ON_VIEW, COLUMNS[_PRICE].name)
    if not unpriced and values[_PRICE] is None:
        return RowProblem(ReasonCode.PRICE_MISSING, COLUMNS[_PRICE].name)
    return None


# -- one kind of column each ---------------------------------------------------------------------

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_INTEGER = re.compile(r"-?[0-9]+")
_PRICE_NUMBER = re.compile(r"-?([0-9]+)(?:\.([0-9]*))?")
_NAN = re.compile(r"[+-]?nan", re.IGNORECASE | re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.([0-9]{1,6})0*)?"
    r"([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)

_MAX_USER_ID_DIGITS = len(str(MAX_USER_ID))
_MAX_PRICE_DIGITS = len(str(int(MAX_PRICE)))


def _uuid(text: str, _now: datetime) -> bytes | ReasonCode:
    return bytes.fromhex(text.replace("-", "")) if _UUID.fullmatch(text) else ReasonCode.INVALID_UUID


def _user_id(text: str, _now: datetime) -> int | ReasonCode:
    """Plain ASCII digits; leading zeros do not change a number and are accepted."""
    if not _INTEGER.fullmatch(text):
        return ReasonCode.INVALID_NUMBER
    digits = text.lstrip("0")
    # Signs are out before the length is looked at, and that before int(), which refuses thousands of digits.
    if not digits or digits[0] == "-" or len(digits) > _MAX_USER_ID_DIGITS or int(digits) > MAX_USER_ID:
        return ReasonCode.USER_ID_OUT_OF_RANGE
    return int(digits)


def _text(text: str, _now: datetime) -> str:
    return text


def _price(text: str, _now: datetime) -> Decimal | ReasonCode:
    """Digits, then perhaps a point and decimals; from the third decimal on only zeros are accepted."""
    match = _PRICE_NUMBER.fullmatch(text)
    if match is None:
        return _not_a_price(text)
    whole, decimals = match[1].lstrip("0"), (match[2] or "").rstrip("0")
    if text.startswith("-") or not whole + decimals:
        return ReasonCode.PRICE_NOT_POSITIVE
    if len(decimals) > 2:
        return ReasonCode.PRICE_TOO_MANY_DECIMALS
    if len(whole) > _MAX_PRICE_DIGITS:
        return ReasonCode.PRICE_OVERFLOW
    return Decimal(f"{whole or '0'}.{decimals:0<2}")


def _not_a_price(text: str) -> ReasonCode:
    if _NAN.fullmatch(text):
        return ReasonCode.PRICE_NAN
    if _INFINITE.fullmatch(text):
        return ReasonCode.PRICE_INFINITE
    return ReasonCode.INVALID_NUMBER


def _time(text: str, now: datetime) -> datetime | ReasonCode:
    """ISO 8601 with seconds; from the seventh digit of the fraction on only zeros are accepted."""
    match = _TIME.fullmatch(text)
    if match is None:
        return ReasonCode.UNPARSABLE_TIME
    date, time, fraction, offset = match.groups()
    try:
        local = datetime.fromisoformat(f"{date}T{time}.{fraction or '0':0<6}")
        moment = local.replace(tzinfo=_zone(offset or "Z"))
    except ValueError:  # a month 13, a 30th of February, a second 60, an offset of a day
        return ReasonCode.UNPARSABLE_TIME
    if not EARLIEST_EVENT_TIME <= moment <= now + LATEST_EVENT_TIME_AHEAD:
        return ReasonCode.IMPLAUSIBLE_TIME
    return moment.astimezone(UTC)


@lru_cache(maxsize=256)
def _zone(text: str) -> timezone:
    """``Z``, ``+02``, ``+0200`` or ``+02:00``. Raises ValueError for 24 hours or 60 minutes and more."""
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    minutes = int(digits[2:] or 0)
    if minutes >= 60:
        raise ValueError(text)
    offset = timedelta(hours=int(digits[:2]), minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _choice(domain: tuple[str, ...], unknown: ReasonCode) -> Parser:
    verdicts: dict[str, str | ReasonCode] = {text: text for text in domain}
    return lambda text, _now: verdicts.get(text, unknown)


_UNKNOWN: dict[str, ReasonCode] = {
    "event_type": ReasonCode.UNKNOWN_EVENT_TYPE,
    "category": ReasonCode.UNKNOWN_CATEGORY,
    "user_device": ReasonCode.UNKNOWN_DEVICE,
    "user_location": ReasonCode.UNKNOWN_COUNTRY,
}


def _parser(column: EventColumn) -> Parser:
    match column.kind:
        case ColumnKind.UUID:
            return _uuid
        case ColumnKind.POSITIVE_INTEGER:
            return _user_id
        case ColumnKind.TEXT:
            return _text
        case ColumnKind.CHOICE:
            return _choice(column.domain, _UNKNOWN[column.name])
        case ColumnKind.TIMESTAMP:
            return _time
        case ColumnKind.PRICE:
            return _price


# What an empty value means, by whether the column is nullable.
_EMPTY: dict[bool, ReasonCode | None] = {True: None, False: ReasonCode.EMPTY_VALUE}

# One per column, chosen once: this is the slow path, but a whole file may have to take it.
_PARSERS: tuple[Parser, ...] = tuple(_parser(column) for column in COLUMNS)
_BY_NAME: dict[str, Parser] = dict(zip(COLUMN_NAMES, _PARSERS, strict=True))

_EVENT_TYPE = COLUMN_NAMES.index("event_type")
_PRICE = COLUMN_NAMES.index("price")
