"""What the owner of the shop asks: revenue, funnel, products, the last loads.

Belongs here: the answers, read from the rollups wherever they have them. Does not belong here: how they
are shown (``reporting``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from ecom_platform.postgres import live_status, lock
from ecom_platform.postgres.connection import Connection
from ecom_platform.postgres.statements import queries

# The period that the figures are of, ending with the last day that has events.
PERIOD_DAYS = 30
TOP_PRODUCTS = 10
LAST_LOADS = 6
TOP_COUNTRIES = 8


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC) of sales."""

    day: date
    revenue: Decimal
    views: int
    carts: int
    purchases: int


@dataclass(frozen=True, slots=True)
class Steps:
    """How many looked, put into a cart, bought; of a category, a device, a country."""

    name: str
    views: int
    carts: int
    purchases: int


@dataclass(frozen=True, slots=True)
class Product:
    """One product and what it sold."""

    product_id: str
    category: str
    purchases: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class Load:
    """What one run brought in.

    ``moment`` is when its last file was finished, or when it began if none was. ``unfinished``: a
    micro-batch of it has not come to its end, which is in order only while it is ``loading``.
    """

    run_id: str
    moment: datetime
    unfinished: bool
    loaded: int
    quarantined: int
    rows_inserted: int
    rows_duplicate: int
    rows_rejected: int
    loading: bool = False

    @property
    def interrupted(self) -> bool:
        """Whether it ended in the middle of a micro-batch; its files are loaded by the next run."""
        return self.unfinished and not self.loading


@dataclass(frozen=True, slots=True)
class Shop:
    """What stands on the first screen. ``days``, the oldest first, are the calendar days of two periods."""

    days: list[Day]
    categories: list[Steps]
    devices: list[Steps]
    countries: list[Steps]
    category_revenue: list[tuple[str, Decimal]]
    products: list[Product]
    loads: list[Load]
    waiting_files: int


def shop(connection: Connection) -> Shop:
    """Everything on the report's first screen."""
    ask = queries("shop")
    days = [Day(*row) for row in ask.revenue_by_day(connection, days=2 * PERIOD_DAYS)]
    last = days[-1].day if days else date(1, 1, 1)
    first = max(last, date(2, 1, 1)) - timedelta(days=PERIOD_DAYS - 1)
    since = datetime.combine(first, time(), UTC)

    def steps(dimension: str) -> list[Steps]:
        rows = ask.funnel_by(connection, dimension=dimension, first=first, limit=TOP_COUNTRIES)
        return [Steps(*row) for row in rows]

    at_work = _loading_run(connection)
    loads = [Load(*row) for row in ask.last_loads(connection, limit=LAST_LOADS)]
    return Shop(
        days=days,
        categories=steps("category"),
        devices=steps("user_device"),
        countries=steps("user_location"),
        category_revenue=list(ask.revenue_by_category(connection, since=since)),
        products=[Product(*row) for row in ask.top_products(connection, since=since, limit=TOP_PRODUCTS)],
        loads=[replace(load, loading=load.run_id == at_work) for load in loads],
        waiting_files=int(ask.waiting_files(connection)),
    )


def _loading_run(connection: Connection) -> str | None:
    """The run that is loading at this moment, which whoever holds the ingest lock does."""
    holder = lock.holder(connection)
    if holder is None:
        return None
    live = live_status.newest(connection) if holder.live else None
    return live.run_id if live is not None else queries("shop").newest_run(connection)
