"""A file of one's own, from `ecom feeds init` to a green asset, as a person sees it in the browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from ecom_platform_tests.acceptance import ui
from ecom_platform_tests.acceptance.test_ui import ecom, query
from ecom_platform_tests.waiting import wait_until

pytestmark = [
    pytest.mark.usefixtures("starts_spark", "starts_dagster"),
    pytest.mark.skipif(not ui.CHROMIUM.exists(), reason="Debian's package chromium is not installed"),
]

HEADER = "Order No;Ordered;Customer;Total\n"
ORDERS = [
    f"A-{number};{number % 28 + 1}.11.2026 09:43;{number};1.{number},90\n" for number in range(100, 140)
]
DIRTY = [line.replace("A-", "B-").replace(";1.", ";about 1.") for line in ORDERS[:10]] + ORDERS[10:]


def drop(dev: ui.Dev, page: Page, name: str, lines: list[str]) -> None:
    """Let a file land in the feed's folder, and see that the sensor's run loaded it."""
    folder = dev.home / "landing" / "orders"
    folder.mkdir(exist_ok=True)
    hidden = folder / f"_{name}"
    hidden.write_text(HEADER + "".join(lines))
    with dev.new_run() as run:
        hidden.rename(folder / name)
    assert (run["jobName"], run["status"]) == ("ingest", "SUCCESS"), dev.log()
    ui.wait_for_run(dev, page, run["runId"])


def test_from_init_to_green_and_back_to_green(dev: ui.Dev, tmp_path: Path) -> None:
    home = dev.home
    (home / "orders.csv").write_text(HEADER + "".join(ORDERS))
    assert ecom(home, "feeds", "init", "orders.csv").returncode == 0
    with ui.browser_page() as page:
        # Feeds are those that were declared when the code location was loaded.
        ui.reload_code(dev, page)
        wait_until(lambda: "orders" in dev.assets(), dev.log)
        drop(dev, page, "orders.csv", ORDERS)
        ui.open_page(dev, page, "/assets/orders?view=overview")
        for text in ("public.orders", "ordered", "numeric(12,2)"):
            page.get_by_text(text).first.wait_for()
        assert ui.run_checks(dev, page, "orders")["status"] == "SUCCESS"
        ui.open_check(dev, page, "orders", "table_matches_ledger")
        page.get_by_text("Succeeded").first.wait_for()
        page.screenshot(path=tmp_path / "green.png")

        drop(dev, page, "dirty.csv", DIRTY)
        ui.open_check(dev, page, "orders", "few_rows_rejected")
        page.get_by_text("found 10 of 40 rows").first.wait_for()
        page.screenshot(path=tmp_path / "red.png")
        assert query(home, "SELECT count(*) FROM orders") == "40"

        fixed = tmp_path / "fixed.csv"
        rejects = query(
            home,
            "SELECT file_name, line_number, convert_from(raw, 'UTF8') FROM rejected_events"
            " WHERE feed = 'orders'",
        )
        rows = [line.split("|") for line in rejects.splitlines()]
        fixed.write_text(
            "Order No,Ordered,Customer,Total,file_name,line_number\n"
            + "".join(
                ",".join(
                    [*(f'"{value}"' for value in raw.replace("about ", "").split(";")), name, number + "\n"]
                )
                for name, number, raw in rows
            )
        )
        done = ecom(home, "rejects", "replay", "--fixed", str(fixed), "--feed", "orders")
        assert done.returncode == 0, done.stderr
        assert query(home, "SELECT count(*) FROM orders") == "50"
        assert ui.run_checks(dev, page, "orders")["status"] == "SUCCESS"
        ui.open_check(dev, page, "orders", "few_rows_rejected")
        page.get_by_text("found 0 of 40 rows").first.wait_for()
        page.screenshot(path=tmp_path / "mended.png")
