"""Declarations from JSON lines and Parquet: every row that was read loads with them."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.errors import UsageError
from ecom_platform.feeds.inference.said import SaidWords
from ecom_platform.files.drafting import Drafted
from ecom_platform.files.structured_drafting import draft_any
from ecom_platform_tests.examples import examples
from ecom_platform_tests.unit.files.test_drafting import column, proven, types

EVENTS = [
    {
        "id": f"6b9a2a6c-0000-4000-8000-{number:012}",
        "user": {"id": number, "address": {"zip": f"{number:05}"}},
        "at": f"2026-01-{number % 28 + 1:02}T03:04:05Z",
        "price": number / 4,
        "new": number % 2 == 0,
        "items": [{"sku": "hat", "n": number}] * (number % 3),
        "tags": ["a"],
    }
    for number in range(1, 30)
]


def lines(records: Sequence[object]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def drafted(folder: Path, content: bytes, *said: str, name: str = "seen.jsonl") -> Drafted:
    file = folder / name
    file.write_bytes(content)
    return proven(draft_any([file], "seen", SaidWords.parse(said)), [file])


def test_nested_objects_become_columns_and_lists_become_json(tmp_path: Path) -> None:
    found = drafted(tmp_path, gzip.compress(lines(EVENTS)), name="seen")
    assert types(found.feed) == {
        "id": "uuid",
        "user_id": "bigint",
        "user_address_zip": "text",
        "at": "timestamptz",
        "price": "numeric(12,2)",
        "new": "boolean",
        "items": "jsonb",
        "tags": "jsonb",
    }
    assert column(found.feed, "user_address_zip").sources == ("user.address.zip",)
    assert (found.feed.format, found.feed.missing, found.feed.primary_key) == ("jsonl", "refuse", ("id",))
    assert any("--set explode=items" in doubt for doubt in found.draft.doubts)


def test_a_list_that_is_exploded(tmp_path: Path) -> None:
    found = drafted(tmp_path, lines(EVENTS), "explode=items")
    assert found.rows == sum(len(event["items"]) for event in EVENTS)  # type: ignore[arg-type]
    assert {"sku": "text", "n": "integer"}.items() <= types(found.feed).items()
    assert column(found.feed, "sku").sources == ("items.sku",)


def test_what_is_missing_and_what_cannot_be_named(tmp_path: Path) -> None:
    found = drafted(tmp_path, b'{"a":1,"b.c":2,"d":{"e.f":1}}\n{"a":null,"g":"x"}\nno\n{"a":1,"a":2}\n')
    assert types(found.feed) == {"a": "integer null", "d": "jsonb null", "g": "text null"}
    assert (found.feed.missing, found.feed.extra) == ("null", "store")
    assert {str(reason): count for reason, count in found.unsplit.items()} == {
        "invalid_json": 1,
        "duplicate_key": 1,
    }


@examples(60)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "c", "d e", "order"]),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers(-(2**70), 2**70)
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.sampled_from(["", "x", "2026-01-02", "1.5", "NA", "ä"]),
                lambda inner: (
                    st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2)
                ),
                max_leaves=4,
            ),
            min_size=1,
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_lines_have_they_load(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]]
) -> None:
    drafted(tmp_path_factory.mktemp("lines"), lines(records))


def test_types_of_parquet_are_those_of_the_table(tmp_path: Path) -> None:
    table = pa.table(
        {
            "Order ID": pa.array(range(20), pa.int64()),
            "small": pa.array([1] * 20, pa.int16()),
            "price": pa.array([Decimal("1.50"), None] * 10, pa.decimal128(12, 2)),
            "share": [0.5] * 20,
            "ok": [True, False] * 10,
            "day": [date(2026, 1, 2)] * 20,
            "at": pa.array([datetime(2026, 1, 2, tzinfo=UTC)] * 20, pa.timestamp("ms", "UTC")),
            "local": pa.array([datetime(2026, 1, 2)] * 20, pa.timestamp("us")),
            "code": ["007"] * 20,
            "seen": ["31.12.2026"] * 20,
            "list": [[1, 2]] * 20,
            "clock": pa.array([1] * 20, pa.time64("us")),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    found = drafted(tmp_path, file.getvalue(), name="orders")
    assert types(found.feed) == {
        "order_id": "bigint",
        "small": "integer",
        "price": "numeric(12,2) null",
        "share": "double precision",
        "ok": "boolean",
        "day": "date",
        "at": "timestamptz",
        "local": "timestamp",
        "code": "text",
        "seen": "date",
        "list": "jsonb",
    }
    assert (found.feed.format, found.feed.extra, found.feed.primary_key) == (
        "parquet",
        "ignore",
        ("order_id",),
    )
    assert any("clock is of the type time64" in doubt for doubt in found.draft.doubts)


def test_files_of_several_formats(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "a.jsonl").write_bytes(b'{"a":1}\n')
    with pytest.raises(UsageError, match="not of one format: csv, jsonl"):
        draft_any([tmp_path / "a.csv", tmp_path / "a.jsonl"], "seen", SaidWords())
