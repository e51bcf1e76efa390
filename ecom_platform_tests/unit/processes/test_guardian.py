"""Nothing outlives the one that started it, however it ends: real processes, really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
import pytest

from ecom_platform_tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("starts_programs")

# Deaf to what asks it to end, with a child that left its group, and one that nobody waits for any more.
STUBBORN = """
import os, signal, subprocess, sys, time
for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(signum, signal.SIG_IGN)
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
own_group = subprocess.Popen(sleep, process_group=0)
if os.fork() == 0:
    orphan = subprocess.Popen(sleep)
    left = subprocess.Popen(sleep, start_new_session=True)
    open(sys.argv[1] + ".left", "w").write(str(left.pid))
    open(sys.argv[1], "w").write(f"{os.getppid()} {own_group.pid} {orphan.pid}")
    os._exit(0)
os.wait()
time.sleep(600)
"""

# Ends as soon as it is asked, and says so.
DOCILE = """
import os, signal, sys, time
def end(signum, frame):
    open(sys.argv[1] + ".ended", "w").write(signal.Signals(signum).name)
    sys.exit(0)
for signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signum, end)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""

# A starter as `ecom dev` is one: it runs the program of argv[2] until a signal ends it.
STARTER = """
import sys
from pathlib import Path
from ecom_platform.processes.services import Services, on_signals
services = Services([], [Path(sys.argv[1])], print)
with on_signals(services.on_signal), services:
    services.start("the program", [sys.executable, "-c", sys.argv[2], sys.argv[1] + "/pids"])
    services.watch()
"""


class Starter:
    """A running starter, the process of its guardian, and those of its program."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(folder), program], stderr=subprocess.PIPE
        )
        pids = folder / "pids"
        wait_until(lambda: pids.exists() and pids.read_text() != "")
        self.guardian = psutil.Process(self.process.pid).children()[0].pid
        self.program = [int(pid) for pid in pids.read_text().split()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for pid in (self.process.pid, *self.running()):
            with suppress(ProcessLookupError):
                kill(pid)
        self.process.wait(240)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def running(self) -> list[int]:
        return [pid for pid in (self.guardian, *self.program) if _runs(pid)]

    def wait_until_gone(self) -> None:
        wait_until(lambda: not self.running(), lambda: str(self.running()))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def kill_the_starter(starter: Starter) -> None:
    kill(starter.process.pid)


def kill_both(starter: Starter) -> None:
    # Stopped first, so that neither sees the other one go.
    for pid in (starter.process.pid, starter.guardian):
        os.kill(pid, signal.SIGSTOP)
    kill(starter.process.pid)
    kill(starter.guardian)


@pytest.mark.parametrize("ends", [kill_the_starter, lambda starter: kill(starter.guardian), kill_both])
def test_a_program_that_is_told_ends(tmp_path: Path, ends: Callable[[Starter], None]) -> None:
    with Starter(tmp_path, DOCILE) as starter:
        ends(starter)
        starter.wait_until_gone()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_it_in_good_order(tmp_path: Path, signum: signal.Signals) -> None:
    with Starter(tmp_path, DOCILE) as starter:
        starter.process.send_signal(signum)
        assert starter.process.wait(240) == 0
        assert starter.running() == []
        assert (tmp_path / "pids.ended").read_text() == "SIGINT"


def ask_again(starter: Starter) -> None:
    """Ctrl-C, and SIGTERM until it has ended."""
    starter.process.send_signal(signal.SIGINT)

    def ended() -> bool:
        starter.process.send_signal(signal.SIGTERM)
        return starter.process.poll() is not None

    wait_until(ended)


@pytest.mark.parametrize(
    "ends",
    [
        ask_again,
        lambda starter: kill(starter.guardian),
        pytest.param(kill_the_starter, marks=pytest.mark.long),
    ],
)
def test_a_program_that_ends_for_nobody_is_killed_with_all_it_started(
    tmp_path: Path, ends: Callable[[Starter], None]
) -> None:
    with Starter(tmp_path, STUBBORN) as starter:
        left = int((tmp_path / "pids.left").read_text())
        try:
            ends(starter)
            starter.wait_until_gone()
            # What began a session of its own did so to stay, as PostgreSQL's keeper does.
            assert _runs(left)
        finally:
            kill(left)


@pytest.mark.parametrize("fate", ["removed", "replaced"])
def test_without_the_folder_it_lives_in_it_says_so_once_and_ends(tmp_path: Path, fate: str) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    with Starter(folder, DOCILE) as starter:
        folder.rename(tmp_path / "elsewhere")
        if fate == "replaced":
            folder.mkdir()
        assert said(starter).count("was removed or replaced") == 1
        assert starter.running() == []


def test_a_program_that_ends_by_itself_ends_the_others(tmp_path: Path) -> None:
    with Starter(tmp_path, DOCILE) as starter:
        kill(starter.program[0])
        assert "the program ended with SIGKILL" in said(starter)
        assert starter.running() == []


def said(starter: Starter) -> str:
    """What a starter that ends prints."""
    assert starter.process.stderr is not None
    return starter.process.stderr.read().decode()
