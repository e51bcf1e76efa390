"""Every way of loading the same files, in turn: the table of `make bench`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import plots, workload
from benchmarks.comparison import Result, compare
from benchmarks.paths import PATHS, LoadPath
from benchmarks.results import Findings
from benchmarks.server import running

OURS = "ecom"
_COLUMNS = (
    "path",
    "seconds",
    "rows/s",
    "times ours",
    "last row committed after",
    "peak memory",
    "what it does",
)


def choose(names: str | None) -> Sequence[LoadPath]:
    """The paths of a comma-separated list, or all. Raises :class:`ValueError` naming an unknown one."""
    known = {path.name: path for path in PATHS}
    if names is None:
        return PATHS
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        raise ValueError(f"no path {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names.split(",")]


def run(
    folder: Path,
    say: Callable[[str], None],
    *,
    rows: int,
    rows_per_file: int,
    repeat: int,
    paths: Sequence[LoadPath],
) -> Findings:
    """``repeat`` rounds of ``paths`` over ``rows`` events; each starts from an empty table."""
    data = workload.prepare(folder / "data", rows, rows_per_file)
    say(f"{rows:,} events in {len(data.paths)} files, {data.size_bytes / 2**20:,.0f} MiB")
    with running(folder / "postgres") as server:
        results = compare(paths, data, server, folder, repeat, say)
    ours = next((r.median for r in results if r.name == OURS), None)
    title = f"{rows:,} events in {len(data.paths)} files, median of {repeat}"
    findings = Findings("compare", title, _COLUMNS, figures=[asdict(result) for result in results])
    findings.rows = [_row(result, rows, ours) for result in results]
    timed = sorted((r.median, r.name) for r in results if r.median is not None)
    if timed:
        shown = [(name, seconds, name.startswith(OURS)) for seconds, name in timed]
        findings.plots["compare.svg"] = plots.bars(title, shown, "s")
    return findings


def _row(result: Result, rows: int, ours: float | None) -> Sequence[str]:
    seconds = result.median
    if seconds is None:
        return (result.name, result.problem or "not run", "", "", "", "", result.description)
    committed = result.figure("committed")
    return (
        result.name,
        f"{seconds:.1f} ({min(result.seconds):.1f} to {max(result.seconds):.1f})",
        f"{rows / seconds:,.0f}",
        f"{seconds / ours:.2f}" if ours else "",
        f"{committed:.1f} s" if committed is not None else "",
        f"{result.peak_bytes / 2**20:,.0f} MiB",
        result.description,
    )
