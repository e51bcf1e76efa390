"""What becomes of the rows of one file while it is loaded.

Belongs here: its counts, and the forms in which these and its rejects are sent. Does not belong here: how a
row is judged (``sink``, ``newer_rows``), or the outcome that the ledger has after COMMIT (``outcome``).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ecom_platform.feeds.profile import Profile
from ecom_platform.files.chunks import RefusedRecord
from ecom_platform.files.unreadable import UnreadableFile
from ecom_platform.store.ledger import LOADED, QUARANTINED
from ecom_platform.store.outcome import UnitFile, feed_of

OUTCOMES = pa.schema(
    [
        ("file_id", pa.int64()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("size_bytes", pa.int64()),
        ("sha256", pa.string()),
        ("rows_read", pa.int64()),
        ("rows_inserted", pa.int64()),
        ("rows_updated", pa.int64()),
        ("rows_stale", pa.int64()),
        ("rows_duplicate", pa.int64()),
        ("rows_rejected", pa.int64()),
        ("rows_duplicate_within", pa.int64()),
        ("rows_conflicting", pa.int64()),
        ("header", pa.string()),
        ("declaration", pa.string()),
        ("profile", pa.string()),
    ]
)
REJECTS = pa.schema(
    [
        ("file_id", pa.int64()),
        ("file_name", pa.string()),
        ("line_number", pa.int64()),
        ("element", pa.int32()),
        ("raw", pa.binary()),
        ("reason", pa.string()),
        ("column_name", pa.string()),
        ("message", pa.string()),
        ("feed", pa.string()),
    ]
)


@dataclass(slots=True)
class FileCounts:
    """The counts of one file while it is being loaded; columns of the temporary table ``outcomes``."""

    file_id: int
    state: str = LOADED
    reason: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    rows_read: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_stale: int = 0
    rows_duplicate: int = 0
    rows_rejected: int = 0
    rows_duplicate_within: int = 0
    rows_conflicting: int = 0
    header: str | None = None
    declaration: str | None = None
    profile: Profile = field(default_factory=Profile)
    # Arrays, since all rows of a file may be in conflict.
    conflict_lines: list[npt.NDArray[np.int64]] = field(default_factory=list)
    # Lines that PostgreSQL refused: what it said of them, and of which column.
    refused_lines: dict[int, tuple[str, str | None]] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """The columns of ``OUTCOMES``."""
        values = asdict(self)
        del values["conflict_lines"], values["refused_lines"]
        values["profile"] = json.dumps(self.profile.to_data()) if self.state == LOADED else None
        others = self.rows_updated + self.rows_stale + self.rows_duplicate + self.rows_rejected
        values["rows_inserted"] = self.rows_read - others
        return values

    def quarantine(self, error: UnreadableFile) -> None:
        """The file cannot be read."""
        # The reason quotes the file: PostgreSQL refuses NUL in text, and a terminal obeys control characters.
        shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(error))
        self.state, self.reason = QUARANTINED, "".join(shown)

    def add_leftover(self, leftover: dict[str, Any]) -> None:
        """Rows that were not inserted, since their ids were known."""
        rows = leftover["rows"]
        if leftover["verdict"] == "conflict":
            self.rows_rejected += rows
            self.rows_conflicting += rows
            self.conflict_lines.append(np.array(leftover["lines"], dtype=np.int64))
        else:
            self.rows_duplicate += rows
            self.rows_duplicate_within += rows if leftover["verdict"] == "within" else 0

    def add_newer(self, verdict: str, rows: int) -> None:
        """Rows of a table in which the newer of a key stays (``newer_rows``)."""
        if verdict == "updated":
            self.rows_updated += rows
        elif verdict == "stale":
            self.rows_stale += rows
        elif verdict != "inserted":
            self.rows_duplicate += rows
            self.rows_duplicate_within += rows if verdict == "within" else 0

    def add_refused(self, row: dict[str, Any]) -> None:
        """A row that PostgreSQL did not take, and why."""
        named = row["constraint_name"]
        message = f"SQLSTATE {row['sqlstate']}" + (f", {named}" if named else "")
        self.rows_rejected += 1
        self.refused_lines[row["line_number"]] = message, row["column_name"]


def reject_row(file: UnitFile, reject: RefusedRecord, message: str | None = None) -> dict[str, Any]:
    """The columns of ``REJECTS``."""
    return {
        "file_id": file.file_id,
        "file_name": file.name,
        "line_number": reject.line_number,
        "element": reject.element,
        "raw": reject.raw,
        "reason": str(reject.reason),
        "column_name": reject.column,
        "message": message,
        "feed": feed_of(file.name),
    }
