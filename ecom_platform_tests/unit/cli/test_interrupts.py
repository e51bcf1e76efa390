"""Ctrl-C at moments that hurt: in processes of their own, which say when the moment has come."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("starts_programs")

_BEGIN = """
import sys, threading, time
from ecom_platform.processes import interrupts, output
output.protect()
interrupts.listen()
def ready():
    output.display().write("ready\\n")
"""


def interrupted(
    program: str, signum: int = signal.SIGINT, times: int = 1, *arguments: str
) -> tuple[int, str, str]:
    """Exit code, standard output and what came after ``ready`` on standard error."""
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGIN + program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for _ in range(times):
        assert process.stderr.readline() == "ready\n"
        process.send_signal(signum)
    try:
        out, err = process.communicate(timeout=240)
    finally:
        process.kill()
    return process.returncode, out, err


LINE = "Interrupted. What was committed stays; the rest is loaded by the next run.\n"


def test_in_the_middle_of_an_import_that_another_thread_waits_for(tmp_path: Path) -> None:
    # What hung: the thread that starts Spark imports what the interrupted thread had begun to import.
    (tmp_path / "slow.py").write_text("import __main__, time\n__main__.ready()\ntime.sleep(600)\n")
    program = f"""
sys.path.insert(0, {str(tmp_path)!r})
def work():
    threading.Thread(target=lambda: __import__("slow"), daemon=True).start()
    __import__("slow")
interrupts.interruptible(work, lambda: None)
"""
    assert interrupted(program) == (130, "", LINE)


def test_also_before_and_after_the_work() -> None:
    assert interrupted("ready(); time.sleep(600)") == (130, "", LINE)


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_farewell_is_heard_and_the_one_object_is_printed(signum: int, code: int) -> None:
    program = """
def work():
    ready()
    time.sleep(600)
interrupts.interruptible(work, lambda: "the run")
"""
    got, out, err = interrupted(program, signum, 1, "--json")
    assert (got, err) == (code, LINE)
    result = json.loads(out)
    assert (result["run_id"], result["success"], result["error"]["code"]) == ("the run", False, "interrupted")


def test_a_farewell_that_hangs_does_not_keep_the_process() -> None:
    program = """
def work():
    ready()
    time.sleep(600)
interrupts._FAREWELL_SECONDS = 0.1
interrupts.interruptible(work, lambda: time.sleep(600))
"""
    assert interrupted(program) == (130, "", LINE)


def test_a_second_one_ends_the_process_on_the_spot() -> None:
    program = """
def work():
    ready()
    time.sleep(600)
def farewell():
    __import__("os").write(2, b"ready\\n")
    time.sleep(600)
interrupts._FAREWELL_SECONDS = 600
interrupts.interruptible(work, farewell)
"""
    assert interrupted(program, signal.SIGINT, 2) == (130, "", LINE)


def test_what_a_library_does_with_signals_changes_nothing() -> None:
    program = """
import dagster._utils.interrupts as theirs
def work():
    with theirs.capture_interrupts():
        ready()
        time.sleep(600)
interrupts.interruptible(work, lambda: None)
"""
    assert interrupted(program) == (130, "", LINE)


def test_children_end_with_it(tmp_path: Path) -> None:
    program = """
import subprocess
def work():
    child = subprocess.Popen(["sh", "-c", "sleep 600 & wait"], stdout=2)
    ready()
    child.wait()
interrupts.interruptible(work, lambda: None)
"""
    # Standard error reaches its end only when nobody has it open any more.
    assert interrupted(program) == (130, "", LINE)


def test_what_is_torn_down_does_not_complain(tmp_path: Path) -> None:
    program = """
import logging, subprocess
def work():
    child = subprocess.Popen(["sleep", "600"])
    ready()
    child.wait()
    logging.error("the child has gone")
    raise RuntimeError
def farewell():
    for child in __import__("psutil").Process().children():
        child.kill()
    time.sleep(0.3)
interrupts.interruptible(work, farewell)
"""
    assert interrupted(program) == (130, "", LINE)


def test_what_work_returns_and_raises_is_handed_on() -> None:
    program = """
assert interrupts.interruptible(lambda: 3, lambda: None) == 3
try:
    interrupts.interruptible(lambda: 1 // 0, lambda: None)
except ZeroDivisionError:
    ready()
    time.sleep(600)
"""
    assert interrupted(program) == (130, "", LINE)
