"""Parquet files: every row is a row or a refused one, as the reference says, on both paths."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.feed import Feed
from ecom_platform.files.chunks import FileFacts
from ecom_platform.files.parquet_decoding import ParquetDecoder
from ecom_platform.files.unreadable import FileReason, UnreadableFile
from ecom_platform_tests import feed_reference
from ecom_platform_tests.examples import examples

NOW = datetime(2026, 7, 1, tzinfo=UTC)
FACTS = FileFacts("utf-8", b"the bytes of the file")
BERLIN = timezone(timedelta(hours=1))


def written(table: pa.Table, row_group_size: int = 7) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=row_group_size)
    return file.getvalue()


def decoded(
    feed: Feed, content: bytes, chunk_bytes: int = 1 << 20, *, one_by_one: bool = False
) -> tuple[dict[int, Any], list[Any]]:
    found: dict[int, Any] = {}
    ids: list[Any] = []
    records = 0
    chunks = ParquetDecoder(feed).decode(io.BytesIO(content), FACTS, NOW, chunk_bytes, one_by_one=one_by_one)
    for chunk in chunks:
        records += chunk.records
        for row in chunk.rows.to_pylist():
            values = tuple(
                uuid.UUID(bytes=row[c.name]) if c.type == "uuid" and row[c.name] else row[c.name]
                for c in feed.columns
            )
            found[row["line_number"]] = "row", values, json.loads(row["extra"]) if "extra" in row else None
        if "row_id" in chunk.rows.schema.names:
            ids += zip(chunk.rows["line_number"].to_pylist(), chunk.rows["row_id"].to_pylist(), strict=True)
        for reject in chunk.rejects:
            found[reject.line_number] = "refused", str(reject.reason), reject.column
    assert records == len(found)
    return found, ids


# What a file may have for a column: its type there, values, and the text of each by the docs' words.
KINDS: dict[str, list[tuple[pa.DataType, st.SearchStrategy[Any]]]] = {
    "bigint": [
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
        (pa.uint64(), st.integers(0, 2**64 - 1)),
        (pa.float64(), st.sampled_from([1.0, -2.0, 2.5, 1e16, 1e300, float("nan")])),
        (pa.string(), st.sampled_from(["7", "x", "", "1e3", "9223372036854775808"])),
    ],
    "integer": [
        (pa.int64(), st.integers(-(2**33), 2**33)),
        (pa.decimal128(20, 2), st.decimals(-1_000, 1_000, places=2)),
    ],
    "numeric(10,2)": [
        (pa.decimal128(12, 3), st.decimals(-99_999_999, 99_999_999, places=3)),
        (pa.decimal128(10, 2), st.decimals(-99_999_999, 99_999_999, places=2)),
        (pa.float64(), st.sampled_from([0.1, 12.5, 0.30000000000000004, 1e-7, 1e8, float("inf")])),
        (pa.int64(), st.integers(-(10**9), 10**9)),
    ],
    "double precision": [
        (pa.float64(), st.floats()),
        (pa.float32(), st.sampled_from([0.5, 1.25, -3.0])),
        (pa.int64(), st.integers(-(2**60), 2**60)),
    ],
    "text": [
        (pa.string(), st.sampled_from(["a", "ä\u2028", "", "a\0b", "NA", " x "])),
        (pa.large_string(), st.sampled_from(["a", "b"])),
        (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["a", "b", ""])),
        (pa.binary(), st.sampled_from([b"a", b"\xff", b"\xc3\xa4"])),
        (pa.int64(), st.integers(-5, 5)),
    ],
    "boolean": [(pa.bool_(), st.booleans()), (pa.string(), st.sampled_from(["true", "no", "x"]))],
    "date": [
        (pa.date32(), st.dates(date(1, 1, 3), date(9998, 1, 1))),
        (pa.string(), st.sampled_from(["31.12.2026", "2026-12-31", "1.13.2026"])),
    ],
    "timestamp": [
        (pa.timestamp("us"), st.datetimes(datetime(3, 1, 1), datetime(9998, 1, 1))),
        (pa.timestamp("ms"), st.sampled_from([datetime(2026, 1, 2, 3, 4, 5, 678_000)])),
    ],
    "timestamptz": [
        (pa.timestamp("us", "Europe/Berlin"), st.sampled_from([datetime(2026, 1, 2, 3, tzinfo=BERLIN)])),
        (pa.timestamp("us"), st.sampled_from([datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)])),
        (pa.timestamp("us"), st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1))),
    ],
    "uuid": [(pa.binary(16), st.uuids().map(lambda found: found.bytes))],
}
WORDS = {
    "date": ', time_format: "%d.%m.%Y"',
    "timestamptz": ", zone: Europe/Berlin, max: now + 1 day",
    "bigint": ", min: 0",
    "text": ", nulls: [NA]",
}


def text_of(kind: pa.DataType, value: Any) -> str | None:
    """The canonical text of a value, by the words of the docs."""
    if value is None:
        return None
    if pa.types.is_floating(kind):
        return f"{Decimal(repr(value)):f}" if value == value and abs(value) != float("inf") else repr(value)
    if pa.types.is_decimal(kind):
        return f"{value.quantize(Decimal(1).scaleb(-kind.scale)):f}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        said = f"{naive.isoformat(sep=' ', timespec='microseconds')}"
        return said + "Z" if value.tzinfo else said
    if isinstance(value, date):
        return value.isoformat()
    if kind == pa.binary(16):
        return str(uuid.UUID(bytes=value))
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def expected(feed: Feed, table: pa.Table, values: dict[str, list[Any]], row: int) -> tuple[Any, ...]:
    found = []
    for column in feed.columns:
        kind = table.schema.field(column.name).type
        text = text_of(kind, values[column.name][row])
        native = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
        if text is None:
            found.append(None)
            continue
        if "\0" in text:
            return "refused", "nul_byte", column.name
        if any("\udc80" <= character <= "\udcff" for character in text):
            return "refused", "invalid_utf8", column.name
        try:
            read = feed_reference.iso(column) if native else column
            found.append(feed_reference.value(read, feed.dialect, text, NOW))
        except feed_reference.Wrong as wrong:
            return "refused", wrong.args[0], column.name
    return "row", tuple(found), None


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_what_the_reference_says(kind: str) -> None:
    column = f"{{type: '{kind} null'{WORDS.get(kind, '')}}}"
    text = f"format: parquet\ncolumns: {{a: {column}, n: bigint}}\nidentity: content\n"
    feed = read_feed(text, "x.yaml", "x")

    @examples(60)
    @given(st.data(), st.integers(1, 3_000))
    def check(data: st.DataObject, chunk_bytes: int) -> None:
        stored, values = data.draw(st.sampled_from(KINDS[kind]))
        found = data.draw(st.lists(values | st.none(), min_size=1, max_size=30))
        own = {"n": [0] * len(found), "a": found}
        table = pa.table({"n": pa.array(own["n"], pa.int32()), "a": pa.array(found, stored)})
        own["a"] = table["a"].to_pylist() if pa.types.is_floating(stored) else found
        content = written(table)
        got, ids = decoded(feed, content, chunk_bytes)
        wanted = {row + 1: expected(feed, table, own, row) for row in range(len(found))}
        assert got == wanted
        assert (got, ids) == decoded(feed, content, one_by_one=True)
        assert len({key for _, key in ids}) == len(ids)

    check()


def test_values_in_nested_types_become_json() -> None:
    feed = read_feed(
        "format: parquet\ncolumns: {a: jsonb, b: jsonb null}\nextra: store\nidentity: content\n",
        "x.yaml",
        "x",
    )
    table = pa.table(
        {
            "a": pa.array([{"x": [1, None], "y": Decimal("1.50")}]),
            "b": ['{"k": 1.10}'],
            "c": [1.5],
            "d": ['say "hi"'],
            "e": pa.array([None], pa.int64()),
        }
    )
    (chunk,) = ParquetDecoder(feed).decode(io.BytesIO(written(table)), FACTS, NOW)
    (row,) = chunk.rows.to_pylist()
    assert json.loads(row["a"]) == {"x": [1, None], "y": "1.50"}
    assert row["b"] == '{"k": 1.10}'
    assert json.loads(row["extra"]) == {"c": 1.5, "d": 'say "hi"', "e": None}


@pytest.mark.parametrize(
    ("declared", "kind", "value"),
    [
        ("integer", pa.bool_(), True),
        ("text", pa.float64(), 1.5),
        ("date", pa.timestamp("us"), datetime(2026, 1, 1)),
        ("timestamp", pa.timestamp("us", "UTC"), datetime(2026, 1, 1, tzinfo=UTC)),
        ("timestamptz", pa.int64(), 1),
        ("text", pa.list_(pa.string()), ["a"]),
        ("jsonb", pa.timestamp("us"), datetime(2026, 1, 1)),
        ("numeric(4,2)", pa.time64("us"), None),
    ],
)
def test_a_type_that_does_not_fit_is_refused_by_name(declared: str, kind: pa.DataType, value: Any) -> None:
    feed = read_feed(
        f"format: parquet\ncolumns: {{a: '{declared} null'}}\nidentity: position\n", "x.yaml", "x"
    )
    with pytest.raises(UnreadableFile) as caught:
        decoded(feed, written(pa.table({"a": pa.array([value], kind)})))
    assert caught.value.reason == FileReason.UNFIT_TYPE
    assert "the column a is of the type" in caught.value.detail and declared in caught.value.detail


def test_columns_are_held_against_the_declaration() -> None:
    feed = read_feed("format: parquet\ncolumns: {a: bigint, b: text}\nidentity: position\n", "x.yaml", "x")
    with pytest.raises(UnreadableFile) as caught:
        decoded(feed, written(pa.table({"a": [1], "c": [2]})))
    assert caught.value.reason == FileReason.WRONG_HEADER
    assert "b missing; c not declared" in caught.value.detail


def test_what_is_no_parquet_or_is_damaged() -> None:
    feed = read_feed("format: parquet\ncolumns: {a: bigint}\nidentity: position\n", "x.yaml", "x")
    whole = written(pa.table({"a": list(range(50_000))}), row_group_size=10_000)
    for content in (b"a,b\n1,2\n", whole[:-9], whole[:4], b"PAR1" + bytes(60) + b"PAR1"):
        with pytest.raises(UnreadableFile) as caught:
            decoded(feed, content)
        assert caught.value.reason == FileReason.CORRUPT_PARQUET


def test_refused_rows_are_kept_and_found_again_as_json() -> None:
    feed = read_feed("format: parquet\ncolumns: {a: bigint, b: text}\nprimary_key: a\n", "x.yaml", "x")
    content = written(pa.table({"b": ["x", "y", "z"], "a": [1, None, 3]}), row_group_size=2)
    (reject,) = [r for c in ParquetDecoder(feed).decode(io.BytesIO(content), FACTS, NOW) for r in c.rejects]
    assert (reject.line_number, reject.reason, reject.column) == (2, "empty_value", "a")
    assert reject.raw == b'{"b": "y", "a": null}'
    found = ParquetDecoder(feed).raw_records(io.BytesIO(content), FACTS, [3, 2])
    assert list(found) == [(2, b'{"b": "y", "a": null}'), (3, b'{"b": "z", "a": 3}')]


def test_content_does_not_depend_on_the_order_of_columns_or_on_row_groups() -> None:
    feed = read_feed(
        "format: parquet\ncolumns: {a: bigint, at: timestamptz}\nidentity: content\n", "x.yaml", "x"
    )
    moments = [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)] * 3
    one = pa.table({"a": pa.array([1, 1, 2], pa.int64()), "at": pa.array(moments, pa.timestamp("ms", "UTC"))})
    other = pa.table(
        {"at": pa.array(moments, pa.timestamp("us", "Asia/Tokyo")), "a": pa.array([1, 1, 2], pa.int32())}
    )
    assert decoded(feed, written(one))[1] == decoded(feed, written(other, row_group_size=1), 1)[1]
