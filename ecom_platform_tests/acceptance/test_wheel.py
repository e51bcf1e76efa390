"""The package as a stranger installs it: no checkout, no lock file, a resolver's own choice of versions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ecom_platform_tests.acceptance import ui
from ecom_platform_tests.acceptance.installed import Installed
from ecom_platform_tests.packaging import TOP

pytestmark = pytest.mark.usefixtures("starts_spark", "starts_dagster")

# Those that must fit each other to the patch.
_FAMILY = ("dagster", "dagster-webserver", "dagster-pyspark", "dagster-postgres", "pyspark")


def test_a_resolver_chooses_what_is_tested(installed: Installed) -> None:
    freeze = [sys.executable, "-m", "uv", "pip", "freeze", "--python", str(installed.python)]
    chosen = subprocess.run(freeze, capture_output=True, text=True, check=True, timeout=240).stdout
    locked = (TOP / "requirements.lock").read_text()

    def pins(text: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE))

    for name in _FAMILY:
        series = pins(locked)[name].split(".")[:2]
        assert pins(chosen)[name].split(".")[:2] == series, f"{name} is {pins(chosen)[name]}"


def test_it_loads_and_shows_in_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    assert installed.ecom(tmp_path, "--version").stdout.startswith("ecom_platform ")
    run = installed.ecom(tmp_path, "run", "--events", "1000", "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["rows"]["inserted"] == 1_000
    with ui.ecom_dev(tmp_path / ".ecom", program=[str(installed.folder / "bin" / "ecom")]) as dev:
        assert [run["status"] for run in dev.runs()] == ["SUCCESS"]
        assert "user_events" in dev.assets()
    dev.wait_until_gone()
