"""What is installed, as opposed to run from the repository, is complete."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_the_wheel_has_every_file_of_the_package(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(TOP / name, source)
    passing_by = shutil.ignore_patterns("__pycache__")
    shutil.copytree(TOP / "ecom_platform", source / "ecom_platform", ignore=passing_by)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('..'))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True, timeout=600)
    wheel = next(tmp_path.glob("*.whl"))
    files = {str(path.relative_to(source)) for path in source.glob("ecom_platform/**/*") if path.is_file()}
    assert files - set(zipfile.ZipFile(wheel).namelist()) == set()
