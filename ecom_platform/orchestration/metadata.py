"""What the assets say about themselves in the UI, derived from the declaration of the event.

Belongs here: turning domain objects into Dagster metadata. Does not belong here: computing them.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from ecom_platform.events.schema import COLUMNS, Column
from ecom_platform.postgres.audit import Finding
from ecom_platform.postgres.connection import Database
from ecom_platform.settings import Settings

OWNERS = ["team:data-platform"]
GROUP = "user_events"

_LINEAGE = [
    dg.TableColumn("file_id", "bigint", description="The file it came from, in ingested_files."),
    dg.TableColumn("ingested_at", "timestamptz", description="When its transaction began."),
]


def _column(column: Column, type_name: str) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(
        nullable=column.nullable,
        unique=column.name == "event_id",
        other=[f"one of {', '.join(column.domain)}"] if 0 < len(column.domain) < 10 else [],
    )
    return dg.TableColumn(column.name, type_name, description=column.description, constraints=constraints)


def file_schema() -> dg.TableSchema:
    """The nine columns of a CSV file."""
    return dg.TableSchema([_column(column, str(column.kind)) for column in COLUMNS])


def table_schema() -> dg.TableSchema:
    """The nine columns of the table, and its lineage."""
    return dg.TableSchema([_column(column, column.sql) for column in COLUMNS] + _LINEAGE)


def table_metadata(database: Database, settings: Settings, table: str) -> dict[str, Any]:
    """Where a table is, without anything secret."""
    return {
        "dagster/table_name": f"ecommerce.public.{table}" if settings.embedded else f"public.{table}",
        "dagster/uri": f"postgresql://{database.description}",
    }


def check_result(finding: Finding, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR) -> Any:
    """A finding as Dagster shows it: expected beside found, then where it does not hold."""
    return dg.AssetCheckResult(
        check_name=finding.check,
        passed=finding.passed,
        severity=severity,
        description=finding.description,
        metadata={"expected": finding.expected, "found": finding.found, **finding.details},
    )
