"""How long rows stay that only tell how things went: replayed rejects, micro-batches, measured
figures, alerts that are over.

Belongs here: deleting those that are past their time. Does not belong here: events, the ledger, open
rejects, which stay; files (``landing.expiry``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ecom_platform.store.connection import Connection
from ecom_platform.store.statements import queries


@dataclass(frozen=True, slots=True)
class Expired:
    """How many rows went."""

    replayed_rejects: int
    batches: int
    metrics: int
    alerts: int


def expire(connection: Connection, before: datetime) -> Expired:
    """Delete what was replayed, begun, measured or over before a moment; the caller commits."""
    ask = queries("retention")
    ask.expire_returned(connection, before=before)
    return Expired(
        replayed_rejects=int(ask.expire_rejects(connection, before=before)),
        batches=int(ask.expire_batches(connection, before=before)),
        metrics=int(ask.expire_metrics(connection, before=before)),
        alerts=int(ask.expire_alerts(connection, before=before)),
    )
