"""The tables of the alerts' outbox, and what the platform's own tables give a reason to alert for.

Belongs here: making ``alerts`` and ``alert_deliveries`` where the platform's other tables are not wanted;
files and rejects that somebody should hear of, and which open problems speak of them. Does not belong here:
raising, resolving and delivering (``alerts.outbox``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ecom_platform.errors import DatabaseError
from ecom_platform.server import EmbeddedServer
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.schema import MIGRATION_LOCK, make_schema
from ecom_platform.store.statements import queries
from ecom_platform.variable_reader import with_schema

_TABLES = Path(__file__).parent / "migrations" / "versions" / "0003_alerts.sql"


@dataclass(frozen=True, slots=True)
class OpenProblem:
    """A problem that is not over: when it occurred, and the time of the newest sign of it."""

    key: str
    occurred_at: datetime
    last_event_at: datetime
    details: dict[str, Any]
    asset: str | None = None
    check: str | None = None


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


def open_problems(
    connection: Connection, source: str, kind: str, asset: str | None = None
) -> list[OpenProblem]:
    """The open problems of a kind, of ``asset`` or of all, the oldest first."""
    rows = _queries().open_problems(connection, source=source, kind=kind, asset=asset)
    return [OpenProblem(*row) for row in rows]


def feeds_to_look_at(connection: Connection, source: str, kinds: Sequence[str], since: datetime) -> list[str]:
    """Feeds whose files were finished since, and those of which such a problem is open."""
    rows = _queries().feeds_to_look_at(connection, source=source, kinds=list(kinds), since=since)
    return sorted(feed for (feed,) in rows)


def quarantined_files(
    connection: Connection, source: str, feed: str, since: datetime
) -> list[tuple[Any, ...]]:
    """Quarantined files no alert speaks of: file_id, name, reason, run_id or None, finished_at."""
    return list(_queries().quarantined_files(connection, source=source, feed=feed, since=since))


def not_loaded_since(connection: Connection, file_ids: Iterable[int]) -> list[tuple[int, str]]:
    """Those of these quarantined files that have not been loaded under their names since, with the names."""
    return list(_queries().not_loaded_since(connection, file_ids=list(file_ids)))


def reject_shares(connection: Connection, feed: str, since: datetime, limit: float) -> list[RejectShare]:
    """Of a feed by run and hour, in order of time."""
    rows = _queries().reject_shares(connection, feed=feed, since=since, limit=limit)
    return [RejectShare(*row) for row in rows]


def well_between(connection: Connection, feed: str, after: datetime, before: datetime, limit: float) -> bool:
    """Whether a run and hour that ended between the two times rejected no more than ``limit`` allows."""
    return bool(_queries().well_between(connection, feed=feed, after=after, before=before, limit=limit))


def refused_between(
    connection: Connection, feed: str, since: datetime, until: datetime, limit: float
) -> Refused:
    """What the runs and hours that ended between the two times have refused, as of now."""
    return Refused(*_queries().refused_between(connection, feed=feed, since=since, until=until, limit=limit))


def refused_files(
    connection: Connection, feed: str, since: datetime, until: datetime, most: int
) -> list[tuple[str, int, int, str]]:
    """The files with the most refused rows: name, rows read, rejected, the commonest reasons by column."""
    return list(_queries().refused_files(connection, feed=feed, since=since, until=until, most=most))
