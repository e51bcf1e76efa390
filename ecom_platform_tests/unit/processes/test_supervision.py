"""Keeping a program running beside another: real processes, which say in a file that they lived."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ecom_platform.processes.supervision import companion, next_delay
from ecom_platform_tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("starts_programs")
PROGRAM = """
import signal, sys, time
def end(*_):
    open(sys.argv[1], "a").write("ended\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1], "a").write("began\\n")
if sys.argv[2] == "dies":
    sys.exit(3)
time.sleep(60)
"""


def test_delays_grow_up_to_a_minute_and_begin_anew_after_a_steady_life() -> None:
    delays = [1.0]
    for _ in range(8):
        delays.append(next_delay(delays[-1], lived_seconds=2.0))
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert next_delay(60, lived_seconds=3_600) == 1


def test_it_is_ended_gracefully_with_the_block(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with companion([sys.executable, "-c", PROGRAM, str(log), "lives"], lambda text: None):
        wait_until(log.exists)
        wait_until(lambda: "began" in log.read_text())
    assert log.read_text() == "began\nended\n"


def test_one_that_dies_is_started_again_and_that_is_said(tmp_path: Path) -> None:
    log, said = tmp_path / "log", []
    with companion([sys.executable, "-c", PROGRAM, str(log), "dies"], said.append):
        wait_until(lambda: log.exists() and log.read_text().count("began") >= 2)
    assert "ended with exit code 3; starting it again in 1 s" in said[0]
