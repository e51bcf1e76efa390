"""Ids and numbers of rows that have no key of their own."""

from __future__ import annotations

import uuid

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ecom_platform.feeds.row_ids import (
    content_form,
    content_form_of,
    hash_of,
    hashes,
    numbered,
    of_places,
    row_ids,
    texts_of,
)

fields = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["\x1f", "\x1b", "\x1bs", ""]
)
rows = st.lists(st.tuples(fields, fields, fields), min_size=1, max_size=30)


@hypothesis_settings(deadline=None)
@given(rows)
def test_different_rows_have_different_forms(found: list[tuple[str, str, str]]) -> None:
    forms = content_form([pa.array(column) for column in zip(*found, strict=True)]).to_pylist()
    assert len(set(forms)) == len(set(found))
    assert [form.encode() for form in forms] == [content_form_of(row) for row in found]


@hypothesis_settings(deadline=None)
@given(rows)
def test_both_ways_give_the_same_hash(found: list[tuple[str, str, str]]) -> None:
    names = ["a", "b", "c"]
    forms = content_form([pa.array(column) for column in zip(*found, strict=True)])
    together = hashes(texts_of(forms), names)
    assert [row.tobytes() for row in together] == [hash_of(content_form_of(row), names) for row in found]
    assert hash_of(b"x", ["a"]) != hash_of(b"x", ["b"])


def test_numbered_ones_differ_from_the_first_and_from_each_other() -> None:
    same = np.zeros((4, 16), dtype=np.uint8)
    ids = numbered(same, np.arange(4))
    assert len({row.tobytes() for row in ids}) == 4
    assert ids[0].tobytes() == bytes(16)


def test_places_are_of_a_file() -> None:
    lines = np.arange(1, 100_001)
    one, other = of_places(b"one", lines), of_places(b"other", lines)
    assert len({row.tobytes() for row in np.concatenate([one, other])}) == 200_000
    assert (of_places(b"one", lines[5:]) == one[5:]).all()


@hypothesis_settings(deadline=None)
@given(st.lists(st.integers(-(10**12), 2**47), min_size=1, max_size=20))
def test_an_id_begins_with_the_time(milliseconds: list[int]) -> None:
    hashed = np.full((len(milliseconds), 16), 0xFF, dtype=np.uint8)
    ids = [uuid.UUID(bytes=found) for found in row_ids(hashed, np.array(milliseconds)).to_pylist()]
    assert [found.int >> 80 for found in ids] == [max(value, 0) for value in milliseconds]
    assert {(found.version, found.variant) for found in ids} == {(8, uuid.RFC_4122)}


def test_the_form_of_an_id_does_not_change() -> None:
    """Rows that are stored are known by it for ever."""
    forms = content_form([pa.array(["view"]), pa.array(["17"])])
    (found,) = row_ids(
        numbered(hashes(texts_of(forms), ["event", "visitor"]), np.array([2])), np.array([1_700_000_000_123])
    ).to_pylist()
    assert str(uuid.UUID(bytes=found)) == "018bcfe5-687b-8704-826f-5cd7ef0021bd"
