"""Very many small files: what one costs, and what a load costs after they are all in the archive."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from benchmarks import workload
from benchmarks.measure import measured
from benchmarks.paths.platform import ingest
from benchmarks.results import Findings
from benchmarks.server import Address, running

_PARTS = """
SELECT
    extract(epoch FROM min(b.started_at) - min(f.claimed_at))::float8,
    extract(epoch FROM max(f.finished_at) - min(b.started_at))::float8
FROM ingested_files AS f JOIN stream_batches AS b USING (batch_id)
WHERE b.run_id = (SELECT run_id FROM stream_batches ORDER BY batch_id DESC LIMIT 1)
"""
_DAY_FILES, _DAY_ROWS_PER_FILE = 30, 1_000


@dataclass(frozen=True, slots=True)
class Load:
    """One `ecom ingest`: whole seconds, from first claim to first batch, from there to the last commit."""

    files: int
    rows: int
    seconds: float
    claim_seconds: float
    load_seconds: float


def run(folder: Path, say: Callable[[str], None], *, files: int, rows_per_file: int, repeat: int) -> Findings:
    """``files`` of ``rows_per_file``, then 30 files of 1,000 rows beside a home that is empty."""
    many = workload.prepare(folder / "data", files * rows_per_file, rows_per_file)
    rounds = [
        workload.prepare(folder / "data", _DAY_FILES * _DAY_ROWS_PER_FILE, _DAY_ROWS_PER_FILE, 1_000 + number)
        for number in range(repeat)
    ]
    homes = {name: folder / f"scratch-{name}" for name in ("old", "new")}
    for home in homes.values():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
    loads: dict[str, list[Load]] = {"old": [], "new": []}
    with (
        running(folder / "postgres") as server,
        server.database("old") as old,
        server.database("new") as new,
    ):
        first = _load(many, old, homes["old"])
        say(f"{files:,} files: {first.seconds:.1f} s, claimed in {first.claim_seconds:.1f} s")
        for data in rounds:
            for name, address in (("new", new), ("old", old)):
                loads[name].append(_load(data, address, homes[name]))
                say(f"30 files, {name} home: {loads[name][-1].seconds:.1f} s")
    for home in homes.values():
        shutil.rmtree(home)
    findings = Findings(
        "small-files",
        f"{files:,} files of {rows_per_file} rows, then 30 of {_DAY_ROWS_PER_FILE:,}, median of {repeat}",
        ("load", "files", "rows", "whole process", "claim", "first batch to last commit", "files/s"),
    )
    findings.figures = {
        "many": asdict(first),
        **{name: [asdict(load) for load in each] for name, each in loads.items()},
    }
    findings.rows = [
        _row("all of them waiting", [first]),
        _row(f"with {files:,} in the archive", loads["old"]),
        _row("with an empty archive", loads["new"]),
    ]
    return findings


def _load(data: workload.Workload, address: Address, home: Path) -> Load:
    workload.copy_into(data, home / "landing")
    with measured() as usage:
        summary = ingest(address, home)
    with psycopg.connect(address.url) as connection:
        ((claim_seconds, load_seconds),) = connection.execute(_PARTS).fetchall()
    return Load(
        int(summary["files"]["loaded"]),
        int(summary["rows"]["inserted"]),
        usage.seconds,
        claim_seconds,
        load_seconds,
    )


def _row(name: str, loads: list[Load]) -> list[str]:
    whole, claim, seconds = (
        statistics.median(getattr(load, part) for load in loads)
        for part in ("seconds", "claim_seconds", "load_seconds")
    )
    return [
        name,
        f"{loads[0].files:,}",
        f"{loads[0].rows:,}",
        f"{whole:.1f} s",
        f"{claim:.2f} s",
        f"{seconds:.2f} s",
        f"{loads[0].files / seconds:,.0f}",
    ]
