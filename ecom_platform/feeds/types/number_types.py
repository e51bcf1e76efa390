"""Numbers: integer, bigint, numeric, double precision.

Belongs here: their grammar, their bounds, and their columns. Does not belong here: other types.

A plain number is digits, perhaps behind a minus, perhaps with decimals. Nothing is guessed: no plus, no
blanks, and an exponent only where the type is double precision. Leading zeros change no number. Where the
dialect has a mark between thousands, it stands between groups of exactly three digits or is left out. Whole
numbers may be written with decimals that are all zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.feed import Column, Dialect
from ecom_platform.feeds.places import Array, Places
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.types.column_type import ColumnType, Value, fixed, nulls_of, valid_bits

_ZERO, _POINT, _MINUS = ord("0"), ord("."), ord("-")
# So many digits fit 64 bits, whatever they are.
_SAFE_DIGITS = 18
_PLAIN = re.compile(r"(-?)([0-9]+)(?:\.([0-9]*))?", re.ASCII)
_FLOAT = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf(inity)?)", re.IGNORECASE | re.ASCII)
# Bounds of numbers do not move.
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
# Longer ones are zeros, or beyond every type.
_LONGEST = 45


class _NumberType(ColumnType):
    """What numbers share: marks that are taken out or put right before the number is read, and bounds."""

    def __init__(self, column: Column, dialect: Dialect) -> None:
        super().__init__(column, dialect)
        self._remove = column.remove
        self._thousands, self._decimal = dialect.thousands, dialect.decimal
        self._grouped = None
        if self._thousands is not None:
            mark, point = re.escape(self._thousands), re.escape(self._decimal)
            self._grouped = rf"-?([0-9]+|[0-9]{{1,3}}({mark}[0-9]{{3}})+)({point}[0-9]*)?"
        self._plain_marks = not self._remove and self._thousands is None and self._decimal == "."

    def _read(self, text: str) -> Value | Reason:
        plain = self._plain(text)
        if plain is None:
            return self.not_one
        if _NOT_FINITE.fullmatch(plain):
            return Reason.NOT_FINITE
        return self._number(plain)

    not_one: ClassVar[Reason] = Reason.NOT_A_NUMBER

    def _number(self, plain: str) -> Value | Reason:
        raise NotImplementedError

    def _plain(self, text: str) -> str | None:
        """With a point before the decimals and nothing between thousands; ``None`` where that is wrong."""
        if self._plain_marks:
            return text
        for character in self._remove:
            text = text.replace(character, "")
        if self._thousands is not None and self._thousands in text:
            if not re.fullmatch(self._grouped or "", text, re.ASCII):
                return None
            text = text.replace(self._thousands, "")
        if self._decimal != ".":
            if "." in text:
                return None
            text = text.replace(self._decimal, ".")
        return text

    def _plain_places(self, places: Places) -> tuple[Places, Array | None]:
        """The same for a column, and where it is certain; ``None``: everywhere."""
        if self._plain_marks:
            return places, None
        texts = places.strings()
        for character in self._remove:
            texts = pc.replace_substring(texts, character, "")
        right: Array | None = None
        if self._thousands is not None:
            right = arrow.to_mask(pc.match_substring_regex(texts, rf"\A(?:{self._grouped})\z"))
            texts = pc.replace_substring(texts, self._thousands, "")
        if self._decimal != ".":
            foreign = arrow.to_mask(pc.match_substring(texts, "."))
            right = ~foreign if right is None else right & ~foreign
            texts = pc.replace_substring(texts, self._decimal, ".")
        return Places.of(texts), right

    def _judge(self, text: str, value: Value, now: datetime) -> Value | Reason:  # noqa: ARG002
        low, high, above = self._bounds
        within = (low is None or value >= low) and (high is None or value <= high)
        return value if within and (above is None or value > above) else Reason.OUT_OF_RANGE

    @cached_property
    def _bounds(self) -> tuple[Any, Any, Any]:
        """Smallest, largest, and what values have to be above."""
        column = self.column
        low, high, above = (
            None if text is None else self.bound(text, _NO_TIME)
            for text in (column.minimum, column.maximum, column.greater_than)
        )
        return low, high, above

    def _within(self, values: Array) -> Array:
        low, high, above = self._bounds
        right = np.ones(len(values), dtype=np.bool_)
        if low is not None:
            right &= values >= low
        if high is not None:
            right &= values <= high
        if above is not None:
            right &= values > above
        return right

    def listed(self) -> str | None:
        values = [self._as_sql(value) for value in self._listed()]
        return f"{{column}} IN ({', '.join(values)})" if values else None

    def _as_sql(self, value: Any) -> str:
        return str(value)

    def bounded(self) -> str | None:
        column = self.column
        parts = [
            f"{{column}} {sign} {text}"
            for sign, text in ((">=", column.minimum), ("<=", column.maximum), (">", column.greater_than))
            if text is not None
        ]
        # To PostgreSQL NaN equals itself and is above every other number.
        return " AND ".join([*parts, *(f"{{column}} <> '{text}'" for text in self._not_numbers)]) or None

    # What the type can hold and no row of ours has.
    _not_numbers: ClassVar[tuple[str, ...]] = ()

    def _listed(self) -> list[Any]:
        """The permitted values, as numbers."""
        return [self._read(text) for text in self.column.values]


class IntegerType(_NumberType):
    """integer and bigint; whole numbers of 32 and of 64 bits."""

    not_one = Reason.NOT_AN_INTEGER

    def __init__(self, column: Column, dialect: Dialect) -> None:
        super().__init__(column, dialect)
        self._bits = 32 if column.type == "integer" else 64
        self._largest = (1 << (self._bits - 1)) - 1
        self._permitted = self._listed()

    @property
    def arrow(self) -> pa.DataType:
        return pa.int32() if self._bits == 32 else pa.int64()

    def _number(self, plain: str) -> Value | Reason:
        match = _PLAIN.fullmatch(plain)
        if match is None or (match[3] or "").strip("0"):
            return Reason.NOT_AN_INTEGER
        digits = match[2].lstrip("0")
        # Before int(), which refuses thousands of digits.
        if len(digits) > 19:
            return Reason.OUT_OF_RANGE
        value = int(digits or "0")
        value = -value if match[1] else value
        return value if -self._largest - 1 <= value <= self._largest else Reason.OUT_OF_RANGE

    def _judge(self, text: str, value: Value, now: datetime) -> Value | Reason:
        if self._permitted and value not in self._permitted:
            return Reason.NOT_IN_LIST
        return super()._judge(text, value, now)

    def bound(self, text: str, now: datetime) -> Any:  # noqa: ARG002
        value = self._number(text)
        return None if isinstance(value, Reason) else value

    def array(self, values: Sequence[Value]) -> pa.Array:
        numbers = np.array([0 if value is None else value for value in values], dtype=f"i{self._bits // 8}")
        return fixed(numbers, nulls_of(values), self.arrow)

    def _convert(self, places: Places, null: Array | None, now: datetime) -> tuple[pa.Array, Array]:  # noqa: ARG002
        places, certain = self._plain_places(places)
        values, right = whole_numbers(_without_zero_decimals(places))
        if certain is not None:
            right &= certain
        if self._bits == 32:
            right &= (values >= -self._largest - 1) & (values <= self._largest)
        if self._permitted:
            right &= np.isin(values, np.array(self._permitted, dtype=np.int64))
        right &= self._within(values)
        return fixed(values.astype(f"i{self._bits // 8}", copy=False), null, self.arrow), right

    def adopt(self, values: pa.Array, now: datetime) -> tuple[pa.Array, Array] | None:  # noqa: ARG002
        if not pa.types.is_signed_integer(values.type):
            return None
        wide = pc.cast(values, pa.int64())
        numbers = arrow.to_integers(pc.fill_null(wide, 0) if wide.null_count else wide)
        right = (numbers >= -self._largest - 1) & (numbers <= self._largest) & self._within(numbers)
        if self._permitted:
            right &= np.isin(numbers, np.array(self._permitted, dtype=np.int64))
        return self._adopted(pc.cast(wide, self.arrow, safe=False), right)


class NumericType(_NumberType):
    """numeric(p,s): a number in units of its last decimal."""

    _not_numbers = ("NaN",)

    def __init__(self, column: Column, dialect: Dialect) -> None:
        super().__init__(column, dialect)
        precision, _, scale = column.type.removeprefix("numeric(").removesuffix(")").partition(",")
        self._precision, self._scale = int(precision), int(scale or 0)
        self._limit = 10**self._precision
        self._permitted = self._listed()

    @property
    def arrow(self) -> pa.Decimal128Type:
        return pa.decimal128(self._precision, self._scale)

    def _number(self, plain: str) -> Value | Reason:
        match = _PLAIN.fullmatch(plain)
        if match is None:
            return Reason.NOT_A_NUMBER
        whole, decimals = match[2].lstrip("0"), (match[3] or "").rstrip("0")
        if len(decimals) > self._scale:
            return Reason.TOO_MANY_DECIMALS
        if len(whole) > self._precision - self._scale:
            return Reason.OUT_OF_RANGE
        value = int(f"{whole or '0'}{decimals:0<{self._scale}}")
        return -value if match[1] else value

    def _judge(self, text: str, value: Value, now: datetime) -> Value | Reason:
        if self._permitted and value not in self._permitted:
            return Reason.NOT_IN_LIST
        return super()._judge(text, value, now)

    def _as_sql(self, value: Any) -> str:
        return str(to_decimal(value, self._scale))

    def bound(self, text: str, now: datetime) -> Any:  # noqa: ARG002
        value = self._number(text)
        return None if isinstance(value, Reason) else value

    def array(self, values: Sequence[Value]) -> pa.Array:
        octets = b"".join(
            (value if isinstance(value, int) else 0).to_bytes(16, "little", signed=True) for value in values
        )
        return pa.Array.from_buffers(
            self.arrow, len(values), [valid_bits(nulls_of(values), len(values)), pa.py_buffer(octets)]
        )

    def _convert(self, places: Places, null: Array | None, now: datetime) -> tuple[pa.Array, Array]:  # noqa: ARG002
        places, certain = self._plain_places(places)
        halves = np.empty((len(places.begins), 2), dtype=np.int64)
        if self._precision <= _SAFE_DIGITS:
            low, right = self._narrow(places)
            halves[:, 0], halves[:, 1] = low, low >> 63
            right &= self._within(low)
        else:
            low, high, right = self._wide(places)
            halves[:, 0], halves[:, 1] = low, high
            narrow = high == low >> 63  # the value is what its lower half says
            right &= self._within_halves(low, high)
            if self._permitted:
                right &= narrow
        if self._permitted:
            permitted = [value for value in self._permitted if abs(value) < 1 << 63]
            right &= np.isin(low, np.array(permitted, dtype=np.int64))
        if certain is not None:
            right &= certain
        bits = valid_bits(null, len(low))
        return pa.Array.from_buffers(self.arrow, len(low), [bits, pa.py_buffer(halves)]), right

    def adopt(self, values: pa.Array, now: datetime) -> tuple[pa.Array, Array] | None:  # noqa: ARG002
        bounded = any(bound is not None for bound in self._bounds)
        kind = values.type
        if (
            self._permitted
            or bounded
            or not (pa.types.is_decimal128(kind) or pa.types.is_signed_integer(kind))
        ):
            return None
        try:
            array = pc.cast(values, self.arrow)
        except pa.ArrowInvalid:
            return None  # one of them does not fit, which its text says better
        return self._adopted(array, np.ones(len(array), dtype=np.bool_))

    def _narrow(self, places: Places) -> tuple[Array, Array]:
        """Numbers of at most 18 digits in units of their last decimal, and which are right."""
        values = np.zeros(len(places.begins), dtype=np.int64)
        right = np.zeros(len(values), dtype=np.bool_)
        # A sign, a point, and a zero before it.
        for length, rows in places.by_length(self._precision + 3):
            digits = digits_of(places, length, rows)
            points, negative, decimals, found = _form(digits, self._scale)
            value = np.zeros(digits.shape[1], dtype=np.int64)
            for digit, point in zip(digits, points, strict=True):
                value = np.where(point, value, value * 10 + digit)
            shift = np.clip(self._scale - decimals, 0, self._scale)
            # Before it is moved, or it would not fit; more than 18 digits may have run over.
            found &= (value >= 0) & (value < _SIGNED_POWERS[self._precision - shift])
            if length > _SAFE_DIGITS + 1:
                found &= (~points).sum(axis=0) - negative <= _SAFE_DIGITS
            value = value * _SIGNED_POWERS[shift]
            values[rows] = np.where(negative, -value, value) if negative.any() else value
            right[rows] = found
        return values, right

    def _within_halves(self, low: Array, high: Array) -> Array:
        """The same as :meth:`_within` for numbers of two halves."""
        right = np.ones(len(low), dtype=np.bool_)
        smallest, largest, above = self._bounds
        if smallest is not None:
            right &= ~_less(low, high, smallest)
        if largest is not None:
            right &= _less(low, high, largest + 1)
        if above is not None:
            right &= ~_less(low, high, above + 1)
        return right

    def _wide(self, places: Places) -> tuple[Array, Array, Array]:
        """Both halves of the numbers in units of their last decimal, and which are right."""
        rows = len(places.begins)
        low, high = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
        right = np.zeros(rows, dtype=np.bool_)
        for length, chosen in places.by_length(_LONGEST):
            low[chosen], high[chosen], right[chosen] = self._of_length(places, length, chosen)
        return low, high, right

    def _of_length(self, places: Places, length: int, rows: Array | slice) -> tuple[Array, Array, Array]:
        digits = digits_of(places, length, rows)
        points, negative, decimals, right = _form(digits, self._scale)
        if length - 1 > _SAFE_DIGITS or self._scale > _SAFE_DIGITS:
            return self._in_two_parts(digits, points, negative, decimals, right)
        value = np.zeros(digits.shape[1], dtype=np.int64)
        for digit, point in zip(digits, points, strict=True):
            value = np.where(point, value, value * 10 + digit)
        low, high, fits = _multiplied(value, np.clip(self._scale - decimals, 0, self._scale))
        low, high = _negated(low, high, negative)
        return low, high, right & fits & self._fits(low, high)

    def _in_two_parts(
        self, digits: Array, points: Array, negative: Array, decimals: Array, right: Array
    ) -> tuple[Array, Array, Array]:
        """Numbers of more digits than 64 bits hold: in two parts, of which each fits."""
        count = digits.shape[1]
        head, tail = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=np.uint64)
        used = np.zeros(count, dtype=np.int64)
        total = (~points).sum(axis=0)
        for digit, point in zip(digits, points, strict=True):
            in_tail = used >= total - _SAFE_DIGITS
            take = ~point & right
            head = np.where(take & ~in_tail, head * np.uint64(10) + digit, head)
            tail = np.where(take & in_tail, tail * np.uint64(10) + digit, tail)
            used += take
        right = right & (total <= 2 * _SAFE_DIGITS)
        low, high = _product(head, np.full(count, 10**_SAFE_DIGITS, dtype=np.uint64))
        low, high = _sum(low, high, tail)
        shift = np.clip(self._scale - decimals, 0, _SAFE_DIGITS)
        low, carried = _product(low, _POWERS[shift])
        high, lost = _product(high, _POWERS[shift])
        high = high + carried
        right &= (lost == 0) & (high >= carried) & (high < np.uint64(1 << 63))
        right &= self._scale - decimals <= _SAFE_DIGITS
        signed_low, signed_high = _negated(low.view(np.int64), high.view(np.int64), negative)
        return signed_low, signed_high, right & self._fits(signed_low, signed_high)

    def _fits(self, low: Array, high: Array) -> Array:
        """Whether numbers have no more digits than the type."""
        limit_low, limit_high = self._limit & ((1 << 64) - 1), self._limit >> 64
        magnitude_low, magnitude_high = _negated(low, high, high < 0)
        lower = magnitude_low.view(np.uint64)
        found: Array = np.asarray(magnitude_high < limit_high) | (
            (magnitude_high == limit_high) & (lower < np.uint64(limit_low))
        )
        return found


class DoubleType(_NumberType):
    """double precision; decimals, with an exponent or without."""

    _not_numbers = ("NaN", "Infinity", "-Infinity")

    def __init__(self, column: Column, dialect: Dialect) -> None:
        super().__init__(column, dialect)
        self._permitted = self._listed()

    @property
    def arrow(self) -> pa.DataType:
        return pa.float64()

    def _number(self, plain: str) -> Value | Reason:
        if not _FLOAT.fullmatch(plain):
            return Reason.NOT_A_NUMBER
        value = float(plain)
        return value if abs(value) != float("inf") else Reason.OUT_OF_RANGE

    def bound(self, text: str, now: datetime) -> Any:  # noqa: ARG002
        value = self._number(text)
        return None if isinstance(value, Reason) else value

    def _judge(self, text: str, value: Value, now: datetime) -> Value | Reason:
        permitted = self._permitted
        if permitted and value not in permitted:
            return Reason.NOT_IN_LIST
        return super()._judge(text, value, now)

    def array(self, values: Sequence[Value]) -> pa.Array:
        numbers = np.array([0.0 if value is None else value for value in values], dtype=np.float64)
        return fixed(numbers, nulls_of(values), self.arrow)

    def _convert(self, places: Places, null: Array | None, now: datetime) -> tuple[pa.Array, Array]:  # noqa: ARG002
        places, certain = self._plain_places(places)
        texts = places.strings()
        right = arrow.to_mask(pc.match_substring_regex(texts, rf"\A(?:{_FLOAT.pattern})\z"))
        if certain is not None:
            right &= certain
        kept = texts if right.all() else pc.if_else(arrow.booleans(right), texts, "0")
        values = pc.cast(kept, pa.float64()).to_numpy(zero_copy_only=False)
        right &= np.isfinite(values) & self._within(values)
        if self._permitted:
            right &= np.isin(values, np.array(self._permitted))
        return fixed(values, null, self.arrow), right

    def adopt(self, values: pa.Array, now: datetime) -> tuple[pa.Array, Array] | None:  # noqa: ARG002
        if not pa.types.is_float64(values.type):
            return None
        filled = pc.fill_null(values, 0.0) if values.null_count else values
        numbers = filled.to_numpy(zero_copy_only=False)
        right = np.isfinite(numbers) & self._within(numbers)
        if self._permitted:
            right &= np.isin(numbers, np.array(self._permitted))
        return self._adopted(values, right)


# -- digits --------------------------------------------------------------------------------------

_POWERS = np.array([10**power for power in range(19)], dtype=np.uint64)
_SIGNED_POWERS = _POWERS.astype(np.int64)


def _form(digits: Array, scale: int) -> tuple[Array, Array, Array, Array]:
    """Of plain numbers of one length: where the point is, which are negative (their sign becomes a zero),
    how many decimals they have, and which are numbers with at most ``scale`` of them."""
    length = len(digits)
    points = digits == np.uint8(_POINT - _ZERO + 256)
    negative = digits[0] == np.uint8(_MINUS - _ZERO + 256)
    right = ~points[0]
    if negative.any():
        digits[0][negative] = 0
        right &= ~negative | (digits[1] < 10 if length > 1 else False)
    right &= ((digits < 10) | points).all(axis=0) & (points.sum(axis=0) <= 1)
    decimals = np.where(points.any(axis=0), length - 1 - points.argmax(axis=0), 0)
    return points, negative, decimals, right & (decimals <= scale)


def digits_of(places: Places, length: int, rows: Array | slice) -> Array:
    """Characters minus ``0``, one row per position: 0 to 9 for digits, more for all others."""
    return np.ascontiguousarray(places.characters(length, rows).T) - np.uint8(_ZERO)


def number_of(digits: Array) -> Array:
    """The number that rows of digits are, by column."""
    value = np.zeros(digits.shape[1], dtype=np.int64)
    for row in digits:
        value = value * 10 + row
    return value


def whole_numbers(places: Places) -> tuple[Array, Array]:
    """Numbers of up to 19 digits that fit 64 bits, and where there is one."""
    values = np.zeros(len(places.begins), dtype=np.int64)
    right = np.zeros(len(values), dtype=np.bool_)
    for length, rows in places.by_length(20):
        digits = digits_of(places, length, rows)
        negative = digits[0] == np.uint8(_MINUS - _ZERO + 256)
        signed = bool(negative.any())
        if signed:
            digits[0][negative] = 0
        found = (digits < 10).all(axis=0) & (~negative if length == 1 else True)
        if length <= _SAFE_DIGITS:
            number = number_of(digits)
            values[rows] = np.where(negative, -number, number) if signed else number
        else:
            values[rows], fits = _long(digits, negative)
            found &= fits
        right[rows] = found
    return values, right


def _long(digits: Array, negative: Array) -> tuple[Array, Array]:
    """Of 19 digits, and a sign or a zero before them."""
    value = np.zeros(digits.shape[1], dtype=np.uint64)
    for row in digits[-19:]:
        value = value * np.uint64(10) + row
    fits = (value <= np.uint64((1 << 63) - 1)) | (negative & (value == np.uint64(1 << 63)))
    if len(digits) == 20:
        fits &= digits[0] == 0
    signed = value.view(np.int64)
    return np.where(negative, -signed, signed), fits


def _without_zero_decimals(places: Places) -> Places:
    """Fields that end in a point and up to three zeros without these."""
    ends = places.ends
    lengths = places.lengths
    for zeros in (0, 1, 2, 3):
        long_enough = np.flatnonzero(lengths > zeros + 1)
        if not len(long_enough):
            break
        tail = ends[long_enough]
        found = places.at(tail - zeros - 1) == _POINT
        for zero in range(1, zeros + 1):
            found &= places.at(tail - zero) == _ZERO
        if found.any():
            if ends is places.ends:
                ends = ends.copy()
            ends[long_enough[found]] = tail[found] - zeros - 1
            lengths = ends - places.begins
    return places if ends is places.ends else Places(places.data, places.begins, ends)


def _multiplied(values: Array, shift: Array) -> tuple[Array, Array, Array]:
    """Numbers below 10^18 times a power of ten, as two halves of 128 bits, and where that is right."""
    low, high = _product(values.astype(np.uint64), _POWERS[np.minimum(shift, _SAFE_DIGITS)])
    return low.view(np.int64), high.view(np.int64), (shift <= _SAFE_DIGITS) & (high < np.uint64(1 << 63))


def _product(left: Array, right: Array) -> tuple[Array, Array]:
    """The product of numbers of 64 bits without a sign, as two halves."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a, b = left >> half, left & mask
    c, d = right >> half, right & mask
    low = b * d
    middle = a * d + (low >> half)
    other = b * c + (middle & mask)
    return (other << half) | (low & mask), a * c + (middle >> half) + (other >> half)


def _sum(low: Array, high: Array, more: Array) -> tuple[Array, Array]:
    total = low + more
    return total, high + (total < low).astype(np.uint64)


def _less(low: Array, high: Array, bound: int) -> Array:
    """Which numbers of two halves are below ``bound``."""
    bound_low, bound_high = np.uint64(bound & ((1 << 64) - 1)), bound >> 64
    found: Array = (high < bound_high) | ((high == bound_high) & (low.view(np.uint64) < bound_low))
    return found


def _negated(low: Array, high: Array, where: Array) -> tuple[Array, Array]:
    """Numbers of 128 bits, with the other sign where that holds."""
    if not where.any():
        return low, high
    turned_low = ~low + 1
    turned_high = ~high + (turned_low == 0)
    return np.where(where, turned_low, low), np.where(where, turned_high, high)


def to_decimal(unscaled: int, scale: int) -> Decimal:
    """For people: the number that ``unscaled`` units of its last decimal are."""
    return Decimal(unscaled).scaleb(-scale)
