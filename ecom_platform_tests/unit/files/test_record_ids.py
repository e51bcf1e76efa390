"""By what the rows of a file are known: the same for one line and for a block of them, in any dress."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.feeds.declaring import read_feed
from ecom_platform.files import splitting
from ecom_platform.files.chunks import FileFacts
from ecom_platform.files.feed_decoding import FeedDecoder
from ecom_platform_tests.examples import examples

NOW = datetime(2026, 7, 1, tzinfo=UTC)
NAMES = ("a", "b", "c", "d")
# Marks of the form, what a quote is needed for, and what looks like another field's end.
VALUES = ("", "x", "7", "x\x1f", "\x1b", "\x1bs", "ü", 'say "hi"', ";", "a,b", "\r", "line\nline")
PLAIN = ("", "x", "7", "ü", "much longer than a word")

FEEDS = {
    "content": "columns: {a: text null, b: text null, c: text null}\nextra: ignore\nidentity: content\n",
    "content, extra": "columns: {c: text null, a: text null}\nextra: store\nidentity: content\n",
    "key": "columns: {d: text, b: text, a: text null}\nextra: ignore\nprimary_key: [d, b]\nnumbered: true\n",
    "concat": (
        "columns: {z: {concat: {columns: [c, a], with: ' '}, type: text null}, b: text null}\n"
        "extra: ignore\nidentity: content\n"
    ),
    "position": "columns: {a: text null}\nextra: ignore\nidentity: position\n",
}


@pytest.fixture(autouse=True)
def every_block_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "SMALL_BLOCK_BYTES", 0)


def ids(
    declaration: str, content: str, chunk_bytes: int = 1 << 20, *, one_by_one: bool = False
) -> list[bytes]:
    """Of all rows, in the order of the file."""
    feed, facts = read_feed(declaration, "x.yaml", "x"), FileFacts("utf-8", b"the bytes of the file")
    chunks = FeedDecoder(feed).decode(
        io.BytesIO(content.encode()), facts, NOW, chunk_bytes, one_by_one=one_by_one
    )
    return [found for chunk in chunks for found in chunk.rows["row_id"].to_pylist()]


def written(names: list[str], rows: list[dict[str, str]], quoted: list[bool], ending: str) -> str:
    lines = [",".join(names)]
    for row, all_quoted in zip(rows, quoted, strict=True):
        fields = [row[name] for name in names]
        if all_quoted or any(mark in field for field in fields for mark in ',"\r\n'):
            fields = ['"' + field.replace('"', '""') + '"' for field in fields]
        lines.append(",".join(fields))
    return ending.join(lines) + ending


@pytest.mark.parametrize("values", [VALUES, PLAIN])
@pytest.mark.parametrize("name", FEEDS)
def test_a_line_is_known_by_the_same_among_others_and_alone(name: str, values: tuple[str, ...]) -> None:
    row = st.fixed_dictionaries({column: st.sampled_from(values) for column in NAMES})

    @examples(60)
    @given(
        st.lists(st.tuples(row, st.booleans()), min_size=1, max_size=25),
        st.permutations(NAMES),
        st.sampled_from(["\n", "\r\n"]),
        st.integers(1, 200),
    )
    def check(
        drawn: list[tuple[dict[str, str], bool]], names: list[str], ending: str, chunk_bytes: int
    ) -> None:
        rows, quoted = [one for one, _ in drawn], [is_quoted for _, is_quoted in drawn]
        content = written(names, rows, quoted, ending)
        found = ids(FEEDS[name], content)
        assert found == ids(FEEDS[name], content, one_by_one=True)
        assert found == ids(FEEDS[name], content, chunk_bytes)
        assert len(set(found)) == len(found)
        if name != "position":
            other = written(list(NAMES), rows, [True] * len(rows), "\n")
            assert ids(FEEDS[name], other) == found

    check()


def test_the_id_of_a_line_does_not_change() -> None:
    """Rows that are stored are known by it for ever, whichever way it was found."""
    content = "b,a\n" + "view,17\n" * 3
    pinned = [
        "e59f3a6b95578f90941d0f03bbfaf293",
        "7353319952118200afb18119f17f40e4",
        "984165e16f148c04b3b2d563c95b4602",
    ]
    declaration = "columns: {a: bigint, b: text}\nidentity: content\n"
    for one_by_one in (False, True):
        assert [one.hex() for one in ids(declaration, content, one_by_one=one_by_one)] == pinned
