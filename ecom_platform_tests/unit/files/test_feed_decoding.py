"""Whole files of feeds: every record is a row or a refused one, as the reference says, on both paths."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.feed import Feed
from ecom_platform.files.chunks import FileFacts
from ecom_platform.files.feed_decoding import FeedDecoder
from ecom_platform_tests import feed_reference
from ecom_platform_tests.examples import examples

NOW = datetime(2026, 7, 1, tzinfo=UTC)
FACTS = FileFacts("utf-8", b"the bytes of the file")

FEEDS = {
    "content": """
columns:
  time: {type: timestamptz, time_format: "%Y-%m-%d %H:%M:%S UTC"}
  kind: {type: text, in: [view, cart, buy]}
  price: {type: "numeric(10,2) null", absent_when: {kind: view}, required_when: {kind: buy}}
identity: content
roles: {time: time}
""",
    "key, extra kept": """
delimiter: semicolon
columns: {time: date, kind: text, price: {type: bigint null, nulls: ["", NA]}}
extra: store
primary_key: [time, kind]
""",
    "no header": """
header: false
delimiter: tab
quote: none
width: 4
columns: {price: {type: double precision, at: 4}, kind: {type: text, at: 2}, time: {type: timestamp, at: 1}}
extra: ignore
identity: position
""",
    "numbered, concat": """
columns:
  kind: text
  time: {concat: {columns: [day, clock], with: " "}, type: timestamptz, zone: Europe/Berlin}
  price: integer
