"""Whole files in, rows and rejects out: examples with exact values, then properties.

The properties compare the decoder with itself (any chunk size, tolerant path only) and with a
reference that reads one character after the other and shares no code with it but ``validate``.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.rows import Fault
from ecom_platform.files import chunks, feed_decoding, splitting
from ecom_platform.files.chunks import MAX_RAW_BYTES, RefusedRecord
from ecom_platform.files.opening import open_events
from ecom_platform.files.splitting import MAX_BLOCK_LINES
from ecom_platform.files.unreadable import FileReason, UnreadableFile
from ecom_platform.shop.event import COLUMN_NAMES, HEADER
from ecom_platform_tests.events import ROWS, decode, judged, raw_records
from ecom_platform_tests.examples import examples

DECODED_SCHEMA = ROWS.schema.append(pa.field("line_number", pa.int64(), nullable=False))

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
VIEW = f"{UUID},7,PROD1000,view,2026-02-28 23:59:59.000001,,Books,Mobile,DE"
CART = f"{UUID},7,PROD1000,add_to_cart,2026-02-28 23:59:59,10.50,Books,Mobile,DE"
VIEW_ROW = (
    bytes.fromhex(UUID.replace("-", "")),
    7,
    "PROD1000",
    "view",
    datetime(2026, 2, 28, 23, 59, 59, 1, tzinfo=UTC),
    None,
    "Books",
    "Mobile",
    "DE",
)


@pytest.fixture(autouse=True, scope="module")
def _few_rows_take_the_quick_path() -> Iterator[None]:
    """As many do: a block of little text would be judged row by row, and only that path tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "SMALL_BLOCK_BYTES", 0)
        yield


class Decoded(NamedTuple):
    """Everything a file decodes to; rows end with their line number."""

    rows: list[tuple[object, ...]]
    rejects: list[RefusedRecord]


def decoded(data: bytes, chunk_bytes: int = 1 << 20, *, one_by_one: bool = False) -> Decoded:
    rows: list[tuple[object, ...]] = []
    rejects: list[RefusedRecord] = []
    for chunk in decode(io.BytesIO(data), NOW, chunk_bytes, one_by_one=one_by_one):
        chunk.rows.validate(full=True)
        assert chunk.rows.schema == DECODED_SCHEMA
        assert chunk.records == chunk.rows.num_rows + len(chunk.rejects) > 0
        rows += [tuple(row.values()) for row in chunk.rows.to_pylist()]
        rejects += chunk.rejects
    lines = [row[-1] for row in rows]
    assert lines == sorted(lines)
    assert rejects == sorted(rejects, key=lambda reject: reject.line_number)
    return Decoded(rows, rejects)


def file_of(*lines: str | bytes, header: str = HEADER, end: bytes = b"\n") -> bytes:
    encoded = [line if isinstance(line, bytes) else line.encode() for line in (header, *lines)]
    return b"".join(line + end for line in encoded)


def row_with(**values: str) -> str:
    fields = dict(zip(COLUMN_NAMES, CART.split(","), strict=True))
    return ",".join({**fields, **values}.values())


# -- rows ----------------------------------------------------------------------------------------


def test_a_clean_row_has_the_declared_values_and_its_line() -> None:
    assert decoded(file_of(VIEW)) == ([(*VIEW_ROW, 2)], [])


@pytest.mark.parametrize("chunk_bytes", [1, 64, 1 << 20])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_both_paths_take_a_priced_row(chunk_bytes: int, one_by_one: bool) -> None:
    rows, rejects = decoded(file_of(VIEW, CART), chunk_bytes, one_by_one=one_by_one)
    assert rejects == []
    assert [(row[3], row[5], row[-1]) for row in rows] == [
        ("view", None, 2),
        ("add_to_cart", Decimal("10.50"), 3),
    ]


def test_the_last_line_needs_no_line_end() -> None:
    assert decoded(file_of(VIEW)[:-1]).rows == [(*VIEW_ROW, 2)]


def test_windows_line_ends_and_byte_order_mark() -> None:
    data = b"\xef\xbb\xbf" + file_of(VIEW, VIEW, end=b"\r\n")
    assert decoded(data) == ([(*VIEW_ROW, 2), (*VIEW_ROW, 3)], [])


