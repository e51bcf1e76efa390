"""The encoding of a file: what is decided by its bytes, and what is given of it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.files.encoding import MixedEncoding, Recoded, counted, decide

BOTH = ("utf-8", "cp1252")


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "utf-8"),
        (b"ascii alone\n", "utf-8"),
        ("Köln, Ärger\n".encode(), "utf-8"),
        ("Köln, Ärger\n".encode("cp1252"), "cp1252"),
        ("Köln, Ärger, üben\n".encode() + b"\xe9\n", "utf-8"),
        ("€ 5\n".encode("cp1252"), "cp1252"),
    ],
)
def test_it_is_told_by_the_bytes(content: bytes, encoding: str) -> None:
    assert decide(io.BytesIO(content), BOTH) == encoding


def test_one_made_of_two_is_nobodys() -> None:
    with pytest.raises(MixedEncoding, match="1 characters are UTF-8 and 2 bytes are not"):
        decide(io.BytesIO("ü\n".encode() + b"\xe9\n\xe8\n"), BOTH)


def test_where_there_is_no_choice_nothing_is_read() -> None:
    assert decide(io.BytesIO(b"\xff"), ("utf-8",)) == "utf-8"
    assert decide(io.BytesIO("ü".encode()), ("cp1252",)) == "cp1252"


@given(st.text(max_size=50), st.binary(max_size=5))
def test_counted_as_python_counts(text: str, rest: bytes) -> None:
    content = text.encode("utf-8", "ignore") + rest
    decoded = content.decode("utf-8", "surrogateescape")
    invalid = sum("\udc80" <= character <= "\udcff" for character in decoded)
    valid = sum(ord(character) >= 0x80 for character in decoded) - invalid
    assert counted(io.BytesIO(content)) == (valid, invalid)


@given(st.text("aäß€\n;", max_size=200), st.integers(1, 7))
def test_all_of_it_is_given_as_utf8(text: str, size: int) -> None:
    stream = io.BufferedReader(Recoded(io.BytesIO(text.encode("cp1252")), "cp1252"), size)
    assert stream.read() == text.encode()


def test_a_byte_that_is_no_character_stays_and_is_no_utf8() -> None:
    assert Recoded(io.BytesIO(b"a\x81b"), "cp1252").read() == b"a\x81b"
