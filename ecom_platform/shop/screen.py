"""The first screen of the report: for the owner of the shop.

Belongs here: which figures stand on it, in words and plots. Does not belong here: what stands where
(``screen.html.j2``), the figures (``overview``), the rest of the page (``reporting.page``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from ecom_platform.reporting import svg
from ecom_platform.reporting import wording as units
from ecom_platform.reporting.page import written
from ecom_platform.reporting.templates import fill
from ecom_platform.shop.overview import PERIOD_DAYS, Day, Shop, overview
from ecom_platform.store.connection import Connection


def first_screen(connection: Connection, now: datetime, loads: Markup) -> Markup:
    """How the shop does, beside the card of the last ``loads``."""
    return render(overview(connection), now, loads)


def render(shop: Shop, now: datetime, loads: Markup) -> Markup:
    """The screen, as HTML."""
    current, before = shop.days[-PERIOD_DAYS:], shop.days[:-PERIOD_DAYS]
    # A day that is not over is compared with nothing.
    going_on = bool(current) and current[-1].day >= now.astimezone(UTC).date()
    whole = (current[:-1], before[:-1]) if going_on else (current, before)
    return fill(
        "shop/screen.html.j2",
        period=f"{current[0].day:%d %b} to {current[-1].day:%d %b %Y}" if current else "",
        period_days=PERIOD_DAYS,
        going_on=going_on,
        written=written(now),
        figures=_figures(current, *whole),
        revenue=_revenue(shop),
        funnel=_funnel(current),
        products=_products(shop),
        loads=loads,
        categories=_categories(shop),
        conversion=_conversion(shop),
    )


def _figures(
    period: Sequence[Day], current: Sequence[Day], before: Sequence[Day]
) -> list[tuple[str, str, str, str]]:
    """Of the ``period``: name, value, note, change of its whole days, ``current``, to the days ``before``."""

    def total(days: Sequence[Day], name: str) -> float:
        return float(sum(getattr(day, name) for day in days))

    def rate(days: Sequence[Day]) -> float:
        return total(days, "purchases") / (total(days, "views") or 1.0)

    # A shorter period before is no comparison.
    comparable = before if len(before) >= len(current) else []
    before = comparable[len(comparable) - len(current) :]

    def change(name: str) -> tuple[str, str]:
        return _change(total(current, name), total(before, name), len(current))

    revenue, orders = total(period, "revenue"), total(period, "purchases")
    return [
        ("Revenue", units.money(revenue), *change("revenue")),
        ("Purchases", f"{orders:,.0f}", *change("purchases")),
        (
            "Conversion, view to purchase",
            f"{rate(period):.2%}",
            *_change(rate(current), rate(before), len(current)),
        ),
        ("Revenue per purchase", units.money(revenue / orders) if orders else "-", "", ""),
    ]


def _change(now: float, before: float, days: int) -> tuple[str, str]:
    """What is compared, and by how much it changed."""
    if not before:
        return "", ""
    return f"{days} whole days to the {days} before", f"{now / before - 1:+.1%}"


def _revenue(shop: Shop) -> Markup:
    """Revenue by day, the last period in full colour beside the one before."""
    values = [(day.day.isoformat(), float(day.revenue)) for day in shop.days]
    pale = max(len(values) - PERIOD_DAYS, 0)
    colors = [svg.PALE] * pale + [svg.STRONG] * (len(values) - pale)
    return svg.bars(values, units.count, "Revenue by day", colors)


def _funnel(days: Sequence[Day]) -> Markup:
    """From view to purchase over these ``days``."""
    steps = [
        ("Views", sum(day.views for day in days)),
        ("Carts", sum(day.carts for day in days)),
        ("Purchases", sum(day.purchases for day in days)),
    ]
    return svg.funnel(steps, "Views, carts, purchases")


def _products(shop: Shop) -> Markup:
    rows = [
        (
            f"{product.product_id} · {product.category}",
            float(product.revenue),
            f"{units.money(float(product.revenue))} · {product.purchases:,} sold",
        )
        for product in shop.products
    ]
    return svg.ranked(rows, "Top products by revenue")


def _categories(shop: Shop) -> Markup:
    rows = [(name, float(value), units.money(float(value))) for name, value in shop.category_revenue]
    return svg.ranked(rows, "Revenue by category", svg.TEAL)


def _conversion(shop: Shop) -> list[tuple[str, ...]]:
    """By device and country."""
    return [
        (row.name, f"{row.views:,}", f"{row.purchases:,}", f"{row.purchases / max(row.views, 1):.2%}")
        for row in [*shop.devices, *shop.countries[:4]]
    ]
