"""What the last runs brought in, and what waits.

Belongs here: the answers, by run. Does not belong here: one file or row (``oncall.trace``), figures of one
run (``metrics``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from ecom_platform.store import live_status, lock
from ecom_platform.store.connection import Connection
from ecom_platform.store.statements import queries

LAST_LOADS = 6


@dataclass(frozen=True, slots=True)
class Load:
    """What one run brought in.

    ``moment`` is when its last file was finished, or when it began if none was. ``unfinished``: a
    micro-batch of it has not come to its end, which is in order only while it is ``loading``.
    """

    run_id: str
    moment: datetime
    unfinished: bool
    loaded: int
    quarantined: int
    rows_inserted: int
    rows_duplicate: int
    rows_rejected: int
    loading: bool = False

    @property
    def interrupted(self) -> bool:
        """Whether it ended in the middle of a micro-batch; its files are loaded by the next run."""
        return self.unfinished and not self.loading


@dataclass(frozen=True, slots=True)
class Loads:
    """The last runs that loaded, the newest first; ``waiting_files`` are claimed and not loaded yet."""

    last: list[Load]
    waiting_files: int


def last_loads(connection: Connection) -> Loads:
    """The last :data:`LAST_LOADS` runs, and what waits."""
    ask, at_work = queries("loads"), _loading_run(connection)
    loads = [Load(*row) for row in ask.last_loads(connection, limit=LAST_LOADS)]
    return Loads(
        [replace(load, loading=load.run_id == at_work) for load in loads], int(ask.waiting_files(connection))
    )


def _loading_run(connection: Connection) -> str | None:
    """The run that is loading at this moment, which whoever holds the ingest lock does."""
    holder = lock.holder(connection)
    if holder is None:
        return None
    live = live_status.newest(connection) if holder.live else None
    return live.run_id if live is not None else queries("loads").newest_run(connection)
