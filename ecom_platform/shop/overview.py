"""What the owner of the shop asks: revenue, funnel, products.

Belongs here: the answers, read from the rollups wherever they have them. Does not belong here: how they
are shown (``screen``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from ecom_platform.shop import SQL
from ecom_platform.store.connection import Connection
from ecom_platform.store.statements import queries

# The period that the figures are of, ending with the last day that has events.
PERIOD_DAYS = 30
TOP_PRODUCTS = 10
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
class Shop:
    """What the first screen shows. ``days``, the oldest first, are the calendar days of two periods."""

    days: list[Day]
    categories: list[Steps]
    devices: list[Steps]
    countries: list[Steps]
    category_revenue: list[tuple[str, Decimal]]
    products: list[Product]


def overview(connection: Connection) -> Shop:
    """Everything that :class:`Shop` holds, as of now."""
    ask = queries("overview", SQL)
    days = [Day(*row) for row in ask.revenue_by_day(connection, days=2 * PERIOD_DAYS)]
    last = days[-1].day if days else date(1, 1, 1)
    first = max(last, date(2, 1, 1)) - timedelta(days=PERIOD_DAYS - 1)
    since = datetime.combine(first, time(), UTC)

    def steps(dimension: str) -> list[Steps]:
        rows = ask.funnel_by(connection, dimension=dimension, first=first, limit=TOP_COUNTRIES)
        return [Steps(*row) for row in rows]

    return Shop(
        days=days,
        categories=steps("category"),
        devices=steps("user_device"),
        countries=steps("user_location"),
        category_revenue=list(ask.revenue_by_category(connection, since=since)),
        products=[Product(*row) for row in ask.top_products(connection, since=since, limit=TOP_PRODUCTS)],
    )
