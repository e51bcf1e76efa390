"""`ecom stream` without the folder it lives in: a real process, a folder that is really gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = """
import sys, time
from pathlib import Path
from ecom_platform.cli.live_runner import end_without
end_without(Path(sys.argv[1]), lambda text: print(text, flush=True))
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("fate", ["removed", "replaced"])
def test_it_says_so_once_and_ends(tmp_path: Path, fate: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    process = subprocess.Popen([sys.executable, "-c", WATCHED, str(home)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            home.rename(tmp_path / "elsewhere")
            if fate == "replaced":
                home.mkdir()
            said = process.stdout.read()
        finally:
            process.kill()
    assert process.returncode == 3
    assert said.count("was removed or replaced beneath `ecom stream`") == 1
