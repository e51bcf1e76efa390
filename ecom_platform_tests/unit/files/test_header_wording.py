"""What is said of a first line that is not our header: names where they look like names, never data."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecom_platform.files.opening import open_events
from ecom_platform.files.unreadable import UnreadableFile
from ecom_platform.shop.event import COLUMN_NAMES, HEADER
from ecom_platform_tests.events import decode

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def said(content: bytes) -> str:
    with pytest.raises(UnreadableFile) as caught:
        list(decode(io.BytesIO(content), NOW))
    return str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "550e8400-e29b-41d4-a716-446655440000,7,PROD1000,purchase,2026-01-02,19.99,Books,Mobile,DE",
        "Alice,Smith,London,alice.smith@example.org",
        "Alice",
        "purchase,Mobile,DE",
        "4111111111111111",
        "Alice;Smith;DE89370400440532013000",
        "order 4711 for Alice,customer Smith",
        '"Alice, Smith',
        "order_id,customer_name,4111111111111111",
        "Müller,Straße",
    ],
)
def test_data_is_not_repeated(line: str) -> None:
    text = said(f"{line}\n{line}\n".encode())
    for part in line.replace(";", ",").replace('"', ",").replace(" ", ",").split(","):
        words = {"order", "for", "customer", "order_id", "customer_name"}
        assert part == "" or part in words or part not in text


@pytest.mark.parametrize("content", [b"\xff\xfeS\0e\0c\0r\0e\0t\0", b"Secret,\xe9\n", b"Secret\xff"])
def test_bytes_are_not_repeated(content: bytes) -> None:
    text = said(content)
    assert "S" not in text.removeprefix("not_utf8_header") or "Secret" not in text
    assert "\\x" not in text


def test_what_is_no_gzip_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"Qz secret")
    with pytest.raises(UnreadableFile) as caught, open_events(path) as source:
        list(decode(source.stream, NOW))
    assert "Qz" not in str(caught.value)
    assert gzip.compress(b"")[:2] == b"\x1f\x8b"


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ("Order Number,Order Date,Item #,Total", ("Order Number, Order Date, Item #, Total not declared",)),
        (HEADER.replace("price", "amount"), ("price missing", "amount not declared")),
        (HEADER.replace("price,", ""), ("the header has 8 columns: price missing",)),
        (f"{HEADER},event_id", ("event_id more than once",)),
        (f"{HEADER},alice@example.org", ("1 that are no names by the look of them not declared",)),
        (";".join(COLUMN_NAMES), ("; it is separated by ';', the feed by ','",)),
        ("\t".join(f'"{name}"' for name in COLUMN_NAMES), ("separated by a tab, the feed by ','",)),
        (";".join(["a", "b", "price"]), ("the first line has 1 column",)),
    ],
)
def test_names_are(header: str, parts: tuple[str, ...]) -> None:
    text = said(f"{header}\n".encode())
    for part in parts:
        assert part in text
