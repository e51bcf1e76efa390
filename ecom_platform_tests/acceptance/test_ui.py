"""The UI as a person uses it: the graph, a materialisation, a check, and nothing left behind."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from ecom_platform.postgres.connection import Database
from ecom_platform.postgres.embedded import EmbeddedServer
from ecom_platform_tests.acceptance import ui

pytestmark = pytest.mark.skipif(not ui.CHROMIUM.exists(), reason="Debian's package chromium is not installed")


def count_events(home: Path) -> tuple[int, int]:
    with EmbeddedServer(home / "postgres") as server, Database(server.url).open() as connection:
        row = connection.execute("SELECT count(*), count(DISTINCT event_id) FROM user_events").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


@pytest.mark.timeout(400)
def test_materialise_everything_from_the_graph(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with ui.ecom_dev(home) as dev, ui.browser_page() as page:
        run = ui.materialize_all(dev, page)
        assert run["status"] == "SUCCESS", (home / "dev.log").read_text()[-4000:]
        assert count_events(home) == (30_000, 30_000)

        ui.open_page(dev, page, "/asset-groups")
        for name in ("raw_events", "user_events", "duplicate_audit"):
            page.get_by_text(name).first.wait_for()
        page.get_by_text("10 / 10 Passed").wait_for()
        page.screenshot(path=tmp_path / "graph.png")

        ui.open_page(dev, page, "/assets/user_events?view=checks&checkDetail=counts_reconcile")
        page.get_by_text("30000 rows accounted for").first.wait_for()
        page.get_by_text("30000 rows read").first.wait_for()
        page.screenshot(path=tmp_path / "check.png")

        ui.open_page(dev, page, "/assets/user_events?view=overview")
        page.get_by_text("ISO 3166-1 alpha-2 country code.").first.wait_for()
        processes = dev.processes()
    _wait_until_gone(processes)
    assert dev.processes() == []


def _wait_until_gone(processes: list[int], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(psutil.pid_exists(pid) for pid in processes):
        time.sleep(0.2)
