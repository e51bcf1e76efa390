"""What is read of a file to find out what it is: all of it, or its beginning and places after it.

Belongs here: which bytes, as whole lines. Does not belong here: what they say.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

from ecom_platform.files.content_kinds import ContentKind, OtherContentError, content_kind
from ecom_platform.files.encoding import UTF8, counted
from ecom_platform.files.heads import read_head
from ecom_platform.files.opening import open_events
from ecom_platform.files.unpacking import LOOKED_AT_BYTES, is_packed
from ecom_platform.files.unreadable import FileReason, UnreadableFile

WHOLE_BYTES = 64 << 20
_HEAD_BYTES = 1 << 16
_BEGINNING_BYTES = 1 << 20
_PLACES, _PLACE_BYTES = 15, 1 << 16
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Sample:
    """Whole lines of a file, unpacked, without a byte-order mark; ``whole``: all of them. ``size`` counts the
    bytes of the file as it lies on disk; ``places`` are where in ``data`` its pieces begin."""

    path: Path
    data: bytes
    whole: bool
    size: int
    encoding: str
    places: tuple[int, ...] = (0,)
    packed: bool = False

    @property
    def described(self) -> str:
        """How much was read, as a person says it."""
        if self.whole:
            return f"{self.path.name}: all of it"
        if self.packed:
            return f"{self.path.name}: its first {len(self.data):,} bytes, unpacked"
        return f"{self.path.name}: {len(self.data):,} of its {self.size:,} bytes"

    @property
    def pieces(self) -> list[bytes]:
        """What was read in one go each: the beginning, and the places after it."""
        return [self.data[begin:end] for begin, end in pairwise((*self.places, len(self.data)))]

    def with_pieces(self, pieces: Sequence[bytes]) -> Sample:
        """With other parts of the file."""
        return replace(self, data=b"".join(pieces), places=_places(pieces))


def take_sample(path: Path, expected: ContentKind | None = None) -> Sample:
    """Read what is read of ``path``, which is separated text or of the kind ``expected``.

    Raises :class:`OtherContentError`, :class:`UnreadableFile`, OSError.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        pieces = []
        packed = is_packed(os.pread(file.fileno(), LOOKED_AT_BYTES, 0))
        if packed:
            data, whole = _unpacked(path)
            data = file.read(_HEAD_BYTES) if data is None else data
        elif size <= WHOLE_BYTES:
            data, whole = file.read(), True
        else:
            whole = False
            pieces = [_until_line_end(file.read(_BEGINNING_BYTES))]
            step = (size - _BEGINNING_BYTES) // _PLACES
            for number in range(1, _PLACES + 1):
                file.seek(_BEGINNING_BYTES + number * step - _PLACE_BYTES)
                piece = file.read(_PLACE_BYTES)
                pieces.append(_until_line_end(piece[piece.find(b"\n") + 1 :]))
            data = b""
    pieces = pieces or [data]
    kind = content_kind(pieces[0][:_HEAD_BYTES])
    if kind is not None and kind != expected:
        raise OtherContentError(path.name, kind)
    pieces[0] = pieces[0].removeprefix(_BOM)
    data = b"".join(pieces)
    return Sample(path, data, whole, size, _encoding(path, data), _places(pieces), packed)


def _places(pieces: Sequence[bytes]) -> tuple[int, ...]:
    return (0, *accumulate(len(piece) for piece in pieces[:-1]))


def _until_line_end(piece: bytes) -> bytes:
    return piece[: piece.rfind(b"\n") + 1]


def _unpacked(path: Path) -> tuple[bytes | None, bool]:
    """As much of a packed file as is read of one that is not; nothing of several files in one."""
    try:
        with open_events(path.resolve()) as source:
            data = source.stream.read(WHOLE_BYTES + 1)
    except UnreadableFile as error:
        if error.reason is FileReason.NOT_ONE_MEMBER:
            return None, False
        raise
    whole = len(data) <= WHOLE_BYTES
    return (data if whole else _until_line_end(data)), whole


def _encoding(path: Path, data: bytes) -> str:
    """UTF-8 where it is that, else what Windows writes in the west, else its older brother, which any bytes
    are in."""
    if data.isascii():
        return UTF8
    valid, invalid = counted(io.BytesIO(data))
    if not invalid or valid > invalid:
        return UTF8
    if valid:
        said = f"{valid:,} characters are UTF-8 and {invalid:,} bytes are not: it is made of two encodings"
        raise UnreadableFile(FileReason.MIXED_ENCODING, f"{path.name}: {said}")
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "iso-8859-1"
    return "cp1252"


def unlike(path: Path) -> ContentKind | None:
    """What a file is that is no separated text; ``None`` where it may be that, or cannot be read."""
    try:
        head = read_head(path.resolve(), 0)
    except (OSError, UnreadableFile):
        return None
    return None if head.damaged else content_kind(head.data)