def test_columns_in_any_order_and_quoted_names() -> None:
    header = ",".join(f'"{name}"' for name in reversed(COLUMN_NAMES))
    row = ",".join(reversed(VIEW.split(",")))
    assert decoded(file_of(row, header=header)) == ([(*VIEW_ROW, 2)], [])


def test_blank_lines_are_no_records_but_count_as_lines() -> None:
    data = file_of("", VIEW, " \t ", "\r", VIEW, "")
    assert decoded(data) == ([(*VIEW_ROW, 3), (*VIEW_ROW, 6)], [])


def test_blank_lines_before_the_header_count_as_lines() -> None:
    assert decoded(b"\xef\xbb\xbf\n \r\n" + file_of(VIEW)) == ([(*VIEW_ROW, 4)], [])


def test_a_header_alone_has_no_rows_with_or_without_its_line_end() -> None:
    assert decoded(HEADER.encode()) == decoded(file_of()) == ([], [])


def test_quotes_around_every_field() -> None:
    quoted = ",".join(f'"{field}"' for field in VIEW.split(","))
    assert decoded(file_of(quoted, quoted, end=b"\r\n")) == ([(*VIEW_ROW, 2), (*VIEW_ROW, 3)], [])


def test_quoted_commas_newlines_and_doubled_quotes_belong_to_the_value() -> None:
    data = file_of(row_with(product_id='"a, ""b""\r\nc\nd"'), VIEW)
    rows, rejects = decoded(data)
    assert rejects == []
    assert [(row[2], row[-1]) for row in rows] == [('a, "b"\r\nc\nd', 2), ("PROD1000", 5)]


def test_a_lone_carriage_return_is_part_of_the_value() -> None:
    assert decoded(file_of(row_with(product_id="a\rb"))).rows[0][2] == "a\rb"


def test_text_beyond_ascii() -> None:
    assert decoded(file_of(row_with(product_id="Größe 9 ✓"))).rows[0][2] == "Größe 9 ✓"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-28T23:59:59Z", datetime(2026, 2, 28, 23, 59, 59)),
        ("2026-02-28 23:59:59z", datetime(2026, 2, 28, 23, 59, 59)),
        ("2026-02-28 23:59:59.120", datetime(2026, 2, 28, 23, 59, 59, 120_000)),
        ("2026-02-28 23:59:59.1", datetime(2026, 2, 28, 23, 59, 59, 100_000)),
        ("2026-02-28 23:59:59.123456Z", datetime(2026, 2, 28, 23, 59, 59, 123_456)),
        ("2026-02-28 23:59:59.120+01:30", datetime(2026, 2, 28, 22, 29, 59, 120_000)),
        ("2026-02-28T23:59:59-0130", datetime(2026, 3, 1, 1, 29, 59)),
        ("2026-02-28T23:59:59+02", datetime(2026, 2, 28, 21, 59, 59)),
        ("2024-02-29 00:00:00", datetime(2024, 2, 29)),
        ("2000-01-01 00:00:00", datetime(2000, 1, 1)),
        ("2026-03-02 12:00:00", datetime(2026, 3, 2, 12)),
    ],
)
def test_spellings_of_a_time(text: str, expected: datetime) -> None:
    assert decoded(file_of(row_with(event_time=text))).rows[0][4] == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.01", "0.01"), ("5", "5.00"), ("5.", "5.00"), ("5.1", "5.10"), ("010.500", "10.50")]
    + [("99999999.99", "99999999.99"), ("00000000000000001", "1.00")],
)
def test_spellings_of_a_price(text: str, expected: str) -> None:
    assert decoded(file_of(row_with(price=text))).rows[0][5] == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "expected"), [("1", 1), ("007", 7), ("9223372036854775807", 2**63 - 1), ("0" * 30 + "5", 5)]
)
def test_spellings_of_a_user_id(text: str, expected: int) -> None:
    assert decoded(file_of(row_with(user_id=text))).rows[0][1] == expected


def test_an_upper_case_identifier() -> None:
    assert decoded(file_of(row_with(event_id=UUID.upper()))).rows[0][0] == VIEW_ROW[0]


