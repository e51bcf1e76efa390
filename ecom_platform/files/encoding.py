"""The encoding of a file, where its declaration names others than UTF-8.

Belongs here: deciding, and giving all of it as UTF-8. Does not belong here: what is in the text.

A file whose valid sequences of several bytes outnumber its invalid bytes is UTF-8, and the bad ones make
rejects. Where all are invalid, it is in the next encoding of the list. Where both occur and it is not
mostly UTF-8, nobody can tell: the file as a whole is refused. A file that is ASCII alone is all of them.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK_BYTES = 1 << 20
UTF8 = "utf-8"


class MixedEncoding(ValueError):  # noqa: N818 (a finding, not a fault)
    """Some of a file is UTF-8 and at least as much of it is not."""


def decide(stream: BinaryIO, encodings: Sequence[str]) -> str:
    """The encoding of ``stream``, which is read to its end if need be. Raises :class:`MixedEncoding`."""
    if UTF8 not in encodings or len(encodings) == 1:
        return encodings[0]
    valid, invalid = counted(stream)
    if invalid == 0 or valid > invalid:
        return UTF8
    if valid:
        raise MixedEncoding(
            f"{valid:,} characters are UTF-8 and {invalid:,} bytes are not: it is made of two encodings"
        )
    return next(name for name in encodings if name != UTF8)


def counted(stream: BinaryIO) -> tuple[int, int]:
    """Characters of several bytes, and bytes that are of none, by the rules of UTF-8."""
    decoder = codecs.getincrementaldecoder(UTF8)("surrogateescape")
    valid = invalid = 0
    at_end = False
    while not at_end:
        block = stream.read(_BLOCK_BYTES)
        at_end = not block
        text = decoder.decode(block, at_end)
        if not text.isascii():
            codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
            escaped = int(((codes >= 0xDC80) & (codes <= 0xDCFF)).sum())
            invalid += escaped
            valid += int((codes >= 0x80).sum()) - escaped
    return valid, invalid


class Recoded(io.RawIOBase):
    """A stream of another encoding as UTF-8. Bytes that the encoding has no character for stay, and are no
    UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        self._ready = b""
        self._at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while not self._ready and not self._at_end:
            block = self._stream.read(max(len(view), 4_096))
            self._at_end = not block
            text = self._decoder.decode(block, self._at_end)
            self._ready = text.encode(UTF8, "surrogateescape")
        piece, self._ready = self._ready[: len(view)], self._ready[len(view) :]
        view[: len(piece)] = piece
        return len(piece)