primary_key: kind
numbered: true
extra: ignore
""",
}
HEADERS = {
    "content": ["kind", "price", "time"],
    "key, extra kept": ["time", "note", "kind", "price", "more"],
    "no header": ["time", "kind", "", "price"],
    "numbered, concat": ["clock", "kind", "day", "price", "x"],
}
VALUES = {
    "time": ["2026-03-01 10:00:00 UTC", "2026-01-02", "2026-01-02 03:04:05", "2026-13-01", ""],
    "day": ["2026-03-29", "2026-10-25", "2026-01-01", "1.1.2026"],
    "clock": ["02:30:00", "12:00:00", "25:00:00"],
    "kind": ["view", "cart", "buy", "käse", 'a "b"', ""],
    "price": ["1.50", "", "NA", "7", "-3", "1e3", "x"],
    "note": ["", "a", 'say "hi"', "back\\slash", "ü"],
}


def written(feed: Feed, fields: list[str], *, quoted: bool) -> str:
    quote = feed.dialect.quote
    if quote is None:
        return feed.dialect.delimiter.join(field.replace("\t", " ") for field in fields)
    return feed.dialect.delimiter.join(
        f"{quote}{field.replace(quote, quote * 2)}{quote}" if quoted or quote in field else field
        for field in fields
    )


def expected(feed: Feed, names: list[str], content: bytes) -> dict[int, tuple[Any, ...]]:
    """By line: ``("row", values, extra)`` or ``("refused", reason, column)``."""
    found: dict[int, tuple[Any, ...]] = {}
    records = feed_reference.records(content, feed.dialect)
    for line, fields in records[1 if feed.dialect.header else 0 :]:
        found[line] = _expected(feed, names, fields)
    return found


def _expected(feed: Feed, names: list[str], fields: tuple[bytes, ...] | None) -> tuple[Any, ...]:
    if fields is None:
        return "refused", "unbalanced_quotes", None
    if len(fields) != len(names):
        return "refused", "missing_fields" if len(fields) < len(names) else "extra_fields", None
    texts = [field.decode() for field in fields]
    by_name = dict(zip(names, texts, strict=True))
    wanted = []
    for column in feed.columns:
        if column.at is not None:
            wanted.append(texts[column.at - 1])
        elif column.concat is not None:
            wanted.append(column.concat.separator.join(by_name[name] for name in column.concat.columns))
        else:
            wanted.append(by_name[column.name])
    try:
        values = feed_reference.row(feed, wanted, NOW)
    except feed_reference.Wrong as wrong:
        return "refused", *wrong.args
    used = {
        name
        for column in feed.columns
        for name in (column.concat.columns if column.concat else (column.name,))
    }
    extra = {name: by_name[name] for name in names if name not in used} if feed.extra == "store" else None
    return "row", values, extra


def decoded(
    feed: Feed, content: bytes, chunk_bytes: int, *, one_by_one: bool
) -> tuple[dict[int, Any], list[Any]]:
    found: dict[int, tuple[Any, ...]] = {}
    ids: list[Any] = []
    records = 0
    chunks = FeedDecoder(feed).decode(io.BytesIO(content), FACTS, NOW, chunk_bytes, one_by_one=one_by_one)
    for chunk in chunks:
        records += chunk.records
        for row in chunk.rows.to_pylist():
            values = tuple(
                uuid.UUID(bytes=row[column.name]) if column.type == "uuid" else row[column.name]
                for column in feed.columns
            )
            found[row["line_number"]] = "row", values, json.loads(row["extra"]) if "extra" in row else None
        if "row_id" in chunk.rows.schema.names:
            ids += zip(chunk.rows["line_number"].to_pylist(), chunk.rows["row_id"].to_pylist(), strict=True)
        for reject in chunk.rejects:
            found[reject.line_number] = "refused", str(reject.reason), reject.column
    assert records == len(found)
    return found, ids


@pytest.mark.parametrize("name", FEEDS)
def test_every_record_is_what_the_reference_says(name: str) -> None:
    feed, names = read_feed(FEEDS[name], "x.yaml", "x"), HEADERS[name]

    @examples(60)
    @given(st.data(), st.integers(1, 300))
    def check(data: st.DataObject, chunk_bytes: int) -> None:
        lines = [written(feed, names, quoted=False)] if feed.dialect.header else []
        for _ in range(data.draw(st.integers(0, 20))):
            fields = [data.draw(st.sampled_from(VALUES.get(field, ["z", ""]))) for field in names]
            fields = fields[: data.draw(st.sampled_from([len(fields)] * 9 + [2]))]
            lines.append(written(feed, fields, quoted=data.draw(st.booleans())))
        ending = data.draw(st.sampled_from(["\n", "\r\n"]))
        content = ending.join(lines).encode()
        wanted = expected(feed, names, content) if lines else {}
        if not content.strip():
            return
        found, ids = decoded(feed, content, chunk_bytes, one_by_one=False)
        assert found == wanted
        assert (found, ids) == decoded(feed, content, 1 << 20, one_by_one=True)
        assert len({key for _, key in ids}) == len(ids)

    check()


def test_titles_above_the_header_and_lines_as_they_are_counted() -> None:
    feed = read_feed("skip: 2\ncolumns: {a: bigint}\nprimary_key: a\n", "x.yaml", "x")
    content = b"Report of today\nby somebody\n\na,\n1\n"
    (chunk,) = FeedDecoder(
        read_feed("skip: 2\ncolumns: {a: bigint}\nextra: ignore\nprimary_key: a\n", "x.yaml", "x")
    ).decode(io.BytesIO(content.replace(b"a,", b"a,b").replace(b"1\n", b"1,x\n\nx,y\n")), FACTS, NOW)
    assert chunk.rows.to_pylist() == [{"a": 1, "line_number": 5}]
    assert [(reject.line_number, reject.reason) for reject in chunk.rejects] == [(7, "not_an_integer")]
    assert feed.dialect.skip == 2


def test_the_bytes_of_refused_records_are_found_again() -> None:
    feed = read_feed("columns: {a: bigint, b: text}\nprimary_key: a\n", "x.yaml", "x")
    content = b'b,a\r\nx,1\r\n"two\nlines",2\r\ny,z\r\n'
    decoder = FeedDecoder(feed)
    assert list(decoder.raw_records(io.BytesIO(content), FACTS, [2, 3, 5])) == [
        (2, b"x,1"),
        (3, b'"two\nlines",2'),
        (5, b"y,z"),
    ]


def test_wide_rows_take_the_vectorised_path() -> None:
    """131 columns, 19-digit numbers, 16 decimals: nothing of them is judged one by one."""
    columns = ", ".join(f"c{number}: bigint" for number in range(129))
    feed = read_feed(
        f"columns: {{{columns}, p: 'numeric(20,18)', t: text}}\nidentity: content\n", "x.yaml", "x"
    )
    row = ",".join(["9223372036854775807"] * 129 + ["0.0508305084745762", "text"])
    content = (",".join(feed.names) + "\n" + f"{row}\n" * 500).encode()
    judged: list[Any] = []
    for chunk in FeedDecoder(feed).decode(io.BytesIO(content), FACTS, NOW):
        assert isinstance(chunk.rows, pa.RecordBatch)
        judged += chunk.rows["line_number"].to_pylist()
    assert judged == list(range(2, 502))


@pytest.mark.parametrize("chunk_bytes", [1, 2, 5, 1 << 20])
def test_a_mark_before_a_file_without_a_header_is_no_part_of_it(chunk_bytes: int) -> None:
    feed = read_feed("header: false\ncolumns: {n: bigint, word: text}\nidentity: content\n", "x.yaml", "x")
    content = b"1,a\n2,b\n"
    found, ids = decoded(feed, b"\xef\xbb\xbf" + content, chunk_bytes, one_by_one=False)
    assert (found, ids) == decoded(feed, content, chunk_bytes, one_by_one=False)
    assert found[1] == ("row", (1, "a"), None)
    assert decoded(feed, b"\xef\xbb\xbf", chunk_bytes, one_by_one=False) == ({}, [])
