"""What the assets say about themselves in the UI, derived from the declaration of the event.

Belongs here: turning domain objects into Dagster metadata. Does not belong here: computing them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import dagster as dg

from ecom_platform.feeds.feed import Column, Feed
from ecom_platform.settings import DEFAULT_SCHEMA, Settings, load_settings
from ecom_platform.store.audit import DuplicateAudit, Finding
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_table import EXTRA, ROW_ID, FeedTable

OWNERS = ["team:data-platform"]
GROUP = "ecommerce"

# A file holds text; this is what the text of a column must be, in words that the UI has icons for.
_FILE_TYPES = {"bigint": "integer", "numeric": "decimal", "timestamptz": "timestamp", "jsonb": "json"}
REQUIRED = dg.TableColumnConstraints(nullable=False)
_LINEAGE = [
    dg.TableColumn(
        "file_id", "bigint", "The file it came from, a row of ingested_files.", constraints=REQUIRED
    ),
    dg.TableColumn("ingested_at", "timestamptz", "When its transaction began.", constraints=REQUIRED),
]
_OURS = {
    EXTRA: "What the file has beside the declared columns.",
    ROW_ID: "By what the row is known, made from its content, its place or its key.",
}
_AUDIT_COLUMNS = {
    "rows": "Rows of the feed's table.",
    "distinct_ids": "Distinct keys of these rows; as many as rows.",
    "duplicates_within_file": "Rows not stored because the same file had them before.",
    "duplicates_across_files": "Rows not stored because another file had them before.",
    "duplicates_redropped_file": "Rows not stored because the very same file was loaded before.",
    "id_conflicts": "Rows with a known key and other content, in rejected_events.",
}


def described(column: Column, type_name: str, *, unique: bool = False) -> dg.TableColumn:
    """A declared column as the UI shows it."""
    # The UI cuts a constraint off after 25 characters, so the permitted values are said in words.
    listed = 0 < len(column.values) < 10
    description = f"{column.about} One of {', '.join(column.values)}." if listed else column.about
    constraints = dg.TableColumnConstraints(nullable=column.nullable, unique=unique)
    return dg.TableColumn(column.name, type_name, description=description, constraints=constraints)


def file_schema(feed: Feed) -> dg.TableSchema:
    """The columns of a file. A file may repeat a key; the table may not."""
    return dg.TableSchema([described(column, _file_type(column)) for column in feed.columns])


def _file_type(column: Column) -> str:
    bare = column.type.partition("(")[0]
    return _FILE_TYPES.get(bare, bare)


def table_schema(feed: Feed) -> dg.TableSchema:
    """The columns of a feed's table, those of ours behind them."""
    declared = [
        described(column, column.type, unique=feed.primary_key == (column.name,)) for column in feed.columns
    ]
    table = FeedTable(feed)
    ours = [dg.TableColumn(name, table.types[name], _OURS[name]) for name in _OURS if name in table.types]
    return dg.TableSchema([*declared, *ours, *_LINEAGE])


def audit_schema() -> dg.TableSchema:
    """The counts of an audit, and which run took them when."""
    counts = [
        dg.TableColumn(count.name, "bigint", _AUDIT_COLUMNS[count.name], constraints=REQUIRED)
        for count in fields(DuplicateAudit)
    ]
    return dg.TableSchema(
        [
            dg.TableColumn("run_id", "text", "The run that audited.", constraints=REQUIRED),
            dg.TableColumn("feed", "text", "The feed whose table it counted.", constraints=REQUIRED),
            dg.TableColumn("audited_at", "timestamptz", "When it counted.", constraints=REQUIRED),
            *counts,
        ]
    )


def column_lineage(upstream: str, columns: Mapping[str, tuple[str, ...]]) -> dg.TableColumnLineage:
    """For each column, the columns of the asset ``upstream`` that it follows from."""
    key = dg.AssetKey(upstream)
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(asset_key=key, column_name=source) for source in sources]
            for name, sources in columns.items()
        }
    )


def table_name(table: str, schema: str | None = None) -> dict[str, str]:
    """The name of a table, in whichever database it is; ``schema``: where it is none of the platform's."""
    return {"dagster/table_name": f"{schema or load_settings().postgres_schema or DEFAULT_SCHEMA}.{table}"}


def table_metadata(
    database: Database, settings: Settings, table: str, schema: str | None = None
) -> dict[str, Any]:
    """Where a table is, without anything secret."""
    # The embedded server asks for no password; its URL can be handed to psql as it is.
    uri = database.url if settings.embedded else f"postgresql://{database.description}"
    return {**table_name(table, schema), "dagster/uri": uri}


def check_result(
    finding: Finding,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    asset: str | None = None,
) -> Any:
    """A finding as Dagster shows it: expected beside found in a sentence and as metadata, then where.

    The sentence is there because Dagster sorts metadata by name, which parts the two. ``asset`` is needed
    where one function checks several.
    """
    expected, found = _readable(finding.expected), _readable(finding.found)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=finding.check,
        passed=finding.passed,
        severity=severity,
        description=f"Expected {expected}; found {found}.",
        metadata={"expected": expected, "found": found, **finding.details},
    )


def _readable(value: float | str) -> str:
    """Thousands set apart: 30000 rows as 30,000 rows."""
    return re.sub(r"\d{5,}", lambda number: f"{int(number[0]):,}", str(value))
