"""How a date or a time is written: ISO, a count since 1970, or a format of strptime's.

Belongs here: a form, read one by one and all at once. Does not belong here: zones and bounds (``times``).

A form gives local microseconds since 1970, and what is to be taken off them where the text says its own
offset. A number of a month, a day, an hour, a minute or a second may have one digit where what follows
tells where it ends.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import product
from typing import ClassVar

import numpy as np

from ecom_platform.feeds.places import Array, Places
from ecom_platform.feeds.types.number_types import digits_of, number_of, whole_numbers

SECOND_US = 1_000_000
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (local times)
FIRST_YEAR, LAST_YEAR = 1900, 2199
_MONTHS = [
    name.lower()
    for name in (
        "January February March April May June July August September October November December".split()
    )
]


@dataclass(frozen=True, slots=True)
class Read:
    """Local microseconds since 1970; ``offset`` in microseconds where the text says one, which is taken
    off."""

    local: int
    offset: int | None


class TimeFormat:
    """One form."""

    # Whether it counts from 1970, and so says an instant without saying an offset.
    counts: ClassVar[bool] = False

    def read(self, text: str) -> Read | None:
        """What ``text`` says; ``None`` if it is not of this form, or no existing date and time."""
        raise NotImplementedError

    def read_column(self, places: Places) -> tuple[Array, Array, Array]:
        """Local microseconds (those with an offset have it taken off), which rows have said one, and which
        are certainly right."""
        raise NotImplementedError


def time_format(text: str, *, dates: bool) -> TimeFormat:
    """The form that a declaration calls ``text``; ``dates``: of dates alone."""
    if text == "iso":
        return StrptimeFormat("%Y-%m-%d", exact=True) if dates else IsoFormat()
    if text.startswith("epoch_"):
        return EpochFormat({"epoch_s": SECOND_US, "epoch_ms": 1_000, "epoch_us": 1}[text])
    return StrptimeFormat(text)


class EpochFormat(TimeFormat):
    """Seconds, milliseconds or microseconds since 1970."""

    counts = True

    def __init__(self, unit: int) -> None:
        self._unit = unit
        self._largest = (datetime(LAST_YEAR + 1, 1, 1) - _EPOCH) // timedelta(microseconds=unit)  # noqa: DTZ001

    def read(self, text: str) -> Read | None:
        if not re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII) or abs(int(text)) > self._largest:
            return None
        return Read(int(text) * self._unit, 0)

    def read_column(self, places: Places) -> tuple[Array, Array, Array]:
        values, right = whole_numbers(places)
        right &= (np.abs(values) <= self._largest) & (places.lengths <= 18)
        said = np.ones(len(values), dtype=np.bool_)
        return np.where(right, values, 0) * self._unit, said, right


# -- dates ---------------------------------------------------------------------------------------


def _month_table() -> tuple[Array, Array]:
    """For each month since January 1900: its first day, counted from 1970-01-01, and its length."""
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    lengths = np.array([calendar.monthrange(year, month)[1] for year in years for month in range(1, 13)])
    first = (datetime(FIRST_YEAR, 1, 1) - _EPOCH).days  # noqa: DTZ001
    return np.cumsum(lengths) - lengths + first, lengths


_MONTH_FIRST_DAY, _MONTH_LENGTH = _month_table()


def _local(
    year: Array, month: Array, day: Array, hour: Array, minute: Array, second: Array
) -> tuple[Array, Array]:
    """Seconds since 1970 by the local clock, and which exist."""
    right = (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12)
    right &= (hour < 24) & (minute < 60) & (second < 60)
    at = np.clip((year - FIRST_YEAR) * 12 + month - 1, 0, len(_MONTH_LENGTH) - 1)
    right &= (day >= 1) & (day <= _MONTH_LENGTH[at])
    days = _MONTH_FIRST_DAY[at] + day - 1
    seconds: Array = ((days * 24 + hour) * 60 + minute) * 60 + second
    return seconds, right


def _pair(digits: Array, at: int) -> Array:
    pair: Array = digits[at].astype(np.int64) * 10 + digits[at + 1]
    return pair


def _code(character: str) -> np.uint8:
    """A character as :func:`digits_of` has it."""
    return np.uint8((ord(character) - ord("0")) % 256)


# -- ISO -----------------------------------------------------------------------------------------

_SECONDS_LENGTH = len("YYYY-MM-DD HH:MM:SS")
_SEPARATORS = {4: "-", 7: "-", 10: " T", 13: ":", 16: ":"}
_DIGIT_POSITIONS = [at for at in range(_SECONDS_LENGTH) if at not in _SEPARATORS]
# What may follow the seconds: how many decimals and which offset. Every length has one meaning.
_LAYOUTS = {
    _SECONDS_LENGTH + (decimals + 1 if decimals else 0) + len(offset): (decimals, offset)
    for decimals in (0, 3, 6)
    for offset in ("", "Z", "+00:00")
}
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.([0-9]{1,6})0*)?"
    r"([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.ASCII,
)


class IsoFormat(TimeFormat):
    """ISO 8601 with seconds; from the seventh digit of the fraction on only zeros."""

    def read(self, text: str) -> Read | None:
        match = _ISO.fullmatch(text)
        if match is None:
            return None
        date, time, fraction, offset = match.groups()
        try:
            local = datetime.fromisoformat(f"{date}T{time}.{fraction or '0':0<6}")
        except ValueError:  # a month 13, a 30th of February, a second 60
            return None
        said = None if offset is None else offset_of(offset)
        if offset is not None and said is None:
            return None
        return Read((local - _EPOCH) // timedelta(microseconds=1), said)

    def read_column(self, places: Places) -> tuple[Array, Array, Array]:
        values = np.zeros(len(places.begins), dtype=np.int64)
        said = np.zeros(len(values), dtype=np.bool_)
        right = np.zeros(len(values), dtype=np.bool_)
        for length, rows in places.by_length(max(_LAYOUTS)):
            if length in _LAYOUTS:
                decimals, offset = _LAYOUTS[length]
                digits = digits_of(places, length, rows)
                values[rows], right[rows] = _iso_instants(digits, decimals, offset)
                said[rows] = bool(offset)
        return values, said, right


def _iso_instants(digits: Array, decimals: int, offset: str) -> tuple[Array, Array]:
    """Microseconds since 1970 of times in one layout."""
    year = number_of(digits[0:4])
    seconds, right = _local(year, *(_pair(digits, at) for at in (5, 8, 11, 14, 17)))
    right &= (digits[_DIGIT_POSITIONS] < 10).all(axis=0)
    for position, characters in _SEPARATORS.items():
        right &= _is_one_of(digits[position], characters)
    instants = seconds * SECOND_US
    if decimals:
        fraction = digits[_SECONDS_LENGTH + 1 : _SECONDS_LENGTH + 1 + decimals]
        instants += number_of(fraction) * 10 ** (6 - decimals)
        right &= (digits[_SECONDS_LENGTH] == _code(".")) & (fraction < 10).all(axis=0)
    if offset:
        moved, is_offset = _offset_us(digits[-len(offset) :])
        instants -= moved
        right &= is_offset
    return instants, right


def _is_one_of(row: Array, characters: str) -> Array:
    found: Array = row == _code(characters[0])
    for character in characters[1:]:
        found |= row == _code(character)
    return found


def _offset_us(digits: Array) -> tuple[Array, Array]:
    """``Z``, or a sign, hours and minutes with a colon or without."""
    if len(digits) == 1:
        return np.zeros(digits.shape[1], dtype=np.int64), _is_one_of(digits[0], "Zz")
    negative = digits[0] == _code("-")
    right = negative | (digits[0] == _code("+"))
    places = [1, 2, 4, 5] if len(digits) == 6 else [1, 2, 3, 4]
    right &= (digits[places] < 10).all(axis=0)
    if len(digits) == 6:
        right &= digits[3] == _code(":")
    hours, minutes = _pair(digits, 1), _pair(digits, places[2])
    right &= (hours < 24) & (minutes < 60)
    moved = (hours * 60 + minutes) * 60 * SECOND_US
    return np.where(negative, -moved, moved), right


def offset_of(text: str) -> int | None:
    """Microseconds of ``Z``, ``+02``, ``+0200`` or ``+02:00``; ``None`` for 24 hours or 60 minutes and
    more."""
    if text in "Zz":
        return 0
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours >= 24 or minutes >= 60:
        return None
    moved = (hours * 60 + minutes) * 60 * SECOND_US
    return -moved if text[0] == "-" else moved


# -- strptime ------------------------------------------------------------------------------------

_PATTERNS = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "f": "[0-9]{1,6}",
    "b": "|".join(name[:3] for name in _MONTHS),
    "B": "|".join(_MONTHS),
    "p": "am|pm",
    "z": "z|[+-][0-9]{2}:?[0-9]{2}",
}
_SHORT = "mdHIMS"


class StrptimeFormat(TimeFormat):
    """A format such as ``%d.%m.%Y %H:%M``; names of months are English, in any case of letters."""

    def __init__(self, text: str, *, exact: bool = False) -> None:
        self._parts = re.findall(r"%(.)|([^%])", text)
        self._exact = exact
        self._says_offset = any(letter == "z" for letter, _ in self._parts)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern = ""
        for place, (letter, literal) in enumerate(self._parts):
            if letter in _SHORT and letter:
                pattern += (
                    f"(?P<{letter}>[0-9]{{1,2}})"
                    if self._may_be_short(place)
                    else f"(?P<{letter}>[0-9]{{2}})"
                )
            elif letter in _PATTERNS:
                pattern += f"(?P<{letter}>{_PATTERNS[letter]})"
            else:
                pattern += re.escape(literal or letter)
        return re.compile(pattern, re.ASCII | re.IGNORECASE)

    def _may_be_short(self, place: int) -> bool:
        """Whether what follows tells where a number ends."""
        if self._exact:
            return False
        if place + 1 == len(self._parts):
            return True
        letter, literal = self._parts[place + 1]
        return bool(literal and not literal.isdigit()) or letter in ("b", "B", "p", "z", "%")

    def read(self, text: str) -> Read | None:
        match = self._pattern.fullmatch(text)
        if match is None:
            return None
        found = match.groupdict()
        offset = None
        if self._says_offset:
            offset = offset_of(found["z"])
            if offset is None:
                return None
        try:
            local = datetime(  # noqa: DTZ001
                _year(found), _month(found), int(found["d"]), *_clock(found)
            )
        except ValueError:
            return None
        return Read((local - _EPOCH) // timedelta(microseconds=1), offset)

    def read_column(self, places: Places) -> tuple[Array, Array, Array]:
        rows = len(places.begins)
        values = np.zeros(rows, dtype=np.int64)
        right = np.zeros(rows, dtype=np.bool_)
        said = np.full(rows, self._says_offset, dtype=np.bool_)
        for layout in self._layouts:
            chosen = np.flatnonzero((places.lengths == layout.length) & ~right)
            if len(chosen):
                digits = digits_of(places, layout.length, chosen)
                values[chosen], right[chosen] = layout.instants(digits)
        return values, said, right

    @cached_property
    def _layouts(self) -> list[_Layout]:
        """Every way in which numbers may be short or long, if all of it can be read at once."""
        if any(letter in "BpI" and letter for letter, _ in self._parts):
            return []
        widths: list[list[int]] = []
        for place, (letter, _literal) in enumerate(self._parts):
            if letter in _SHORT and letter:
                widths.append([2, 1] if self._may_be_short(place) else [2])
            else:
                widths.append({"Y": [4], "y": [2], "f": [6, 3], "b": [3], "z": [6, 5, 1]}.get(letter, [1]))
        ways = [*product(*widths)]
        return [_Layout(self._parts, way) for way in ways] if len(ways) <= 128 else []


def _year(found: dict[str, str]) -> int:
    if "Y" in found:
        year = int(found["Y"])
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise ValueError(year)
        return year
    short = int(found["y"])
    return short + (1900 if short >= 69 else 2000)


def _month(found: dict[str, str]) -> int:
    if "m" in found:
        return int(found["m"])
    name = (found.get("b") or found.get("B") or "").lower()
    return next(number for number, full in enumerate(_MONTHS, 1) if full.startswith(name))


def _clock(found: dict[str, str]) -> tuple[int, int, int, int]:
    hour = int(found.get("H") or 0)
    if "I" in found:
        hour = int(found["I"])
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if (found.get("p") or "").lower() == "pm" else 0)
    minute, second = int(found.get("M") or 0), int(found.get("S") or 0)
    return hour, minute, second, int(f"{found.get('f') or '0':0<6}")


@dataclass(frozen=True)
class _Layout:
    """One way in which a format's parts lie: each has a width."""

    parts: list[tuple[str, str]]
    widths: tuple[int, ...]

    @property
    def length(self) -> int:
        return sum(self.widths)

    def instants(self, digits: Array) -> tuple[Array, Array]:
        """Microseconds since 1970 of texts in this layout, and which are right."""
        count = digits.shape[1]
        found = {letter: np.zeros(count, dtype=np.int64) for letter in "HMSf"}
        right = np.ones(count, dtype=np.bool_)
        at = 0
        for (letter, literal), width in zip(self.parts, self.widths, strict=True):
            here = digits[at : at + width]
            at += width
            if letter == "z":
                found["z"], said = _offset_us(here)
                right &= said
            elif letter == "b":
                found["m"], known = _month_names(here)
                right &= known
            elif letter and letter != "%":
                right &= (here < 10).all(axis=0)
                found[letter] = number_of(here) * (10 ** (6 - width) if letter == "f" else 1)
            else:
                right &= here[0] == _code(literal or letter)
        if "y" in found:
            found["Y"] = found["y"] + np.where(found["y"] >= 69, 1900, 2000)
        seconds, exists = _local(*(found[letter] for letter in "YmdHMS"))
        return seconds * SECOND_US + found["f"] - found.get("z", 0), right & exists


def _month_names(here: Array) -> tuple[Array, Array]:
    """The number of a month by three letters, in any case."""
    letters = (here + np.uint8(ord("0"))) | np.uint8(0x20)
    months = np.zeros(here.shape[1], dtype=np.int64)
    for number, name in enumerate(_MONTHS, 1):
        wanted = np.frombuffer(name[:3].encode(), dtype=np.uint8)[:, None]
        months[(letters == wanted).all(axis=0)] = number
    is_letters = ((here + np.uint8(ord("0"))) & np.uint8(0xDF) >= ord("A")).all(axis=0)
    return months, (months > 0) & is_letters
