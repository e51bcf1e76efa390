"""Which mark stands before the decimals of a file's numbers, and which between their thousands.

Belongs here: deciding by values, for all columns together, since a file is written by one program. Does
not belong here: the type of a column (``column_choice``).

A group of thousands does not begin with a zero, and has three digits. So 7,50 and 0,125 and 1.249,90 decide;
1.234 alone does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from ecom_platform.feeds.inference.observed import Observed
from ecom_platform.feeds.inference.undecided import UndecidedError

Marks: TypeAlias = "tuple[str, str | None]"

# Decimal and thousands; those before others are preferred where values are the same by both.
_KNOWN: tuple[Marks, ...] = (
    (".", None),
    (",", None),
    (".", ","),
    (",", "."),
    (".", "'"),
    (".", " "),
    (",", " "),
    (",", "'"),
)
_NAMES = {".": "point", ",": "comma", "'": "apostrophe", " ": "space"}
# What stands before or behind an amount of money.
CURRENCY = r"[$€£¥]"
_WHOLE = "-?[0-9]+"


def number_pattern(marks: Marks) -> str:
    """Numbers with these marks, as a regular expression."""
    decimal, thousands = re.escape(marks[0]), marks[1]
    grouped = rf"|[1-9][0-9]{{0,2}}(?:{re.escape(thousands)}[0-9]{{3}})+" if thousands else ""
    return rf"-?(?:[0-9]+{grouped})(?:{decimal}[0-9]*)?"


def decide_marks(columns: Sequence[Observed], decimal: str | None, thousands: str | None) -> Marks:
    """The marks of all numbers, of which ``decimal`` and ``thousands`` are those that somebody has said.

    ``columns`` are without blanks, currencies and texts for no value. Raises :class:`UndecidedError`.
    """
    known = [marks for marks in _KNOWN if decimal in (None, marks[0]) and thousands in (None, marks[1])]
    known = known or [(decimal or ".", thousands)]
    read = {
        column.name: {marks for marks in known if _reads(marks, column)}
        for column in columns
        if column.different and not column.all_match(_WHOLE)
    }
    counts = {marks: sum(marks in found for found in read.values()) for marks in known}
    most = max(counts.values(), default=0)
    if not most:
        return known[0]
    best = [marks for marks in known if counts[marks] == most]
    concerned = [column for column in columns if set(best) & read.get(column.name, set())]
    for mark in _NAMES:
        if _means_both(mark, best):
            unclear = [column for column in concerned if column.any_matches(re.escape(mark))]
            if unclear:
                raise _undecided(mark, unclear)
    return best[0]


def _reads(marks: Marks, column: Observed) -> bool:
    """Whether all values are numbers with these marks. Blanks alone make a number of no telephone."""
    if marks[1] == " " and not column.any_matches(rf"{re.escape(marks[0])}[0-9]+\z"):
        return False
    return column.all_match(number_pattern(marks))


def _means_both(mark: str, ways: Sequence[Marks]) -> bool:
    return any(mark == way[0] for way in ways) and any(mark == way[1] for way in ways)


def _undecided(mark: str, columns: Sequence[Observed]) -> UndecidedError:
    name = _NAMES[mark]
    values = sum(column.different for column in columns)
    named = ", ".join(column.name for column in columns[:5])
    other = next(other for other in (",", ".") if other != mark)
    every = f"all {values:,} different values" if values > 1 else "the only value"
    sentence = (
        f"No value says whether the {name} stands before decimals or between thousands: "
        f"{every} of {named} can be read both ways."
    )
    return UndecidedError([(sentence, (f"decimal={name}", f"decimal={_NAMES[other]}"))])
