"""The same files from a folder and from a bucket, in turn; the S3 server shares the machine.

Processor time is the machine's: nothing else may run."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg

from benchmarks import workload
from benchmarks.paths.path import PathFailedError
from benchmarks.paths.platform import ingest
from benchmarks.results import Findings
from benchmarks.server import running
from ecom_platform_tests.s3_server import CREDENTIALS, S3Server, s3_server

FOLDER = "folder"
# A bucket, by what becomes of loaded objects: each is copied into the archive, or stays and gets a tag.
BUCKETS = {"bucket": "move", "bucket, tagged": "tag"}
PLACES = (FOLDER, *BUCKETS)
_STREAM = """
SELECT sum(rows)::bigint, extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM stream_batches
"""
_PUTS = 4


def run(folder: Path, say: Callable[[str], None], *, rows: int, files: int, repeat: int) -> Findings:
    """``rows`` events in ``files``, loaded in turn from each of :data:`PLACES`."""
    data = workload.prepare(folder / "data", rows, rows // files)
    rates: dict[str, list[float]] = {place: [] for place in PLACES}
    seconds: dict[str, list[float]] = {place: [] for place in PLACES}
    served: dict[str, list[float]] = {place: [] for place in PLACES}
    used: dict[str, list[float]] = {place: [] for place in PLACES}
    shutil.rmtree(folder / "store", ignore_errors=True)
    with running(folder / "postgres") as server, s3_server(folder / "store") as store:
        for number in range(repeat):
            for place in PLACES:
                home = folder / "scratch" / "home"
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir(parents=True)
                environment = {}
                if place == FOLDER:
                    workload.copy_into(data, home / "landing")
                else:
                    environment = _landed(data, store, f"{BUCKETS[place]}-{number}")
                    environment["ECOM_LANDING_DONE"] = BUCKETS[place]
                before, busy = _processor_seconds(folder / "store"), _busy_seconds()
                began = time.perf_counter()
                with server.database(f"landing_{PLACES.index(place)}_{number}") as address:
                    ingest(address, home, environment)
                    seconds[place].append(time.perf_counter() - began)
                    with psycopg.connect(address.url) as connection:
                        ((found, lasted),) = connection.execute(_STREAM.encode()).fetchall()
                if found != rows:
                    raise PathFailedError(f"{found} of {rows} rows were read from the {place}")
                rates[place].append(rows / lasted)
                said = f"{place}: {rates[place][-1]:,.0f} rows/s of the stream, {seconds[place][-1]:.1f} s"
                served[place].append(_processor_seconds(folder / "store") - before)
                used[place].append(_busy_seconds() - busy - served[place][-1])
                said += f"; processor time {used[place][-1]:.1f} s, S3 server {served[place][-1]:.1f} s"
                say(said)
    shutil.rmtree(folder / "store", ignore_errors=True)
    ratios = {
        place: [rate / disk for rate, disk in zip(rates[place], rates[FOLDER], strict=True)]
        for place in PLACES
    }
    findings = Findings(
        "bucket",
        f"{rows:,} events in {files} files, from a folder and from a bucket in turn; median of {repeat}",
        (
            "from",
            "rows/s of the stream",
            "beside the folder",
            "whole process",
            "processor time, all but the S3 server",
            "the S3 server's",
        ),
        figures={"rates": rates, "seconds": seconds, "served": served, "used": used, "ratios": ratios},
    )
    findings.rows = [
        (
            place,
            f"{statistics.median(rates[place]):,.0f}",
            f"{statistics.median(ratios[place]):.2f}",
            f"{statistics.median(seconds[place]):.1f} s",
            f"{statistics.median(used[place]):.1f} s",
            f"{statistics.median(served[place]):.1f} s",
        )
        for place in PLACES
    ]
    return findings


def _landed(data: workload.Workload, store: S3Server, prefix: str) -> dict[str, str]:
    """Put the files into the bucket; the settings of whoever loads them from there."""
    with ThreadPoolExecutor(_PUTS) as pool:
        puts = [
            pool.submit(store.put, store.bucket, **{f"{prefix}/{path.name}": path.read_bytes()})
            for path in data.paths
        ]
        for done in puts:
            done.result()
    return {
        **CREDENTIALS,
        "ECOM_LANDING_URL": f"s3://{store.bucket}/{prefix}",
        "ECOM_LANDING_ENDPOINT": store.endpoint,
    }


def _processor_seconds(folder: Path) -> float:
    """Of the S3 server whose data are in ``folder``, up to now."""
    for process in psutil.process_iter(["cmdline"]):
        if f"-dir={folder}" in (process.info["cmdline"] or ()):
            used = process.cpu_times()
            return float(used.user + used.system)
    raise PathFailedError(f"no S3 server runs on {folder}")


def _busy_seconds() -> float:
    """Processor time of everything on this machine, up to now."""
    used = psutil.cpu_times()
    return float(used.user + used.nice + used.system + used.irq + used.softirq)
