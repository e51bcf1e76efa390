"""The report's first screen compares like with like, and its tables are read aloud."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from markupsafe import Markup

from ecom_platform.shop.overview import Day, Product, Shop, Steps
from ecom_platform.shop.screen import render

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOADS = Markup("<section>loads</section>")


def shop(days: int, last: datetime = NOW) -> Shop:
    """Revenue of 100 a day, of the older half of two periods 50."""
    revenue = [Decimal(50 if number < days - 30 else 100) for number in range(days)]
    calendar = [
        Day((last - timedelta(days=days - 1 - number)).date(), amount, 10, 4, 2)
        for number, amount in enumerate(revenue)
    ]
    return Shop(calendar, [], [], [], [], [])


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_each_table_says_what_it_is_and_each_head_what_it_heads() -> None:
    html = render(shop(60), NOW, LOADS)
    assert html.count("<table>") == html.count("<caption>") > 0
    heads = re.findall(r"<th[ >][^>]*", html)
    assert heads and all('scope="col"' in head for head in heads)


def test_a_day_that_is_not_over_is_compared_with_nothing() -> None:
    shown = text(render(shop(60), NOW, LOADS))
    assert "the last is not over" in shown
    assert "+100.0% 29 whole days to the 29 before" in shown


def test_whole_days_are_compared_with_as_many() -> None:
    shown = text(render(shop(60, NOW - timedelta(days=1)), NOW, LOADS))
    assert "the last is not over" not in shown
    assert "+100.0% 30 whole days to the 30 before" in shown


def test_a_shorter_time_before_is_no_comparison() -> None:
    assert "whole days to" not in text(render(shop(40), NOW, LOADS))


def test_a_product_a_category_or_a_country_may_have_any_name() -> None:
    name = "<script>alert('1&2')</script>"
    named = replace(
        shop(60),
        devices=[Steps(name, 10, 4, 2)],
        category_revenue=[(name, Decimal(100))],
        products=[Product(name, name, 2, Decimal(100))],
    )
    html = render(named, NOW, LOADS)
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(") >= 3
    assert "&amp;lt;" not in html  # nor escaped twice
    assert LOADS in html


def test_what_has_fallen_is_not_shown_as_what_has_risen() -> None:
    days = shop(60, NOW - timedelta(days=1)).days
    fallen = replace(shop(60), days=[replace(day, revenue=200 - day.revenue) for day in days])
    html = render(fallen, NOW, LOADS)
    assert '<span class="down">-33.3%</span>' in html
    assert '<span class="up">+0.0%</span>' in html
