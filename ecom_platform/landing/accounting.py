"""The account of a run: every file that it has claimed came to an end.

Belongs here: asking the ledger for it. Does not belong here: what lies on disk
(``folder.disk_account``), or the rows of a file, whose number its ledger row is held to by ``audit``.
"""

from __future__ import annotations

from collections.abc import Collection

from ecom_platform.errors import IngestError
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database


def ended(database: Database, file_ids: Collection[int]) -> list[ledger.FileState]:
    """The states of the files that a run claimed, each of which has to be an end.

    A stream that ends without an error has loaded what Spark showed it, and what the ledger said at that
    moment; neither need be what was claimed. Raises :class:`IngestError`.
    """
    with database.open() as connection:
        states = ledger.states(connection, file_ids)
    unknown = [file_id for file_id in file_ids if file_id not in states]
    if unknown:
        raise IngestError(
            f"The ledger does not know {len(unknown)} of the {len(file_ids)} files that this run claimed, "
            f"such as number {unknown[0]}: PostgreSQL is in an earlier state (a failover, a restore).",
            "`ecom reconcile` loads what is on disk and not in the ledger.",
        )
    claimed = [state for state in states.values() if state.state == ledger.CLAIMED]
    if claimed:
        raise IngestError(
            f"The stream ended with {len(claimed)} of {len(file_ids)} files not loaded, such as "
            f"{claimed[0].name}.",
            "Run `ecom ingest` again: they are still claimed, so it loads them.",
        )
    return [*states.values()]
