"""Dates and times: date, timestamp, timestamptz.

Belongs here: forms tried in order, zones, bounds. Does not belong here: one form (``time_formats``), one zone
(``landing_zone``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.feed import Column, Dialect
from ecom_platform.feeds.places import Array, Places
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.types.column_type import ColumnType, Value, fixed, nulls_of
from ecom_platform.feeds.types.time_formats import FIRST_YEAR, LAST_YEAR, SECOND_US, Read, time_format
from ecom_platform.feeds.types.zones import zone

_DAY_US = 86_400 * SECOND_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOVING = re.compile(r"now(?: ([+-]) ([0-9]{1,5}) (second|minute|hour|day|week)s?)?", re.ASCII)
_UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}


class _TimeType(ColumnType):
    """What dates and times share."""

    # Of which a value is one: a microsecond, or a day of them.
    _unit = 1
    # Those that a text can say; but for the first and the last, which a zone could move out.
    _years = 2, 9_999

    def __init__(self, column: Column, dialect: Dialect) -> None:
        super().__init__(column, dialect)
        dates = column.type == "date"
        self._formats = [time_format(text, dates=dates) for text in column.time_formats]
        self._zoned = column.type == "timestamptz"
        self._zone = zone(column.zone)
        self._permitted = [self._read(text) for text in column.values]
        self._bounded_at: datetime | None = None
        self._within: tuple[int | None, int | None] = None, None

    def _read(self, text: str) -> Value | Reason:
        for form in self._formats:
            read = form.read(text)
            if read is not None:
                return self._instant(read, counted=form.counts)
        return Reason.NOT_A_TIME

    def _instant(self, read: Read, *, counted: bool) -> int | Reason:
        if read.offset is None:
            return self._of_zone(read.local) if self._zoned else read.local // self._unit
        if not self._zoned and not counted:
            return Reason.NOT_A_TIME  # a time without a zone has no offset
        return (read.local - read.offset) // self._unit

    def _of_zone(self, local: int) -> int | Reason:
        if self._zone.fixed:
            return local
        moment = (_EPOCH + timedelta(microseconds=local)).replace(tzinfo=None)
        found = []
        for fold in (0, 1):
            there = moment.replace(tzinfo=self._zone.info, fold=fold)
            instant = there.astimezone(UTC)
            back = instant.astimezone(self._zone.info).replace(tzinfo=None)
            if back == moment:
                found.append((instant - _EPOCH) // timedelta(microseconds=1))
        if not found:
            return Reason.NONEXISTENT_TIME
        if len(set(found)) > 1 and self.column.fold is None:
            return Reason.AMBIGUOUS_TIME
        return max(found) if self.column.fold == "second" else min(found)

    def _judge(self, text: str, value: Value, now: datetime) -> Value | Reason:  # noqa: ARG002
        if self._permitted and value not in self._permitted:
            return Reason.NOT_IN_LIST
        low, high = self._bounds(now)
        within = (low is None or value >= low) and (high is None or value <= high)  # type: ignore[operator]
        return value if within else Reason.OUT_OF_RANGE

    def _bounds(self, now: datetime) -> tuple[int | None, int | None]:
        if now != self._bounded_at:
            self._bounded_at, self._within = now, self._bounds_at(now)
        return self._within

    def _bounds_at(self, now: datetime) -> tuple[int | None, int | None]:
        low = None if self.column.minimum is None else self.bound(self.column.minimum, now)
        high = None if self.column.maximum is None else self.bound(self.column.maximum, now)
        return low, high

    def bound(self, text: str, now: datetime) -> Any:
        moving = _MOVING.fullmatch(text)
        if moving:
            sign, amount, unit = moving.groups()
            seconds = int(amount or 0) * _UNITS[unit or "second"]
            moment = now + timedelta(seconds=-seconds if sign == "-" else seconds)
            return (moment - _EPOCH) // timedelta(microseconds=1) // self._unit
        for form in ("iso", "%Y-%m-%d", "%Y-%m-%d %H:%M"):
            read = time_format(form, dates=False).read(text)
            if read is not None:
                found = self._instant(read, counted=False)
                return None if isinstance(found, Reason) else found
        return None

    def _convert(self, places: Places, null: Array | None, now: datetime) -> tuple[pa.Array, Array]:
        values, right = self._instants(places)
        low, high = self._bounds(now)
        if low is not None:
            right &= values >= low
        if high is not None:
            right &= values <= high
        if self._permitted:
            right &= np.isin(values, np.array(self._permitted, dtype=np.int64))
        return self._fixed(values, null), right

    def _instants(self, places: Places) -> tuple[Array, Array]:
        values = np.zeros(len(places.begins), dtype=np.int64)
        right = np.zeros(len(values), dtype=np.bool_)
        for form in self._formats:
            found, said, certain = form.read_column(places)
            if self._zoned and not self._zone.fixed and not said.all():
                moved, exact = self._zone.instants(found, self.column.fold)
                found = np.where(said, found, moved)
                certain &= said | exact
            elif not self._zoned and not form.counts:
                certain &= ~said
            new = certain & ~right
            values = np.where(new, found, values)
            right |= certain
            if right.all():
                break
        return values // self._unit if self._unit > 1 else values, right

    def adopt(self, values: pa.Array, now: datetime) -> tuple[pa.Array, Array] | None:
        if not self._is_own(values.type):
            return None
        try:
            moments = pc.cast(values, pa.timestamp("us", values.type.tz) if self._unit == 1 else self.arrow)
        except pa.ArrowInvalid:
            return None  # one of them has more than microseconds, which its text says better
        numbers = pc.cast(moments, pa.int64() if self._unit == 1 else pa.int32())
        found = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False).astype(np.int64)
        # What a text in ISO form can say.
        first, last = (_year_begins(year) // self._unit for year in self._years)
        right = (found >= first) & (found < last)
        if self._zoned and values.type.tz is None and not self._zone.fixed and len(found):
            found, exact = self._zone.instants(np.where(right, found, 0), self.column.fold)
            right &= exact
        low, high = self._bounds(now)
        if low is not None:
            right = right & (found >= low)
        if high is not None:
            right = right & (found <= high)
        if self._permitted:
            right = right & np.isin(found, np.array(self._permitted, dtype=np.int64))
        null = arrow.to_mask(pc.is_null(values)) if values.null_count else None
        return self._adopted(self._fixed(found, null), right)

    def _is_own(self, kind: pa.DataType) -> bool:
        """Whether values of this kind are of the type without being read as texts."""
        return bool(pa.types.is_timestamp(kind))

    def _fixed(self, values: Array, null: Array | None) -> pa.Array:
        return fixed(values, null, self.arrow)

    def array(self, values: Sequence[Value]) -> pa.Array:
        numbers = np.array([0 if value is None else value for value in values], dtype=np.int64)
        return self._fixed(numbers, nulls_of(values))

    def listed(self) -> str | None:
        values = [self._as_sql(value) for value in self._permitted if isinstance(value, int)]
        return f"{{column}} IN ({', '.join(values)})" if values else None

    def bounded(self) -> str | None:
        column = self.column
        parts = [
            f"{{column}} {sign} {self._bound_as_sql(text)}"
            for sign, text in ((">=", column.minimum), ("<=", column.maximum))
            if text is not None
        ]
        return " AND ".join(parts) or None

    def _bound_as_sql(self, text: str) -> str:
        moving = _MOVING.fullmatch(text)
        if moving is None:
            return self._as_sql(self.bound(text, _EPOCH))
        sign, amount, unit = moving.groups()
        return f"now() {sign} interval '{amount} {unit}'" if amount else "now()"

    def _as_sql(self, value: int) -> str:
        moment = _EPOCH + timedelta(microseconds=value * self._unit)
        return f"'{moment if self._zoned else moment.replace(tzinfo=None)}'::{self.sql}"


def _year_begins(year: int) -> int:
    return (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


class TimestamptzType(_TimeType):
    """An instant: microseconds since 1970 in UTC."""

    @property
    def arrow(self) -> pa.DataType:
        return pa.timestamp("us", "UTC")


class TimestampType(_TimeType):
    """A local time of no zone: microseconds since 1970 by its own clock."""

    def _is_own(self, kind: pa.DataType) -> bool:
        return pa.types.is_timestamp(kind) and kind.tz is None

    @property
    def arrow(self) -> pa.DataType:
        return pa.timestamp("us")


class DateType(_TimeType):
    """A day, counted from 1970-01-01."""

    _unit = _DAY_US
    _years = FIRST_YEAR, LAST_YEAR + 1

    def _is_own(self, kind: pa.DataType) -> bool:
        return bool(pa.types.is_date32(kind))

    @property
    def arrow(self) -> pa.DataType:
        return pa.date32()

    def _fixed(self, values: Array, null: Array | None) -> pa.Array:
        return fixed(values.astype(np.int32), null, self.arrow)
