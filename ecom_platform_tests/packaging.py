"""The wheel as a release would build it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[1]
_BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"


def copy_source(folder: Path) -> Path:
    """What a wheel is built from, copied: building leaves things behind."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in ("setup.py", "pyproject.toml", "workspace.yaml", "dagster.yaml"):
        shutil.copy(TOP / name, source)
    shutil.copytree(
        TOP / "ecom_platform", source / "ecom_platform", ignore=shutil.ignore_patterns("__pycache__")
    )
    return source


def build_wheel(source: Path, folder: Path) -> Path:
    """Build it with this environment's setuptools, which is the tested one; returns its path."""
    subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder)], cwd=source, check=True, capture_output=True, timeout=600
    )
    return next(folder.glob("*.whl"))
