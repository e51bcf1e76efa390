"""Assets of a project of its own that follow from the feed `orders`: the example of docs/components.md, which
the tests execute. It lies among the definitions of the project, beside the folder of the component.
"""

import dagster as dg
from adbc_driver_postgresql import dbapi

from ecom_platform.components import PostgresResource

# Once a new file has been loaded, the daemon brings it up to date.
AFTER_A_LOAD = dg.AutomationCondition.eager()


@dg.asset(deps=["orders"], automation_condition=AFTER_A_LOAD, kinds={"postgres", "sql"})
def revenue_by_status(ecom_postgres: PostgresResource) -> dg.MaterializeResult:
    """In SQL: a table made anew from the feed's, in one transaction."""
    with ecom_postgres.transaction() as connection:
        connection.execute("DROP TABLE IF EXISTS revenue_by_status")
        connection.execute(
            "CREATE TABLE revenue_by_status AS"
            " SELECT status, count(*) AS orders, sum(total) AS revenue FROM orders GROUP BY status"
        )
        rows = connection.execute("SELECT count(*) FROM revenue_by_status").fetchone()
    return dg.MaterializeResult(metadata={"dagster/row_count": rows[0] if rows else 0})


@dg.asset_check(asset=revenue_by_status)
def nothing_is_left_out(ecom_postgres: PostgresResource) -> dg.AssetCheckResult:
    """The revenue of all statuses together is that of all orders."""
    with ecom_postgres.transaction() as connection:
        row = connection.execute(
            "SELECT (SELECT sum(total) FROM orders), (SELECT sum(revenue) FROM revenue_by_status)"
        ).fetchone()
    expected, found = row or (None, None)
    return dg.AssetCheckResult(
        passed=expected == found, metadata={"expected": str(expected), "found": str(found)}
    )


@dg.asset(deps=["orders"], automation_condition=AFTER_A_LOAD, kinds={"pandas"})
def orders_of_days(ecom_postgres: PostgresResource) -> dg.MaterializeResult:
    """In Python: columns as Arrow, for pandas; `polars.from_arrow` and DuckDB take the same table."""
    with dbapi.connect(ecom_postgres.database.url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ordered, total::double precision AS total FROM orders")
        orders = cursor.fetch_arrow_table().to_pandas()
    days = orders.groupby(orders["ordered"].dt.date)["total"].agg(["count", "sum"])
    return dg.MaterializeResult(
        metadata={
            "orders": int(days["count"].sum()),
            "days": {str(day): int(count) for day, count in days["count"].items()},
        }
    )


@dg.asset_check(asset=orders_of_days)
def each_order_has_a_day(
    context: dg.AssetCheckExecutionContext, ecom_postgres: PostgresResource
) -> dg.AssetCheckResult:
    """As many orders were counted as the table has."""
    event = context.instance.get_latest_materialization_event(dg.AssetKey("orders_of_days"))
    made = event.asset_materialization if event else None
    counted = made.metadata["orders"].value if made else None
    with ecom_postgres.transaction() as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
    return dg.AssetCheckResult(
        passed=row is not None and row[0] == counted,
        metadata={"expected": row[0] if row else 0, "found": str(counted)},
    )
