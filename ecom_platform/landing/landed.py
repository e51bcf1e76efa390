"""What a look says of what has landed: which may be claimed, and which never will be.

Belongs here: what holds of files in a folder and of objects in a bucket alike; names of both are judged by
the same rules. Does not belong here: looking (``folder.scan``, ``bucket.object_look``), or claiming.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ecom_platform.store.outcome import Stamp

# The claimed name is the file id, a dash and the name; file systems stop at 255 bytes.
MAX_NAME_BYTES = 200
# By these names producers and browsers say that they have not finished a file; in any case of letters.
UNFINISHED_PREFIXES = (".", "_")
UNFINISHED_SUFFIXES = (".tmp", ".part", ".filepart", ".crdownload")
NO_FEED = "a folder, and no feed is declared by its name"


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A regular file in the landing folder, as one look saw it; ``name`` is its path there."""

    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int = 0

    @property
    def stamp(self) -> Stamp:
        """By what it is known again."""
        return Stamp(self.size, self.mtime_ns, self.inode)

    @property
    def landed_at(self) -> datetime:
        """When it got its present name and content: a rename into place counts, too."""
        return datetime.fromtimestamp(self.ctime_ns / 1e9, UTC)

    def same_content(self, other: LandedFile | None) -> bool:
        return other is not None and self.stamp == other.stamp


@dataclass(frozen=True, slots=True)
class Scan:
    """What may be claimed now, what did not settle in time, and what never will be claimed."""

    settled: list[LandedFile]
    unsettled: list[LandedFile]
    refused: dict[str, str]
    unfinished: dict[str, str] = field(default_factory=dict)

    @property
    def not_taken(self) -> dict[str, str]:
        """Everything that is left where it is whatever time passes, and why."""
        return {**self.unfinished, **self.refused}

    def only(self, wanted: Callable[[str], bool]) -> Scan:
        """Without the files whose names are not ``wanted``; what is refused is said all the same."""
        settled = [file for file in self.settled if wanted(file.name)]
        unsettled = [file for file in self.unsettled if wanted(file.name)]
        return replace(self, settled=settled, unsettled=unsettled)


def unfinished_by(name: str) -> str | None:
    """What of ``name`` says that its file is not finished, or ``None``."""
    for prefix in UNFINISHED_PREFIXES:
        if name.startswith(prefix):
            return f"it begins with {prefix}"
    for suffix in UNFINISHED_SUFFIXES:
        if name.lower().endswith(suffix):
            return f"it ends in {suffix}"
    return None


def shown(name: str) -> str:
    """A stranger's name, safe on a terminal and in JSON."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def refusal(name: str, mode: int) -> str | None:
    """Why an entry with this name and mode is never taken, or ``None``."""
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return NO_FEED
    if not stat.S_ISREG(mode):
        return "not a regular file"
    if any(0xDC80 <= ord(character) <= 0xDCFF for character in name):
        return "a name that is not UTF-8"
    if not name.isprintable():
        return "a name with control characters"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"a name longer than {MAX_NAME_BYTES} bytes"
    return None
