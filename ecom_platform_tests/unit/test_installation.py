"""An environment belongs to the checkout around it: moved, copied or half made, it is made anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ecom_platform
from ecom_platform.errors import PrerequisiteError
from ecom_platform.installation import require_own_environment
from ecom_platform_tests.packaging import TOP

MAKE_AGAIN = "rm -rf .venv"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with an environment as `make setup` leaves it, as far as make looks at it."""
    folder = tmp_path / "a checkout"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "requirements-uv.lock", "pyproject.toml", "setup.py"):
        shutil.copy(TOP / name, folder)
    (folder / "ecom_platform").mkdir()
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (folder / ".venv" / ".installed").write_text(f"{folder.resolve()}\n")
    return folder


def planned(checkout: Path) -> str:
    """What `make setup` would do."""
    done = subprocess.run(
        ["make", "-n", "setup"], cwd=checkout, capture_output=True, text=True, check=True, timeout=240
    )
    return done.stdout


def test_what_is_there_is_kept(checkout: Path) -> None:
    assert "Nothing to be done for 'setup'." in planned(checkout)


def test_new_requirements_are_installed_into_it(checkout: Path) -> None:
    later = (checkout / ".venv" / ".installed").stat().st_mtime + 10
    os.utime(checkout / "requirements.lock", (later, later))
    plan = planned(checkout)
    assert "uv pip sync" in plan and MAKE_AGAIN not in plan


def test_a_moved_and_a_copied_checkout_make_it_anew(checkout: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(checkout, copied, symlinks=True)
    moved = checkout.rename(tmp_path / "moved")
    for place in (copied, moved):
        plan = planned(place)
        assert plan.index(MAKE_AGAIN) < plan.index("-m venv") < plan.index("uv pip sync")


@pytest.mark.parametrize("missing", [".installed", "bin/python"])
def test_one_that_is_not_whole_is_made_anew(checkout: Path, missing: str) -> None:
    (checkout / ".venv" / missing).unlink()
    assert MAKE_AGAIN in planned(checkout)


def test_the_environment_of_another_checkout_is_refused(checkout: Path, tmp_path: Path) -> None:
    code = tmp_path / "original" / "ecom_platform"
    code.mkdir(parents=True)
    for program, prefix in ((checkout / ".venv/bin/ecom", Path("/usr")), (Path("-c"), checkout / ".venv")):
        with pytest.raises(PrerequisiteError) as refused:
            require_own_environment(program, prefix, code)
        assert str(checkout) in refused.value.message and str(code.parent) in refused.value.message
        assert "make setup" in refused.value.remedy


def test_its_own_environment_and_an_installed_package_are_not(checkout: Path, tmp_path: Path) -> None:
    require_own_environment(checkout / ".venv/bin/ecom", checkout / ".venv", checkout / "ecom_platform")
    require_own_environment(tmp_path / "bin" / "ecom", tmp_path, tmp_path / "lib" / "ecom_platform")
    require_own_environment(Path(sys.argv[0]), Path(sys.prefix), Path(ecom_platform.__file__).parent)


@pytest.mark.long
def test_a_moved_checkout_runs_its_own_code(tmp_path: Path) -> None:
    """The real thing, from an empty folder: set up, moved, run."""
    first, second = tmp_path / "first", tmp_path / "second"
    passing_by = shutil.ignore_patterns(".venv*", ".ecom", ".git", "__pycache__")
    shutil.copytree(TOP, first, symlinks=True, ignore=passing_by)

    def make(folder: Path, target: str) -> str:
        done = subprocess.run(["make", target], cwd=folder, capture_output=True, text=True, timeout=1100)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    make(first, "setup")
    first.rename(second)
    assert "Every check passed" in make(second, "run")
    where = [second / ".venv/bin/python", "-c", "import ecom_platform; print(ecom_platform.__file__)"]
    found = subprocess.run(where, cwd="/", capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(second)
