"""The beginning of a file that nobody has claimed: enough of it to see its header.

Belongs here: reading no more than that, of packed files too. Does not belong here: what it says
(``belonging``).
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ecom_platform.files.opening import MAX_HEADER_BYTES, Anywhere, open_regular
from ecom_platform.files.unpacking import LOOKED_AT_BYTES, is_packed, unpacked
from ecom_platform.files.unreadable import FileReason, UnreadableFile

_READ_BYTES = 1 << 14
# A file that has no header within so much has none.
_MOST_BYTES = 1 << 20
_BLANK = b"\xef\xbb\xbf \t\r\n"


@dataclass(frozen=True, slots=True)
class Head:
    """``data`` is unpacked; ``whole``: there is no more of the file; ``damaged``: it breaks off there."""

    data: bytes
    whole: bool
    damaged: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but blank lines."""
        return not self.data.strip(_BLANK)

    @property
    def is_cut_off(self) -> bool:
        """Whether the file ends within its first line: whoever wrote it was interrupted."""
        return self.whole and b"\n" not in self.data.lstrip(_BLANK)

    def first_lines(self, titles: int) -> bytes:
        """Up to the end of the first line that is not blank below so many others."""
        at = 0
        for _ in range(titles):
            at = self.data.find(b"\n", at) + 1
            if not at:
                return self.data
        while (end := self.data.find(b"\n", at)) >= 0:
            if self.data[at:end].strip(_BLANK):
                return self.data[: end + 1]
            at = end + 1
        return self.data


def read_head(path: Path, titles: int) -> Head:
    """The beginning of ``path``, with the first line below so many others, if it has one.

    What is packed is unpacked; of a zip of several files its own beginning is given. Raises
    :class:`UnreadableFile` for what is no regular file, and :class:`OSError`.
    """
    with io.FileIO(path, "rb", opener=open_regular) as raw:
        beginning = os.pread(raw.fileno(), LOOKED_AT_BYTES, 0)
        packed = is_packed(beginning)
        in_order = cast(BinaryIO, io.BufferedReader(raw, _READ_BYTES))
        anywhere = cast(BinaryIO, io.BufferedReader(Anywhere(raw), _READ_BYTES))
        stream = unpacked(beginning, in_order, anywhere)
        # Of a packed file somewhat more, since one that is cut off gives what it has before it says so.
        least = _READ_BYTES if packed else 0
        data, more = b"", _READ_BYTES
        try:
            while len(data) < _MOST_BYTES:
                piece = stream.read(more)
                if not piece:
                    return Head(data, whole=True, damaged=False)
                data += piece
                if len(data) >= least and _has_line_below(data, titles):
                    return Head(data, whole=False, damaged=False)
                more = MAX_HEADER_BYTES
        except UnreadableFile as error:
            if error.reason is FileReason.NOT_ONE_MEMBER:
                return Head(os.pread(raw.fileno(), _READ_BYTES, 0), whole=False, damaged=False)
            return Head(data, whole=True, damaged=True)
    return Head(data, whole=False, damaged=False)


def _has_line_below(data: bytes, titles: int) -> bool:
    lines = data.split(b"\n", titles)
    return len(lines) > titles and b"\n" in lines[-1].lstrip(_BLANK)
