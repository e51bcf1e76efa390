"""Ids of rows that have no key of their own: 16 bytes each, a UUID of version 8.

Belongs here: by what a row is known, as bytes. Does not belong here: how-manieth a row is among equal ones
(``numbering``), reading files.

Source: RFC 9562, section 5.8, for the version and its variant. With a time, the first 48 bits are its
milliseconds since 1970 (0 for earlier ones and where there is none), so that ids grow with the time and the
key's index at its end; the rest is hash. Without, all of it is. When rows landed is never part of an id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds.places import Array

# Part of all that is hashed: whoever changes the form changes this.
_VERSION = b"ecom row 1"
HASH_BYTES = 16
# Objects that are made together: few enough to stay in the processor's cache.
_ROWS_AT_A_TIME = 8_192
# Between a field and the next; inside a field it is escaped.
BETWEEN, ESCAPE = b"\x1f", b"\x1b"
_BETWEEN, _ESCAPE = BETWEEN.decode(), ESCAPE.decode()


def content_form(fields: Sequence[pa.Array]) -> pa.Array:
    """One text a row, different for different rows: ``fields`` are its columns in canonical order, as
    strings."""
    safe = [_escaped(field) for field in fields]
    return pc.binary_join_element_wise(*safe, _BETWEEN) if len(safe) > 1 else safe[0]


def _escaped(field: pa.Array) -> pa.Array:
    for mark, stands in ((_ESCAPE, _ESCAPE + "e"), (_BETWEEN, _ESCAPE + "s")):
        data = field.buffers()[2]
        # One that is in the buffer and in none of the texts costs time alone.
        if data is not None and data.to_pybytes().find(mark.encode()) >= 0:
            field = pc.replace_substring(field, mark, stands)
    return field


def content_form_of(fields: Iterable[str]) -> bytes:
    """The same of one row."""
    safe = (field.replace(_ESCAPE, _ESCAPE + "e").replace(_BETWEEN, _ESCAPE + "s") for field in fields)
    return _BETWEEN.join(safe).encode("utf-8", "surrogateescape")


def texts_of(forms: pa.Array) -> list[bytes]:
    """Rows in :func:`content_form`, one by one."""
    _, offsets, data = forms.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32, count=len(forms) + 1, offset=4 * forms.offset).tolist()
    text = data.to_pybytes() if data is not None else b""
    return [text[begin:end] for begin, end in pairwise(ends)]


def hashes(forms: Iterable[bytes], names: Sequence[str]) -> Array:
    """The hashes of rows in :func:`content_form`, (n, 16); ``names`` are those of the columns."""
    return _hashed(hashlib.blake2b(digest_size=HASH_BYTES, person=_person(names)), forms)


def _hashed(begun: hashlib.blake2b, texts: Iterable[bytes]) -> Array:
    """The hashes of texts, (n, 16)."""
    found: list[bytes] = []
    # To copy one that has begun takes less than to begin one with its parameters.
    copy, add = begun.copy, found.append
    for text in texts:
        one = copy()
        one.update(text)
        add(one.digest())
    return np.frombuffer(b"".join(found), dtype=np.uint8).reshape(-1, HASH_BYTES)


def hash_of(form: bytes, names: Sequence[str]) -> bytes:
    """The same of one row."""
    return hashlib.blake2b(form, digest_size=HASH_BYTES, person=_person(names)).digest()


@lru_cache(maxsize=64)
def _person_of(names: tuple[str, ...]) -> bytes:
    """What separates rows of these columns from those of others (BLAKE2's personalisation)."""
    text = _VERSION + b"\0" + "\0".join(names).encode()
    return hashlib.blake2b(text, digest_size=hashlib.blake2b.PERSON_SIZE).digest()


def _person(names: Sequence[str]) -> bytes:
    return _person_of(tuple(names))


def numbered(content: Array, numbers: Array) -> Array:
    """Hashes of rows with how-manieth each is among equal ones, from 0."""
    again = np.flatnonzero(numbers)
    if not len(again):
        return content
    result, begun = content.copy(), hashlib.blake2b(digest_size=HASH_BYTES)
    for begin in range(0, len(again), _ROWS_AT_A_TIME):
        rows = again[begin : begin + _ROWS_AT_A_TIME]
        both = np.empty((len(rows), HASH_BYTES + 8), dtype=np.uint8)
        both[:, :HASH_BYTES] = content[rows]
        both[:, HASH_BYTES:] = numbers[rows].astype(">u8").view(np.uint8).reshape(-1, 8)
        result[rows] = _hashed(begun, both.view(f"V{HASH_BYTES + 8}").ravel().tolist())
    return result


def of_places(fingerprint: bytes, lines: Array) -> Array:
    """Hashes, (n, 16), of rows that are known by their file's ``fingerprint`` and where they begin."""
    base = hashlib.blake2b(_VERSION + b"\0place\0" + fingerprint, digest_size=HASH_BYTES).digest()
    high, low = (int.from_bytes(part, "big") for part in (base[:8], base[8:]))
    # One to one on the lines of a file, and spread over all 64 bits (splitmix64).
    mixed = lines.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(low)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed = mixed ^ (mixed >> np.uint64(31))
    both = np.empty((len(lines), 2), dtype=">u8")
    both[:, 0], both[:, 1] = np.uint64(high), mixed
    return both.view(np.uint8).reshape(-1, HASH_BYTES)


def row_ids(hashed: Array, milliseconds: Array | None) -> pa.Array:
    """Ids of rows from their hashes, and their times where they have one."""
    ids = hashed.copy()
    if milliseconds is not None:
        clipped = np.clip(milliseconds, 0, (1 << 48) - 1).astype(">u8")
        # The end of a hash of places is what differs within a file, so the time takes the place of its
        # beginning.
        ids[:, :6] = clipped.view(np.uint8).reshape(-1, 8)[:, 2:]
    ids[:, 6] = ids[:, 6] & 0x0F | 0x80
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    return pa.Array.from_buffers(pa.binary(16), len(ids), [None, pa.py_buffer(np.ascontiguousarray(ids))])
