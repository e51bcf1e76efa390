"""What every way of loading has in common.

Belongs here: the interface, and running a program with its output kept. Does not belong here: any
single way.
"""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg

from benchmarks.server import Address
from benchmarks.workload import Workload

# Programs that run by themselves, some in the peers' environment; not modules of this package.
JOBS = Path(__file__).resolve().parents[1] / "jobs"

# The product's table without what only the product fills in: its key and its indexes stay.
_IDENTICAL_TABLE = """
CREATE TABLE loaded (LIKE user_events INCLUDING ALL);
ALTER TABLE loaded ALTER COLUMN file_id SET DEFAULT 0;
"""


class PathFailedError(Exception):
    """A program ended with an error; the message has its last words."""


class LoadPath(ABC):
    """One way. ``name`` is what ``--paths`` takes, ``description`` what the table says."""

    table = "loaded"

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def description(self) -> str:
        """What runs, in a few words."""

    def missing(self) -> str | None:
        """What has to be installed first, or ``None``."""
        return None

    def prepare(self, workload: Workload, address: Address, folder: Path) -> None:
        """Whatever is not timed; here: a table like the product's."""
        with psycopg.connect(address.url) as connection:
            connection.execute(_IDENTICAL_TABLE)

    @abstractmethod
    def load(self, workload: Workload, address: Address, folder: Path) -> dict[str, float]:
        """Everything that is timed; returns what the program says of itself."""


def run(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    text: str = "",
) -> str:
    """Run a program to its end in ``folder`` and return what it printed."""
    with (folder / "errors.txt").open("wb") as errors:
        result = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=errors,
            check=False,
        )
    if result.returncode != 0:
        said = ((folder / "errors.txt").read_bytes() + result.stdout).decode(errors="replace")
        raise PathFailedError(f"{command[0]} ended with {result.returncode}: {said[-1500:]}")
    return result.stdout.decode()
