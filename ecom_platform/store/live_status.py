"""Whether the live mode is there, and how it gets on: the table ``live_status``.

Belongs here: writing the row of a live process, reading the newest, the decision whether it is alive.
Does not belong here: the live mode itself (``streaming.live``), or who is told (``orchestration``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Connection
from ecom_platform.store.statements import queries

HEARTBEAT_SECONDS = 5.0
# A heartbeat can be late by a long COMMIT or a restart of PostgreSQL; by this much it is missing.
ALIVE_CHECK = "live_mode_is_alive"
SILENT_SECONDS = 30.0
# What the live mode gets over by itself within this is a pause.
PROBLEM_SECONDS = 120.0
# The longest that a micro-batch takes; a query that has work and has finished none for longer is stuck.
STUCK_SECONDS = 300.0
# So many processes in a row that ended before they could load: it does not start.
STILLBORN = 2


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a live process says of itself."""

    backlog_files: int = 0
    backlog_bytes: int = 0
    batches: int = 0
    rows: int = 0
    problem: str | None = None
    stuck_seconds: float = 0.0
    ready: bool = True


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The newest live process, as the database has it; seconds by the database's clock."""

    run_id: str
    host: str
    pid: int
    started_at: datetime
    stopped_at: datetime | None
    silent_seconds: float
    backlog_files: int
    backlog_bytes: int
    batches: int
    rows: int
    problem: str | None
    problem_seconds: float | None
    stuck_seconds: float
    ready: bool
    stillborn: int

    @property
    def expected(self) -> bool:
        """Whether it ought to be running: it started and did not stop gracefully."""
        return self.stopped_at is None


@dataclass(frozen=True, slots=True)
class RecentFigures:
    """What has been loaded lately; latency from landing in seconds, by rows."""

    batches: int
    rows: int
    p50: float | None
    p95: float | None
    p99: float | None


def begin(connection: Connection, run_id: str, host: str, pid: int) -> int:
    """A row for a live process; returns its id."""
    return int(queries("live").begin_live(connection, run_id=run_id, host=host, pid=pid))


def beat(connection: Connection, live_id: int, pulse: Pulse) -> None:
    """It is there, and this is how it gets on."""
    queries("live").beat(connection, live_id=live_id, **asdict(pulse))


def end(connection: Connection, live_id: int) -> None:
    """It has stopped because it was told to."""
    queries("live").end_live(connection, live_id=live_id)


def withdraw(connection: Connection, live_id: int) -> None:
    """It never had the lock: whatever is live, it is not this one."""
    queries("live").withdraw_live(connection, live_id=live_id)


def newest(connection: Connection) -> LiveStatus | None:
    """The newest live process, or ``None`` if there never was one."""
    row = queries("live").newest_live(connection)
    return None if row is None else LiveStatus(*row)


def recent_figures(connection: Connection, seconds: float) -> RecentFigures:
    """What the micro-batches that ended within the last ``seconds`` have loaded."""
    return RecentFigures(*queries("live").recent_figures(connection, seconds=seconds))


def alive(status: LiveStatus | None) -> Finding:
    """Is the live mode alive, and loading, if it should be?"""
    if status is None or not status.expected:
        return _finding(True, "no live mode", "no live mode", status)
    found = f"a heartbeat {status.silent_seconds:.0f} s ago"
    passed = status.silent_seconds <= SILENT_SECONDS
    if passed and status.problem_seconds is not None and status.problem_seconds > PROBLEM_SECONDS:
        passed, found = False, f"not loading for {status.problem_seconds:.0f} s: {status.problem}"
    if passed and status.stuck_seconds > STUCK_SECONDS:
        passed, found = False, f"work, and no micro-batch finished for {status.stuck_seconds:.0f} s"
    if passed and not status.ready and status.stillborn >= STILLBORN:
        passed, found = (
            False,
            f"{status.stillborn} starts in a row that ended before anything could be loaded",
        )
    return _finding(passed, f"a heartbeat within {SILENT_SECONDS:.0f} s", found, status)


def _finding(passed: bool, expected: str, found: str, status: LiveStatus | None) -> Finding:
    details: dict[str, str | int] = {}
    if status is not None:
        details = {
            "host": status.host,
            "pid": status.pid,
            "started_at": f"{status.started_at:%Y-%m-%d %H:%M:%S} UTC",
            "backlog_files": status.backlog_files,
            "rows": status.rows,
        }
    about = "A live process that started and did not stop gracefully is there."
    return Finding(ALIVE_CHECK, passed, expected, found, about, details)
