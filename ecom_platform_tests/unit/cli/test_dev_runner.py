"""One `ecom dev` at a time on one home: locks of real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ecom_platform.cli.dev_runner import only_one, refuse_second
from ecom_platform.errors import LockedError
from ecom_platform.settings import Settings, load_settings
from ecom_platform_tests.acceptance.ui import clean_environment
from ecom_platform_tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("starts_programs")

HOLD = """
import sys
from pathlib import Path
from ecom_platform.cli.dev_runner import only_one
from ecom_platform.settings import load_settings
with only_one(load_settings(), 3917) as locks:
    import subprocess
    # As a guardian does: whoever is left of this one keeps the locks.
    held = [lock.fileno() for lock in locks]
    left = subprocess.Popen([sys.executable, "-c", "input()"], stdin=sys.stdin, pass_fds=held)
    print(left.pid, flush=True)
    left.wait()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "dagster").mkdir()
    return load_settings({"ECOM_HOME": str(tmp_path)})


def hold(home: Path, **more: str) -> subprocess.Popen[str]:
    """Another `ecom dev`'s locks; it ends when its standard input does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={**clean_environment(), "ECOM_HOME": str(home), **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    return process


def test_a_second_one_is_refused_with_the_first_ones_port(tmp_path: Path, settings: Settings) -> None:
    with hold(tmp_path) as first:
        try:
            for attempt in (lambda: refuse_second(settings), lambda: only_one(settings, 4000).__enter__()):
                with pytest.raises(LockedError, match=rf"127.0.0.1:3917 \(process {first.pid}\)") as refused:
                    attempt()
                assert "ECOM_HOME" in refused.value.remedy
            # The command says it as well, whatever port it is given.
            done = subprocess.run(
                [sys.executable, "-m", "ecom_platform", "dev", "--port", "3917"],
                env={**clean_environment(), "ECOM_HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 4
            assert "http://127.0.0.1:3917" in done.stderr
        finally:
            first.communicate("\n")
    refuse_second(settings)
    with only_one(settings, 4000):
        pass


def test_two_homes_with_one_dagster_home_share_it_neither(tmp_path: Path) -> None:
    shared = tmp_path / "dagster"
    shared.mkdir()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with hold(tmp_path / "a", DAGSTER_HOME=str(shared)) as first:
        second = load_settings({"ECOM_HOME": str(tmp_path / "b"), "DAGSTER_HOME": str(shared)})
        with pytest.raises(LockedError, match=str(shared)):
            refuse_second(second)
        first.communicate("\n")


def test_what_a_killed_one_left_behind_is_waited_for(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with hold(tmp_path) as first:
        (left,) = psutil.Process(first.pid).children()
        first.kill()
        first.wait()
        refuse_second(settings)  # nobody to use instead
        with pytest.raises(LockedError, match="its services still run"):
            take_within(settings, 0.0)
        assert first.stdin is not None
        first.stdin.close()
        wait_until(lambda: not left.is_running())
    with only_one(settings, 4000):
        assert json.loads((tmp_path / "ecom-dev.lock").read_text())["port"] == 4000
    assert "left behind" in capsys.readouterr().err


def take_within(settings: Settings, seconds: float) -> None:
    with only_one(settings, 4000, seconds):
        pass
