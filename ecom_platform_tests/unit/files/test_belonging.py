"""To which feed a file belongs, and what is said of one that fits none."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecom_platform.catalog import packaged
from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.feed import Feed
from ecom_platform.files import heads
from ecom_platform.files.belonging import Belonging, FeedFinder
from ecom_platform_tests.landing import HEADER, csv_file, line
from ecom_platform_tests.unit.files.test_unpacking import zipped

VISITS = "columns: {time: timestamptz, page: text, visitor: bigint}\nidentity: content\n"
SHOP = """
delimiter: semicolon
skip: 2
encoding: [utf-8, cp1252]
columns: {size: {from: größe, type: text}, preis: "numeric(10,2)"}
identity: content
"""


def feed(name: str, text: str) -> Feed:
    return read_feed(text.encode(), f"{name}.yaml", name)


def belonging(folder: Path, content: bytes | str, name: str = "a.csv", **feeds: str) -> Belonging:
    """Of a file among the packaged feeds, ``visits`` and ``feeds``."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    declared = {"visits": VISITS, **feeds}
    return FeedFinder(
        [*packaged().values(), *(feed(name, text) for name, text in declared.items())]
    ).feed_of_file(path)


def said(found: Belonging) -> str:
    assert found.feed is None and found.misfit is not None
    return found.misfit.said


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (csv_file(line()), "user_events"),
        (b"\n \n\xef\xbb\xbf"[:3] + csv_file(line()), "user_events"),
        (b"\xef\xbb\xbf" + csv_file(), "user_events"),
        (HEADER.encode(), "user_events"),
        ("visitor, time ,page\n1,2,3\n", "visits"),
        ('"page","time","visitor"\r\n', "visits"),
        ("title\n\n\ngröße;preis\n1;2\n", "shop"),
        ("title\nmore\ngröße;preis\n1;2\n".encode("cp1252"), "shop"),
    ],
)
def test_its_header_says_so(tmp_path: Path, content: bytes | str, expected: str) -> None:
    assert belonging(tmp_path, content, shop=SHOP) == Belonging(expected)


@pytest.mark.parametrize(
    "content", [b"", b"\xef\xbb\xbf\n \n", b"time,pag", b"{not,json", HEADER.encode()[:-3], b"7,2026-01-02"]
)
def test_what_is_empty_or_cut_off_is_set_aside_by_whoever_loads_it(tmp_path: Path, content: bytes) -> None:
    assert belonging(tmp_path, content) == Belonging("user_events")


def test_packed_files(tmp_path: Path) -> None:
    visits = b"time,page,visitor\n" + b"2026-01-02,home,%d\n" % 7 * 100_000
    whole = gzip.compress(visits)
    assert belonging(tmp_path, whole, "a.csv.gz") == Belonging("visits")
    # Its header can be read all the same.
    assert belonging(tmp_path, whole[:-20], "b.csv.gz") == Belonging("visits")
    for damaged in (whole[:5], gzip.compress(b"a,b\n1,2\n")[:-9]):
        assert belonging(tmp_path, damaged, "c.csv.gz") == Belonging("user_events")
    assert said(belonging(tmp_path, gzip.compress(b"[{}]\n[{}]\n"), "d.csv.gz")) == "it is JSON"
    # The name does not say how it is packed.
    assert belonging(tmp_path, whole, "e.csv") == Belonging("visits")
    assert belonging(tmp_path, visits, "f.csv.gz") == Belonging("visits")
    assert belonging(tmp_path, zipped(("a.csv", visits)), "g.zip") == Belonging("visits")
    assert belonging(tmp_path, zipped(("a.csv", visits))[:-9], "h.zip") == Belonging("user_events")


def test_what_cannot_be_opened_is_left_to_whoever_loads_it(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to("/etc/hostname")
    finder = FeedFinder([feed("visits", VISITS)])
    for name in ("gone.csv", "folder.csv", "link.csv"):
        assert finder.feed_of_file(tmp_path / name) == Belonging("user_events")


def test_one_that_needs_no_extra_column_beats_those_that_do(tmp_path: Path) -> None:
    content = "time,page,visitor,more\n"
    wide = VISITS + "extra: ignore\n"
    assert belonging(tmp_path, content, wide=wide) == Belonging("wide")
    exact = VISITS.replace("bigint}", "bigint, more: text}")
    assert belonging(tmp_path, content, wide=wide, exact=exact) == Belonging("exact")
    also_wide = wide.replace("ignore", "store")
    assert said(belonging(tmp_path, content, wide=wide, also=also_wide)) == (
        "its header fits the feeds wide and also equally well"
    )
    # Without the column nobody needs extra ones.
    found = belonging(tmp_path, "time,page,visitor\n", wide=wide)
    assert found.misfit is not None and found.misfit.feeds == ("visits", "wide")


def test_a_feed_all_of_whose_columns_may_be_missing_takes_no_stranger(tmp_path: Path) -> None:
    loose = "columns: {a: text null, b: text null}\nmissing: null\nextra: ignore\nidentity: content\n"
    assert belonging(tmp_path, "b,other\n", loose=loose) == Belonging("loose")
    assert belonging(tmp_path, "c,other\n", loose=loose).feed is None


def parquet(*names: str) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({name: ["x"] for name in names}), file)
    return file.getvalue()


