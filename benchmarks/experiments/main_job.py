"""30,000 events, the whole main job, beside the pipeline that it grew from at its own setting."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import workload
from benchmarks.measure import measured
from benchmarks.paths.path import JOBS
from benchmarks.paths.path import run as execute
from benchmarks.paths.spark_jdbc import DRIVER
from benchmarks.results import Findings
from benchmarks.server import running

EVENTS, ROWS_PER_FILE = 30_000, 1_000


def run(folder: Path, say: Callable[[str], None], *, repeat: int, seed: bool) -> Findings:
    """`ecom run`, again and again in one home; ``seed``: the old pipeline too, once, for five minutes."""
    home = folder / "scratch"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    runs: list[dict[str, Any]] = []
    for number in range(repeat + 1):
        with measured() as usage:
            summary = json.loads(_ecom_run(home))
        say(f"ecom run: {usage.seconds:.1f} s, {summary['seconds']}")
        if number:  # the first one makes the database
            runs.append({"process": usage.seconds, **summary["seconds"]})
    shutil.rmtree(home)
    findings = Findings(
        "main",
        f"{EVENTS:,} events, median of {repeat}",
        ("pipeline", "whole process", "of that, stream", "rows/s of the stream"),
    )
    whole, stream = (statistics.median(each[name] for each in runs) for name in ("process", "stream"))
    row = ("`ecom run`: generate, load, audit, checks", f"{whole:.1f} s", f"{stream:.1f} s")
    findings.rows.append((*row, f"{EVENTS / stream:,.0f}"))
    findings.figures = {"ecom run": runs}
    if seed:
        seconds, streamed = _seed(folder)
        say(f"the seed's setting: {seconds:.1f} s")
        row = ("the seed's: 1,000 rows every 10 s over JDBC", f"{seconds:.1f} s", f"{streamed:.1f} s")
        findings.rows.append((*row, f"{EVENTS / streamed:,.0f}"))
        findings.figures["seed"] = {"process": seconds, "stream": streamed}
    return findings


def _ecom_run(home: Path) -> str:
    command = [sys.executable, "-m", "ecom_platform", "run", "--json"]
    return execute(command, home, {"ECOM_HOME": str(home), "ECOM_POSTGRES_URL": "", "DAGSTER_HOME": ""})


def _seed(folder: Path) -> tuple[float, float]:
    """Whole seconds, and from the first commit's batch to the last, of the old way."""
    data = workload.prepare(folder / "data", EVENTS, ROWS_PER_FILE)
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    with running(folder / "postgres") as server, server.database("seed") as address:
        with psycopg.connect(address.url) as connection:
            connection.execute("CREATE TABLE loaded (LIKE user_events INCLUDING ALL)")
            connection.execute("ALTER TABLE loaded ALTER COLUMN file_id SET DEFAULT 0")
        arguments = (data.folder, scratch / "checkpoint", address.jdbc_url, address.user, DRIVER)
        with measured() as usage:
            printed = execute(
                [sys.executable, JOBS / "seed_stream.py", *arguments],
                scratch,
                {"JDBC_PASSWORD": address.password},
            )
        with psycopg.connect(address.url) as connection:
            ((rows,),) = connection.execute("SELECT count(*) FROM loaded").fetchall()
    shutil.rmtree(scratch)
    if rows != EVENTS:
        raise RuntimeError(f"the seed's setting stored {rows} rows")
    return usage.seconds, float(printed.splitlines()[-1])
