"""The rows of one event in a file: which lines, in which dress, at what cost."""

import gzip
import tracemalloc
import uuid
from pathlib import Path

import pytest

from ecom_platform.oncall import lines
from ecom_platform.oncall.lines import rows_with
from ecom_platform.shop.event import HEADER
from ecom_platform_tests.landing import USER_EVENTS, csv_file, line

KEY = uuid.UUID("abcdef12-3456-4abc-8def-abcdefabcdef")


def found(tmp_path: Path, content: bytes, name: str = "a.csv") -> list[int]:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    rows = list(rows_with(USER_EVENTS, "event_id", path, KEY))
    assert all(row["event_id"][0].as_py() == KEY.bytes for _, row in rows)
    return [number for number, _ in rows]


@pytest.fixture(params=[1, 64, 4 << 20], ids=str)
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few or many pieces, so that lines are cut by them."""
    monkeypatch.setattr(lines, "_BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
class TestWhichLines:
    def test_valid_ones_in_order(self, tmp_path: Path, name: str) -> None:
        ours = line(str(KEY))
        content = csv_file(line(), ours.replace(b"DE", b"XX"), ours, b"", line(), ours.upper(), ours)
        # In capitals the category is none of the known.
        assert found(tmp_path, content, name) == [4, 8]

    def test_an_id_in_capitals_and_no_end_of_the_last_line(self, tmp_path: Path, name: str) -> None:
        assert found(tmp_path, csv_file(line(), line(str(KEY).upper())).rstrip(b"\n"), name) == [3]

    def test_lines_that_end_in_crlf_after_a_bom_and_blank_lines(self, tmp_path: Path, name: str) -> None:
        content = b"\xef\xbb\xbf\n \n" + csv_file(line(), line(str(KEY)))
        assert found(tmp_path, content.replace(b"\n", b"\r\n"), name) == [5]

    def test_values_in_quotes(self, tmp_path: Path, name: str) -> None:
        quoted = b",".join(b'"%s"' % value for value in line(str(KEY)).split(b","))
        assert found(tmp_path, csv_file(quoted.replace(b"PROD", b'a""b,'), quoted), name) == [2, 3]

    def test_a_record_over_several_lines(self, tmp_path: Path, name: str) -> None:
        spanning = line(str(KEY)).replace(b"PROD1000", b'"two\nlines"')
        turned = ",".join(reversed(HEADER.split(","))).encode()
        assert found(tmp_path, csv_file(line(), spanning, line(str(KEY))), name) == [3, 5]
        backwards = b",".join(reversed(spanning.split(b",")))
        assert found(tmp_path, b"\n".join([turned, backwards]), name) == [2]

    def test_the_id_in_another_column(self, tmp_path: Path, name: str) -> None:
        other = line().replace(b"PROD1000", str(KEY).encode())
        assert found(tmp_path, csv_file(other, line(str(KEY))), name) == [3]

    def test_a_line_that_is_too_long(self, tmp_path: Path, name: str) -> None:
        long = line(str(KEY)).replace(b"PROD1000", b"P" * (1 << 20))
        if lines._BLOCK_BYTES > 1:
            assert found(tmp_path, csv_file(long, line(str(KEY))), name) == [3]


@pytest.mark.parametrize("content", [b"", b"x", b"not gzip"])
def test_a_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv.gz").write_bytes(content)
    assert list(rows_with(USER_EVENTS, "event_id", tmp_path / "a.csv.gz", KEY)) == []
    assert list(rows_with(USER_EVENTS, "event_id", tmp_path / "gone.csv", KEY)) == []


@pytest.mark.parametrize(
    "content", [b"%s\n" % line() * 400_000, b"x" * (40 << 20)], ids=["lines", "one line"]
)
def test_a_packed_file_is_not_held_in_memory(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(csv_file(content[:-1], line(str(KEY))), 1))
    tracemalloc.start()
    try:
        found = [number for number, _ in rows_with(USER_EVENTS, "event_id", tmp_path / "a.csv.gz", KEY)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [2 + content[:-1].count(b"\n") + 1]
    assert peak < 32 << 20
