"""The first screen of the report: for the owner of the shop.

Belongs here: what stands where, in words and plots. Does not belong here: the figures (``overview``), the
rest of the page (``reporting.page``).

Everything that comes from data is escaped: product names are other people's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from ecom_platform.reporting import svg
from ecom_platform.reporting import wording as units
from ecom_platform.reporting.blocks import card, cards, table
from ecom_platform.reporting.page import header
from ecom_platform.shop.overview import PERIOD_DAYS, Day, Shop, Steps, overview
from ecom_platform.store.connection import Connection


def first_screen(connection: Connection, now: datetime, loads: str) -> str:
    """How the shop does, beside the card of the last ``loads``."""
    return render(overview(connection), now, loads)


def render(shop: Shop, now: datetime, loads: str) -> str:
    """The screen, as HTML."""
    current, before = shop.days[-PERIOD_DAYS:], shop.days[:-PERIOD_DAYS]
    # A day that is not over is compared with nothing.
    going_on = bool(current) and current[-1].day >= now.astimezone(UTC).date()
    whole = (current[:-1], before[:-1]) if going_on else (current, before)
    return "\n".join(
        [
            header("The shop", _period(shop), now),
            # What is in `first` fits on a window of 1280 by 800 together with what is above it.
            '<div class="first">',
            cards(_shop_cards(current, *whole)),
            '<div class="grid">',
            card(
                f"Revenue by day <small>the last {PERIOD_DAYS} days and those before"
                f"{'; the last is not over' if going_on else ''}</small>",
                _revenue(shop),
            ),
            card("From view to purchase", _funnel(shop)),
            card("Top products <small>by revenue</small>", _products(shop)),
            loads,
            "</div></div>",
            '<div class="grid">',
            card("Revenue by category", _categories(shop)),
            card("Conversion <small>by device and country</small>", _conversion(shop)),
            "</div>",
        ]
    )


def _shop_cards(
    period: Sequence[Day], current: Sequence[Day], before: Sequence[Day]
) -> list[tuple[str, str, str]]:
    """Figures of the ``period``; its whole days, ``current``, beside the days ``before``."""

    def total(days: Sequence[Day], name: str) -> float:
        return float(sum(getattr(day, name) for day in days))

    def rate(days: Sequence[Day]) -> float:
        return total(days, "purchases") / (total(days, "views") or 1.0)

    # A shorter period before is no comparison.
    comparable = before if len(before) >= len(current) else []
    before = comparable[len(comparable) - len(current) :]

    def change(name: str) -> str:
        return _change(total(current, name), total(before, name), len(current))

    revenue, orders = total(period, "revenue"), total(period, "purchases")
    return [
        ("Revenue", units.money(revenue), change("revenue")),
        ("Purchases", f"{orders:,.0f}", change("purchases")),
        (
            "Conversion, view to purchase",
            f"{rate(period):.2%}",
            _change(rate(current), rate(before), len(current)),
        ),
        ("Revenue per purchase", units.money(revenue / orders) if orders else "-", ""),
    ]


def _change(now: float, before: float, days: int) -> str:
    if not before:
        return ""
    change = now / before - 1
    kind = "up" if change >= 0 else "down"
    return f'<span class="{kind}">{change:+.1%}</span> <span>{days} whole days to the {days} before</span>'


def _conversion(shop: Shop) -> str:
    rows: list[Steps] = [*shop.devices, *shop.countries[:4]]
    cells = (
        (escape(row.name), f"{row.views:,}", f"{row.purchases:,}", f"{row.purchases / max(row.views, 1):.2%}")
        for row in rows
    )
    return table(
        "Conversion by device and country", ("Device, country", "Views", "Purchases", "Conversion"), cells
    )


def _period(shop: Shop) -> str:
    last = shop.days[-PERIOD_DAYS:]
    return f"{last[0].day:%d %b} to {last[-1].day:%d %b %Y}" if last else ""


def _revenue(shop: Shop) -> str:
    """Revenue by day, the last period in full colour beside the one before."""
    values = [(day.day.isoformat(), float(day.revenue)) for day in shop.days]
    pale = max(len(values) - PERIOD_DAYS, 0)
    colors = [svg.PALE] * pale + [svg.STRONG] * (len(values) - pale)
    return svg.bars(values, units.count, "Revenue by day", colors)


def _funnel(shop: Shop) -> str:
    """From view to purchase over the period."""
    days = shop.days[-PERIOD_DAYS:]
    steps = [
        ("Views", sum(day.views for day in days)),
        ("Carts", sum(day.carts for day in days)),
        ("Purchases", sum(day.purchases for day in days)),
    ]
    return svg.funnel(steps, "Views, carts, purchases")


def _products(shop: Shop) -> str:
    rows = [
        (
            f"{product.product_id} · {product.category}",
            float(product.revenue),
            f"{units.money(float(product.revenue))} · {product.purchases:,} sold",
        )
        for product in shop.products
    ]
    return svg.ranked(rows, "Top products by revenue")


def _categories(shop: Shop) -> str:
    rows = [(name, float(value), units.money(float(value))) for name, value in shop.category_revenue]
    return svg.ranked(rows, "Revenue by category", svg.TEAL)
