"""What is said of a value that is refused: each reason with what its column declares."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.expectations import expected_of
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.rows import Fault, RowType

NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("declared", "value", "said"),
    [
        ("integer", "1x", "is no integer"),
        ("integer", "1,5", "is no integer: the decimal mark is a point, and none stands between thousands"),
        ("integer", "3000000000", "is not within ±2,147,483,647, which is all that integer holds"),
        ("integer", "", "is no value, and the type integer has no ` null` behind it"),
        ('"numeric(5,2)"', "1.234", "has more decimals than numeric(5,2) keeps"),
        ('"numeric(5,2)"', "12345", "is not within numeric(5,2)"),
        ("{type: integer, min: 0, max: 9}", "10", "is not at least 0 and at most 9"),
        ("double precision", "nan", "is not finite"),
        ("boolean", "perhaps", "is neither true nor false"),
        ("uuid", "1", "is no UUID of 36 characters"),
        ("jsonb", "{", "is no JSON that PostgreSQL can store"),
        ("{type: text, in: [a, b, c]}", "d", "is none of a, b and c"),
        ("{type: text, match: a+}", "b", "does not match a+"),
        (
            '{type: date, time_format: [iso, "%d.%m.%Y"]}',
            "31.11.2026",
            "is no date as iso (2026-01-31) or %d.%m.%Y",
        ),
        (
            "{type: timestamptz, zone: Europe/Berlin}",
            "2026-03-29 02:30:00",
            "does not exist in Europe/Berlin, where clocks were put forward over it",
        ),
        (
            "{type: timestamptz, zone: Europe/Berlin}",
            "2026-10-25 02:30:00",
            "occurs twice in Europe/Berlin, and `fold` does not say which is meant",
        ),
        (
            "{type: text null, required_when: {kind: [a, b]}}",
            "",
            "is no value, and there has to be one where kind is a or b",
        ),
        (
            "{type: text null, absent_when: {kind: a}}",
            "x",
            "is a value, and there may be none where kind is a",
        ),
    ],
)
def test_each_reason(declared: str, value: str, said: str) -> None:
    feed = read_feed(f"columns:\n  it: {declared}\n  kind: text\nidentity: content\n", "a.yaml", "a")
    found = RowType(feed).judge([value, "a"], NOW)
    assert isinstance(found, Fault)
    assert (found.column, found.value) == ("it", value)
    assert expected_of(feed.columns[0], feed.dialect, found.reason, value) == said


def test_a_comma_before_decimals_and_a_long_list() -> None:
    feed = read_feed(
        "decimal: comma\nthousands: point\ncolumns:\n  n: {type: integer, in: [1,2,3,4,5,6,7,8,9,10]}\n"
        "identity: content\n",
        "a.yaml",
        "a",
    )
    column, dialect = feed.columns[0], feed.dialect
    said = "is no integer: the decimal mark is a comma, and a point stands between thousands"
    assert expected_of(column, dialect, Reason.NOT_AN_INTEGER, "12.00") == said
    assert expected_of(column, dialect, Reason.NOT_IN_LIST, "0").endswith("8 and 2 more")
