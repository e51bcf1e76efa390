"""Whole columns of text -> Arrow arrays, and which rows are certainly right.

Belongs here: the vectorised twin of ``validation``. It need not accept all that is valid (odd
spellings are left to the row validator), but whatever it accepts, the row validator accepts with
the same value. Does not belong here: reasons, and where fields begin and end.

Each converter takes the places of one field in a buffer of bytes and returns an array and a mask
of accepted rows. Values of rows that are not accepted are arbitrary. Texts of one length are
handled together, as a matrix with one row per character: comparing and adding up whole rows of
it is what makes this fast.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.declaration import (
    BY_NAME,
    COLUMN_NAMES,
    COLUMNS,
    EARLIEST_EVENT_TIME,
    LATEST_EVENT_TIME_AHEAD,
    MAX_PRICE,
    UNPRICED_EVENT_TYPE,
    ColumnKind,
    EventColumn,
)
from ecom_platform.feeds.places import Array, Places
from ecom_platform.feeds.types.text_types import octets_of

_ZERO, _POINT = ord("0"), ord(".")
_MAX_INTEGER_DIGITS = 18  # any such number fits 64 bits
_PRICE_TYPE: pa.Decimal128Type = BY_NAME["price"].arrow
_MAX_CENTS = int(MAX_PRICE * 10**_PRICE_TYPE.scale)
_MAX_PRICE_LENGTH = len(str(MAX_PRICE))


def convert(columns: list[Places], now: datetime) -> tuple[list[pa.Array], Array]:
    """All columns, in the order of the declaration, and the mask of the rows that are right throughout."""
    arrays: list[pa.Array] = []
    accepted = np.ones(len(columns[0].begins), dtype=np.bool_)
    for column, places in zip(COLUMNS, columns, strict=True):
        array, right = _convert(column, places, now)
        arrays.append(array)
        accepted &= right
    accepted &= _price_presence(arrays, columns)
    return arrays, accepted


def _convert(column: EventColumn, places: Places, now: datetime) -> tuple[pa.Array, Array]:
    match column.kind:
        case ColumnKind.UUID:
            return _uuids(places)
        case ColumnKind.POSITIVE_INTEGER:
            return _integers(places)
        case ColumnKind.TEXT:
            return places.strings(), places.lengths > 0
        case ColumnKind.CHOICE:
            return _choices(places, column)
        case ColumnKind.TIMESTAMP:
            return _timestamps(places, now)
        case ColumnKind.PRICE:
            return _prices(places)


def _price_presence(arrays: list[pa.Array], columns: list[Places]) -> Array:
    event_types = arrays[COLUMN_NAMES.index("event_type")]
    unpriced = _is_in(event_types, (UNPRICED_EVENT_TYPE,))
    has_price = columns[COLUMN_NAMES.index("price")].lengths > 0
    right: Array = has_price != unpriced
    return right


# -- text ----------------------------------------------------------------------------------------


def _choices(places: Places, column: EventColumn) -> tuple[pa.Array, Array]:
    texts = places.strings()
    return texts, _is_in(texts, column.domain)


def _is_in(texts: pa.Array, domain: tuple[str, ...]) -> Array:
    return arrow.to_mask(pc.is_in(texts, value_set=_value_set(domain)))


_value_set = cache(arrow.strings)


# -- identifiers ---------------------------------------------------------------------------------


def _uuids(places: Places) -> tuple[pa.Array, Array]:
    octets, right = octets_of(places)
    return arrow.fixed_width(octets, pa.binary(16)), right


# -- numbers -------------------------------------------------------------------------------------


def _digits(places: Places, length: int, rows: Array | slice) -> Array:
    """Characters minus ``0``, one row per position: 0 to 9 for digits, more for all others."""
    return np.ascontiguousarray(places.characters(length, rows).T) - np.uint8(_ZERO)


def _number(digits: Array) -> Array:
    value = np.zeros(digits.shape[1], dtype=np.int64)
    for row in digits:
        value = value * 10 + row
    return value


def _integers(places: Places) -> tuple[pa.Array, Array]:
    values = np.zeros(len(places.begins), dtype=np.int64)
    right = np.zeros(len(values), dtype=np.bool_)
    for length, rows in places.by_length(_MAX_INTEGER_DIGITS):
        digits = _digits(places, length, rows)
        values[rows] = _number(digits)
        right[rows] = (digits < 10).all(axis=0)
    return arrow.fixed_width(values, pa.int64()), right & (values > 0)


def _prices(places: Places) -> tuple[pa.Array, Array]:
    cents = np.zeros(len(places.begins), dtype=np.int64)
    right = places.lengths == 0
    for length, rows in places.by_length(_MAX_PRICE_LENGTH):
        cents[rows], right[rows] = _cents(_digits(places, length, rows))
    return arrow.decimals(cents, _PRICE_TYPE), right


def _cents(digits: Array) -> tuple[Array, Array]:
    points = digits == np.uint8(_POINT - _ZERO + 256)
    value = np.zeros(digits.shape[1], dtype=np.int64)
    for digit, point in zip(digits, points, strict=True):
        value = np.where(point, value, value * 10 + digit)
    has_point = points.any(axis=0)
    decimals = np.where(has_point, len(digits) - 1 - points.argmax(axis=0), 0)
    right = ((digits < 10) | points).all(axis=0) & (digits[0] < 10)
    right &= (points.sum(axis=0) <= 1) & (decimals <= _PRICE_TYPE.scale)
    cents = value * 10 ** np.clip(_PRICE_TYPE.scale - decimals, 0, _PRICE_TYPE.scale)
    return cents, right & (cents > 0) & (cents <= _MAX_CENTS)


# -- times ---------------------------------------------------------------------------------------

_SECOND_US = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_YEAR, _LAST_YEAR = 1970, 2199
_SECONDS_LENGTH = len("YYYY-MM-DD HH:MM:SS")
_SEPARATORS = {4: "-", 7: "-", 10: " T", 13: ":", 16: ":"}

# What may follow the seconds: how many decimals and which offset. Every length has one meaning.
_LAYOUTS = {
    _SECONDS_LENGTH + (decimals + 1 if decimals else 0) + len(offset): (decimals, offset)
    for decimals in (0, 3, 6)
    for offset in ("", "Z", "+00:00")
}


def _month_table() -> tuple[Array, Array]:
    """For each month since January 1970: its first day, counted from 1970-01-01, and its length."""
    years = range(_EPOCH_YEAR, _LAST_YEAR + 1)
    lengths = np.array([calendar.monthrange(year, month)[1] for year in years for month in range(1, 13)])
    return np.cumsum(lengths) - lengths, lengths


_MONTH_FIRST_DAY, _MONTH_LENGTH = _month_table()


def _timestamps(places: Places, now: datetime) -> tuple[pa.Array, Array]:
    values = np.zeros(len(places.begins), dtype=np.int64)
    right = np.zeros(len(values), dtype=np.bool_)
    for length, rows in places.by_length(max(_LAYOUTS)):
        if length in _LAYOUTS:
            digits = _digits(places, length, rows)
            values[rows], right[rows] = _instants(digits, *_LAYOUTS[length])
    right &= values >= _microseconds(EARLIEST_EVENT_TIME)
    right &= values <= _microseconds(now + LATEST_EVENT_TIME_AHEAD)
    return arrow.fixed_width(values, pa.timestamp("us", "UTC")), right


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _instants(digits: Array, decimals: int, offset: str) -> tuple[Array, Array]:
    """Microseconds since 1970 of times in one layout."""
    seconds, right = _seconds(digits)
    instants = seconds * _SECOND_US
    if decimals:
        fraction, is_fraction = _fraction(digits[_SECONDS_LENGTH:], decimals)
        instants += fraction
        right &= is_fraction
    if offset:
        minutes, is_offset = _offset_minutes(digits[-len(offset) :])
        instants -= minutes * (60 * _SECOND_US)
        right &= is_offset
    return instants, right


def _seconds(digits: Array) -> tuple[Array, Array]:
    year = _number(digits[0:4])
    month, day, hour, minute, second = (_pair(digits, at) for at in (5, 8, 11, 14, 17))
    right = (digits[_DIGIT_POSITIONS] < 10).all(axis=0)
    for position, characters in _SEPARATORS.items():
        right &= _is_one_of(digits[position], characters)
    right &= (year >= _EPOCH_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12)
    right &= (hour < 24) & (minute < 60) & (second < 60)
    index = np.where(right, (year - _EPOCH_YEAR) * 12 + month - 1, 0)
    right &= (day >= 1) & (day <= _MONTH_LENGTH[index])
    days = _MONTH_FIRST_DAY[index] + day - 1
    return ((days * 24 + hour) * 60 + minute) * 60 + second, right


_DIGIT_POSITIONS = [position for position in range(_SECONDS_LENGTH) if position not in _SEPARATORS]


def _pair(digits: Array, at: int) -> Array:
    # Two digits make at most 99; what is not a digit may wrap around, and is refused elsewhere.
    pair: Array = digits[at] * np.uint8(10) + digits[at + 1]
    return pair


def _is_one_of(row: Array, characters: str) -> Array:
    is_one = np.zeros(len(row), dtype=np.bool_)
    for character in characters:
        is_one |= row == _code(character)
    return is_one


def _code(character: str) -> np.uint8:
    """A character as it appears among digits, from which ``0`` was subtracted modulo 256."""
    return np.uint8((ord(character) - _ZERO) % 256)


def _fraction(digits: Array, decimals: int) -> tuple[Array, Array]:
    decimal_digits = digits[1 : decimals + 1]
    microseconds = _number(decimal_digits) * 10 ** (6 - decimals)
    return microseconds, _is_one_of(digits[0], ".") & (decimal_digits < 10).all(axis=0)


def _offset_minutes(digits: Array) -> tuple[Array, Array]:
    """Minutes east of UTC, of ``Z`` or of ``+hh:mm``."""
    if len(digits) == 1:
        return np.zeros(digits.shape[1], dtype=np.int64), _is_one_of(digits[0], "Zz")
    hours, minutes = _pair(digits, 1), _pair(digits, 4)
    right = _is_one_of(digits[0], "+-") & _is_one_of(digits[3], ":") & (digits[[1, 2, 4, 5]] < 10).all(axis=0)
    right &= (hours < 24) & (minutes < 60)
    total = hours.astype(np.int64) * 60 + minutes
    return np.where(digits[0] == _code("-"), -total, total), right
