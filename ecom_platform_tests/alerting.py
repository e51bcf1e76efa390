"""A problem to tell, and a look into the tables: what the tests of alerts share."""

from __future__ import annotations

from typing import Any

from ecom_platform.alerts.problem import Kind, Problem
from ecom_platform.postgres.connection import Database

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
