"""What the tables say of the platform's state, for whoever asks how it is.

Belongs here: reading it at one snapshot that changes nothing. Does not belong here: files on disk and
Dagster's history, or what counts as wrong (``ecom_platform.cli.status``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ecom_platform.settings import Settings
from ecom_platform.store import ledger, live_status, lock, schema
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.provision import embedded_server
from ecom_platform.store.statements import queries
from ecom_platform.variable_reader import with_schema


@dataclass(frozen=True, slots=True)
class LastLoaded:
    """The file that was loaded last."""

    name: str
    inserted: int
    updated: int
    stale: int
    duplicate: int
    rejected: int
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """A problem that is not over. ``untold``: a target that was not reached, and why."""

    severity: str
    title: str
    expected: str
    found: str
    occurred_at: datetime
    untold: str | None


@dataclass(frozen=True, slots=True)
class TableStatus:
    """What the tables say. Of a database without tables, nothing."""

    last_loaded: LastLoaded | None = None
    claimed_files: int = 0
    claimed_bytes: int = 0
    claimed_since: datetime | None = None
    # Objects of a bucket that are claimed or not yet put away; and the keys of those that are being loaded.
    objects: tuple[ledger.ClaimedObject, ...] = ()
    loading_keys: frozenset[str] = frozenset()
    open_rejects: int = 0
    alerts: list[OpenAlert] = field(default_factory=list)
    ingest: str | None = None
    # What is wrong with the live mode.
    live: str | None = None


def table_status(settings: Settings) -> TableStatus:
    """Makes nothing: neither a server's folder nor a table. Raises :class:`DatabaseError`."""
    if settings.embedded and not (settings.postgres_dir / "data").is_dir():
        return TableStatus()
    with _database(settings) as database, database.open() as connection:
        connection.read_only = True
        return _read(connection)


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """As ``provide`` gives it, without making or changing tables."""
    if settings.postgres_url is not None:
        yield Database(settings.postgres_url)
        return
    with embedded_server(settings) as server:
        schema = settings.postgres_schema
        yield Database(with_schema(server.url, schema) if schema else server.url)


def _read(connection: Connection) -> TableStatus:
    if schema.current(connection) is None:
        return TableStatus()
    ask: Any = queries("status")
    loaded = ask.last_loaded(connection)
    claimed = ask.claimed(connection)
    holder = lock.holder(connection)
    newest = live_status.alive(live_status.newest(connection))
    return TableStatus(
        last_loaded=None if loaded is None else LastLoaded(*loaded),
        claimed_files=claimed[0],
        claimed_bytes=claimed[1],
        claimed_since=claimed[2],
        objects=tuple(ledger.claimed_objects(connection).values()),
        loading_keys=frozenset(file.key for file in ledger.claimed(connection) if file.key is not None),
        open_rejects=int(ask.open_rejects(connection)),
        alerts=[OpenAlert(*row) for row in ask.open_alerts(connection)],
        ingest=None if holder is None else str(holder),
        live=None if newest.passed else f"expected {newest.expected}, found {newest.found}",
    )
