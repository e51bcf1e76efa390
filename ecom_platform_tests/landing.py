"""A landing zone with claim and sink behind it, without Spark: for tests of what a load does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager

from ecom_platform.catalog import packaged
from ecom_platform.landing.folder.claim import claim, finish
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.shop.event import HEADER
from ecom_platform.store import audit, ledger, sink
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.outcome import FileOutcome, UnitFile
from ecom_platform.store.scope import Look, looking
from ecom_platform_tests.reference import compare

USER_EVENTS = packaged()["user_events"]
USER_EVENTS_TABLE = FeedTable(USER_EVENTS)

ROW = b"%s,7,PROD1000,purchase,2026-01-02 03:04:05,19.99,Books,Mobile,DE"


def line(event_id: str | None = None) -> bytes:
    return ROW % (event_id or str(uuid.uuid4())).encode()


def csv_file(*lines: bytes) -> bytes:
    return b"\n".join([HEADER.encode(), *lines]) + b"\n"


def matches_ledger(database: Database, *, whole_up_to: int | None = None) -> Finding:
    """``table_matches_ledger`` of ``user_events``."""
    return audit.table_matches_ledger(database, USER_EVENTS_TABLE, whole_up_to=whole_up_to)


def audit_duplicates(
    database: Database, run_id: str, *, whole_up_to: int | None = None
) -> audit.DuplicateAudit:
    """An audit of ``user_events``."""
    return audit.record_duplicate_audit(database, USER_EVENTS_TABLE, run_id, whole_up_to=whole_up_to)


def looking_at(
    database: Database, check: str, *, whole_up_to: int | None = None
) -> AbstractContextManager[Look]:
    """What ``check`` would look at of ``user_events``."""
    return looking(database, check, USER_EVENTS_TABLE, whole_up_to=whole_up_to)


def stored_rows(connection: Connection) -> int:
    """Rows of ``user_events``, counted."""
    ((rows,),) = connection.execute("SELECT count(*) FROM user_events").fetchall()
    return int(rows)


def rows_of(read: int, *, inserted: int, duplicate: int = 0) -> dict[str, int]:
    """``rows`` of ``--json`` where nothing was refused."""
    return {
        "read": read, "inserted": inserted, "updated": 0, "stale": 0, "duplicate": duplicate, "rejected": 0
    }  # fmt: skip


class Landing:
    """Puts files through claim and sink, without Spark."""

    def __init__(self, database: Database, zone: LandingZone) -> None:
        self.database, self.zone = database, zone
        with database.transaction() as connection:
            self.batch_id = ledger.start_batch(connection, "test", 0, "test")

    def take(self) -> list[UnitFile]:
        """Claim whatever is in the landing folder."""
        files = sorted(look(self.zone.landing).files.values(), key=lambda file: file.name)
        ids = claim(self.database, self.zone, files)
        return [
            UnitFile(file_id, file.name, str(self.zone.claimed_path(file_id, file.name)))
            for file_id, file in zip(ids, files, strict=True)
        ]

    def drop(self, **contents: bytes) -> list[UnitFile]:
        for name, content in contents.items():
            (self.zone.landing / name.replace("__", ".")).write_bytes(content)
        return self.take()

    def load(
        self, files: list[UnitFile], hook: Callable[[str], None] = lambda step: None
    ) -> list[FileOutcome]:
        return sink.load_unit(self.database.url, USER_EVENTS, files, self.batch_id, hook=hook).outcomes

    def ingest(self) -> list[FileOutcome]:
        """Claim, load and put away whatever is in the landing folder."""
        outcomes = self.load(self.take())
        with self.database.open() as connection:
            for state in ledger.states(connection, [outcome.file_id for outcome in outcomes]).values():
                finish(self.zone, state)
        return outcomes

    def check(self) -> None:
        """Every row of every table against the reference."""
        with self.database.open() as connection:
            known = connection.execute("SELECT file_id FROM ingested_files WHERE state = 'loaded'").fetchall()
            states = ledger.states(connection, [row[0] for row in known])
        places = {
            key: (self.zone.claimed_path(key, s.name), self.zone.path_of(s)) for key, s in states.items()
        }
        paths = {key: next(path for path in both if path.is_file()) for key, both in places.items()}
        result = compare(self.database, paths)
        assert (result.lost, result.doubled, result.differences) == (0, 0, [])

    def rejects(self) -> list[tuple[int, str, str | None, bytes]]:
        with self.database.open() as connection:
            rows = connection.execute(
                "SELECT line_number, reason, column_name, raw FROM rejected_events ORDER BY file_id, 1"
            ).fetchall()
        return [(number, reason, column, bytes(raw)) for number, reason, column, raw in rows]


def counts(outcome: FileOutcome) -> tuple[int, int, int, int]:
    return outcome.rows_read, outcome.rows_inserted, outcome.rows_duplicate, outcome.rows_rejected
