"""What is installed, as opposed to run from the repository, is complete."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ecom_platform_tests.packaging import build_wheel, copy_source


def test_the_wheel_has_every_file_of_the_package_and_those_for_dagster(tmp_path: Path) -> None:
    source = copy_source(tmp_path)
    files = {str(path.relative_to(source)) for path in source.glob("ecom_platform/**/*") if path.is_file()}
    with zipfile.ZipFile(build_wheel(source, tmp_path)) as wheel:
        names = set(wheel.namelist())
        assert files - names == set()
        for name in ("workspace.yaml", "dagster.yaml"):
            assert wheel.read(f"ecom_platform/{name}") == (source / name).read_bytes()
