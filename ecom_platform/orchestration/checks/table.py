"""Checks of the table: every promise about it, held against the data."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from ecom_platform.landing import accounting
from ecom_platform.orchestration.assets.duplicate_audit import duplicate_audit
from ecom_platform.orchestration.assets.user_events import FRESHNESS_WINDOW, user_events
from ecom_platform.orchestration.jobs import whole_up_to
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.store import audit
from ecom_platform.store.audit import RowRules
from ecom_platform.store.feed_table import OWN_FEED
from ecom_platform.store.feed_tables import applied_tables
from ecom_platform.store.row_conditions import RuleKind

# What is said of a check here is what the UI shows under *About*: the promise, then what to do.
_WRITTEN_PAST_US = "\n\nIf it fails, rows were written past the platform, which would have refused them."
_SCOPE = (
    "\n\nOf a table with more than `ECOM_WHOLE_CHECK_ROWS` rows a run that loads looks at what changed "
    "since, and at the whole once a day."
)
_PRESENT, _DEPENDENT = frozenset({RuleKind.PRESENT}), frozenset({RuleKind.DEPENDENT})
_DOMAIN, _BOUNDED = frozenset({RuleKind.LISTED, RuleKind.BOUNDED}), frozenset({RuleKind.BOUNDED})
ROW_RULES = {
    RowRules(
        "no_missing_values", "Rows that lack a value every event has.", _PRESENT
    ): "No value is missing where every event has one.",
    RowRules(
        "price_only_on_sales",
        "Rows with a price on a view, or none on another event.",
        _DEPENDENT,
        ("price",),
    ): "A price is absent on views, and only there.",
    RowRules(
        "price_is_plausible", "Prices that are not positive, not finite or too large.", _BOUNDED, ("price",)
    ): "Prices are positive, finite and not beyond numeric(10,2).",
    RowRules(
        "values_in_domain",
        "Rows whose type, category, device, country or user is not a declared one.",
        _DOMAIN,
        ("event_type", "category", "user_device", "user_location", "user_id"),
    ): "Event types, categories, devices, countries and users are declared ones.",
    RowRules(
        "event_time_is_plausible", "Events before 2000 or more than a day ahead.", _BOUNDED, ("event_time",)
    ): "Events lie between the year 2000 and one day from now.",
}


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(rules.check, asset=user_events, description=text + _WRITTEN_PAST_US + _SCOPE)
        for rules, text in ROW_RULES.items()
    ],
    can_subset=True,
)
def row_rules(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, landing: LandingZoneResource
) -> Iterator[Any]:
    """Every rule about a single row, in one pass over the table."""
    limit = whole_up_to(context.run, landing.settings)
    wanted = {key.name for key in context.selected_asset_check_keys}
    for finding in audit.row_rules(postgres.database, landing.own_table, ROW_RULES, whole_up_to=limit):
        if finding.check in wanted:
            yield check_result(finding)


@dg.asset_check(asset=user_events)
def event_id_is_unique(postgres: PostgresResource, landing: LandingZoneResource) -> Any:
    """No event is stored twice: the unique index that promises it is in place and valid.

    The audit counts the data as well.
    If it fails, the primary key was dropped: restore it, after deleting what is there twice.
    """
    with postgres.transaction() as connection:
        return check_result(audit.unique_ids(connection, landing.own_table))


@dg.asset_check(asset=user_events)
def counts_reconcile(postgres: PostgresResource) -> Any:
    """Every row that was read is accounted for, per file and in total.

    That is, read = inserted + duplicate + rejected.
    If it fails, the ledger was changed by hand: restore it from a backup, then `ecom reconcile`.
    """
    with postgres.transaction() as connection:
        return check_result(audit.counts_reconcile(connection))


@dg.asset_check(asset=user_events)
def table_matches_ledger(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, landing: LandingZoneResource
) -> Any:
    """The table holds, file by file, what the ledger says was inserted, the rejects what was rejected.

    Rows that somebody deleted or added by hand show here, with the file they came from. If it fails,
    `ecom reload FILE…` brings deleted rows back. What another file brought back counts there.

    Of a table with more than `ECOM_WHOLE_CHECK_ROWS` rows a run that loads looks at the files whose rows
    came, went or were changed since, and at the whole, where added rows show too, once a day.
    """
    limit = whole_up_to(context.run, landing.settings)
    with postgres.database.open() as connection:
        tables = [landing.own_table, *applied_tables(connection)]
    findings = [
        (table.feed.name, audit.table_matches_ledger(postgres.database, table, whole_up_to=limit))
        for table in tables
    ]
    names = [table.feed.name for table in tables]
    findings.append(("declarations", audit.all_declared("table_matches_ledger", names, landing.feeds.feeds)))
    return check_result(audit.of_all_feeds(findings))


@dg.asset_check(asset=user_events)
def disk_matches_ledger(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, landing: LandingZoneResource
) -> Any:
    """The ledger knows every file that was claimed, archived or quarantined, and where it is.

    If it fails, PostgreSQL went back to an earlier state (a failover, a restored backup), it is another
    database than the files were loaded into, or somebody put files there. `ecom reconcile` lands the named
    files again, and loads them.

    Of a table with more than `ECOM_WHOLE_CHECK_ROWS` rows a run that loads looks at the days of the archive
    since the whole was found right, and at all of it once a day.
    """
    limit = whole_up_to(context.run, landing.settings)
    return check_result(accounting.disk_matches_ledger(postgres.database, landing.zone, whole_up_to=limit))


@dg.asset_check(asset=user_events)
def few_rows_rejected(postgres: PostgresResource, landing: LandingZoneResource) -> Any:
    """Of the rows of the newest run, and of each of its files, no more were rejected than
    `ECOM_ALERT_REJECT_SHARE` allows.

    Only a warning, since nothing is lost: `ecom rejects list` says why, `ecom rejects replay` loads them
    once they are right.
    """
    with postgres.transaction() as connection:
        finding = audit.few_rejects(connection, landing.settings.alerts.reject_share)
    return check_result(finding, dg.AssetCheckSeverity.WARN)


@dg.asset_check(asset=user_events)
def loaded_recently(postgres: PostgresResource) -> Any:
    """A file was loaded within the last day.

    Only a warning, since a quiet day is no fault: ask whoever produces the files.
    """
    with postgres.transaction() as connection:
        finding = audit.freshness(connection, datetime.now(UTC), FRESHNESS_WINDOW)
    return check_result(finding, dg.AssetCheckSeverity.WARN)


@dg.asset_check(asset=duplicate_audit)
def audit_finds_no_duplicates(postgres: PostgresResource) -> Any:
    """The newest audit counted as many distinct ids as rows.

    If it fails, so does `event_id_is_unique` of `user_events`: the primary key was dropped.
    """
    with postgres.transaction() as connection:
        names = [OWN_FEED, *(table.feed.name for table in applied_tables(connection))]
        findings = [(name, audit.newest_audit(connection, name)) for name in names]
    return check_result(audit.of_all_feeds(findings))
