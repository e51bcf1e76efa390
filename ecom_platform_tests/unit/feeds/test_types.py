"""Every type of column: the row path against the reference, the vector path against the row path, on any
text."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecom_platform.feeds.feed import Column, Dialect
from ecom_platform.feeds.places import Places
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.types.column_types import column_type_of
from ecom_platform_tests.examples import examples
from ecom_platform_tests.feed_reference import Wrong
from ecom_platform_tests.feed_reference import value as expected_value

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
GERMAN = Dialect(decimal=",", thousands=".")

DIGITS = "0123456789"
numbers = st.one_of(
    st.integers(-(10**21), 10**21).map(str),
    st.integers(-300, 300).map(str),
    st.decimals(-(10**12), 10**12, allow_nan=False, places=2).map(str),
    st.decimals(-1, 1, allow_nan=False, places=16).map(lambda number: f"{number:f}"),
    st.from_regex(r"-?[0-9]{0,21}(\.[0-9]{0,19})?", fullmatch=True),
    st.from_regex(r"-?[0-9]{1,3}(\.[0-9]{3}){0,3}(,[0-9]{0,3})?", fullmatch=True),
    st.from_regex(r"[0-9]{1,20}\.0{1,5}", fullmatch=True),
    st.sampled_from(
        ["nan", "-inf", "Infinity", "1e3", "-1.5E-3", "1e400", "+1", " 1", "1 ", "", "-", ".", "-.5", "٣"]
    ),
    st.text(DIGITS + "-.,+eE $", max_size=12),
)
times = st.one_of(
    st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31)).map(str),
    st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31)).map(lambda moment: moment.isoformat() + "Z"),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(
        lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}"
    ),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(
        lambda moment: f"{moment:%Y-%m-%d %H:%M:%S.%f}+02:00"
    ),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(
        lambda moment: f"{moment:%Y-%m-%d %H:%M:%S} +0530"
    ),
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(lambda moment: f"{moment:%d.%m.%Y %H:%M}"),
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(
        lambda moment: f"{moment.month}/{moment.day}/{moment.year} {moment.hour}:{moment.minute:02d}"
    ),
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(lambda moment: f"{moment:%Y-%m-%d}"),
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(
        lambda moment: f"{moment:%d-%b-%y %I:%M %p}"
    ),
    st.integers(-(10**13), 10**13).map(str),
    st.from_regex(
        r"20[0-9]{2}-(0[0-9]|1[0-3])-[0-3][0-9][ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,8})?",
        fullmatch=True,
    ),
    # The hours in which clocks are changed.
    st.builds(
        lambda day, minute: f"{day} 0{minute // 60}:{minute % 60:02d}:00",
        st.sampled_from(["2026-03-29", "2026-10-25", "2018-02-18", "2018-11-04", "2010-10-31"]),
        st.integers(0, 239),
    ),
    st.text(DIGITS + "-:./ TZ+", max_size=20),
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)

COLUMNS: dict[str, tuple[Column, Dialect, st.SearchStrategy[str]]] = {
    "integer": (Column("c", "integer"), Dialect(), numbers),
    "integer within bounds": (Column("c", "integer", minimum="-5", maximum="250"), Dialect(), numbers),
    "bigint": (Column("c", "bigint", nullable=True, nulls=("", "NA", "-")), Dialect(), numbers),
    "bigint of a list": (Column("c", "bigint", values=("1", "7", "12")), Dialect(), numbers),
    "bigint, trimmed": (Column("c", "bigint", trim=True), Dialect(), numbers),
    "bigint, German": (Column("c", "bigint"), GERMAN, numbers),
    "bigint above": (Column("c", "bigint", greater_than="0"), Dialect(), numbers),
    "numeric(10,2)": (Column("c", "numeric(10,2)", nullable=True), Dialect(), numbers),
    "numeric(10,2) above": (
        Column("c", "numeric(10,2)", greater_than="0", maximum="99.5"),
        Dialect(),
        numbers,
    ),
    "numeric(12,2), German": (Column("c", "numeric(12,2)"), GERMAN, numbers),
    "numeric(12,2), German list": (
        Column("c", "numeric(12,2)", values=("7", "1.249,90", "0,5")),
        GERMAN,
        numbers,
    ),
    "numeric(12,2), dollars": (Column("c", "numeric(12,2)", remove="$ "), Dialect(thousands=","), numbers),
    "numeric(20,18)": (Column("c", "numeric(20,18)"), Dialect(), numbers),
    "numeric(38,10)": (Column("c", "numeric(38,10)", minimum="-1.5"), Dialect(), numbers),
    "numeric(38,0)": (Column("c", "numeric(38,0)"), Dialect(), numbers),
    "numeric(30,20)": (Column("c", "numeric(30,20)"), Dialect(), numbers),
    "numeric(5,5)": (Column("c", "numeric(5,5)"), Dialect(), numbers),
    "double precision": (Column("c", "double precision", nullable=True), Dialect(), numbers),
    "double precision within": (
        Column("c", "double precision", minimum="0", maximum="10"),
        Dialect(),
        numbers,
    ),
    "boolean": (
        Column("c", "boolean"),
        Dialect(),
        st.sampled_from("true FALSE t F 1 0 yes No on off y n 2 maybe".split()) | texts,
    ),
    "uuid": (
        Column("c", "uuid"),
        Dialect(),
        st.uuids().map(str)
        | st.uuids().map(lambda u: str(u).upper())
        | st.text("0123456789abcdefg-", min_size=34, max_size=38),
    ),
    "text": (Column("c", "text"), Dialect(), texts),
    "text with nulls": (
        Column("c", "text", nullable=True, nulls=("NA", "\\N")),
        Dialect(),
        texts | st.sampled_from(["NA", "\\N", ""]),
    ),
    "text of a list": (
        Column("c", "text", values=("view", "cart", "käse")),
        Dialect(),
        texts | st.sampled_from(["view", "cart", "käse", "View"]),
    ),
    "text that matches": (
        Column("c", "text", match="[A-Z]{2}[0-9]+|x"),
        Dialect(),
        texts | st.from_regex("[A-Z]{2}[0-9]{1,3}\n?", fullmatch=True),
    ),
    "jsonb": (
        Column("c", "jsonb"),
        Dialect(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | texts,
            lambda inside: st.lists(inside) | st.dictionaries(texts, inside),
            max_leaves=5,
        ).map(__import__("json").dumps)
        | st.sampled_from(
            ['{"a":"\\u0000"}', '"\\ud800"', '"\\ud83d\\ude00"', "NaN", "{", '{"a":1}x', '"\\\\u0000"']
        )
        | texts,
    ),
    "timestamptz": (
        Column("c", "timestamptz", minimum="2000-01-01", maximum="now + 1 day"),
        Dialect(),
        times,
    ),
    "timestamptz, Berlin": (Column("c", "timestamptz", zone="Europe/Berlin"), Dialect(), times),
    "timestamptz, São Paulo, first": (
        Column("c", "timestamptz", zone="America/Sao_Paulo", fold="first"),
        Dialect(),
        times,
    ),
    "timestamptz, London, second": (
        Column("c", "timestamptz", zone="Europe/London", fold="second"),
        Dialect(),
        times,
    ),
    "timestamptz, two forms": (
        Column(
            "c", "timestamptz", zone="Europe/London", time_formats=("%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M")
        ),
        Dialect(),
        times,
    ),
    "timestamptz, German": (
        Column("c", "timestamptz", zone="Europe/Berlin", time_formats=("%d.%m.%Y %H:%M",)),
        Dialect(),
        times,
    ),
    "timestamptz, with offset": (
        Column("c", "timestamptz", time_formats=("%Y-%m-%d %H:%M:%S %z",)),
        Dialect(),
        times,
    ),
    "timestamptz, words": (Column("c", "timestamptz", time_formats=("%d-%b-%y %I:%M %p",)), Dialect(), times),
    "timestamptz, UTC behind": (
        Column("c", "timestamptz", time_formats=("%Y-%m-%d %H:%M:%S UTC",)),
        Dialect(),
        times.map(lambda text: text + " UTC"),
    ),
    "timestamptz, milliseconds": (Column("c", "timestamptz", time_formats=("epoch_ms",)), Dialect(), times),
    "timestamptz, seconds": (Column("c", "timestamptz", time_formats=("epoch_s",)), Dialect(), times),
    "timestamp": (Column("c", "timestamp", nullable=True), Dialect(), times),
    "date": (Column("c", "date", maximum="2026-12-31"), Dialect(), times),
    "date, American": (
        Column("c", "date", time_formats=("%m/%d/%Y",)),
        Dialect(),
        times | times.map(lambda text: text.split(" ")[0]),
    ),
}


def python_value(column: Column, array: pa.Array) -> Any:
    (found,) = array.to_pylist()
    return uuid.UUID(bytes=found) if column.type == "uuid" and found is not None else found


@pytest.mark.parametrize("name", COLUMNS)
def test_the_row_path_is_as_the_reference_says(name: str) -> None:
    column, dialect, strategy = COLUMNS[name]
    kind = column_type_of(column, dialect)

    @examples(100)
    @given(strategy)
    @example("")
    def check(text: str) -> None:
        verdict = kind.parse(text, NOW)
        try:
            expected = expected_value(column, dialect, text, NOW)
        except Wrong as wrong:
            assert str(verdict) == wrong.args[0], (text, verdict)
            return
        assert not isinstance(verdict, Reason), (text, verdict, expected)
        assert python_value(column, kind.array([verdict])) == expected, text

    check()


@pytest.mark.parametrize("name", COLUMNS)
def test_what_the_vector_path_accepts_the_row_path_accepts_with_the_same_value(name: str) -> None:
    column, dialect, strategy = COLUMNS[name]
    kind = column_type_of(column, dialect)

    @examples(40)
    @given(st.lists(strategy, min_size=1, max_size=30))
    def check(found: list[str]) -> None:
        array, right = kind.convert(Places.of(found), NOW)
        assert array.type == kind.arrow
        assert len(array) == len(right) == len(found)
        for number, text in enumerate(found):
            if right[number]:
                verdict = kind.parse(text, NOW)
                assert not isinstance(verdict, Reason), (text, verdict)
                assert array[number : number + 1].equals(kind.array([verdict])), (text, verdict)

    check()


CERTAIN = {
    "bigint": ["1", "-9223372036854775808", "9223372036854775807", "17850.0", "NA", "-7"],
    "integer": ["2147483647", "-2147483648", "0"],
    "numeric(10,2)": ["1.5", "-0.01", "99999999.99", "", "12."],
    "numeric(12,2), German": ["1.249,90", "-1.000.000,5", "7"],
    "numeric(12,2), German list": ["1.249,90", "7", "7,00"],
    "numeric(12,2), dollars": ["$1,249.90", "$ 7"],
    "numeric(20,18)": ["0.0508305084745762", "12.000000000000000001", "-0.5"],
    "numeric(38,10)": ["1234567890123456789012345678", "0.5", "123456789012345678.0000000001"],
    "double precision": ["1e3", "-0.25", ""],
    "timestamptz": ["2026-01-02 03:04:05", "2026-01-02T03:04:05.123456Z", "2026-01-02 03:04:05+00:00"],
    "timestamptz, Berlin": ["2026-07-01 12:00:00", "2026-01-01 12:00:00"],
    "timestamptz, two forms": ["2010-12-01 08:26:00", "12/1/2010 8:26", "1/12/2011 18:05"],
    "timestamptz, German": ["24.12.2025 18:00", "1.2.2025 9:05"],
    "timestamptz, with offset": ["2026-01-02 03:04:05 +0530", "2026-01-02 03:04:05 -02:00"],
    "timestamptz, UTC behind": ["2019-10-01 00:00:00 UTC"],
    "timestamptz, milliseconds": ["1433221332117"],
    "timestamp": ["2018-01-18 21:46:59", ""],
    "date": ["2020-02-29"],
    "date, American": ["2/29/2020"],
    "text that matches": ["DE7", "x"],
    "boolean": ["True", "f", "1"],
}


@pytest.mark.parametrize("name", CERTAIN)
def test_usual_spellings_take_the_vector_path(name: str) -> None:
    column, dialect, _ = COLUMNS[name]
    _, right = column_type_of(column, dialect).convert(Places.of(CERTAIN[name]), NOW)
    assert [text for text, certain in zip(CERTAIN[name], right, strict=True) if not certain] == []
