"""The files that had landed at one moment, followed through the ledger whoever loads them.

Belongs here: telling which ledger rows are those files. Does not belong here: waiting for them
(``streaming.ingest``).

A name alone does not tell: it may land again and again. A file's ledger row is the first one of its
name that landed no earlier than the file was seen to. A file at the top of the landing folder may be placed
meanwhile: its row's name is then that of its feed's folder. One that waits for a feed is nobody's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ecom_platform.landing.landed import LandedFile, Scan
from ecom_platform.landing.lookout import Lookout
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection


class OwnFiles:
    """What lay in the landing folder or was claimed but unfinished when this was made, and every file
    of the names ``produced``, also those that had been loaded by then."""

    def __init__(
        self,
        connection: Connection,
        lookout: Lookout,
        produced: Collection[str] = (),
        declared: Collection[str] = (),
    ) -> None:
        """``declared``: names of the feeds by whose headers files are placed."""
        self._lookout = lookout
        self._produced, self._declared = frozenset(produced), frozenset(declared)
        found = self._lookout.look()
        self._unsettled = {file.name for file in found.unsettled}
        # By the name that each has in the ledger, or will have; of those that do not rest that is not known.
        self._unclaimed = {file.name: file for file in self._expected(found).values()}
        self._file_ids = {file.file_id for file in ledger.claimed(connection)}

    @property
    def file_ids(self) -> frozenset[int]:
        """Ledger ids of those that have one."""
        return frozenset(self._file_ids)

    def look(self, connection: Connection) -> int:
        """Find the ledger rows that have come about; returns how many files are not finished yet."""
        found = self._lookout.look()
        expected = self._expected(found)
        for name, file in expected.items():
            if name != file.name and name in self._unclaimed:
                self._unclaimed[file.name] = self._unclaimed.pop(name)
        present = {file.name for file in expected.values()}
        self._match(ledger.landed_files(connection, {*self._unclaimed, *self._aliases(), *self._produced}))
        self._unsettled = {file.name for file in found.unsettled}
        # A claim writes its row before it moves the file: one that is gone without a row was taken
        # away by somebody else.
        self._unclaimed = {name: file for name, file in self._unclaimed.items() if name in present}
        pending = sum(file.file_id in self._file_ids for file in ledger.claimed(connection))
        return pending + len(self._unclaimed)

    def _expected(self, found: Scan) -> dict[str, LandedFile]:
        """What whoever loads will take, by present names, under its names in the ledger."""
        return self._lookout.expected(found.settled) | {file.name: file for file in found.unsettled}

    def _aliases(self) -> dict[str, str]:
        """Names that files may have got that did not rest at the last look, and those that they had."""
        open_names = [name for name in self._unsettled & self._unclaimed.keys() if "/" not in name]
        return {f"{feed}/{name}": name for name in open_names for feed in self._declared}

    def leave_unsettled(self) -> tuple[str, ...]:
        """Wait no longer for files that are still being written; returns their names."""
        left = tuple(sorted(self._unsettled & self._unclaimed.keys()))
        for name in left:
            del self._unclaimed[name]
        return left

    def _match(self, rows: Iterable[ledger.LandedRow]) -> None:
        """``rows`` come in the order of their ids."""
        aliases = self._aliases()
        for row in rows:
            name = row.name if row.name in self._unclaimed else aliases.get(row.name, row.name)
            file = self._unclaimed.get(name)
            if file is not None and row.landed_at >= file.landed_at:
                del self._unclaimed[name]
                self._file_ids.add(row.file_id)
            elif row.name in self._produced:
                self._file_ids.add(row.file_id)
