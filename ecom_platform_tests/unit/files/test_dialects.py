"""Lines of any dialect: the splitter against a reference that goes byte by byte."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecom_platform.feeds.feed import Dialect
from ecom_platform.files.splitting import Block, BlockReader, Grammar
from ecom_platform_tests import feed_reference
from ecom_platform_tests.examples import examples

DIALECTS = {
    "comma": Dialect(),
    "semicolon": Dialect(delimiter=";"),
    "tab, no quote": Dialect(delimiter="\t", quote=None),
    "pipe, apostrophe": Dialect(delimiter="|", quote="'"),
    "space": Dialect(delimiter=" "),
    "MySQL": Dialect(delimiter="\t", escape="\\"),
    "comma, escaped, no quote": Dialect(quote=None, escape="\\"),
}
Found = list[tuple[int, tuple[bytes, ...] | None]]


def split(content: bytes, dialect: Dialect, width: int, block_bytes: int, *, one_by_one: bool) -> Found:
    grammar = Grammar(
        width, dialect.delimiter.encode(), (dialect.quote or "").encode(), (dialect.escape or "").encode()
    )
    reader = BlockReader(io.BytesIO(content), grammar, block_bytes, lambda line: False, one_by_one=one_by_one)
    return sorted((record for block in reader for record in records_of(block)), key=lambda record: record[0])


def records_of(block: Block) -> Iterator[tuple[int, tuple[bytes, ...] | None]]:
    for at, line in enumerate(block.plain.tolist()):
        bounds = zip(block.field_begins[:, at].tolist(), block.field_ends[:, at].tolist(), strict=True)
        yield block.first_line + line, tuple(block.data[begin:end] for begin, end in bounds)
    for record in block.records:
        yield record.line, record.fields


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_as_the_reference_splits(name: str, one_by_one: bool) -> None:
    dialect = DIALECTS[name]
    marks = (
        dialect.delimiter * 4 + (dialect.quote or "") * 2 + (dialect.escape or "") + "\n\n\r\"'\\ \tab;N0\0"
    )

    @examples(200)
    @given(st.text(marks, max_size=60), st.integers(1, 4), st.integers(1, 80))
    @example('a"b\n"c""d"\n', 1, 5)
    def check(text: str, width: int, block_bytes: int) -> None:
        content = text.encode()
        expected = feed_reference.records(content, dialect)
        found = split(content, dialect, width, block_bytes, one_by_one=one_by_one)
        assert found == expected, content

    check()


@pytest.mark.parametrize("width", [79, 131, 600])
def test_no_line_is_looked_at_by_itself_for_its_width_alone(width: int) -> None:
    line = b"\t".join(b"%d" % number for number in range(width)) + b"\n"
    blocks = [*BlockReader(io.BytesIO(line * 100), Grammar(width, b"\t", b""), 1 << 20, lambda _: False)]
    assert sum(len(block.plain) for block in blocks) == 100
    assert sum(len(block.records) for block in blocks) == 0


def test_a_wide_record_may_span_lines() -> None:
    line = b",".join([b'"first\nsecond"'] + [b"x"] * 130) + b"\n"
    (block,) = BlockReader(io.BytesIO(line), Grammar(131), 1 << 20, lambda _: False)
    (record,) = block.records
    assert record.fields == (b"first\nsecond", *[b"x"] * 130)
