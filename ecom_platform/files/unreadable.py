"""Files that cannot be read as a whole.

Belongs here: the closed list of reasons, and the verdict. Does not belong here: records that are refused
while their file loads (``feeds.reasons``), or finding out (``opening``, ``decoding``).
"""

from __future__ import annotations

from enum import StrEnum

from ecom_platform.errors import EcomError


class FileReason(StrEnum):
    """Why a whole file cannot be read and is quarantined."""

    EMPTY_FILE = "empty_file"
    WRONG_HEADER = "wrong_header"
    NOT_UTF8_HEADER = "not_utf8_header"
    CORRUPT_GZIP = "corrupt_gzip"
    CORRUPT_ZSTD = "corrupt_zstd"
    CORRUPT_ZIP = "corrupt_zip"
    NOT_ONE_MEMBER = "not_one_member"
    NOT_A_FILE = "not_a_file"
    READ_ERROR = "read_error"
    MIXED_ENCODING = "mixed_encoding"
    NOT_JSON_LINES = "not_json_lines"
    NOT_PARQUET = "not_parquet"
    CORRUPT_PARQUET = "corrupt_parquet"
    UNFIT_TYPE = "unfit_type"

    @property
    def description(self) -> str:
        """One sentence for the docs and the UI."""
        return _FILE_DESCRIPTIONS[self]


_FILE_DESCRIPTIONS: dict[FileReason, str] = {
    FileReason.EMPTY_FILE: "The file has no header and no line: it is empty or holds only blank lines.",
    FileReason.WRONG_HEADER: "The header does not have the names that the feed's declaration asks for.",
    FileReason.NOT_UTF8_HEADER: "The header is not valid UTF-8.",
    FileReason.CORRUPT_GZIP: "The file is packed with gzip, and is damaged or cut off.",
    FileReason.CORRUPT_ZSTD: "The file is packed with zstd, and is damaged or cut off.",
    FileReason.CORRUPT_ZIP: "The file is a zip, and is damaged, cut off or encrypted.",
    FileReason.NOT_ONE_MEMBER: "The file is a zip that has not exactly one file in it.",
    FileReason.NOT_A_FILE: "A symbolic link, a folder, a pipe or a device took the place of the file.",
    FileReason.MIXED_ENCODING: "Some of the file is UTF-8 and at least as much of it is not.",
    FileReason.NOT_JSON_LINES: "The file is JSON and has no object a line: an array, or one over several.",
    FileReason.NOT_PARQUET: "The file is no Parquet, which its feed's files are; packed as a whole neither.",
    FileReason.CORRUPT_PARQUET: "The file is Parquet, and is damaged, cut off or encrypted.",
    FileReason.UNFIT_TYPE: "A column of the Parquet file is of a type that its declared one takes none of.",
    FileReason.READ_ERROR: "The disk or the server of the folder fails to give it, also when asked again.",
}


class UnreadableFile(EcomError):  # noqa: N818 - it is a verdict on a file, not a fault of the program
    """The file as a whole cannot be read; none of its rows may be kept."""

    code = "unreadable_file"

    def __init__(self, reason: FileReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}", "Correct the file and drop it again.")
        self.reason = reason
        self.detail = detail
