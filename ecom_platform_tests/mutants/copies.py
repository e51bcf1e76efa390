"""Copies of the checkout, in which code is changed and run; the checkout itself is never touched.

Belongs here: what a copy has, the environment in which its code is what runs, and the proof of that.
Does not belong here: what is run (``trial``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# What tests read: code, and the documents that some of them hold the code against.
PARTS = ("ecom_platform", "ecom_platform_tests", "docs", "docker", "benchmarks")
PACKAGES = ("ecom_platform", "ecom_platform_tests")

_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", "images")
# In a process of a process, far from the copy: where do its packages come from?
_PRINT = "import sys; [print(__import__(package).__file__) for package in sys.argv[1:]]"
_PROBE = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]], check=True)"


class ForeignCodeError(Exception):
    """What would run is not the code of the copy."""


def copy_checkout(root: Path, folder: Path, parts: tuple[str, ...] = PARTS) -> None:
    """``folder`` becomes a copy of what tests need of the checkout ``root``, compiled.

    The compiled files know their source by its hash: by time and size, two faults within a second could
    pass for each other.
    """
    folder.mkdir(parents=True)
    for path in root.iterdir():
        if path.is_file():
            shutil.copy2(path, folder)
    for part in parts:
        if (root / part).is_dir():
            shutil.copytree(root / part, folder / part, ignore=_NOT_COPIED)
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", str(folder)]
    subprocess.run(command, check=True)


def environment(folder: Path) -> dict[str, str]:
    """In which Python takes packages from ``folder`` first, before any that is installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    return {**kept, "PYTHONPATH": str(folder)}


def require_own_code(folder: Path, packages: tuple[str, ...] = PACKAGES) -> None:
    """Raises :class:`ForeignCodeError` if a process of a process takes a package from elsewhere."""
    command = [sys.executable, "-c", _PROBE, _PRINT, *packages]
    found = subprocess.run(
        command, cwd="/", env=environment(folder), check=True, capture_output=True, text=True
    ).stdout.splitlines()
    foreign = [place for place in found if not Path(place).is_relative_to(folder)]
    if foreign or len(found) != len(packages):
        raise ForeignCodeError(f"The code of {folder} was to run, not {', '.join(foreign) or 'none'}.")
