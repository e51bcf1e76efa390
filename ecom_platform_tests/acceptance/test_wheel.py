"""The package as a stranger installs it: no checkout, no lock file, a resolver's own choice of versions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecom_platform_tests.acceptance import ui
from ecom_platform_tests.packaging import TOP, build_wheel, copy_source

pytestmark = pytest.mark.usefixtures("starts_spark", "starts_dagster")

# Those that must fit each other to the patch.
_FAMILY = ("dagster", "dagster-webserver", "dagster-pyspark", "dagster-postgres", "pyspark")


def environment() -> dict[str, str]:
    """As of a person who has set nothing: what is imported once is compiled once."""
    return {n: v for n, v in ui.clean_environment().items() if n != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Installed:
    """An environment that has the wheel and whatever a resolver chose for it."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def ecom(self, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "bin" / "ecom", *arguments],
            env=environment(),
            cwd=home,
            capture_output=True,
            text=True,
            timeout=900,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(copy_source(folder), folder)
    environment = folder / "environment"
    uv = [sys.executable, "-m", "uv"]
    install = [*uv, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python"), str(wheel)]
    for command in (
        [*uv, "venv", "--quiet", "--python", sys.executable, str(environment)],
        [*install, *(f"--find-links={built.parent}" for built in built_before(uv))],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr
    yield Installed(environment)


def built_before(uv: list[str]) -> list[Path]:
    """Spark's wheel, if `make setup` has built it: it comes as a source archive of 450 MB, and not every
    index lets uv see that it has it already. Which version is taken is the resolver's choice all the same."""
    cache = subprocess.run([*uv, "cache", "dir"], capture_output=True, text=True, check=True, timeout=240)
    built = (Path(cache.stdout.strip()).glob(f"sdists-*/{index}/pyspark/*/*/*.whl") for index in ("*", "*/*"))
    return sorted(path for found in built for path in found)[-1:]


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
