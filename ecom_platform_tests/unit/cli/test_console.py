"""What a person sees: a progress line that is one line, and a verdict that says what was found."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ecom_platform.cli import console as module
from ecom_platform.orchestration.execution import CheckOutcome, RunSummary
from ecom_platform.settings import load_settings
from ecom_platform.store.ledger import RunProgress


def outcome(name: str, severity: str, passed: bool) -> CheckOutcome:
    return CheckOutcome(name, passed, severity, "at most 5%", "7%", {})


def verdict(monkeypatch: pytest.MonkeyPatch, *checks: CheckOutcome) -> str:
    written = io.StringIO()
    monkeypatch.setattr(module, "display", lambda: written)
    summary = RunSummary("id", {}, list(checks), 1.0, None)
    module.print_summary(summary, load_settings({"ECOM_HOME": str(Path("/home/of/it"))}))
    return written.getvalue()


def test_a_warning_is_not_called_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    said = verdict(
        monkeypatch,
        outcome("a:right", "ERROR", True),
        outcome("user_events:few_rows_rejected", "WARN", False),
    )
    assert "Every check passed" not in said
    assert "1 warned: user_events:few_rows_rejected." in said


def test_what_passed_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Every check passed." in verdict(monkeypatch, outcome("a:right", "ERROR", True))


def test_feeds_and_files_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(module, "display", lambda: written)
    loaded = {"files_landed": 2, "files_loaded": 1, "files_quarantined": 1}
    orders = {**loaded, "rows_read": 40, "rows_inserted": 38, "rows_duplicate": 2}
    refused = {"orders/x.csv": "no header. It lies in /q/7-x.csv"}
    assets = {"orders": {**orders, "quarantined": refused}, "visits": {**loaded, "rows_read": 3}}
    module.print_summary(RunSummary("id", assets, [], 1.0, None), load_settings({"ECOM_HOME": "/home"}))
    said = written.getvalue()
    assert "orders: 40 read   38 inserted   2 duplicate" in said
    assert "visits: 3 read" in said
    assert "Quarantined: orders/x.csv: no header. It lies in /q/7-x.csv" in said
    assert "Nothing to load" not in said


def test_nothing_that_has_landed_is_said_with_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(module, "display", lambda: written)
    assets = {"user_events": {"files_landed": 0, "files_unsettled": 0}}
    module.print_summary(RunSummary("id", assets, [], 1.0, None), load_settings({"ECOM_HOME": "/home"}))
    assert "Nothing to load has landed in /home/landing." in written.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_progress_is_one_line(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    written = io.StringIO()
    monkeypatch.setattr(
        module, "Console", lambda **_: Console(file=written, width=width, force_terminal=True)
    )
    progress = module.Progress("main", "68a1600f-7f90-4c92", 30_000_000)
    progress.rows(RunProgress(30, 12_345_678, 10.0))
    lines = Console(width=width).render_lines(progress._live.get_renderable(), pad=False)
    assert len(lines) == 1
    if width >= 120:
        assert "1,234,568 rows/s" in "".join(segment.text for segment in lines[0])
    assert sum(segment.cell_length for segment in lines[0]) <= width
