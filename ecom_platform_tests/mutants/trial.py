"""Running tests on a copy and saying how it ended.

Belongs here: one run of pytest with its own folder and its time limit, and the verdict on a mutant.
Does not belong here: what a copy is (``copies``), or the order of runs and the table (``__main__``).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ecom_platform_tests.mutants.copies import environment
from ecom_platform_tests.mutants.mutant import Mutant, StaleError, applied

# Only what hangs comes to this, and to as long as all tests took together on the code as it is.
LIMIT_SECONDS = 300.0
# The same for those that must hang: their tests end within seconds otherwise, but a machine may be slow.
HANGING_LIMIT_SECONDS = 60.0
# How long pytest may take to end what its fixtures have started, when it is told to.
_END_SECONDS = 20.0


class Verdict(StrEnum):
    """What became of a mutant. Only ``KILLED`` is as it should be."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    STALE = "STALE"
    TIMED_OUT = "TIMED OUT"
    # No test failed, but none could say that all is well: an import, a fixture or a name of a test is broken.
    BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True)
class Run:
    """How a run of pytest ended. ``code`` is ``None`` where it did not end by itself."""

    code: int | None
    failed: tuple[str, ...]
    seconds: float
    output: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mutant, ``by`` which test, or why."""

    mutant: Mutant
    verdict: Verdict
    by: str
    seconds: float
    output: str = ""


def run_tests(
    folder: Path, tests: Sequence[str], *, limit_seconds: float, at_first_failure: bool = True
) -> Run:
    """Run ``tests`` on the copy in ``folder``, with a temporary folder of their own beside it."""
    beside = folder.with_name(f"{folder.name}-run")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    report = beside / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    command += [f"--basetemp={beside / 't'}", "--tb=short", *(["-x"] if at_first_failure else []), *tests]
    started = time.monotonic()
    with (beside / "output").open("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        output.seek(0)
        said = output.read()
    run = Run(code, _failed(report), time.monotonic() - started, said)
    shutil.rmtree(beside, ignore_errors=True)
    return run


def try_mutant(mutant: Mutant, folder: Path, patience_seconds: float = 0.0) -> Result:
    """Put the fault into the copy in ``folder``, run the tests that must fail, and take it out again.

    They are given ``patience_seconds`` at least.
    """
    limit = max(HANGING_LIMIT_SECONDS if mutant.hangs else LIMIT_SECONDS, patience_seconds)
    try:
        with applied(mutant, folder):
            run = run_tests(folder, mutant.tests, limit_seconds=limit)
    except (StaleError, OSError) as error:
        return Result(mutant, Verdict.STALE, str(error), 0.0)
    return Result(mutant, *_judge(mutant, run), run.seconds, run.output)


def _judge(mutant: Mutant, run: Run) -> tuple[Verdict, str]:
    if run.code is None:
        said = f"no end in {run.seconds:.0f} s: {mutant.hangs}"
        return (Verdict.KILLED, said) if mutant.hangs else (Verdict.TIMED_OUT, "its tests did not end")
    if run.code == 0:
        return Verdict.SURVIVED, f"by {' and '.join(mutant.tests)}"
    if run.code == 1 and run.failed:
        return Verdict.KILLED, run.failed[0]
    return Verdict.BROKEN, f"pytest ended with {run.code} and no failed test"


def _failed(report: Path) -> tuple[str, ...]:
    """Tests that failed by themselves: an error of a fixture, or of an import, is no verdict of theirs."""
    try:
        cases = ElementTree.parse(report).iter("testcase")  # noqa: S314 (pytest wrote it)
        return tuple(_shown(case) for case in cases if case.find("failure") is not None)
    except (OSError, ElementTree.ParseError):
        return ()


def _shown(case: ElementTree.Element) -> str:
    """A test by its module, class and name, as short as it stays findable."""
    names = case.get("classname", "").split(".")
    module = next((number for number, name in enumerate(names) if name.startswith("test_")), 0)
    return "::".join([*names[module:], case.get("name", "")])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a run that was not waited for: first as Ctrl-C does, so that it stops its servers."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
