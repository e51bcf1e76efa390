"""How a file of JSON lines begins, and what is said of one that is JSON and has no lines.

Belongs here: telling a document over several lines, or one array, from an object a line. Does not belong
here: the lines (``line_blocks``).
"""

from __future__ import annotations

from ecom_platform.files.splitting import Readable
from ecom_platform.files.unreadable import FileReason, UnreadableFile

_LOOKED_AT_BYTES = 1 << 16
_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"


class _Begun:
    """A stream of which the beginning was read already."""

    def __init__(self, beginning: bytes, rest: Readable) -> None:
        self._beginning, self._rest = beginning, rest

    def read(self, size: int) -> bytes:
        if not self._beginning:
            return self._rest.read(size)
        piece, self._beginning = self._beginning[:size], self._beginning[size:]
        return piece


def without_document(stream: Readable) -> Readable:
    """The stream without the byte-order mark at its beginning.

    Raises :class:`UnreadableFile` where it is empty, or JSON that is no object a line.
    """
    beginning = b""
    while len(beginning) < _LOOKED_AT_BYTES and (piece := stream.read(_LOOKED_AT_BYTES)):
        beginning += piece
    beginning = beginning.removeprefix(_BOM)
    said = document(beginning)
    if said:
        raise UnreadableFile(FileReason.NOT_JSON_LINES, said)
    return _Begun(beginning, stream)


def document(beginning: bytes) -> str:
    """What a file is that begins like this and has no object a line; empty where it may have."""
    text = beginning.lstrip(_BLANKS)
    first = text.partition(b"\n")[0].strip(_BLANKS)
    if text.startswith(b"[") and (first == b"[" or text[1:].lstrip(_BLANKS)[:1] in (b"{", b"[", b"]")):
        return (
            "it is one array, and not an object a line: `jq -c '.[]' FILE > NEW` writes its elements as lines"
        )
    if first == b"{":
        return "it is an object over several lines, and not one a line: `jq -c . FILE > NEW` writes it as one"
    return ""
