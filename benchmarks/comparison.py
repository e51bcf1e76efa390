"""Every path over the same files, in turn, as often as asked; what each stored is checked.

Belongs here: the order of the runs, the check of the rows, the medians. Does not belong here: how a
path works (``paths``), how figures are shown (``results``).
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks.measure import measured
from benchmarks.paths import LoadPath
from benchmarks.paths.path import PathFailedError
from benchmarks.server import Address, Server
from benchmarks.workload import Truth, Workload


@dataclass(slots=True)
class Result:
    """One path: its runs, or why there are none. Seconds are of whole processes."""

    name: str
    description: str
    seconds: list[float] = field(default_factory=list)
    # What the program says of itself, a list a figure: ours says when the last row was committed.
    figures: dict[str, list[float]] = field(default_factory=dict)
    peak_bytes: int = 0
    problem: str | None = None

    @property
    def median(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds else None

    def figure(self, name: str) -> float | None:
        """The median of one of :attr:`figures`."""
        values = self.figures.get(name)
        return statistics.median(values) if values else None


def compare(
    paths: Sequence[LoadPath],
    workload: Workload,
    server: Server,
    folder: Path,
    repeat: int,
    say: Callable[[str], None],
) -> list[Result]:
    """``repeat`` rounds of all paths, one after the other; a path that failed is not run again."""
    results = {path.name: Result(path.name, path.description, problem=_missing(path)) for path in paths}
    for number in range(1, repeat + 1):
        for path in paths:
            result = results[path.name]
            if result.problem is None:
                _run_once(path, workload, server, folder, result)
                took = f"{result.seconds[-1]:.1f} s" if result.problem is None else result.problem
                say(f"round {number}: {path.name}: {took}")
    return list(results.values())


def _missing(path: LoadPath) -> str | None:
    missing = path.missing()
    return missing and f"missing: {missing}"


def _run_once(path: LoadPath, workload: Workload, server: Server, folder: Path, result: Result) -> None:
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with server.database("bench") as address:
            path.prepare(workload, address, scratch)
            with measured() as usage:
                figures = path.load(workload, address, scratch)
            result.problem = _wrong(address, path.table, workload.truth)
    except (PathFailedError, psycopg.Error, OSError) as error:
        result.problem = f"failed: {error}"
    else:
        if result.problem is None:
            result.seconds.append(usage.seconds)
            result.peak_bytes = max(result.peak_bytes, usage.peak_bytes)
            for name, value in figures.items():
                result.figures.setdefault(name, []).append(value)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if result.problem is not None:
        # Once wrong is wrong: earlier rounds make it no faster.
        result.seconds.clear()
        result.figures.clear()


def _wrong(address: Address, table: str, truth: Truth) -> str | None:
    """Why the table is not what was to be loaded: a path that stored wrong rows is not a fast one."""
    query = f"SELECT count(*), count(DISTINCT event_id), sum(price::numeric) FROM {table}"  # noqa: S608
    with psycopg.connect(address.url) as connection:
        found = connection.execute(query).fetchone()
    expected = (truth.rows, truth.rows, truth.revenue)
    return None if found == expected else f"wrong: rows, ids, revenue are {found}, {expected} expected"
