"""A problem to tell, a sensor that ticks, and a look into the tables: what the tests of alerts share."""

from __future__ import annotations

import time
from typing import Any

import dagster as dg
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._utils.error import SerializableErrorInfo

from ecom_platform.alerts.problem import Kind, Problem
from ecom_platform.store.connection import Database

PASSWORD = "hunter2-or-worse"


def problem(key: str = "check/a/b", **changes: Any) -> Problem:
    values: dict[str, Any] = {
        "key": key,
        "kind": Kind.CHECK_FAILED,
        "title": f"{key} failed",
        "asset": "user_events",
        "check": "some_check",
        "expected": "30,000 rows",
        "found": "29,960 rows",
        "run_id": "run-1",
        "link": "http://ui/runs/run-1",
    }
    return Problem(**{**values, **changes})


def rows(database: Database, sql: str, *values: object) -> list[Any]:
    with database.open() as connection:
        return connection.execute(sql, values).fetchall()


class Ticking:
    """A sensor that the daemon has ticked."""

    def __init__(
        self, instance: dg.DagsterInstance, name: str, status: InstigatorStatus = InstigatorStatus.RUNNING
    ) -> None:
        self.instance = instance
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
        self.state = InstigatorState(
            RemoteInstigatorOrigin(repository, name),
            InstigatorType.SENSOR,
            status,
            SensorInstigatorData(min_interval=1),
        )
        instance.add_instigator_state(self.state)

    def tick(self, status: TickStatus, seconds_ago: float = 0) -> None:
        error = SerializableErrorInfo("landing cannot be read", [], "StorageError")
        self.instance.create_tick(
            TickData(
                self.state.instigator_origin_id,
                self.state.name,
                InstigatorType.SENSOR,
                status,
                time.time() - seconds_ago,
                error=error if status is TickStatus.FAILURE else None,
                selector_id=self.state.selector_id,
            )
        )
