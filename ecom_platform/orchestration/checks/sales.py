"""Checks of the sales figures: they agree with the events."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from ecom_platform.orchestration.jobs import whole_up_to
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.postgres.rollups import CONVERSION_FUNNEL, HOURLY_SALES, reconciles_all

_REMEDY = (
    "If it fails, rows were written past the platform or the figures were changed by hand: materialise the "
    "named days of the job `recount_sales`.\n\n"
    "Of a table with more than `ECOM_WHOLE_CHECK_ROWS` rows a run that loads holds the two tables of figures "
    "against each other, and against the events once a day."
)
_SPECS = [
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


@dg.multi_asset_check(name="sales_reconcile", specs=_SPECS, can_subset=True)
def sales_reconcile(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, landing: LandingZoneResource
) -> Iterator[Any]:
    """Both at once, each on a connection of its own."""
    limit = whole_up_to(context.run, landing.settings)
    selected = {key.asset_key.to_user_string(): key.name for key in context.selected_asset_check_keys}
    for rollup, finding in reconciles_all(postgres.database, selected, whole_up_to=limit):
        yield check_result(finding, asset=rollup)
