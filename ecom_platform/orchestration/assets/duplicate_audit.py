"""The asset ``duplicate_audit``: one row a run that counts duplicates by their cause."""

from dataclasses import asdict

import dagster as dg

from ecom_platform.orchestration.assets.user_events import user_events
from ecom_platform.orchestration.jobs import whole_up_to
from ecom_platform.orchestration.metadata import GROUP, OWNERS, audit_schema, table_metadata, table_name
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.store.audit import record_duplicate_audit
from ecom_platform.store.feed_tables import applied_tables


@dg.asset(
    deps=[user_events],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres", "sql"},
    code_version="1",
    metadata={"dagster/column_schema": audit_schema(), **table_name("duplicate_audit")},
)
def duplicate_audit(
    context: dg.AssetExecutionContext, postgres: PostgresResource, landing: LandingZoneResource
) -> dg.MaterializeResult[None]:
    """Duplicates that came in, counted by cause, and whether any is stored; over the whole table.

    Each run adds one row, so the *Plots* below show how they develop. A duplicate comes from a row that
    is twice in one file, in two files, or in a file that was dropped again; none of these is stored. A
    row with a known id and other content is no duplicate but an id conflict, kept in `rejected_events`.

    Of a table with more than `ECOM_WHOLE_CHECK_ROWS` rows the distinct ids are counted once a day; between,
    the unique index stands for them.
    """
    settings = landing.settings
    table = landing.own_table
    limit = whole_up_to(context.run, settings)
    audit = record_duplicate_audit(postgres.database, table, context.run.run_id, whole_up_to=limit)
    with postgres.database.open() as connection:
        others = applied_tables(connection)
    for other in others:
        record_duplicate_audit(postgres.database, other, context.run.run_id, whole_up_to=limit)
    return dg.MaterializeResult(
        metadata=asdict(audit) | table_metadata(postgres.database, settings, "duplicate_audit")
    )
