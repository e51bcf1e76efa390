"""Opening a file of events: the text in it, and the fingerprint of its bytes as they lie on disk.

Belongs here: what is opened and what is not, and the first line. Does not belong here: unpacking
(``unpacking``), what the text means (``feed_decoding`` and other readers).
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ecom_platform.files.content_kinds import PARQUET
from ecom_platform.files.unpacking import LOOKED_AT_BYTES, unpacked
from ecom_platform.files.unreadable import FileReason, UnreadableFile

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

    from _typeshed import WriteableBuffer

MAX_HEADER_BYTES = 1 << 16

_READ_BYTES = 1 << 20
_SMALL_READ_BYTES = 1 << 14
_BOM = b"\xef\xbb\xbf"


class EventFile:
    """An open file of events: its text, and the fingerprint of its bytes as they lie on disk."""

    def __init__(self, raw: io.FileIO) -> None:
        self._hashing = _HashingReader(raw)
        # Buffered in large pieces, since every piece is hashed by itself.
        in_order = cast(BinaryIO, io.BufferedReader(self._hashing, buffer_size=_READ_BYTES))
        beginning = os.pread(raw.fileno(), LOOKED_AT_BYTES, 0)
        anywhere = cast(BinaryIO, io.BufferedReader(Anywhere(raw), _SMALL_READ_BYTES))
        whole = beginning == PARQUET
        self.stream = anywhere if whole else unpacked(beginning, in_order, anywhere)

    def sha256(self) -> str:
        """The digest of the whole file, whose rest is read if need be; as 64 hexadecimal digits."""
        return self._hashing.finish().hexdigest()

    @property
    def size(self) -> int:
        """The number of bytes of the whole file, whose rest is read if need be."""
        self._hashing.finish()
        return self._hashing.size


@contextmanager
def open_events(path: Path) -> Iterator[EventFile]:
    """Open a file of events; one that is packed, by its content, is unpacked on the way. Of Parquet the
    stream can seek.

    Raises :class:`UnreadableFile` for what is no regular file, and :class:`OSError`.
    """
    with io.FileIO(path, "rb", opener=open_regular) as raw:
        yield EventFile(raw)


def open_regular(path: str, flags: int) -> int:
    """A descriptor of a regular file. Whoever could write in the landing folder may have put something
    else in its place since it was looked at: a link would lay its target open, a pipe would hold us up.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in _NOT_OPENED:
            raise UnreadableFile(FileReason.NOT_A_FILE, _NOT_OPENED[error.errno]) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFile(FileReason.NOT_A_FILE, "a folder, a pipe or a device")
    return descriptor


_NOT_OPENED = {errno.ELOOP: "a symbolic link", errno.ENXIO: "a socket or a device"}


class _HashingReader(io.RawIOBase):
    """Passes the bytes of a file on and takes their fingerprint in passing."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__()
        self._raw = raw
        self._digest = hashlib.sha256()
        self._at_end = False
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        count = self._raw.readinto(view)
        self._digest.update(view[:count])
        self.size += count
        self._at_end = count == 0
        return count

    def finish(self) -> Digest:
        """Read what nobody has read yet; when all is read, the file may be closed by now."""
        rest = bytearray(_SMALL_READ_BYTES)
        while not self._at_end:
            self.readinto(rest)
        return self._digest


class Anywhere(io.RawIOBase):
    """A file read at any place, whatever else reads it in order."""

    def __init__(self, raw: io.FileIO) -> None:
        super().__init__()
        self._raw, self._at = raw, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        size = os.fstat(self._raw.fileno()).st_size
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = os.preadv(self._raw.fileno(), [buffer], self._at)
        self._at += count
        return count


class WithoutMark:
    """A stream that is read in pieces, without the byte-order mark at its beginning."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._begun = False

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        if self._begun:
            return piece
        self._begun = True
        while 0 < len(piece) < len(_BOM) and (more := self._stream.read(len(_BOM))):
            piece += more
        # Nothing would be the end of the stream.
        return piece.removeprefix(_BOM) or (self._stream.read(size) if piece else piece)


def header_line(stream: BinaryIO) -> tuple[bytes, int]:
    """The first line that is not blank, without byte order mark and line end, and its number.

    Raises :class:`UnreadableFile` where there is none.
    """
    number = 0
    while line := stream.readline(MAX_HEADER_BYTES):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if line.strip(b" \t"):
            return line, number
    raise UnreadableFile(FileReason.EMPTY_FILE, "the file has no header")
