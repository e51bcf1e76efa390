"""What goes into a unit of work and what comes out of it.

Belongs here: plain data that the driver and its tasks exchange. It imports nothing heavy, so
that a driver does not load what only its tasks need.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from ecom_platform.feeds.packaged import TOP_FEED


def feed_of(name: str) -> str:
    """The feed of a landed file, by its name: its path below the landing folder."""
    feed, inside, _ = name.partition("/")
    return feed if inside else TOP_FEED


def base(name: str) -> str:
    """The last part of a landed file's name, by which it goes once it is ours."""
    return name.rpartition("/")[2]


def kept(name: str) -> str:
    """The name of a landed file in a folder of ours: behind that of its feed, unless that is the first."""
    return f"{folder_of(name)}{base(name)}"


def kept_as(file_id: int, name: str) -> str:
    """The path of a landed file in a folder of ours: its kept name with the number of its ledger row."""
    return f"{folder_of(name)}{file_id}-{base(name)}"


def folder_of(name: str) -> str:
    """The folder of a landed file's feed, with a slash; nothing for the first feed."""
    feed = feed_of(name)
    return "" if feed == TOP_FEED else f"{feed}/"


def header_text(names: Sequence[str]) -> str:
    """The names of a file's columns as the ledger keeps them: between commas, or as JSON if one has any."""
    return json.dumps(list(names)) if any("," in name for name in names) else ",".join(names)


def header_names(text: str | None) -> tuple[str, ...] | None:
    """What :func:`header_text` was made of; nothing where nothing was kept."""
    if not text:
        return None
    return tuple(json.loads(text)) if text.startswith('["') else tuple(text.split(","))


def counts_text(inserted: int, updated: int, stale: int, duplicate: int, rejected: int) -> str:
    """What became of rows, in words; what only some feeds know is left out where there is none."""
    counts = {"inserted": inserted, "updated": updated, "stale": stale, "duplicate": duplicate}
    counts["rejected"] = rejected
    rare = ("updated", "stale")
    return ", ".join(f"{rows:,} {word}" for word, rows in counts.items() if rows or word not in rare)


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what a file is known again: to write to it, or to put another in its place, changes one of these."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The inode as PostgreSQL can store it: one above 2^63 as a negative number."""
        inode = status.st_ino
        return cls(status.st_size, status.st_mtime_ns, inode if inode < 1 << 63 else inode - (1 << 64))


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A claimed file as a task sees it: its ledger id, its name when it landed, where it is now.

    ``size`` is what it had when it was claimed. Its other marks are not held against it here: another
    machine may see them differently. ``etag`` is set of an object in a bucket: ``path`` is then its key, and
    in a task that of a copy of its own.
    """

    file_id: int
    name: str
    path: str
    size: int | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file of the unit.

    ``landed_at`` is when the file landed, ``finished_at`` what the ledger says, ``committed_at``
    the moment after COMMIT returned; all in seconds since the epoch.
    """

    file_id: int
    name: str
    state: str
    reason: str | None
    rows_read: int
    rows_inserted: int
    rows_duplicate: int
    rows_rejected: int
    landed_at: float
    finished_at: float
    committed_at: float
    rows_updated: int = 0
    rows_stale: int = 0


@dataclass(frozen=True, slots=True)
class UnitResult:
    """The outcomes of a unit, on which machine it ran, and where its time and memory went.

    ``cpu_seconds`` is processor time that its process used meanwhile, in all its threads. ``changed`` are
    files that were left out, because they are no longer what was claimed.
    """

    outcomes: list[FileOutcome]
    decode_seconds: float
    store_seconds: float
    commit_seconds: float
    cpu_seconds: float
    peak_bytes: int
    host: str = ""
    changed: list[int] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Time for which decoding, copying and COMMIT account."""
        return self.decode_seconds + self.store_seconds + self.commit_seconds
