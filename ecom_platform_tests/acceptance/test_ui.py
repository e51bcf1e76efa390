"""The UI as a person uses it: the graph, a materialisation, checks that pass and fail, the way out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from ecom_platform_tests.acceptance import ui
from ecom_platform_tests.landing import csv_file, line
from ecom_platform_tests.receivers import Receiver
from ecom_platform_tests.waiting import COSTLY_LOOK_SECONDS, wait_until

pytestmark = [
    pytest.mark.usefixtures("starts_spark", "starts_dagster"),
    pytest.mark.skipif(not ui.CHROMIUM.exists(), reason="Debian's package chromium is not installed"),
]

ECOM = [sys.executable, "-m", "ecom_platform"]


def ecom(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ECOM, *arguments],
        env={**ui.clean_environment(), "ECOM_HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=240,
    )


def query(home: Path, sql: str) -> str:
    done = ecom(home, "psql", "-XAtc", sql)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_materialise_everything_then_break_it_then_put_it_right(dev: ui.Dev, tmp_path: Path) -> None:
    home = dev.home
    stored = int(query(home, "SELECT count(*) FROM user_events"))
    with ui.browser_page() as page:
        run = ui.materialize_all(dev, page)
        assert run["status"] == "SUCCESS", dev.log()
        wait_until(lambda: not dev.jvms(), lambda: str(dev.jvms()), COSTLY_LOOK_SECONDS)
        counts = query(home, "SELECT count(*), count(DISTINCT event_id) FROM user_events")
        assert counts == f"{stored + 30_000}|{stored + 30_000}"

        # On a smaller page the graph is drawn without its checks.
        page.set_viewport_size({"width": 2400, "height": 1000})
        ui.open_page(dev, page, "/asset-groups")
        for asset, checks in (
            ("raw_events", 1),
            ("user_events", 17),
            ("duplicate_audit", 1),
            ("hourly_sales", 1),
        ):
            page.get_by_text(asset).first.wait_for()
            page.get_by_text(f"{checks} / {checks} Passed").first.wait_for()
        page.screenshot(path=tmp_path / "graph.png")
        page.set_viewport_size({"width": 1400, "height": 800})

        ui.open_page(dev, page, "/assets/user_events?view=overview")
        row_count = f"{stored + 30_000:,}"
        for text in ("ISO 3166-1 alpha-2 country code.", "public.user_events", "data-platform", row_count):
            page.get_by_text(text).first.wait_for()
        page.screenshot(path=tmp_path / "asset.png")

        ui.open_plots(dev, page, "user_events")
        for figure in ("rows_per_second", "rows_inserted", "latency_p95_seconds"):
            page.get_by_text(figure, exact=True).first.wait_for()
        assert page.locator("canvas").count() >= 10
        page.screenshot(path=tmp_path / "metadata.png")

        ui.open_page(dev, page, "/assets/hourly_sales?view=overview")
        for text in ("public.hourly_sales", "Distinct visitors who bought."):
            page.get_by_text(text).first.wait_for()
        ui.open_page(dev, page, "/assets/performance_report?view=overview")
        page.get_by_text("[Show Markdown]").first.click()
        plot = page.locator("img[src^='data:image/svg+xml']").first
        plot.wait_for()
        assert plot.evaluate("image => image.naturalWidth") == 640
        page.screenshot(path=tmp_path / "plots.png")
        ui.open_page(dev, page, "/locations/ecom_platform/jobs/recount_sales/partitions")
        page.get_by_role("button", name="Launch backfill").wait_for()

        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((home / "reports" / "report.html").as_uri())
        for text in ("The shop", "Top products", "From view to purchase", "The pipeline", "30,000 rows in"):
            page.get_by_text(text).first.wait_for()
        assert asked == [(home / "reports" / "report.html").as_uri()]
        page.screenshot(path=tmp_path / "report.png", full_page=True)
        # What the owner of the shop looks for is on a small window without scrolling.
        page.set_viewport_size({"width": 1280, "height": 800})
        for card in page.locator(".first .card").all():
            box = card.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 800, card.inner_text()
        page.set_viewport_size({"width": 1400, "height": 800})

        ui.open_check(dev, page, "user_events", "counts_reconcile")
        read = int(query(home, "SELECT sum(rows_read) FROM ingested_files"))
        sentence = f"Expected {read:,} rows read; found {read:,} rows accounted for."
        page.get_by_text(sentence).first.wait_for()
        page.get_by_text(f"{read:,} rows read", exact=True).first.wait_for()
        page.get_by_text(f"{read:,} rows accounted for", exact=True).first.wait_for()
        page.screenshot(path=tmp_path / "check.png")

        some = "SELECT * FROM user_events WHERE file_id IN (SELECT max(file_id) FROM user_events) LIMIT 40"
        query(home, f"CREATE TABLE kept AS {some}")
        query(home, "DELETE FROM user_events WHERE event_id IN (SELECT event_id FROM kept)")
        # A check that fails does not fail the run: only a blocking one does.
        assert ui.run_checks(dev, page, "user_events")["status"] == "SUCCESS"
        ui.open_check(dev, page, "user_events", "generated_events_stored_once")
        page.get_by_text("Expected 30,000 events, each once; found 29,960 rows.").first.wait_for()
        page.screenshot(path=tmp_path / "failed.png")

        query(home, "INSERT INTO user_events SELECT * FROM kept")
        query(home, "DROP TABLE kept")
        assert ui.run_checks(dev, page, "user_events")["status"] == "SUCCESS"
        ui.open_check(dev, page, "user_events", "generated_events_stored_once")
        page.get_by_text("Expected 30,000 events, each once; found 30,000 rows.").first.wait_for()


def test_what_lands_is_loaded_and_what_is_wrong_is_told_until_it_is_right(
    dev: ui.Dev, hook: Receiver, tmp_path: Path
) -> None:
    """The sensor, a check that fails, the alert at a webhook, the remedy, the recovery."""
    home = dev.home
    stored = int(query(home, "SELECT count(*) FROM user_events"))
    # What was wrong before is over.
    opened = "SELECT count(*) FROM alerts WHERE resolved_at IS NULL"
    wait_until(lambda: query(home, opened) == "0", dev.log, COSTLY_LOOK_SECONDS)
    told_before = len(hook.received)

    def told(*parts: str) -> Callable[[Receiver], bool]:
        """Whether one message of now has every one of ``parts``."""
        return lambda hook: any(all(part in text for part in parts) for text in hook.texts[told_before:])

    def rows() -> int:
        return int(query(home, "SELECT count(*) FROM user_events")) - stored

    good = [line() for _ in range(20)]
    bad = [line().replace(b"Books", b"Cooks") for _ in range(5)]
    with ui.browser_page() as page:
        land(dev, page, "good.csv", good)
        assert rows() == 20

        newest = "SELECT event_id FROM user_events WHERE file_id IN (SELECT max(file_id) FROM user_events)"
        query(home, f"DELETE FROM user_events WHERE event_id IN ({newest} LIMIT 3)")
        assert ui.run_checks(dev, page, "user_events")["status"] == "SUCCESS"
        ui.open_check(dev, page, "user_events", "table_matches_ledger")
        page.get_by_text("found 1 file differs: 3 rows are missing.").first.wait_for()
        hook.wait_for(
            told("[ERROR]", "3 rows are missing", "ecom reload", "checkDetail=table_matches_ledger")
        )

        # The same file again: what was deleted comes back, the rest are duplicates.
        land(dev, page, "good.csv", good)
        assert rows() == 20
        hook.wait_for(told("[RECOVERED]", "table_matches_ledger"))

        land(dev, page, "bad.csv", [*good, *bad])
        ui.open_check(dev, page, "user_events", "few_rows_rejected")
        page.get_by_text("Expected at most 5.0% of the rows rejected; found 5 of 25 rows.").first.wait_for()
        page.screenshot(path=tmp_path / "rejected.png")
        hook.wait_for(told("20.0% of the rows were rejected"))

        fixed = tmp_path / "fixed.csv"
        fixed.write_bytes(csv_file(*(row.replace(b"Cooks", b"Books") for row in bad)))
        assert ecom(home, "rejects", "replay", "--fixed", str(fixed)).returncode == 0
        hook.wait_for(told("[RECOVERED]", "rows were rejected"))
        assert ui.run_checks(dev, page, "user_events")["status"] == "SUCCESS"
        ui.open_check(dev, page, "user_events", "few_rows_rejected")
        page.get_by_text("found 0 of 25 rows.").first.wait_for()
        assert rows() == 25


def land(dev: ui.Dev, page: Page, name: str, rows: list[bytes]) -> None:
    """Let a file land, as a producer does, and see in the browser that the sensor's run loaded it."""
    hidden = dev.home / "landing" / f"_{name}"
    hidden.write_bytes(csv_file(*rows))
    with dev.new_run() as run:
        hidden.rename(hidden.with_name(name))
    assert (run["jobName"], run["status"]) == ("ingest", "SUCCESS"), dev.log()
    ui.wait_for_run(dev, page, run["runId"])


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with ui.taken_port() as port:
        done = ecom(tmp_path, "dev", "--port", str(port))
    assert done.returncode == 3
    assert f"Port {port}" in done.stderr
    assert f"PORT={port + 1}" in done.stderr
    assert list(tmp_path.iterdir()) == []
