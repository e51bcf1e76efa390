"""What is in a packed file: gzip, zstd, and a zip of one member, told by how the file begins, never by its
name.

Belongs here: telling, unpacking, and saying in our words what is damaged. Does not belong here: opening a
file (``opening``), or what the text means.

Several members of gzip and several frames of zstd, one behind the other, are one text. A zip has to have its
list of members, which stands at its end, so one that is cut off is damaged as a whole.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

from ecom_platform.files.unreadable import FileReason, UnreadableFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# How many bytes of a file say how it is packed.
LOOKED_AT_BYTES = 4
# Little, so that what is whole of a text that is cut off is given before that is said; larger reads go past
# it.
_BUFFER_BYTES = 1 << 13
_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
# A frame of zstd that holds nothing, by its last three bytes; the first is any of sixteen.
_SKIPPABLE = b"\x2a\x4d\x18"


def is_packed(beginning: bytes) -> bool:
    """Whether a file that begins like this is unpacked when it is read."""
    return _reason(beginning) is not None


def unpacked(beginning: bytes, in_order: BinaryIO, anywhere: BinaryIO) -> BinaryIO:
    """The text in a file that begins like this, which is the file itself where it is not packed.

    ``in_order`` reads it from its beginning, ``anywhere`` has to be able to seek, and is asked where a format
    has its list at the end. What is damaged is told when it is read, by :class:`UnreadableFile`.
    """
    reason = _reason(beginning)
    if reason is None:
        return in_order
    opened: Callable[[], BinaryIO]
    if reason is FileReason.CORRUPT_GZIP:
        opened = lambda: cast(BinaryIO, gzip.GzipFile(fileobj=in_order))  # noqa: E731
    elif reason is FileReason.CORRUPT_ZSTD:
        opened = lambda: cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(in_order, "r"), "zstd"))  # noqa: E731
    else:
        opened = lambda: _only_member(anywhere)  # noqa: E731
    return cast(BinaryIO, io.BufferedReader(_Unpacking(opened, reason), _BUFFER_BYTES))


def _reason(beginning: bytes) -> FileReason | None:
    """What is wrong with such a file where it is damaged; ``None`` where it is not packed."""
    if beginning.startswith(_GZIP):
        return FileReason.CORRUPT_GZIP
    if beginning.startswith(_ZSTD) or (beginning[1:4] == _SKIPPABLE and beginning[0] >> 4 == 5):
        return FileReason.CORRUPT_ZSTD
    return FileReason.CORRUPT_ZIP if beginning.startswith(_ZIP) else None


def _only_member(file: BinaryIO) -> BinaryIO:
    archive = zipfile.ZipFile(file)
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        sheet = any(member.filename.startswith("xl/") for member in members)
        said = "it is an Excel file" if sheet else f"the zip has {len(members)} files in it, and not one"
        raise UnreadableFile(FileReason.NOT_ONE_MEMBER, said)
    return cast(BinaryIO, archive.open(members[0]))


class _Unpacking(io.RawIOBase):
    """A stream that says in our words when what it unpacks is damaged."""

    def __init__(self, opened: Callable[[], BinaryIO], reason: FileReason) -> None:
        super().__init__()
        self._open, self._reason = opened, reason
        self._stream: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        try:
            self._stream = self._stream or self._open()
            piece = self._stream.read(len(view))
        except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile) as error:
            # What follows in brackets are bytes of the file.
            raise UnreadableFile(self._reason, str(error).partition(" (b")[0]) from error
        except (RuntimeError, NotImplementedError) as error:
            raise UnreadableFile(self._reason, "it is encrypted, or packed in an unusual way") from error
        except OSError as error:
            if error.errno is not None:
                raise  # of the disk, not of what is on it
            raise UnreadableFile(self._reason, str(error)) from error
        view[: len(piece)] = piece
        return len(piece)
