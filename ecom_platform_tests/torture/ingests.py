"""One `ecom` command in a process of its own, and its descendants.

Belongs here: waiting for it, how it ended, and which processes are its. Does not belong here: what it is
told (``rounds``) or how it is disturbed (``faults``).
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

PATIENCE_SECONDS = 300
# What `ecom ingest` may end with: all well, a check failed or the stream stopped, prerequisite, locked.
EXIT_CODES = (0, 1, 3, 4)


class DifferenceError(Exception):
    """Something is not as the reference says."""


@dataclass
class Ingest:
    """One `ecom ingest`, in a process of its own."""

    process: subprocess.Popen[bytes]
    output: Path
    killed: bool = False

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def family(self, part: str) -> list[psutil.Process]:
        """Its descendants whose command line has ``part`` in it, oldest first."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=True)
            return sorted((child for child in children if part in command_of(child)), key=lambda c: c.pid)
        return []

    def wait(self) -> None:
        """Returns when it has ended. One that says how far it is does not hang, however slow its disk is."""
        said = -1
        while self.running:
            if said == (said := self.output.with_suffix(".err").stat().st_size):
                self.process.kill()
                raise DifferenceError(f"an ingest hangs; its output is {self.output}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE_SECONDS)

    def ending(self) -> str:
        """How it ended, in a word; raises :class:`DifferenceError` if no program may end like that."""
        code, text = self.process.returncode, self.output.read_text()
        if self.killed and code == -signal.SIGKILL:
            return "killed"
        try:
            summary = json.loads(text)
            word = "ok" if summary["success"] else summary.get("error", {}).get("code", "check failed")
        except (ValueError, KeyError):
            raise DifferenceError(f"an ingest ended with {code} and printed {text!r}") from None
        if code not in EXIT_CODES or (code == 0) != (word == "ok"):
            raise DifferenceError(f"an ingest ended with {code} and printed {text!r}")
        return f"exit {code}, {word}"


def command_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return " ".join(process.cmdline())
    return ""


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
