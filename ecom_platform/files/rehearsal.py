"""What would become of a file, without loading it.

Belongs here: reading it as its feed declares, and counting what would be loaded and what refused. Does not
belong here: what other files have brought already, which only a database knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from ecom_platform.feeds.expectations import expected_of
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.reasons import Reason
from ecom_platform.files.chunks import FeedChunk, RefusedRecord
from ecom_platform.files.opening import open_events
from ecom_platform.files.readers import decoder_of, look_over
from ecom_platform.files.samples import unlike
from ecom_platform.files.unreadable import UnreadableFile

_MOST_LINES = 5
# Of so many rows keys are compared, which takes memory.
_MOST_COMPARED = 5_000_000
_MOST_SHOWN = 80


@dataclass(slots=True)
class RefusedKind:
    """Records that are refused for one reason in one column: how many, the first lines; of the first record
    its beginning, the ``value`` in that column, and what was ``expected`` of it."""

    reason: Reason
    column: str | None
    rows: int = 0
    lines: list[int] = field(default_factory=list)
    example: bytes = b""
    value: str | None = None
    expected: str = ""

    @classmethod
    def of(cls, record: RefusedRecord, feed: Feed) -> RefusedKind:
        """The kind of ``record``, which is not counted yet."""
        column = next((column for column in feed.columns if column.name == record.column), None)
        if column is None:
            return cls(record.reason, record.column, expected=record.reason.description)
        expected = expected_of(column, feed.dialect, record.reason, record.value or "")
        return cls(record.reason, record.column, value=record.value, expected=expected)

    def add(self, record: RefusedRecord) -> None:
        """Count one more."""
        self.rows += 1
        if len(self.lines) < _MOST_LINES:
            self.lines.append(record.line_number)
        self.example = self.example or record.raw[:_MOST_SHOWN]

    def as_json(self) -> dict[str, Any]:
        """As ``--json`` reports it."""
        return {
            "reason": str(self.reason),
            "column": self.column,
            "rows": self.rows,
            "lines": self.lines,
            "value": self.value,
            "expected": self.expected,
            "description": self.reason.description,
        }


@dataclass(slots=True)
class Rehearsal:
    """One file: ``read`` records, of which ``loaded`` would be rows of their own and ``repeated`` have the
    key of one before them in this file. ``unreadable`` is why the whole would be quarantined."""

    file: str
    read: int = 0
    loaded: int = 0
    repeated: int = 0
    refused: dict[tuple[Reason, str | None], RefusedKind] = field(default_factory=dict)
    unreadable: str | None = None
    remedy: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether nothing is refused."""
        return self.unreadable is None and not self.refused

    def as_json(self) -> dict[str, Any]:
        """As ``--json`` reports it."""
        found: dict[str, Any] = {
            "file": self.file,
            "read": self.read,
            "loaded": self.loaded,
            "repeated": self.repeated,
            "rejected": sum(kind.rows for kind in self.refused.values()),
            "refused": [kind.as_json() for kind in self.refused.values()],
        }
        if self.unreadable is not None:
            found["error"] = {"message": self.unreadable, "remedy": self.remedy}
        return found


def rehearse(feed: Feed, path: Path) -> Rehearsal:
    """Read ``path`` as a file of ``feed``. Raises OSError."""
    found = Rehearsal(path.name)
    keys: list[pa.RecordBatch] = []
    try:
        for chunk in _chunks(feed, path):
            found.read += chunk.records
            found.loaded += chunk.rows.num_rows
            if feed.primary_key and not feed.numbered and found.loaded <= _MOST_COMPARED:
                keys.append(chunk.rows.select(list(feed.primary_key)))
            for record in chunk.rejects:
                where = record.reason, record.column
                if where not in found.refused:
                    found.refused[where] = RefusedKind.of(record, feed)
                found.refused[where].add(record)
    except UnreadableFile as error:
        other = unlike(path)
        other = None if other is not None and other.code == feed.format else other
        found.read = found.loaded = 0
        found.refused = {}
        found.unreadable = f"It is {other.said}." if other else error.message
        found.remedy = other.remedy if other else error.remedy
        return found
    if keys and found.loaded <= _MOST_COMPARED:
        found.repeated = found.loaded - _different(keys)
        found.loaded -= found.repeated
    return found


def _chunks(feed: Feed, path: Path) -> Iterator[FeedChunk]:
    real = path.resolve(strict=True)
    facts = look_over(feed, real)
    with open_events(real) as source:
        # What rows are known by refuses none of them, and takes longer than the rest.
        known_by_nothing = replace(feed, identity=None, numbered=False)
        yield from decoder_of(known_by_nothing).decode(source.stream, facts, datetime.now(UTC))


def _different(keys: list[pa.RecordBatch]) -> int:
    table = pa.Table.from_batches(keys)
    return int(table.group_by(table.column_names).aggregate([]).num_rows)
