"""The tables of the alerts' outbox.

Belongs here: reading and writing ``alerts`` and ``alert_deliveries``, and making the two where the
platform's other tables are not wanted. Does not belong here: what the rows mean (``alerts``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ecom_platform.errors import DatabaseError
from ecom_platform.postgres.connection import Connection, Database
from ecom_platform.postgres.embedded import EmbeddedServer
from ecom_platform.postgres.schema import MIGRATION_LOCK, make_schema
from ecom_platform.postgres.statements import queries
from ecom_platform.settings import with_schema

_TABLES = Path(__file__).parent / "migrations" / "versions" / "0003_alerts.sql"


@dataclass(frozen=True, slots=True)
class OpenProblem:
    """A problem that is not over: when it occurred, and the time of the newest sign of it."""

    key: str
    occurred_at: datetime
    last_event_at: datetime
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RejectShare:
    """What a run has read and rejected within an hour, whether that is above the limit, as a whole or of one
    file, and when the last file was finished. No run_id where it is the live mode's."""

    run_id: str | None
    hour: datetime
    read: int
    rejected: int
    above: bool
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows read and rejected by some runs, how many these are, and how many of them are above the limit."""

    read: int
    rejected: int
    runs: int
    above: int


def _queries() -> Any:
    return queries("alerts")


@contextmanager
def provide_outbox(
    postgres_url: str | None, postgres_dir: Path, schema: str | None = None
) -> Iterator[Database]:
    """A database with the two tables, and none of the platform's others, for projects of their own.

    The one of ``postgres_url``, else the embedded server of ``postgres_dir``, which runs at least as long;
    there the tables are in ``schema``, if it is given.
    """
    if postgres_url is not None:
        database = Database(postgres_url)
        make_tables(database)
        yield database
        return
    postgres_dir.mkdir(parents=True, exist_ok=True)
    with EmbeddedServer(postgres_dir) as server:
        database = Database(with_schema(server.url, schema) if schema else server.url)
        make_tables(database)
        yield database


def make_tables(database: Database) -> None:
    """Make the two tables where they are missing; safe to call from several processes at once."""
    with database.open() as connection:
        if _there(database, connection):
            return
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        make_schema(database, connection)
        connection.execute(_TABLES.read_bytes())


def _there(database: Database, connection: Connection) -> bool:
    alerts, deliveries = _queries().tables(connection)
    if alerts and not deliveries:
        raise DatabaseError(
            f"PostgreSQL at {database.description} has a table `alerts` that is somebody else's.",
            "Name another database, or another schema: …?options=-csearch_path%3Dmonitoring.",
        )
    return bool(alerts)


def raise_alert(connection: Connection, source: str, at: datetime, columns: Mapping[str, Any]) -> bool:
    """Store a problem; ``True`` if it is a new one, not one more sign of an open one or an old one."""
    values = {**columns, "details": json.dumps(columns["details"], default=str)}
    row = _queries().raise_alert(connection, source=source, at=at, **values)
    return row is not None and row[1] == 1


def resolve_alert(connection: Connection, source: str, key: str, resolution: str, at: datetime) -> bool:
    """Close the open problem of ``key``; ``False`` if there is none older than ``at``."""
    row = _queries().resolve_alert(connection, source=source, key=key, resolution=resolution, at=at)
    return row is not None


def known_keys(connection: Connection, source: str, keys: Iterable[str]) -> dict[str, tuple[datetime, bool]]:
    """The newest sign of each key that is known, and whether a problem of it is open."""
    rows = _queries().known_keys(connection, source=source, keys=list(keys))
    return {key: (at, is_open) for key, at, is_open in rows}


def open_keys(connection: Connection, source: str, kind: str) -> list[str]:
    """Keys of the open problems of a kind."""
    return [key for (key,) in _queries().open_keys(connection, source=source, kind=kind)]


def announce_raised(connection: Connection, source: str, targets: Sequence[str]) -> list[tuple[Any, ...]]:
    """Make out deliveries of new problems; returns severity, title, expected, found, link of each."""
    return list(_queries().announce_raised(connection, source=source, targets=list(targets)))


def announce_recovered(connection: Connection, source: str) -> list[tuple[Any, ...]]:
    """Make out deliveries of recoveries; returns title, resolution, link of each."""
    return list(_queries().announce_recovered(connection, source=source))


def due_targets(connection: Connection, source: str, targets: Iterable[str]) -> list[str]:
    """Those of ``targets`` that something is due for."""
    return [name for (name,) in _queries().due_targets(connection, source=source, targets=list(targets))]


def take_due(
    connection: Connection, source: str, target: str, limit: int, lease_seconds: float
) -> list[tuple[Any, ...]]:
    """Up to ``limit`` due deliveries, oldest first, that nobody else gets before the lease ends."""
    rows = _queries().take_due(
        connection, source=source, target=target, limit=limit, lease_seconds=lease_seconds
    )
    return sorted(rows)


def mark_delivered(connection: Connection, delivery_ids: Iterable[int]) -> None:
    """The target has them."""
    _queries().mark_delivered(connection, delivery_ids=list(delivery_ids))


def mark_failed(
    connection: Connection,
    delivery_ids: Iterable[int],
    error: str,
    delay_seconds: float,
    give_up_seconds: float,
) -> None:
    """The target did not take them: due again after the delay, unless they are too old by now."""
    _queries().mark_failed(
        connection,
        delivery_ids=list(delivery_ids),
        error=error,
        delay_seconds=delay_seconds,
        give_up_seconds=give_up_seconds,
    )


def mark_untried(connection: Connection, delivery_ids: Iterable[int]) -> None:
    """Nobody has tried them after all."""
    _queries().mark_untried(connection, delivery_ids=list(delivery_ids))


def pending(connection: Connection, source: str, targets: Iterable[str]) -> int:
    """Deliveries that are on their way to ``targets``."""
    return int(_queries().pending(connection, source=source, targets=list(targets)))


def open_problems(connection: Connection, source: str, kind: str) -> list[OpenProblem]:
    """The open problems of a kind, the oldest first."""
    return [OpenProblem(*row) for row in _queries().open_problems(connection, source=source, kind=kind)]


def quarantined_files(connection: Connection, source: str, since: datetime) -> list[tuple[Any, ...]]:
    """Quarantined files no alert speaks of: file_id, name, reason, run_id or None, finished_at."""
    return list(_queries().quarantined_files(connection, source=source, since=since))


def not_loaded_since(connection: Connection, file_ids: Iterable[int]) -> list[tuple[int, str]]:
    """Those of these quarantined files that have not been loaded under their names since, with the names."""
    return list(_queries().not_loaded_since(connection, file_ids=list(file_ids)))


def reject_shares(connection: Connection, since: datetime, limit: float) -> list[RejectShare]:
    """By run and hour, in order of time."""
    return [RejectShare(*row) for row in _queries().reject_shares(connection, since=since, limit=limit)]


def well_between(connection: Connection, after: datetime, before: datetime, limit: float) -> bool:
    """Whether a run and hour that ended between the two times rejected no more than ``limit`` allows."""
    return bool(_queries().well_between(connection, after=after, before=before, limit=limit))


def refused_between(connection: Connection, since: datetime, until: datetime, limit: float) -> Refused:
    """What the runs and hours that ended between the two times have refused, as of now."""
    return Refused(*_queries().refused_between(connection, since=since, until=until, limit=limit))


def refused_files(
    connection: Connection, since: datetime, until: datetime, most: int
) -> list[tuple[str, int, int, str]]:
    """The files with the most refused rows: name, rows read, rejected, the commonest reasons."""
    return list(_queries().refused_files(connection, since=since, until=until, most=most))
