"""Files that are no separated text: what they are, and the way out.

Belongs here: telling by the first bytes. Does not belong here: reading separated text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ecom_platform.errors import EcomError

_MANY = 1 << 12
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\f")


@dataclass(frozen=True, slots=True)
class ContentKind:
    """``said`` as in "it is …", and what to do about it. ``by_folder``: a declaration takes such files, in
    the folder of its feed."""

    code: str
    said: str
    remedy: str
    by_folder: bool = False

    def is_kind_of(self, head: bytes) -> bool:
        """Whether a file that begins with ``head`` is of this kind."""
        return content_kind(head) == self


class OtherContentError(EcomError):
    """A file that is not what can be read here; ``kind`` says what it is."""

    code = "other_content"

    def __init__(self, name: str, kind: ContentKind) -> None:
        super().__init__(f"{name} is {kind.said}.", kind.remedy)
        self.kind = kind


PARQUET = b"PAR1"
_PARQUET = ContentKind(
    "parquet", "a Parquet file", "`ecom feeds init FILE` writes a declaration that takes it.", by_folder=True
)
_EXCEL = ContentKind("excel", "an Excel file", "Save it as CSV (File, Save As, CSV UTF-8), and take that.")
_BY_BEGINNING = (
    (b"\xd0\xcf\x11\xe0", _EXCEL),
    (
        b"BZh",
        ContentKind("bzip2", "packed with bzip2", "Unpack it (`bunzip2 FILE`), and take what is in it."),
    ),
    (b"\xfd7zXZ\0", ContentKind("xz", "packed with xz", "Unpack it (`unxz FILE`), and take what is in it.")),
    (b"7z\xbc\xaf", ContentKind("7z", "a 7z archive", "Unpack it, and take what is in it.")),
    (PARQUET, _PARQUET),
    (b"%PDF", ContentKind("pdf", "a PDF", "Ask for the data behind it as CSV.")),
)
_ZIP = ContentKind(
    "zip", "a zip that has not exactly one file in it", "Unpack it (`unzip FILE`), and take what is in it."
)
_EMPTY = ContentKind("empty", "empty", "Take a file with a header and rows.")
JSON_LINES = ContentKind(
    "jsonl",
    "JSON, an object a line",
    "`ecom feeds init FILE` writes a declaration that takes it.",
    by_folder=True,
)
_JSON = ContentKind(
    "json", "JSON", "Write it as an object a line: `jq -c '.[]' FILE > NEW` of an array, else `jq -c .`."
)
_XML = ContentKind("xml", "XML", "This version reads separated text: export it as CSV.")
_HTML = ContentKind(
    "html",
    "a page of HTML, perhaps that of a login or an error, or a table that only calls itself a sheet",
    "Download the file itself, or save the table as CSV.",
)


_CARRIAGE_RETURNS = ContentKind(
    "carriage-returns",
    "text whose lines end with a carriage return alone",
    "Write it with line feeds: `tr '\\r' '\\n' < FILE > NEW`.",
)


def content_kind(head: bytes) -> ContentKind | None:
    """What a file is that begins with ``head``; ``None`` where it may be separated text of one byte a
    character or UTF-8."""
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        return _EMPTY
    if head.startswith(b"PK\x03\x04"):  # one with one file in it is unpacked before
        return _EXCEL if b"xl/" in head or b"[Content_Types].xml" in head else _ZIP
    found = next((kind for begin, kind in _BY_BEGINNING if head.startswith(begin)), None)
    if found is None and b"\n" not in head and head.rstrip(b"\r").count(b"\r"):
        return _CARRIAGE_RETURNS
    return found or _utf16(head) or _marked_up(head)


def _utf16(head: bytes) -> ContentKind | None:
    start = head[:_MANY]
    name = next(
        (n for mark, n in ((b"\xff\xfe", "UTF-16LE"), (b"\xfe\xff", "UTF-16BE")) if start.startswith(mark)),
        "",
    )
    if not name and 4 * start.count(0) > len(start):
        name = "UTF-16LE" if start[1::2].count(0) > start[::2].count(0) else "UTF-16BE"
    if name:
        remedy = "Write it as UTF-8: `iconv -f UTF-16 -t UTF-8 FILE > NEW`, or save it so by its program."
        return ContentKind("utf-16", f"text in {name}", remedy)
    odd = len(start) - len(start.translate(None, _CONTROLS))
    if b"\0" in start and odd * 50 > len(start):
        return ContentKind("binary", "no text", "Ask for the data as CSV.")
    return None


def _marked_up(head: bytes) -> ContentKind | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = text[:512].lower()
    if lower.startswith((b"<!doctype html", b"<html", b"<table", b"<head", b"<body")):
        return _HTML
    if lower.startswith((b"<?xml", b"<")) and b">" in lower:
        return _HTML if b"<html" in lower else _XML
    line = text.partition(b"\n")[0].strip()
    if line.startswith(b"{"):
        return JSON_LINES if _is_json(line) else _JSON if _begins_object(text) else None
    if text.startswith(b"[") and text[1:].lstrip()[:1] in (b"{", b"["):
        return _JSON
    return None


def _begins_object(text: bytes) -> bool:
    after = text[1:].lstrip()
    return (after.startswith(b'"') and b":" in after[:512]) or (len(text) > _MANY and after.startswith(b'"'))


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        # A line that is longer than what was read of it.
        return len(line) > _MANY and line.startswith(b'{"')
