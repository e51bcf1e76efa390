"""How the platform is: what waits, what was loaded last, what is wrong.

Belongs here: bringing together the landing zone, the tables and Dagster's history, and what of it is red.
Nothing is changed, and no Spark is started. Does not belong here: how it is printed (``console``), or what
the platform needs (``doctor``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecom_platform.catalog import catalog
from ecom_platform.errors import EcomError
from ecom_platform.landing.inspection import inspection
from ecom_platform.orchestration.history import History, read_history
from ecom_platform.settings import Settings
from ecom_platform.store.table_status import TableStatus, table_status

if TYPE_CHECKING:
    import dagster as dg


# Of files without a feed.
_NAMED = 10


@dataclass(frozen=True, slots=True)
class WaitingFiles:
    """Files in the landing folder, and those that an ingest took up and has not finished."""

    files: int = 0
    bytes: int = 0
    since: datetime | None = None
    # By name, why it is never taken.
    refused: dict[str, str] = field(default_factory=dict)
    # Of the files, those of no feed, and what each looks like.
    without_feed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Status:
    """All of it. ``errors``: what could not be asked."""

    waiting: WaitingFiles
    tables: TableStatus
    history: History
    errors: list[EcomError]

    @property
    def red(self) -> list[str]:
        """What is wrong, a sentence each."""
        return [
            *(error.message for error in self.errors),
            *(
                f"check {check.name}: expected {check.expected}, found {check.found}"
                for check in self.history.failed_checks
                if check.severity == "ERROR"
            ),
            *([f"live mode: {self.tables.live}"] if self.tables.live else []),
            *self._failed_run(),
            *(
                f"alert: {alert.title}, since {moment(alert.occurred_at)}"
                for alert in self.tables.alerts
                if alert.severity == "ERROR"
            ),
            *(
                f"nobody was told of {alert.title!r} by {alert.untold}"
                for alert in self.tables.alerts
                if alert.untold
            ),
        ]

    @property
    def yellow(self) -> list[str]:
        """What deserves a look, and is no failure."""
        return [
            *(
                f"check {check.name}: expected {check.expected}, found {check.found}"
                for check in self.history.failed_checks
                if check.severity != "ERROR"
            ),
            *(f"alert: {alert.title}" for alert in self.tables.alerts if alert.severity != "ERROR"),
            *(f"{name!r} is not taken: {reason}" for name, reason in self.waiting.refused.items()),
            *self._without_feed(),
        ]

    @property
    def exit_code(self) -> int:
        return self.errors[0].exit_code if self.errors else int(bool(self.red))

    def as_json(self) -> dict[str, Any]:
        """The object of ``--json``; times as ISO 8601."""
        answer: dict[str, Any] = {
            "success": not self.red,
            "red": self.red,
            "yellow": self.yellow,
            "waiting": asdict(self.waiting),
            "under_way": self.tables.ingest,
            "last_loaded": asdict(self.tables.last_loaded) if self.tables.last_loaded else None,
            "last_run": asdict(self.history.last_run) if self.history.last_run else None,
            "open_rejects": self.tables.open_rejects,
            "failed_checks": [asdict(check) for check in self.history.failed_checks],
            "alerts": [asdict(alert) for alert in self.tables.alerts],
        }
        if self.errors:
            answer["error"] = self.errors[0].as_json()
        return {key: _plain(value) for key, value in answer.items()}

    def _without_feed(self) -> list[str]:
        files = sorted(self.waiting.without_feed.items())
        more = len(files) - _NAMED
        told = [f"{name!r} waits for a feed: {text}" for name, text in files[:_NAMED]]
        return [*told, *([f"{more:,} more files wait for a feed"] if more > 0 else [])]

    def _failed_run(self) -> list[str]:
        run = self.history.last_run
        if run is None or run.state != "FAILURE":
            return []
        return [f"the newest run, {run.run_id.split('-')[0]} ({run.job}), failed at {moment(run.ended_at)}"]


def status(settings: Settings) -> Status:
    """The state of the platform of ``settings``."""
    errors: list[EcomError] = []
    waiting, tables, history = WaitingFiles(), TableStatus(), History()
    try:
        tables = table_status(settings)
    except EcomError as error:
        errors.append(error)
    try:
        waiting = _waiting(settings, tables)
    except EcomError as error:
        errors.append(error)
    history = read_history(settings.dagster_home, _definitions)
    return Status(waiting, tables, history, errors)


def _definitions() -> dg.Definitions:
    from ecom_platform.orchestration.code_location import load

    return load()[0]


def _waiting(settings: Settings, tables: TableStatus) -> WaitingFiles:
    landed = inspection(settings).landed(catalog(settings).feeds, tables)
    times = [file.landed_at for file in landed.files]
    if tables.claimed_since is not None:
        times.append(tables.claimed_since)
    return WaitingFiles(
        files=len(landed.files) + tables.claimed_files,
        bytes=sum(file.size for file in landed.files) + tables.claimed_bytes,
        since=min(times, default=None),
        refused=landed.refused,
        without_feed=landed.without_feed,
    )


def moment(time: datetime) -> str:
    """A time as people read it."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _plain(value: Any) -> Any:
    """The value with its times as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
