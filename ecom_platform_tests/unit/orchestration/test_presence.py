"""Whether the process of a run is still there, with real processes that are really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ecom_platform.errors import StorageError
from ecom_platform.orchestration.presence import Presence, appear, forget, known, leave, presence

APPEAR = (
    "import sys, time; from pathlib import Path; from ecom_platform.orchestration.presence import appear;"
    "appear(Path(sys.argv[1]), 'a-run'); print('here', flush=True); time.sleep(600)"
)

APPEAR_AND_FORK = (
    "import os, sys, time; from pathlib import Path;"
    "from ecom_platform.orchestration.presence import appear; appear(Path(sys.argv[1]), 'a-run');"
    "os.fork() or print(os.getpid(), flush=True); time.sleep(600)"
)


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    assert presence(tmp_path, "a-run") is Presence.UNKNOWN
    with subprocess.Popen([sys.executable, "-c", APPEAR, str(tmp_path)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"here\n"
            assert presence(tmp_path, "a-run") is Presence.HERE
        finally:
            process.kill()
    assert presence(tmp_path, "a-run") is Presence.GONE
    assert known(tmp_path) == ["a-run"]
    forget(tmp_path, "a-run")
    assert known(tmp_path) == []


def test_a_process_that_goes_on_after_its_run(tmp_path: Path) -> None:
    appear(tmp_path, "a-run")
    appear(tmp_path, "a-run")
    assert presence(tmp_path, "a-run") is Presence.HERE
    leave(tmp_path, "a-run")
    leave(tmp_path, "a-run")
    assert presence(tmp_path, "a-run") is Presence.UNKNOWN


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "presence").write_text("in the way")
    with pytest.raises(StorageError, match="presence cannot be written"):
        appear(tmp_path, "a-run")


def test_a_child_does_not_keep_its_parents_runs_alive(tmp_path: Path) -> None:
    """One that was forked without another program: it has every open file of its parent."""
    command = [sys.executable, "-c", APPEAR_AND_FORK, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert presence(tmp_path, "a-run") is Presence.HERE
            process.kill()
            process.wait()
            assert presence(tmp_path, "a-run") is Presence.GONE
        finally:
            process.kill()
            os.kill(child, signal.SIGKILL)
