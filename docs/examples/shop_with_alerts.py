"""A Dagster project of its own, with alerts: the example of docs/alerts.md, executed by the tests.

Start it with `dagster dev -f docs/examples/shop_with_alerts.py`.
"""

import dagster as dg

from ecom_platform.orchestration.alerting import AlertVariables, check_alerts


class Shop(dg.Config):
    """How many orders there were."""

    orders: int = 100


@dg.asset
def orders(config: Shop) -> int:
    """The orders of a day."""
    return config.orders


@dg.asset_check(asset=orders)
def enough_orders(orders: int) -> dg.AssetCheckResult:
    """At least ten orders a day."""
    return dg.AssetCheckResult(passed=orders >= 10, metadata={"expected": "at least 10", "found": orders})


# Variables of its own, by name: their values are read where the sensor runs, and never shown.
variables = AlertVariables(urls="SHOP_ALERT_URLS", postgres_url="SHOP_DATABASE_URL")
defs = dg.Definitions.merge(
    dg.Definitions(assets=[orders], asset_checks=[enough_orders]), check_alerts(variables=variables)
)