# -- rejects -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("event_id", "", Reason.EMPTY_VALUE),
        ("event_id", UUID.replace("-", ""), Reason.NOT_A_UUID),
        ("event_id", UUID[:-1] + "g", Reason.NOT_A_UUID),
        ("event_id", UUID.replace("-", "+"), Reason.NOT_A_UUID),
        ("user_id", "seven", Reason.NOT_AN_INTEGER),
        ("user_id", "0", Reason.OUT_OF_RANGE),
        ("user_id", "9223372036854775808", Reason.OUT_OF_RANGE),
        ("product_id", "", Reason.EMPTY_VALUE),
        ("event_type", "VIEW", Reason.NOT_IN_LIST),
        ("event_time", "yesterday", Reason.NOT_A_TIME),
        ("event_time", "2026-02-29 00:00:00", Reason.NOT_A_TIME),
        ("event_time", "2026-03-02 12:00:00.000001", Reason.OUT_OF_RANGE),
        ("event_time", "1999-12-31 23:59:59.999999", Reason.OUT_OF_RANGE),
        ("price", "ten", Reason.NOT_A_NUMBER),
        ("price", "NaN", Reason.NOT_FINITE),
        ("price", "Infinity", Reason.NOT_FINITE),
        ("price", "0.00", Reason.OUT_OF_RANGE),
        ("price", "0.001", Reason.TOO_MANY_DECIMALS),
        ("price", "100000000", Reason.OUT_OF_RANGE),
        ("price", "", Reason.REQUIRED),
        ("category", "books", Reason.NOT_IN_LIST),
        ("user_device", "Watch", Reason.NOT_IN_LIST),
        ("user_location", "XX", Reason.NOT_IN_LIST),
    ],
)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_broken_column_rule(column: str, text: str, reason: Reason, one_by_one: bool) -> None:
    bad = row_with(**{column: text})
    rows, rejects = decoded(file_of(VIEW, bad, VIEW), one_by_one=one_by_one)
    assert rows == [(*VIEW_ROW, 2), (*VIEW_ROW, 4)]
    assert rejects == [RefusedRecord(3, bad.encode(), reason, column)]


@pytest.mark.parametrize("price", ["1", "5.00", "10.123", "nan"])
def test_a_view_has_no_price(price: str) -> None:
    bad = row_with(event_type="view", price=price)
    (reject,) = decoded(file_of(bad)).rejects
    expected = {"10.123": Reason.TOO_MANY_DECIMALS, "nan": Reason.NOT_FINITE}
    assert (reject.reason, reject.column) == (expected.get(price, Reason.MUST_BE_ABSENT), "price")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"x" * (splitting.MAX_LINE_BYTES + 1), Reason.ROW_TOO_LONG),
        (VIEW.encode() + b"\0", Reason.NUL_BYTE),
        (b'"\0', Reason.NUL_BYTE),
        (row_with(product_id="?").encode().replace(b"?", b"\xe9"), Reason.INVALID_UTF8),
        (b'"\xe9', Reason.INVALID_UTF8),
        (row_with(product_id='5"').encode(), Reason.UNBALANCED_QUOTES),
        (row_with(product_id='"a"b').encode(), Reason.UNBALANCED_QUOTES),
        (row_with(product_id='"a').encode(), Reason.UNBALANCED_QUOTES),
        (b"a,b", Reason.MISSING_FIELDS),
        (VIEW.encode() + b",", Reason.EXTRA_FIELDS),
        (b'"a\nb",c', Reason.MISSING_FIELDS),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [64, 1 << 20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_broken_record_leaves_its_neighbours_alone(
    line: bytes, reason: Reason, chunk_bytes: int, end: bytes
) -> None:
    rows, rejects = decoded(file_of(VIEW, line, VIEW, end=end), chunk_bytes)
    assert rows == [(*VIEW_ROW, 2), (*VIEW_ROW, 4 + line.count(b"\n"))]
    assert rejects == [RefusedRecord(3, line[:MAX_RAW_BYTES], reason, None)]


def test_a_long_line_at_the_end_of_the_file() -> None:
    line = b"x" * (3 * splitting.MAX_LINE_BYTES)
    expected = [RefusedRecord(2, line[:MAX_RAW_BYTES], Reason.ROW_TOO_LONG, None)]
    assert decoded(file_of(line), 4096).rejects == decoded(file_of(line)[:-1]).rejects == expected


def test_the_longest_line_is_read() -> None:
    line = row_with(product_id="x" * (splitting.MAX_LINE_BYTES - len(row_with(product_id=""))))
    assert len(decoded(file_of(line)).rows) == 1
    assert decoded(file_of(line.replace("x", "xx", 1))).rejects[0].reason == Reason.ROW_TOO_LONG


def test_a_quote_that_is_never_closed_costs_one_line() -> None:
    rows, rejects = decoded(file_of('"', *[VIEW] * 2_000))
    assert [row[-1] for row in rows] == list(range(3, 2_003))
    assert [reject.reason for reject in rejects] == [Reason.UNBALANCED_QUOTES]


def stray(field: str, row: str = CART) -> str:
    """A row with a quote that has no business there."""
    return row.replace("PROD1000", field)


@pytest.mark.parametrize("chunk_bytes", [64, 1 << 20])
@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("between", [0, 1, 4, 500])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        (stray('"Hello'), stray('Bye"')),  # all between is one valid product
        (stray('"Hello'), CART + '"'),  # too few fields
        (CART.removesuffix("DE") + '"DE', stray('Bye"')),
    ],
)
def test_two_stray_quotes_cost_two_rows(
    opening: str, closing: str, between: int, chunk_bytes: int, one_by_one: bool, end: bytes
) -> None:
    rows, rejects = decoded(
        file_of(VIEW, opening, *[VIEW] * between, closing, VIEW, end=end), chunk_bytes, one_by_one=one_by_one
    )
    assert [row[-1] for row in rows] == [2, *range(4, 4 + between), 5 + between]
    assert rejects == [
        RefusedRecord(line, text.encode(), Reason.UNBALANCED_QUOTES, None)
        for line, text in ((3, opening), (4 + between, closing))
    ]


