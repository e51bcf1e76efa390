"""The hot functions by themselves, with pytest-benchmark; not part of `make test`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

import pytest

from benchmarks import workload
from ecom_platform.feeds.rows import Fault, RowType
from ecom_platform.files.chunks import FeedChunk, FileFacts
from ecom_platform.files.feed_decoding import FeedDecoder
from ecom_platform.shop.event import FEED
from ecom_platform.shop.generator import GeneratorConfig, generate_tables, write_files

ROWS = 100_000
CONFIG = GeneratorConfig(workload.SEED, workload.AS_OF, ROWS, ROWS)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of events, all valid."""
    folder = tmp_path_factory.mktemp("events")
    (written,) = write_files(CONFIG, folder, workload.AS_OF)
    return (folder / written.name).read_bytes()


def decode(stream: BinaryIO, now: datetime) -> Iterator[FeedChunk]:
    return FeedDecoder(FEED).decode(stream, FileFacts("utf-8", b""), now)


def _rows(chunks: list[FeedChunk]) -> int:
    return sum(chunk.rows.num_rows for chunk in chunks)


def test_generate(benchmark: Any) -> None:
    """100,000 events as an Arrow table."""
    tables = benchmark(lambda: list(generate_tables(CONFIG)))
    assert sum(table.num_rows for table in tables) == ROWS


def test_decode_a_clean_file(benchmark: Any, content: bytes) -> None:
    """100,000 rows by the fast path, validation included."""
    chunks = benchmark(lambda: list(decode(io.BytesIO(content), workload.AS_OF)))
    assert _rows(chunks) == ROWS


def test_validate(benchmark: Any, content: bytes) -> None:
    """10,000 rows through the rules, one by one, as the tolerant path does."""
    rows = [line.decode().split(",") for line in content.split(b"\n")[1:10_001]]
    rows_of_feed = RowType(FEED)
    judged = benchmark(lambda: [rows_of_feed.judge(row, workload.AS_OF) for row in rows])
    assert not any(isinstance(each, Fault) for each in judged)


def test_decode_row_by_row(benchmark: Any, content: bytes) -> None:
    """10,000 rows by the tolerant path: every value in quotes that the fast one does not take."""
    header, *lines = content.split(b"\n")[:10_001]
    odd = [line.replace(b",", b' "",', 1) for line in lines]
    chunks = benchmark(lambda: list(decode(io.BytesIO(b"\n".join([header, *odd])), workload.AS_OF)))
    assert sum(chunk.records for chunk in chunks) == len(odd)


def test_decode_with_a_bad_row_in_a_hundred(benchmark: Any, content: bytes) -> None:
    """100,000 rows of which 1,000 are refused, each with its reason."""
    lines = content.split(b"\n")
    lines[1::100] = [line.replace(b"PROD", b"PROD,", 1) for line in lines[1::100]]
    chunks = benchmark(lambda: list(decode(io.BytesIO(b"\n".join(lines)), workload.AS_OF)))
    assert sum(len(chunk.rejects) for chunk in chunks) == ROWS // 100