def test_columns_of_parquet_have_names(tmp_path: Path) -> None:
    typed = "format: parquet\ncolumns: {a: text, b: text null}\nmissing: null\nidentity: content\n"
    more = typed.replace("columns: {", "extra: ignore\ncolumns: {c: text, ")
    assert belonging(tmp_path, parquet("b", "a"), typed=typed, more=more) == Belonging("typed")
    assert belonging(tmp_path, parquet("a", "b", "c", "d"), typed=typed, more=more) == Belonging("more")
    # Not by the declaration of another format.
    found = belonging(tmp_path, parquet("time", "page", "visitor"), typed=typed)
    assert said(found) == "it is a Parquet file, and its columns (time, page, visitor) are those of no feed"
    assert belonging(tmp_path, parquet("a", "b")[:-20], typed=typed) == Belonging("user_events")
    assert belonging(tmp_path, "a,b\n1,2\n", typed=typed).feed is None


def test_feeds_without_a_header_take_nothing_here(tmp_path: Path) -> None:
    bare = "header: false\ncolumns: {a: text, b: text}\nidentity: content\n"
    assert belonging(tmp_path, "a,b\n1,2\n", bare=bare).feed is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"id": 1}\n{"id": 2}\n', "it is JSON, an object a line"),
        (zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")), "it is an Excel file"),
        (zipped(("a.csv", b""), ("b.csv", b"")), "it is a zip that has not exactly one file in it"),
        ("a,b\n1,2\n".encode("utf-16"), "it is text in UTF-16LE"),
        (b"\0\1\2\3" * 100 + b"\n", "it is no text"),
        ("time\tpage\tvisitor\n1\t2\t3\n", "visits: it is separated by tabs, and the feed by commas"),
        ("time;page;session\n", "visits: visitor missing; session not declared; it is separated by semicol"),
        ("time,page\n1,2\n", "its header is that of no feed; the nearest is visits: visitor missing"),
        ("time,page,visitor,page\n", "visits: page more than once"),
        ("time,page,visitor,4711-secret\n", "visits: 1 that are no names by the look of them not declared"),
        ("time,page,\"visitor\n", "the nearest is visits"),
        ("17,anna@example.org,42\n18,x,3\n", "its first line has 3 fields separated by commas, and is no"),
        ("order id\torder date\n", "its header has 2 fields separated by tabs (order id, order date)"),
        ("home,Anna Secret,page\n1,2,3\n", "its first line has 3 fields separated by commas, and is no "),
        ("just a line\nand another\n", "its first line has one field, and is no header by the look of it"),
        ("größe\n".encode("cp1252"), "its first line has one field, and is no header by the look of it"),
        ("preis;größe\n1;2\n", "there are 2 lines above its header by the declaration"),
    ],
)  # fmt: skip
def test_what_is_said_of_others(tmp_path: Path, content: bytes | str, expected: str) -> None:
    found = belonging(tmp_path, content, shop=SHOP)
    assert expected in said(found)
    assert "secret" not in said(found).lower() and "anna" not in said(found)


def test_of_a_wide_feed_some_columns_are_named(tmp_path: Path) -> None:
    columns = ", ".join(f"c{number}: text" for number in range(131))
    found = belonging(tmp_path, "c1,c2\n1,2\n", wide=f"columns: {{{columns}}}\nidentity: content\n")
    assert "c0, c3, c4" in said(found) and said(found).endswith(" and 117 more missing")


def test_no_more_is_read_than_the_header_needs(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 1_000_000)
    assert len(heads.read_head(path, 0).data) < 20_000
    path.write_bytes(b"\n" * 3_000_000 + b"a,b\n")
    head = heads.read_head(path, 0)
    assert head.is_empty and not head.whole and len(head.data) < 1_200_000
