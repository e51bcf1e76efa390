"""Checks of the sales figures: they agree with the events."""

from typing import Any

import dagster as dg

from ecom_platform.orchestration.assets.sales import conversion_funnel, hourly_sales
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import PostgresResource
from ecom_platform.postgres.rollups import CONVERSION_FUNNEL, HOURLY_SALES, reconciles


@dg.asset_check(asset=hourly_sales)
def revenue_reconciles(postgres: PostgresResource) -> Any:
    """Revenue, steps and buyers of every day agree with the events, to the cent.

    If it fails, rows were written past the platform or the figures were changed by hand: materialise the
    named days of the job `recount_sales`.
    """
    return check_result(reconciles(postgres.database, HOURLY_SALES, "revenue_reconciles"))


@dg.asset_check(asset=conversion_funnel)
def funnel_reconciles(postgres: PostgresResource) -> Any:
    """Every event is one step of the funnel, in its day, category, device and country.

    If it fails, rows were written past the platform or the figures were changed by hand: materialise the
    named days of the job `recount_sales`.
    """
    return check_result(reconciles(postgres.database, CONVERSION_FUNNEL, "funnel_reconciles"))
