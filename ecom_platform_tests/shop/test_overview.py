"""What the owner of the shop reads at the top of the report, against files whose days are known."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.reporting.report import write_report
from ecom_platform.shop.overview import Shop, overview
from ecom_platform.shop.rollups import CONVERSION_FUNNEL, HOURLY_SALES, refresh
from ecom_platform.shop.screen import first_screen
from ecom_platform.store.connection import Database
from ecom_platform.store.metrics import Metric
from ecom_platform_tests.integration.test_report import Run
from ecom_platform_tests.landing import csv_file, line


@pytest.fixture
def run(database: Database, zone: LandingZone) -> Run:
    return Run(database, zone)


def overview_of(run: Run, folder: Path) -> Shop:
    """What the report that is written to ``folder`` begins with."""
    for rollup in (HOURLY_SALES, CONVERSION_FUNNEL):
        refresh(run.database, rollup)
    write_report(run.database, folder, run.run_id, first_screen, (HOURLY_SALES, CONVERSION_FUNNEL))
    with run.database.open() as connection:
        return overview(connection)


def on(day: str, price: str = "10.00") -> bytes:
    """A purchase of a day."""
    return line().replace(b"2026-01-02", day.encode()).replace(b"19.99", price.encode())


def test_days_without_events_are_days(run: Run, tmp_path: Path) -> None:
    run.batch(csv_file(on("2026-02-01", "1.00"), on("2026-02-10", "2.00"), on("2026-04-01", "4.00")))
    days = overview_of(run, tmp_path).days
    # From sixty days before the last to the last, whichever have events.
    assert [day.day for day in days] == [date(2026, 2, 1) + timedelta(days=n) for n in range(60)]
    sold = {day.day.isoformat(): (float(day.revenue), day.purchases) for day in days if day.purchases}
    assert sold == {"2026-02-01": (1.0, 1), "2026-02-10": (2.0, 1), "2026-04-01": (4.0, 1)}
    # The thirty days before are thirty days: 4 is a third more than 1 + 2.
    assert "+33.3%" in (tmp_path / "report.html").read_text()


def test_days_begin_with_the_first_that_has_events(run: Run, tmp_path: Path) -> None:
    run.batch(csv_file(on("2026-03-30"), on("2026-04-01")))
    shop = overview_of(run, tmp_path)
    assert [(day.day.day, day.purchases) for day in shop.days] == [(30, 1), (31, 0), (1, 1)]


def test_the_owner_of_the_shop_comes_first(run: Run, tmp_path: Path) -> None:
    """In the block that fits on a window: revenue, funnel, products, loads; then the rest."""
    run.batch(csv_file(line()))
    overview_of(run, tmp_path)
    text = (tmp_path / "report.html").read_text()
    first, rest = text.split('<div class="first">')[1].split("<h3>Revenue by category")
    heads = re.findall(r"<h3>([^<]+?)\s*<", first)
    assert heads == ["Revenue by day", "From view to purchase", "Top products", "Last loads"]
    assert first.count("<div") == first.count("</div>")  # closed, but for the grid of what comes next
    assert "The pipeline" in rest


class Page(HTMLParser):
    """What a page refers to, and whether its elements are closed in order."""

    VOID = frozenset({"meta", "br", "line", "rect", "circle", "polygon", "polyline"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.scripts += tag == "script"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_needs_nothing_but_itself_and_trusts_nobody(run: Run, tmp_path: Path) -> None:
    evil = b"<script>alert(1)</script>"
    hostile = [line().replace(b"PROD1000", evil).replace(b"19.99", b"99999.99") for _ in range(3)]
    run.batch(csv_file(*hostile, b"bad"))
    started = datetime(2026, 1, 1, tzinfo=UTC)
    run.record(
        *(
            Metric("cpu_cores", 1.0 + n, "cores", part, started + timedelta(seconds=n))
            for part in ("JVM", "driver")
            for n in range(4)
        ),
        *(Metric("latency_seconds", n / 10, "s", f"p{n:02}") for n in range(0, 101, 5)),
    )
    overview_of(run, tmp_path)
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert (page.references, page.scripts) == ([], 0)
    assert evil.decode() not in text
    assert "&lt;script&gt;" in text
    assert "300,000" in text
