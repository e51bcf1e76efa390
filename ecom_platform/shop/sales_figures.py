"""The assets ``hourly_sales`` and ``conversion_funnel``: what the events say, kept up to date; their checks,
and the job that counts days anew."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from ecom_platform.errors import UsageError
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.jobs import FOLLOWS_TAG, whole_up_to
from ecom_platform.orchestration.metadata import (
    GROUP,
    OWNERS,
    REQUIRED,
    check_result,
    column_lineage,
    described,
    table_metadata,
    table_name,
)
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.shop.event import BY_NAME, USER_EVENTS
from ecom_platform.shop.rollups import (
    CONVERSION_FUNNEL,
    HOURLY_SALES,
    Days,
    reconciles_all,
    refresh_all,
)
from ecom_platform.shop.sales_days import remember_first_day

# Which columns of user_events a column follows from.
_SALES_LINEAGE: Mapping[str, tuple[str, ...]] = {
    "hour": ("event_time",),
    "category": ("category",),
    "views": ("event_type",),
    "carts": ("event_type",),
    "purchases": ("event_type",),
    "revenue": ("event_type", "price"),
    "buyers": ("event_type", "user_id"),
}
_FUNNEL_LINEAGE: Mapping[str, tuple[str, ...]] = {
    "day": ("event_time",),
    "category": ("category",),
    "user_device": ("user_device",),
    "user_location": ("user_location",),
    "views": ("event_type",),
    "carts": ("event_type",),
    "purchases": ("event_type",),
    "cart_rate": ("event_type",),
    "purchase_rate": ("event_type",),
    "conversion_rate": ("event_type",),
}
_STEPS = {
    "views": "Products looked at.",
    "carts": "Products put into a cart.",
    "purchases": "Products bought.",
}
_RATES = {
    "cart_rate": "carts / views; null without views.",
    "purchase_rate": "purchases / carts; null without carts.",
    "conversion_rate": "purchases / views; null without views.",
}


def _sales_schema() -> dg.TableSchema:
    """Sales of an hour and category."""
    return dg.TableSchema(
        [
            dg.TableColumn("hour", "timestamptz", "Begin of the hour, UTC.", constraints=REQUIRED),
            described(BY_NAME["category"], "text"),
            *_counts(_STEPS),
            dg.TableColumn("revenue", "numeric(38,2)", "Prices of the purchases.", constraints=REQUIRED),
            dg.TableColumn("buyers", "bigint", "Distinct visitors who bought.", constraints=REQUIRED),
        ]
    )


def _funnel_schema() -> dg.TableSchema:
    """Steps of a day, category, device and country."""
    keys = [described(BY_NAME[name], "text") for name in ("category", "user_device", "user_location")]
    rates = [dg.TableColumn(name, "double precision", text) for name, text in _RATES.items()]
    day = dg.TableColumn("day", "date", "Day of the events, UTC.", constraints=REQUIRED)
    return dg.TableSchema([day, *keys, *_counts(_STEPS), *rates])


def _counts(described: Mapping[str, str]) -> list[dg.TableColumn]:
    return [dg.TableColumn(name, "bigint", text, constraints=REQUIRED) for name, text in described.items()]


class RecountConfig(dg.Config):
    """Days to be counted anew from the events; empty: only take in what changed."""

    first_day: str | None = Field(default=None, description="YYYY-MM-DD, UTC; both empty: what changed.")
    last_day: str | None = Field(default=None, description="YYYY-MM-DD, UTC, included.")

    def days(self) -> Days | None:
        if self.first_day is None and self.last_day is None:
            return None
        return Days(_day("first_day", self.first_day), _day("last_day", self.last_day))


def _day(field: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{field} is {text!r}, not a day.", "Give one such as 2026-01-31.") from error


def _spec(table: str, schema: dg.TableSchema, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        table,
        deps=[USER_EVENTS],
        description=description,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres", "sql"},
        code_version="2",
        metadata={"dagster/column_schema": schema, **table_name(table)},
        tags=FOLLOWS_TAG,
    )


_HOURLY_SALES = _spec(
    HOURLY_SALES,
    _sales_schema(),
    """Views, carts, purchases, revenue and distinct buyers of every hour (UTC) and category.

Only what changed since the last time is taken in: new files, late events, replayed rejects, and rows
that were deleted or changed by hand. The result is the same as counting everything anew, to the cent.

To count days anew: the job `recount_sales` has a partition a day, or open the launchpad and give a
range.""",
)
_CONVERSION_FUNNEL = _spec(
    CONVERSION_FUNNEL,
    _funnel_schema(),
    """From view to cart to purchase: the steps of every day (UTC) by category, device and country.

