"""Feeds in another Dagster project: the wheel installed, a folder of a component written, and then all that
docs/components.md says."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.feeds.component_file import COMPONENT
from ecom_platform_tests.acceptance.component_project import make_project
from ecom_platform_tests.acceptance.installed import Installed, environment

pytestmark = pytest.mark.usefixtures("starts_spark", "starts_dagster")

OF_THE_FEED = {
    *("can_be_loaded", "counts_reconcile", "few_rows_rejected", "nothing_unusual", "row_id_is_unique"),
    *("rows_as_declared", "table_matches_ledger"),
}
OF_THE_PLATFORM = {
    *("archive_matches_ledger", "disk_matches_ledger", "files_have_a_feed", "live_mode_is_alive"),
    "no_line_half_read",
}


def of_feeds(checks: Iterable[str]) -> set[str]:
    return {check for check in checks if check.startswith(("orders:", "visits:"))}


def watch(installed: Installed, project: Path) -> dict[str, Any]:
    """What a code server and a daemon find and do."""
    variables = {
        "PYTHONPATH": str(project / "src"),
        "DAGSTER_HOME": str(project / ".dagster"),
        "ECOM_SETTLE_SECONDS": "0",  # nobody writes on
    }
    done = subprocess.run(
        [installed.python, "watch.py"],
        env={**environment(), **variables},
        cwd=project,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_a_feed_of_another_project_and_what_follows_from_it(installed: Installed, tmp_path: Path) -> None:
    definitions = make_project(tmp_path)
    folder = definitions / "sales"
    init = installed.ecom(tmp_path, "feeds", "init", "orders.csv", "--component", str(folder), "--json")
    assert init.returncode == 0, init.stderr
    assert (folder / "defs.yaml").is_file() and (folder / "feeds" / "orders.yaml").is_file()
    following = ["ECOM_FEEDS_DIR=src/bakery/defs ecom ingest --feed orders orders.csv"]
    assert json.loads(init.stdout)["next"] == following
    landing = tmp_path / ".ecom" / "landing" / "orders"
    landing.mkdir(parents=True)
    shutil.copy(tmp_path / "orders.csv", landing)  # for the sensor

    told = watch(installed, tmp_path)
    assert COMPONENT in told["types"]
    assert told["assets"] == [
        *("duplicate_audit", "orders", "orders_of_days", "performance_report", "revenue_by_status", "visits")
    ]
    checks = {f"orders:{check}" for check in OF_THE_FEED | OF_THE_PLATFORM}
    checks |= {f"visits:{check}" for check in OF_THE_FEED}
    assert of_feeds(told["checks"]) == checks
    assert {"revenue_by_status:nothing_is_left_out", "orders_of_days:each_order_has_a_day"} < set(
        told["checks"]
    )
    assert told["jobs"] == [
        *("__ASSET_JOB", "audit", "ingest", "reconcile", "reload", "replay_rejects", "report", "retention"),
        *("trace", "upkeep"),
    ]
    assert "new_csv_files" in told["sensors"] and len(set(told["sensors"])) == len(told["sensors"])

    assert told["tick"] == [None]
    loaded, followed = told["ran"]
    assert loaded["success"] and followed["success"]
    # Of the project's own assets none: when they follow is its affair.
    assert set(loaded["assets"]) == {"duplicate_audit", "orders", "performance_report", "visits"}
    rows = {name: loaded["assets"][name]["rows_inserted"] for name in ("orders", "visits")}
    assert rows == {"orders": 4, "visits": 3}
    assert of_feeds(loaded["checks"]) == checks
    # 8 is no value of the list: Dagster's own reader would have made it of 010.
    assert {check for check, passed in loaded["checks"].items() if not passed} == {"visits:few_rows_rejected"}
    assert set(followed["checks"]) == {
        "revenue_by_status:nothing_is_left_out",
        "orders_of_days:each_order_has_a_day",
    }
    assert all(followed["checks"].values())
    assert told["revenue"] == [["open", 1, "7.00"], ["paid", 3, "1276.85"]]
    assert followed["assets"]["orders_of_days"]["orders"] == 4
    assert followed["assets"]["orders_of_days"]["days"] == {
        "2026-11-13": 2,
        "2026-11-14": 1,
        "2026-11-15": 1,
    }
