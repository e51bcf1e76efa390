"""The report's first screen compares like with like, and its tables are read aloud."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ecom_platform.shop.overview import Day, Shop
from ecom_platform.shop.screen import render

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


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
    html = render(shop(60), NOW, "")
    assert html.count("<table>") == html.count("<caption>") > 0
    heads = re.findall(r"<th[ >][^>]*", html)
    assert heads and all('scope="col"' in head for head in heads)


def test_a_day_that_is_not_over_is_compared_with_nothing() -> None:
    shown = text(render(shop(60), NOW, ""))
    assert "the last is not over" in shown
    assert "+100.0% 29 whole days to the 29 before" in shown


def test_whole_days_are_compared_with_as_many() -> None:
    shown = text(render(shop(60, NOW - timedelta(days=1)), NOW, ""))
    assert "the last is not over" not in shown
    assert "+100.0% 30 whole days to the 30 before" in shown


def test_a_shorter_time_before_is_no_comparison() -> None:
    assert "whole days to" not in text(render(shop(40), NOW, ""))