def test_rows_inside_a_field_are_known_in_any_order_of_columns() -> None:
    turned = [
        ",".join(line.split(",")[::-1]) for line in (HEADER, VIEW, stray('"Hello'), CART, stray('Bye"'))
    ]
    rows, rejects = decoded(file_of(*turned[1:], header=turned[0]))
    assert ([row[-1] for row in rows], [reject.line_number for reject in rejects]) == ([2, 4], [3, 5])


@pytest.mark.parametrize(
    "note",
    [
        "a shirt, blue\nsize 7, new",
        "sizes\n7,8,9,10,11",
        "Books,\n,,,\nDE, Mobile, Books, 19.99",
        f"see\n{UUID}\n{UUID}, and more",
        "\n" * 50,
    ],
)
def test_a_note_of_several_lines_stays_a_note(note: str) -> None:
    rows, rejects = decoded(file_of(VIEW, row_with(product_id=f'"{note}"'), VIEW))
    assert (rejects, rows[1][2]) == ([], note)


def test_a_record_may_span_lines_for_64_kib_only() -> None:
    shortest = row_with(product_id='"\n"')
    longest = row_with(product_id='"\n' + "x" * (splitting.MAX_SPAN_BYTES - len(shortest) - 1) + '"')
    assert decoded(file_of(longest)).rejects == []
    reasons = [reject.reason for reject in decoded(file_of(longest.replace("x", "xx", 1))).rejects]
    assert reasons[0] == Reason.UNBALANCED_QUOTES


def test_unbalanced_quotes_take_time_by_their_number_not_by_its_square() -> None:
    def seconds(times: int) -> float:
        """Of the processor, without what else a machine does meanwhile; the least of three."""
        data = file_of(*['"a', 'b","c', '"",""'] * times)
        used = []
        for _ in range(3):
            began = time.thread_time()
            assert sum(chunk.records for chunk in decode(io.BytesIO(data), NOW)) > 0
            used.append(time.thread_time() - began)
        return min(used)

    # Sixteen times the lines; their square would be 256 times.
    assert seconds(16_000) < 64 * seconds(1_000)


