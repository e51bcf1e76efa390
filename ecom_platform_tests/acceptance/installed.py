"""The package as a stranger installs it: no checkout, no lock file, a resolver's own choice of versions.

Making such an environment takes most of a minute; tests share one (the fixture ``installed``).
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ecom_platform_tests.acceptance import ui
from ecom_platform_tests.packaging import build_wheel, copy_source


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


def install(folder: Path) -> Installed:
    """Build the wheel, and install it into an environment in ``folder``."""
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
    return Installed(environment)


def built_before(uv: list[str]) -> list[Path]:
    """Spark's wheel, if `make setup` has built it: it comes as a source archive of 450 MB, and not every
    index lets uv see that it has it already. Which version is taken is the resolver's choice all the same."""
    cache = subprocess.run([*uv, "cache", "dir"], capture_output=True, text=True, check=True, timeout=240)
    built = (Path(cache.stdout.strip()).glob(f"sdists-*/{index}/pyspark/*/*/*.whl") for index in ("*", "*/*"))
    return sorted(path for found in built for path in found)[-1:]
