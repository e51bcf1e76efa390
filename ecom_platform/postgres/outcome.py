"""What goes into a unit of work and what comes out of it.

Belongs here: plain data that the driver and its tasks exchange. It imports nothing heavy, so
that a driver does not load what only its tasks need.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A claimed file as a task sees it: its ledger id, its name when it landed, where it is now."""

    file_id: int
    name: str
    path: str


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


@dataclass(frozen=True, slots=True)
class UnitResult:
    """The outcomes of a unit, on which machine it ran, and where its time and memory went.

    ``cpu_seconds`` is processor time that its process used meanwhile, in all its threads.
    """

    outcomes: list[FileOutcome]
    decode_seconds: float
    store_seconds: float
    commit_seconds: float
    cpu_seconds: float
    peak_bytes: int
    host: str = ""

    @property
    def seconds(self) -> float:
        """Time for which decoding, copying and COMMIT account."""
        return self.decode_seconds + self.store_seconds + self.commit_seconds
