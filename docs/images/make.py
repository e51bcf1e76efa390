"""Takes the pictures of the README: ``python docs/images/make.py``, from the repository's root."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).parents[2]))

from ecom_platform_tests.acceptance import ui

HERE = Path(__file__).parent
WIDTH = 1400
GRAPH_WIDTH = 2200
# Dagster's own navigation, on the left, says nothing about us.
NAVIGATION = 240
# Dagster evaluates freshness every 30 s; until then the asset's page says "Not evaluated".
FRESHNESS_TIMEOUT = 90_000


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ecom-pictures-") as folder:
        home = Path(folder) / "home"
        with ui.ecom_dev(home) as dev, ui.browser_page(WIDTH, 600) as page:
            run = ui.materialize_all(dev, page)

            # On a smaller page the graph is drawn without its checks.
            resize(page, 860, GRAPH_WIDTH)
            ui.open_page(dev, page, "/asset-groups")
            page.get_by_text("17 / 17 Passed").wait_for()
            take(page, "graph")

            resize(page, 758)
            ui.open_page(dev, page, f"/runs/{run['runId']}")
            page.get_by_text("Finished execution of run").first.wait_for()
            # Every step at its time and by its name, instead of a few of them above the log.
            page.locator("button:has([aria-label='expand_arrows'])").first.click()
            page.get_by_text("Succeeded (").first.click()
            take(page, "run")

            resize(page, 760)
            ui.open_check(dev, page, "user_events", "counts_reconcile")
            page.get_by_text("rows accounted for").first.wait_for()
            take(page, "check")

            resize(page, 1669)
            ui.open_page(dev, page, "/assets/user_events?view=overview")
            page.get_by_text("Passing").first.wait_for(timeout=FRESHNESS_TIMEOUT)
            page.get_by_text("ISO 3166-1").first.wait_for()
            take(page, "asset")

            # A second run, so that the plots over time have lines.
            ui.materialize_all(dev, page)
            resize(page, 900)
            ui.open_plots(dev, page, "user_events")
            page.get_by_text("rows_per_second").first.scroll_into_view_if_needed()
            take(page, "plots")

            resize(page, 720)
            own_feed(dev, page)
            ui.open_check(dev, page, "orders", "few_rows_rejected")
            page.get_by_text("found 10 of 40 rows").first.wait_for()
            take(page, "feed")

            resize(page, 760)
            delete_some(home)
            ui.run_checks(dev, page, "user_events")
            ui.open_check(dev, page, "user_events", "generated_events_stored_once")
            page.get_by_text("found 29,960 rows.").first.wait_for()
            take(page, "failed")
        # In another home: in this one a check fails from now on.
        report(Path(folder) / "report")


def own_feed(dev: ui.Dev, page: Page) -> None:
    """A file of somebody's own: its declaration, one load, and one of which a quarter is refused."""
    header = "Order No;Ordered;Customer;Total\n"
    lines = [f"A-{n};{n % 28 + 1}.11.2026 09:43;{n};1.{n},90\n" for n in range(100, 140)]
    dirty = [line.replace("A-", "B-").replace(";1.", ";about 1.") for line in lines[:10]] + lines[10:]
    (dev.home / "orders.csv").write_text(header + "".join(lines))
    command = [sys.executable, "-m", "ecom_platform", "feeds", "init", "orders.csv"]
    environment = {**ui.clean_environment(), "ECOM_HOME": str(dev.home)}
    subprocess.run(command, env=environment, cwd=dev.home, check=True)
    ui.reload_code(dev, page)
    page.wait_for_timeout(5_000)  # until the code location is there again
    folder = dev.home / "landing" / "orders"
    folder.mkdir(exist_ok=True)
    for name, content in (("_november.csv", lines), ("_december.csv", dirty)):
        (folder / name).write_text(header + "".join(content))
        with dev.new_run():
            (folder / name).rename(folder / name[1:])


def delete_some(home: Path) -> None:
    """What somebody does who knows better than the platform."""
    delete = (
        "DELETE FROM user_events WHERE event_id IN"
        " (SELECT event_id FROM user_events WHERE file_id > 30 ORDER BY event_id LIMIT 40)"
    )
    command = [sys.executable, "-m", "ecom_platform", "psql", "-XAtc", delete]
    environment = {**ui.clean_environment(), "ECOM_HOME": str(home)}
    subprocess.run(command, env=environment, cwd=home, check=True)


def report(home: Path) -> None:
    """Some runs of several micro-batches, and what the last one writes."""
    home.mkdir()
    environment = {**ui.clean_environment(), "ECOM_HOME": str(home), "ECOM_BATCH_FILES": "8"}
    for number in range(6):
        command = [sys.executable, "-m", "ecom_platform", "run", "--events", str(60_000 + 12_000 * number)]
        subprocess.run(command, env=environment, cwd=home, check=True)
    take_report(home)


def take_report(home: Path) -> None:
    """The first screen of the report, and the one below it."""
    with ui.browser_page(WIDTH, 900) as page:
        page.goto((home / "reports" / "report.html").as_uri())
        middle, end = (
            float(page.get_by_role("heading", name=name).evaluate("it => it.getBoundingClientRect().top"))
            - 24
            for name in ("The pipeline", "This run and the last ones")
        )
        for name, top, bottom in (("report-shop", 0.0, middle), ("report-pipeline", middle, end)):
            clip = {"x": 60.0, "y": top, "width": WIDTH - 120.0, "height": bottom - top}
            page.screenshot(path=HERE / f"{name}.png", full_page=True, clip=clip)


def resize(page: Page, height: int, width: int = WIDTH) -> None:
    """Pages lay themselves out when they are opened, so this comes first."""
    page.set_viewport_size({"width": width, "height": height})


def take(page: Page, name: str) -> None:
    """Write the page as a picture, without Dagster's navigation."""
    page.wait_for_timeout(3_000)  # fonts, icons, and the graph's own animation
    size = page.viewport_size or {"width": WIDTH, "height": 0}
    clip = {"x": NAVIGATION, "y": 0, "width": size["width"] - NAVIGATION, "height": size["height"]}
    page.screenshot(path=HERE / f"{name}.png", clip=clip)


if __name__ == "__main__":
    main()
