"""The assets ``hourly_sales`` and ``conversion_funnel``: what the events say, kept up to date."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from ecom_platform.errors import UsageError
from ecom_platform.orchestration.assets.user_events import user_events
from ecom_platform.orchestration.metadata import (
    GROUP,
    OWNERS,
    column_lineage,
    funnel_schema,
    sales_schema,
    table_metadata,
    table_name,
)
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.orchestration.sales_days import remember_first_day
from ecom_platform.postgres.rollups import CONVERSION_FUNNEL, HOURLY_SALES, Days, refresh_all

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
        deps=[user_events],
        description=description,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres", "sql"},
        code_version="2",
        metadata={"dagster/column_schema": schema, **table_name(table)},
    )


_HOURLY_SALES = _spec(
    HOURLY_SALES,
    sales_schema(),
    """Views, carts, purchases, revenue and distinct buyers of every hour (UTC) and category.

Only what changed since the last time is taken in: new files, late events, replayed rejects, and rows
that were deleted or changed by hand. The result is the same as counting everything anew, to the cent.

To count days anew: the job `recount_sales` has a partition a day, or open the launchpad and give a
range.""",
)
_CONVERSION_FUNNEL = _spec(
    CONVERSION_FUNNEL,
    funnel_schema(),
    """From view to cart to purchase: the steps of every day (UTC) by category, device and country.

The steps are counted, not followed visitor by visitor, and each on its own day; so a rate may exceed
one on a day that sells what was looked at the day before. Kept up to date by what changed, as
`hourly_sales` is, and counted anew by the same job, `recount_sales`.""",
)
# By table.
LINEAGE = {HOURLY_SALES: _SALES_LINEAGE, CONVERSION_FUNNEL: _FUNNEL_LINEAGE}


@dg.multi_asset(name="sales_figures", specs=[_HOURLY_SALES, _CONVERSION_FUNNEL], can_subset=True)
def sales_figures(
    context: dg.AssetExecutionContext,
    config: RecountConfig,
    postgres: PostgresResource,
    landing: LandingZoneResource,
) -> Iterator[dg.MaterializeResult[None]]:
    """Both sales tables, side by side."""
    rollups = sorted(key.to_user_string() for key in context.selected_asset_keys)
    for rollup, done in refresh_all(postgres.database, rollups, config.days()):
        metadata: dict[str, Any] = {
            "changed_events": done.events,
            "changed_files": done.files,
            "recounted_events": done.recounted,
            "seconds": round(done.seconds, 3),
            "dagster/column_lineage": column_lineage("user_events", LINEAGE[rollup]),
        }
        yield dg.MaterializeResult(
            asset_key=rollup, metadata=metadata | table_metadata(postgres.database, landing.settings, rollup)
        )
    remember_first_day(postgres.database, landing.settings.home)
