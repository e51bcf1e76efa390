"""The notebook, executed from top to bottom on what a run has loaded."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from ecom_platform.server import EmbeddedServer
from ecom_platform_tests.acceptance.test_main_job import Platform

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "explore.ipynb"


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def printed(notebook: Any) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(output.get("text", "") for output in outputs)


def pictures(notebook: Any) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def test_it_is_committed_without_outputs() -> None:
    for cell in read().cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.usefixtures("starts_spark")
def test_it_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    platform = Platform(home)
    try:
        platform.json("run", "--events", "5000")
        for name, value in platform.environment.items():
            monkeypatch.setenv(name, value)
        # The environment that runs the tests, whatever kernels this user has besides.
        kernels = tmp_path / "jupyter" / "kernels" / "python3"
        kernels.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel = {"argv": argv, "display_name": "Python 3", "language": "python"}
        (kernels / "kernel.json").write_text(json.dumps(kernel))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
        notebook = read()
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(home)}}).execute()
        assert "5,000 events" in printed(notebook)
        assert "Electronics" in printed(notebook)
        assert pictures(notebook) == 3
    finally:
        EmbeddedServer(home / "postgres").stop()
