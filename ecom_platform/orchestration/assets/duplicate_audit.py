"""The asset ``duplicate_audit``: one row a run and feed that counts duplicates by their cause."""

from dataclasses import asdict
from typing import Any

import dagster as dg

from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.jobs import FOLLOWS_TAG, whole_up_to
from ecom_platform.orchestration.metadata import GROUP, OWNERS, audit_schema, table_metadata, table_name
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.store.audit import UNANSWERABLE, record_duplicate_audit, unanswered
from ecom_platform.store.feed_tables import applied_tables

AUDIT = "duplicate_audit"


def duplicate_audit(declared: DeclaredFeeds) -> dg.AssetsDefinition:
    """The audit of the declared feeds."""

    @dg.asset(
        name=AUDIT,
        deps=declared.keys,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres", "sql"},
        code_version="1",
        tags=FOLLOWS_TAG,
        metadata={"dagster/column_schema": audit_schema(), **table_name(AUDIT)},
    )
    def audit_of_feeds(
        context: dg.AssetExecutionContext, ecom_postgres: PostgresResource, ecom_landing: LandingZoneResource
    ) -> dg.MaterializeResult[None]:
        """Duplicates that came in, counted by cause, and whether any is stored; over the whole tables.

        Each run adds a row for each feed, so the *Plots* below show how they develop. A duplicate comes from
        a row that is twice in one file, in two files, or in a file that was dropped again; none of these is
        stored. A row with a known key and other content is no duplicate but a conflict, kept in
        `rejected_events`.

        Of a table with more than `ECOM_WHOLE_CHECK_ROWS` rows the distinct keys are counted once a day;
        between, the unique index stands for them.
        """
        settings = ecom_landing.settings
        limit = whole_up_to(context.run, settings, declared)
        with ecom_postgres.database.open() as connection:
            made = {table.feed.name: table for table in applied_tables(connection)}
        # The table of the first is made by the migrations; of others some may have none yet.
        tables = {name: table for name, table in declared.tables().items() if name == TOP_FEED} | made
        counted: dict[str, Any] = {}
        for name, table in tables.items():
            of = "" if name == TOP_FEED else f"{name}: "
            try:
                audit = record_duplicate_audit(
                    ecom_postgres.database, table, context.run.run_id, whole_up_to=limit
                )
            except UNANSWERABLE as error:  # its checks fail; the others are counted all the same
                counted[f"{of}not_counted"] = str(unanswered(AUDIT, error).found)
                continue
            counted |= {of + figure: value for figure, value in asdict(audit).items()}
        return dg.MaterializeResult(
            metadata=counted | table_metadata(ecom_postgres.database, settings, AUDIT)
        )

    return audit_of_feeds
