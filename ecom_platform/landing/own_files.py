"""The files that had landed at one moment, followed through the ledger whoever loads them.

Belongs here: telling which ledger rows are those files. Does not belong here: waiting for them
(``streaming.ingest``).

A name alone does not tell: it may land again and again. A file's ledger row is the first one of its
name that landed no earlier than the file was seen to.
"""

from __future__ import annotations

from collections.abc import Collection

from ecom_platform.landing.scan import LandedFile
from ecom_platform.landing.watch import Watch
from ecom_platform.landing.zone import LandingZone
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection


class OwnFiles:
    """What lay in the landing folder or was claimed but unfinished when this was made, and every file
    of the names ``produced``, also those that had been loaded by then."""

    def __init__(
        self,
        connection: Connection,
        zone: LandingZone,
        settle_seconds: float,
        produced: Collection[str] = (),
    ) -> None:
        self._watch = Watch(zone.landing, settle_seconds, feeds=zone.feeds)
        self._produced = frozenset(produced)
        found = self._watch.look()
        self._unsettled = {file.name for file in found.unsettled}
        self._unclaimed: dict[str, LandedFile] = {f.name: f for f in [*found.settled, *found.unsettled]}
        self._file_ids = {file.file_id for file in ledger.claimed(connection)}

    @property
    def file_ids(self) -> frozenset[int]:
        """Ledger ids of those that have one."""
        return frozenset(self._file_ids)

    def look(self, connection: Connection) -> int:
        """Find the ledger rows that have come about; returns how many files are not finished yet."""
        found = self._watch.look()
        present = {file.name for file in [*found.settled, *found.unsettled]}
        self._unsettled = {file.name for file in found.unsettled}
        self._match(ledger.landed_files(connection, {*self._unclaimed, *self._produced}))
        # A claim writes its row before it moves the file: one that is gone without a row was taken
        # away by somebody else.
        self._unclaimed = {name: file for name, file in self._unclaimed.items() if name in present}
        pending = sum(file.file_id in self._file_ids for file in ledger.claimed(connection))
        return pending + len(self._unclaimed)

    def leave_unsettled(self) -> tuple[str, ...]:
        """Wait no longer for files that are still being written; returns their names."""
        left = tuple(sorted(self._unsettled & self._unclaimed.keys()))
        for name in left:
            del self._unclaimed[name]
        return left

    def _match(self, rows: list[ledger.LandedRow]) -> None:
        """``rows`` come in the order of their ids."""
        for row in rows:
            file = self._unclaimed.get(row.name)
            if file is not None and row.landed_at >= file.landed_at:
                del self._unclaimed[row.name]
                self._file_ids.add(row.file_id)
            elif row.name in self._produced:
                self._file_ids.add(row.file_id)
