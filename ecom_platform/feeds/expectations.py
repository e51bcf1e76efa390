"""What was expected of a value that is refused, as the end of a sentence that begins with the value.

Belongs here: a clause for each reason, with what the declaration says of the column. Does not belong here:
judging values (``types``), or what a reason means in general (``reasons``).
"""

from __future__ import annotations

from collections.abc import Sequence

from ecom_platform.feeds.feed import Column, Dialect, When
from ecom_platform.feeds.reasons import Reason

_MARKS = {",": "a comma", ".": "a point", "'": "an apostrophe", " ": "a space"}
_FORMS = {"iso": "iso (2026-01-31 or 2026-01-31 23:59:59)", "epoch_s": "seconds since 1970"}
_DAY_FORMS = {"iso": "iso (2026-01-31)"}
_LARGEST = {"integer": "2,147,483,647", "bigint": "9,223,372,036,854,775,807"}
_MOST_LISTED = 8


def expected_of(column: Column, dialect: Dialect, reason: Reason, value: str) -> str:
    """What ``value`` is not, such as "is no date as iso (2026-01-31)"."""
    if reason in (Reason.NOT_A_NUMBER, Reason.NOT_AN_INTEGER):
        return f"is no {column.type}{_of_marks(dialect, value)}"
    if reason in (Reason.NONEXISTENT_TIME, Reason.AMBIGUOUS_TIME):
        return _of_clocks(column, reason)
    if reason in (Reason.REQUIRED, Reason.MUST_BE_ABSENT):
        return _of_conditions(column, reason)
    return {
        Reason.EMPTY_VALUE: f"is no value, and the type {column.type} has no ` null` behind it",
        Reason.NOT_A_UUID: "is no UUID of 36 characters",
        Reason.NOT_FINITE: "is not finite",
        Reason.TOO_MANY_DECIMALS: f"has more decimals than {column.type} keeps",
        Reason.NOT_A_TIME: _of_forms(column),
        Reason.NOT_A_BOOLEAN: "is neither true nor false",
        Reason.MISSING_KEY: "is not there (`missing: null` permits that where the type may be null)",
        Reason.NESTED_VALUE: f"is an object or a list, and {column.type} takes one value",
        Reason.NOT_AN_OBJECT: f"is no object, and {' or '.join(column.sources)} goes through it",
        Reason.NOT_JSON: "is no JSON that PostgreSQL can store",
        Reason.NOT_IN_LIST: f"is none of {_listed(column.values)}",
        Reason.NO_MATCH: f"does not match {column.match}",
        Reason.OUT_OF_RANGE: f"is not {_range(column)}",
    }.get(reason, reason.description)


def _of_marks(dialect: Dialect, value: str) -> str:
    """Where a number has a mark, what the marks of the feed are."""
    if not set(value) & set(",.'"):
        return ""
    decimal = f": the decimal mark is {_mark(dialect.decimal)}"
    if dialect.thousands is None:
        return decimal if dialect.decimal in value else f"{decimal}, and none stands between thousands"
    return f"{decimal}, and {_mark(dialect.thousands)} stands between thousands"


def _mark(character: str) -> str:
    return _MARKS.get(character, repr(character))


def _of_forms(column: Column) -> str:
    forms = {**_FORMS, **_DAY_FORMS} if column.type == "date" else _FORMS
    return f"is no {column.type} as {' or '.join(forms.get(text, text) for text in column.time_formats)}"


def _of_clocks(column: Column, reason: Reason) -> str:
    if reason is Reason.NONEXISTENT_TIME:
        return f"does not exist in {column.zone}, where clocks were put forward over it"
    return f"occurs twice in {column.zone}, and `fold` does not say which is meant"


def _of_conditions(column: Column, reason: Reason) -> str:
    if reason is Reason.REQUIRED:
        return f"is no value, and there has to be one where {_whens(column.required_when)}"
    return f"is a value, and there may be none where {_whens(column.absent_when)}"


def _whens(whens: Sequence[When]) -> str:
    return " or ".join(f"{when.column} is {_listed(when.values, 'or')}" for when in whens)


def _listed(values: Sequence[str], joined: str = "and") -> str:
    shown = values[:_MOST_LISTED]
    if len(values) > len(shown):
        return f"{', '.join(shown)} {joined} {len(values) - len(shown)} more"
    return f" {joined} ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)


def _range(column: Column) -> str:
    bounds = [
        f"{words} {text}"
        for words, text in (
            ("at least", column.minimum),
            ("at most", column.maximum),
            ("above", column.greater_than),
        )
        if text is not None
    ]
    if bounds:
        return " and ".join(bounds)
    largest = _LARGEST.get(column.type)
    return f"within ±{largest}, which is all that {column.type} holds" if largest else f"within {column.type}"