# -- whole files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", FileReason.EMPTY_FILE),
        (b"\xef\xbb\xbf", FileReason.EMPTY_FILE),
        (b"\n \t\n\r\n", FileReason.EMPTY_FILE),
        (VIEW.encode(), FileReason.WRONG_HEADER),
        (HEADER.replace(",price", "").encode(), FileReason.WRONG_HEADER),
        (HEADER.encode() + b",price", FileReason.WRONG_HEADER),
        (HEADER.encode() + b",extra", FileReason.WRONG_HEADER),
        (HEADER.replace("price", "category").encode(), FileReason.WRONG_HEADER),
        (HEADER.encode() + b'"', FileReason.WRONG_HEADER),
        (HEADER.replace(",", ";").encode(), FileReason.WRONG_HEADER),
        (HEADER.encode() + b"\r" + VIEW.encode(), FileReason.WRONG_HEADER),
        (b"x" * 100_000, FileReason.WRONG_HEADER),
        (HEADER.encode("utf-16"), FileReason.NOT_UTF8_HEADER),
    ],
)
def test_an_unreadable_file(data: bytes, reason: FileReason) -> None:
    with pytest.raises(UnreadableFile) as caught:
        list(decode(io.BytesIO(data), NOW))
    assert caught.value.reason == reason
    assert caught.value.detail


def test_a_wrong_header_is_reported_with_the_expected_one() -> None:
    with pytest.raises(UnreadableFile, match=f"expected {HEADER} in any order; the first line has 2 columns"):
        list(decode(io.BytesIO(b"a,b\n1,2\n"), NOW))


@pytest.mark.parametrize("packed", [False, True])
def test_open_events_takes_the_fingerprint_of_the_bytes_on_disk(tmp_path: Path, packed: bool) -> None:
    first, second = file_of(VIEW)[:60], file_of(VIEW)[60:]
    path = tmp_path / ("events.csv.gz" if packed else "events.csv")
    path.write_bytes(gzip.compress(first) + gzip.compress(second) if packed else first + second)
    with open_events(path) as file:
        assert [chunk.rows.num_rows for chunk in decode(file.stream, NOW)] == [1]
    # Known even now that the file is closed, since it was read to its end.
    assert file.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.size == path.stat().st_size


def _link(path: Path) -> None:
    (path.parent / "secret").write_bytes(file_of(VIEW))
    path.symlink_to(path.parent / "secret")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


@pytest.mark.parametrize(
    ("put", "what"),
    [
        (_link, "a symbolic link"),
        (os.mkfifo, "a pipe"),
        (Path.mkdir, "a folder"),
        (_socket, "a socket"),
    ],
)
def test_open_events_opens_nothing_but_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path], None], what: str
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    put(Path("events.csv"))
    with pytest.raises(UnreadableFile, match=what) as caught, open_events(Path("events.csv")):
        pass
    assert caught.value.reason == FileReason.NOT_A_FILE
    with pytest.raises(FileNotFoundError), open_events(Path("none.csv")):
        pass


def test_the_fingerprint_covers_what_was_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(b"wrong\n" + bytes(3 << 20))
    with open_events(path) as file:
        with pytest.raises(UnreadableFile):
            list(decode(file.stream, NOW))
        assert file.size == path.stat().st_size
        assert file.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("damage", ["cut off", "flipped", "trailing garbage"])
