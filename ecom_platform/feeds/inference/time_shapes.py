"""Which formats the times of a column are written in.

Belongs here: formats that a text can have by its look, and choosing those that read all values. Does not
belong here: reading times (``types.time_formats``).

The year is told by its four digits or by its place before the others; day and month by a value above 12.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.feed import Column, Dialect
from ecom_platform.feeds.inference.observed import Observed

_MOST_SHAPES = 100
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d(:?\d\d)?)?"
_MONTH = r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_FULL_MONTH = "january|february|march|april|may|june|july|august|september|october|november|december"
_TEXT = re.compile(
    r"(?P<date>"
    r"(?P<ymd>\d{4}(?P<s1>[-/.])\d{1,2}(?P=s1)\d{1,2})"
    r"|(?P<dmy>\d{1,2}(?P<s2>[-/. ])\d{1,2}(?P=s2)(?:\d{4}|\d\d))"
    rf"|(?P<named>\d{{1,2}}(?P<s3>[-/ .]|\. )(?P<m1>{_FULL_MONTH}|{_MONTH})"
    rf"(?P<s4>[-/ .]|, |\. )(?P<y1>\d{{4}}|\d\d))"
    rf"|(?P<us>(?P<m2>{_FULL_MONTH}|{_MONTH})(?P<s5> |\. )\d{{1,2}}(?P<s6>, | )(?P<y2>\d{{4}}))"
    r")"
    r"(?:(?P<gap>[ T]|, |:)(?P<time>\d{1,2}:\d\d(?P<seconds>:\d\d(?P<fraction>\.\d{1,6})?)?)"
    r"(?P<half> ?[ap]m)?(?P<end> ?(?:UTC|GMT|Z)| ?[+-]\d\d:?\d\d)?)?",
    re.IGNORECASE | re.ASCII,
)
# By the order of a date, the letters of its parts.
_ORDERS = ("dmy", "mdy", "ymd")


@dataclass(frozen=True, slots=True)
class TimesFound:
    """``type`` is date or timestamptz; ``orders`` has formats by the order of day, month and year, for each
    that reads all values: one, or what nobody can tell. ``says_zone``: an offset, or UTC, in every value."""

    type: str
    orders: dict[str, tuple[str, ...]]
    says_zone: bool


def times_of(observed: Observed, dialect: Dialect) -> TimesFound | None:
    """How the values are times; ``None`` where they are none."""
    if not observed.different or not observed.all_match(r"[0-9A-Za-z].{5,38}"):
        return None
    shaped = pc.replace_substring_regex(observed.values, "[0-9]", "0")
    shapes = pc.unique(pc.replace_substring_regex(shaped, "[A-Za-z]", "a"))
    if len(shapes) > _MOST_SHAPES:
        return None
    examples = [_example(observed, shape) for shape in shapes.to_pylist()]
    found = [_formats(text) for text in examples]
    if not all(found):
        return None
    dates = all("%H" not in one and "%I" not in one and one != "iso" for way in found for one in way.values())
    kind = "date" if dates else "timestamptz"
    orders: dict[str, tuple[str, ...]] = {}
    for order in _ORDERS:
        formats = tuple(dict.fromkeys(way.get(order, way.get("", "")) for way in found))
        if dates and formats == ("%Y-%m-%d",):
            formats = ("iso",)
        if "" in formats or formats in orders.values():
            continue
        if observed.are_read_by(Column(observed.name, kind, time_formats=formats), dialect):
            orders[order] = formats
    says = all(re.search(r"(Z|UTC|GMT|[+-]\d\d:?\d\d)$", text[10:], re.IGNORECASE) for text in examples)
    return TimesFound(kind, orders, says) if orders else None


def _example(observed: Observed, shape: str) -> str:
    """The first value that looks so."""
    pattern = "".join("[0-9]" if c == "0" else "[A-Za-z]" if c == "a" else re.escape(c) for c in shape)
    matching = arrow.to_mask(pc.match_substring_regex(observed.values, rf"\A{pattern}\z"))
    return str(observed.values[int(matching.argmax())].as_py())


def _formats(text: str) -> dict[str, str]:
    """The formats of a text by the order of its date; ``""`` where that is told by its look."""
    if re.fullmatch(_ISO, text, re.ASCII):
        return {"": "iso"}
    match = _TEXT.fullmatch(text)
    if match is None:
        return {}
    rest = "".join(_time_parts(match))
    if match["ymd"]:
        mark = match["s1"]
        return {"": f"%Y{mark}%m{mark}%d{rest}"}
    if match["named"]:
        year = "%Y" if len(match["y1"]) == 4 else "%y"
        return {"": f"%d{match['s3']}{_month(match['m1'])}{match['s4']}{year}{rest}"}
    if match["us"]:
        return {"": f"{_month(match['m2'])}{match['s5']}%d{match['s6']}%Y{rest}"}
    mark = match["s2"]
    parts = match["dmy"].split(mark)
    year = "%Y" if len(parts[2]) == 4 else "%y"
    found = {"dmy": f"%d{mark}%m{mark}{year}{rest}", "mdy": f"%m{mark}%d{mark}{year}{rest}"}
    if year == "%y" and len(parts[0]) == 2:
        found["ymd"] = f"%y{mark}%m{mark}%d{rest}"
    return found


def _month(text: str) -> str:
    # May is both; three letters are what other months of such a column have, or all twelve letters.
    return "%b" if len(text) == 3 else "%B"


def _time_parts(match: re.Match[str]) -> Iterator[str]:
    if not match["time"]:
        return
    yield match["gap"]
    yield "%I:%M" if match["half"] else "%H:%M"
    yield ":%S" if match["seconds"] else ""
    yield ".%f" if match["fraction"] else ""
    if match["half"]:
        yield " %p" if match["half"].startswith(" ") else "%p"
    end = match["end"] or ""
    if end.strip().upper() in ("UTC", "GMT"):
        yield end
    elif end:
        yield " %z" if end.startswith(" ") else "%z"