The steps are counted, not followed visitor by visitor, and each on its own day; so a rate may exceed
one on a day that sells what was looked at the day before. Kept up to date by what changed, as
`hourly_sales` is, and counted anew by the same job, `recount_sales`.""",
)
ROLLUPS = (HOURLY_SALES, CONVERSION_FUNNEL)
# By table.
_LINEAGE = {HOURLY_SALES: _SALES_LINEAGE, CONVERSION_FUNNEL: _FUNNEL_LINEAGE}


@dg.multi_asset(name="sales_figures", specs=[_HOURLY_SALES, _CONVERSION_FUNNEL], can_subset=True)
def sales_figures(
    context: dg.AssetExecutionContext,
    config: RecountConfig,
    ecom_postgres: PostgresResource,
    ecom_landing: LandingZoneResource,
) -> Iterator[dg.MaterializeResult[None]]:
    """Both sales tables, side by side."""
    rollups = sorted(key.to_user_string() for key in context.selected_asset_keys)
    for rollup, done in refresh_all(ecom_postgres.database, rollups, config.days()):
        metadata: dict[str, Any] = {
            "changed_events": done.events,
            "changed_files": done.files,
            "recounted_events": done.recounted,
            "seconds": round(done.seconds, 3),
            "dagster/column_lineage": column_lineage(USER_EVENTS, _LINEAGE[rollup]),
        }
        yield dg.MaterializeResult(
            asset_key=rollup,
            metadata=metadata | table_metadata(ecom_postgres.database, ecom_landing.settings, rollup),
        )
    remember_first_day(ecom_postgres.database, ecom_landing.settings.home)


_REMEDY = (
    "If it fails, rows were written past the platform or the figures were changed by hand: materialise the "
    "named days of the job `recount_sales`.\n\n"
    "Of a table with more than `ECOM_WHOLE_CHECK_ROWS` rows a run that loads holds the two tables of figures "
    "against each other, and against the events once a day."
)
_CHECK_SPECS = [
    dg.AssetCheckSpec(
        "revenue_reconciles",
        asset=HOURLY_SALES,
        description="Revenue, steps and buyers of every day agree with the events, to the cent.\n\n"
        + _REMEDY,
    ),
    dg.AssetCheckSpec(
        "funnel_reconciles",
        asset=CONVERSION_FUNNEL,
        description="The steps of every day and category are as many as the events.\n\n" + _REMEDY,
    ),
]
# The name of each table's check.
SALES_CHECKS = {HOURLY_SALES: "revenue_reconciles", CONVERSION_FUNNEL: "funnel_reconciles"}


@dg.multi_asset_check(name="sales_reconcile", specs=_CHECK_SPECS, can_subset=True)
def sales_reconcile(
    context: dg.AssetCheckExecutionContext,
    ecom_postgres: PostgresResource,
    ecom_landing: LandingZoneResource,
    ecom_declared: dg.ResourceParam[DeclaredFeeds],
) -> Iterator[Any]:
    """Both at once, each on a connection of its own."""
    limit = whole_up_to(context.run, ecom_landing.settings, ecom_declared)
    selected = {key.asset_key.to_user_string(): key.name for key in context.selected_asset_check_keys}
    for rollup, finding in reconciles_all(ecom_postgres.database, selected, whole_up_to=limit):
        yield check_result(finding, asset=rollup)


@dg.op
def recount_days(
    context: dg.OpExecutionContext,
    config: RecountConfig,
    ecom_postgres: PostgresResource,
    ecom_landing: LandingZoneResource,
) -> None:
    """Count days of both sales tables anew from the events."""
    for rollup, done in refresh_all(ecom_postgres.database, ROLLUPS, config.days()):
        metadata: dict[str, Any] = {
            "changed_events": done.events,
            "recounted_events": done.recounted,
            "dagster/column_lineage": column_lineage(USER_EVENTS, _LINEAGE[rollup]),
        }
        context.log_event(dg.AssetMaterialization(rollup, metadata=metadata))
    # A materialization without a look at its check would turn a failed one grey.
    limit = ecom_landing.settings.whole_check_rows
    for rollup, finding in reconciles_all(ecom_postgres.database, SALES_CHECKS, whole_up_to=limit):
        result = check_result(finding, asset=rollup)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(rollup),
            check_name=finding.check,
            passed=finding.passed,
            severity=result.severity,
            description=result.description,
            metadata=result.metadata,
        )
        context.log_event(evaluation)  # type: ignore[arg-type] # it takes these as well


def recount_job(first_day: date) -> dg.JobDefinition:
    """A partition a day from the first one that has figures to tomorrow.

    The job has the partitions, not the assets: a partitioned asset would make "Materialize all" ask for
    a partition, and there is none to ask for when what changed is taken in.
    """

    @dg.daily_partitioned_config(start_date=first_day.isoformat(), end_offset=2)
    def one_day(start: datetime, _end: datetime) -> dict[str, Any]:
        day = f"{start:%Y-%m-%d}"
        return {"ops": {"recount_days": {"config": {"first_day": day, "last_day": day}}}}

    @dg.job(name="recount_sales", config=one_day)
    def recount_sales() -> None:
        """Count days of the sales tables anew, a partition a day: `Launch backfill` takes any range."""
        recount_days()

    return recount_sales