def test_damaged_gzip(tmp_path: Path, damage: str) -> None:
    packed = bytearray(gzip.compress(file_of(*[VIEW] * 500)))
    if damage == "cut off":
        del packed[-20:]
    elif damage == "flipped":
        packed[len(packed) // 2] ^= 0xFF
    elif damage == "trailing garbage":
        packed += b"garbage"
    path = tmp_path / "events.csv.gz"
    path.write_bytes(packed)
    with open_events(path) as file, pytest.raises(UnreadableFile) as caught:
        list(decode(file.stream, NOW))
    assert caught.value.reason == FileReason.CORRUPT_GZIP


def test_raw_records_finds_the_bytes_of_a_line() -> None:
    spanning = row_with(product_id='"a\nb"')
    data = file_of(VIEW, "", spanning, "short", "y" * 2_000_000, CART, end=b"\r\n")
    expected = {
        2: VIEW.encode(),
        4: spanning.encode(),
        6: b"short",
        7: b"y" * MAX_RAW_BYTES,
        8: CART.encode(),
    }
    # 3 is blank, 5 is inside a record, 1 is the header, 99 is behind the end.
    assert dict(raw_records(io.BytesIO(data), {1, 2, 3, 4, 5, 6, 7, 8, 99})) == expected
    assert dict(raw_records(io.BytesIO(data), set())) == {}


def test_raw_records_agrees_with_rejects() -> None:
    data = file_of(VIEW, "short", '"open', CART + ",", row_with(price="x"))
    rejects = decoded(data).rejects
    assert dict(raw_records(io.BytesIO(data), {r.line_number for r in rejects})) == {
        reject.line_number: reject.raw for reject in rejects
    }


def test_memory_stays_bounded() -> None:
    class Endless(io.RawIOBase):
        """A header, then 64 MiB of rows, and a line that does not end."""

        def __init__(self) -> None:
            super().__init__()
            self.left = [HEADER.encode() + b"\n", *[file_of(*[VIEW] * 9_000)] * 64, *[bytes(1 << 20)] * 64]

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
            if not self.left:
                return 0
            piece = self.left[0][: len(buffer)]
            self.left[0] = self.left[0][len(piece) :]
            self.left = self.left[not self.left[0] :]
            buffer[: len(piece)] = piece
            return len(piece)

    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        for chunk in decode(io.BufferedReader(Endless()), NOW, 1 << 20):
            assert pa.total_allocated_bytes() - before < 64 << 20
            assert chunk.records
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_very_short_lines_come_in_chunks_that_are_no_larger_for_it() -> None:
    data = file_of(VIEW) + b"x\n" * 250_000 + file_of(CART).partition(b"\n")[2]
    chunks = list(decode(io.BytesIO(data), NOW))
    assert max(chunk.records for chunk in chunks) <= MAX_BLOCK_LINES
    assert sum(chunk.rows.num_rows for chunk in chunks) == 2
    assert [reject.line_number for chunk in chunks for reject in chunk.rejects] == [*range(3, 250_003)]


@pytest.mark.parametrize("chunk_bytes", [-1, 0, chunks.MAX_CHUNK_BYTES + 1])
def test_a_chunk_size_that_cannot_be_used(chunk_bytes: int) -> None:
    with pytest.raises(ValueError, match=f"chunk_bytes is {chunk_bytes}"):
        decode(io.BytesIO(file_of(VIEW)), NOW, chunk_bytes)


def test_clean_files_are_decoded_without_importing_pandas() -> None:
    # It takes longer to import than a million rows to decode, and every executor pays for it.
    program = (
        "import io, sys; from datetime import UTC, datetime; "
        "from ecom_platform.files.feed_decoding import FeedDecoder; "
        "from ecom_platform.files.chunks import FileFacts; "
        "from ecom_platform.shop.event import FEED; "
        f"data = io.BytesIO({file_of(VIEW, CART)!r}); now = datetime(2026, 3, 1, 12, tzinfo=UTC); "
        "rows = [chunk.records for chunk in FeedDecoder(FEED).decode(data, FileFacts('utf-8', b''), now)]; "
        "assert rows == [2], rows; assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# -- properties ----------------------------------------------------------------------------------


def reference(data: bytes) -> Decoded:
    """The rows and rejects of the text below a header, found one character at a time."""
    rows: list[tuple[object, ...]] = []
    rejects: list[RefusedRecord] = []
    text = data + b"\n" if not data.endswith(b"\n") else data
    at, line = 0, 2
    while at < len(text):
        newline = text.index(b"\n", at)
        raw, after, fields = text[at:newline].removesuffix(b"\r"), newline + 1, None
        too_long = newline - at > splitting.MAX_LINE_BYTES
        if too_long or raw.strip(b" \t"):
            split = None if too_long else reference_record(text, at, newline)
            if split is not None and not (split[1] - 1 > newline and reference_holds_rows(split[0])):
                fields, after = split
                raw = text[at : after - 1].removesuffix(b"\r")
            problem = reference_verdict(raw, fields, too_long)
            if isinstance(problem, Fault):
                rejects.append(
                    RefusedRecord(line, raw[: feed_decoding.MAX_RAW_BYTES], problem.reason, problem.column)
                )
            else:
                rows.append((*problem, line))
        line += text.count(b"\n", at, after)
        at = after
    return Decoded(rows, rejects)


def reference_record(text: bytes, start: int, newline: int) -> tuple[list[bytes], int] | None:
    """A state machine over the characters of RFC 4180."""
    fields, field, state = [], b"", "start"
    for at in range(start, min(len(text), max(newline + 1, start + splitting.MAX_SPAN_BYTES))):
        char = text[at : at + 1]
        ends_line = char == b"\n" or (char == b"\r" and text[at + 1 : at + 2] == b"\n")
        if state == "quoted":
            if char == b'"':
                state = "after quote"
            else:
                field += char
        elif char == b'"' and state == "start":
            state = "quoted"
        elif char == b'"' and state == "after quote":
            field, state = field + char, "quoted"
        elif char == b"," or char == b"\n":
            fields.append(field)
            field, state = b"", "start"
            if char == b"\n":
                return fields, at + 1
            if at >= newline and len(fields) >= splitting.MAX_SPAN_FIELDS:
                return None
        elif ends_line:
            state = "line end"
        elif char == b'"' or state == "after quote":
            return None
        else:
            field, state = field + char, "plain"
    return None


def reference_holds_rows(fields: list[bytes]) -> bool:
    """Whether a line below the first of a field has, in their places, values of two columns."""
    lines = [
        line for field in fields if b"\n" in field for line in field.replace(b"\r", b"\n").split(b"\n")[1:]
    ]
    return any(sum(map(reference_converts, COLUMN_NAMES, line.split(b","))) >= 2 for line in lines)


def reference_converts(name: str, text: bytes) -> bool:
    """Whether a good row is not worse for this value, but for the rule that spans columns."""
    if name == "product_id" or not text:
        return False
    row = {**GOOD, name: text.decode(errors="replace")}
    problem = judged([row[column] for column in COLUMN_NAMES], datetime(9999, 1, 1, tzinfo=UTC))
    return not isinstance(problem, Fault) or problem.reason in (
        Reason.MUST_BE_ABSENT,
        Reason.REQUIRED,
    )


def reference_verdict(raw: bytes, fields: list[bytes] | None, too_long: bool) -> Fault | tuple[object, ...]:
    if too_long:
        return Fault(Reason.ROW_TOO_LONG)
    if 0 in raw:
        return Fault(Reason.NUL_BYTE)
    if raw.decode(errors="ignore").encode() != raw:
        return Fault(Reason.INVALID_UTF8)
    if fields is None:
        return Fault(Reason.UNBALANCED_QUOTES)
    return judged([field.decode() for field in fields], NOW)


VARIANTS: dict[str, list[str]] = {
    "event_id": [UUID, UUID.upper(), UUID[:-1], UUID + "0", UUID.replace("-", "_"), "{" + UUID + "}", ""],
    "user_id": [
        "1",
        "1000",
        "0",
        "007",
        "-3",
        "+3",
        "1.0",
        " 7",
        "\u0663",
        "9" * 18,
        "9" * 19,
        "9" * 5_000,
        "",
    ],
    "product_id": ["PROD1000", "é", "a b", "x\ry", "\u2028", ""],
    "event_type": ["view", "purchase", "add_to_cart", "View", "views", "vie", ""],
    "event_time": [
        "2026-02-28 23:59:59.123456",
        "2026-02-28T23:59:59",
        "2026-02-28T23:59:59Z",
        "2026-02-28T23:59:59.5-00:30",
        "2026-02-28T23:59:59.123+23:59",
        "2026-02-28T23:59:59.123456-24:00",
        "2026-02-28T23:59:59+01:60",
        "2026-02-30 00:00:00",
        "2026-00-10 00:00:00",
        "2026-13-10 00:00:00",
        "2026-01-00 00:00:00",
        "2026-01-01 24:00:00",
        "2026-01-01 23:60:00",
        "2026-01-01 23:59:60",
        "2026-01-01_23:59:00",
        "2300-01-01 00:00:00",
        "1969-01-01 00:00:00",
        "0001-01-01 00:00:00+23:59",
        "2026-03-02 13:00:00+01:00",
        "2026-03-02 12:59:59.999999+01:00",
        "2026-03-02 12:00:00.000001",
        "2026-02-28 23:59",
        "",
    ],
    "price": ["", "10.50", "10", "10.", "10.5", ".5", "1..2", "1.2.3", "-1.00", "0", "0.00", "0.009", "1e2"]
    + [
        "99999999.99",
        "999999999.9",
        "100000000.00",
        "123456789012",
        "12.345",
        "12.340",
        "nan",
        "-INF",
        "1,5",
    ],
    "category": ["Books", "Toys", "books", "Book", "Bookss", ""],
    "user_device": ["Mobile", "Tablet", "tablet", ""],
    "user_location": ["DE", "US", "de", "ZZ", "D", "DEU", ""],
}
GOOD = {"event_id": UUID, "user_id": "7", "product_id": "P", "event_type": "view", "price": ""} | {
    "event_time": "2026-01-01 00:00:00",
    "category": "Toys",
    "user_device": "Mobile",
    "user_location": "DE",
}

# Rows are mostly good but for a column or two, else nearly all would fail on the first rule.
values = st.builds(
    lambda changes: {**GOOD, **changes},
    st.fixed_dictionaries({}, optional={name: st.sampled_from(texts) for name, texts in VARIANTS.items()}),
)
quoting = st.sampled_from(
    ["{}"] * 6 + ['"{}"'] * 3 + ['"{}', '{}"', '"{}"x', 'a"{}"', '"a\n{}"', '"{}""\r\n"']
)
rows = st.builds(
    lambda fields, quotes: ",".join(
        quote.format(text) for text, quote in zip(fields.values(), quotes, strict=True)
    ).encode(),
    values,
    st.one_of(st.just(["{}"] * 9), st.just(['"{}"'] * 9), st.lists(quoting, min_size=9, max_size=9)),
)
dirt = st.sampled_from(
    [
        b"",
        b" \t",
        b"\r",
        b"a,b",
        b",",
        b",,,,,,,,",
        b",,,,,,,,,",
        b'"',
        b'""',
        b'"""',
        b'","',
        b'"\n',
        b'",\n"',
        b'"\n' + UUID.encode(),
        b'"\nx,7,x,view',
        VIEW.replace("PROD1000", '"').encode(),
        VIEW.replace("PROD1000", 'a"').encode(),
    ]
    + [
        b"\0",
        b"\xff",
        b'"\xff',
        b'"a\n\0"',
        b"\xe2\x80",
        b'x"',
        b'"a" ',
        b"\xef\xbb\xbf",
        b'""""',
        b"x" * 500,
    ]
)
line_ends = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r"])
bodies = st.builds(
    lambda lines, cut: b"".join(line + end for line, end in lines)[: None if cut is None else -cut],
    st.lists(st.tuples(st.one_of(rows, rows, rows, dirt), line_ends), max_size=12),
    st.one_of(st.none(), st.integers(1, 5)),
)
any_bytes = st.one_of(st.binary(max_size=300), st.lists(st.sampled_from([*b'",\n\r\0\xc3 a'])).map(bytes))
chunk_sizes = st.sampled_from([1, 7, 64, 200, 1_000, 1 << 20])


@given(any_bytes, chunk_sizes)
@examples(300)
def test_any_bytes_decode_like_the_reference(body: bytes, chunk_bytes: int) -> None:
    assert decoded(file_of() + body, chunk_bytes) == reference(body)


@given(bodies, chunk_sizes)
@example(b"\r", 1)
@examples(300)
def test_dirty_files_decode_like_the_reference(body: bytes, chunk_bytes: int) -> None:
    assert decoded(file_of() + body, chunk_bytes) == reference(body)


@given(bodies, chunk_sizes)
@examples(300)
def test_the_bounds_of_lines_and_records(body: bytes, chunk_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed_decoding, "MAX_RAW_BYTES", 100)
        patch.setattr(splitting, "MAX_LINE_BYTES", 300)
        patch.setattr(splitting, "MAX_SPAN_BYTES", 200)
        patch.setattr(splitting, "MAX_SPAN_FIELDS", 12)
        assert decoded(file_of() + body, chunk_bytes) == reference(body)


@given(st.lists(values, min_size=1, max_size=20))
@examples(150)
def test_the_vectorised_and_the_tolerant_path_agree(records: list[dict[str, str]]) -> None:
    data = file_of(*[",".join(record.values()) for record in records])
    assert decoded(data) == decoded(data, one_by_one=True)


@pytest.mark.parametrize("seed", range(20))
def test_the_paths_agree_on_rows_with_single_characters_changed(seed: int) -> None:
    rng = random.Random(seed)
    lines = []
    for _ in range(200):
        line = bytearray(rng.choice([VIEW, CART]).encode())
        line[rng.randrange(len(line))] = rng.choice(b"0123456789abfAFzZ+-.: T,\x7f\"/;@`{'")
        lines.append(bytes(line))
    data = file_of(*lines)
    assert decoded(data) == decoded(data, one_by_one=True)
