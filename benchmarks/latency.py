"""From landing to commit: how long, at which rate, and where the live mode breaks.

    python -m benchmarks.latency --rates 1000 5000 10000 --seconds 300 --rows-per-file 500

A producer renames finished files into the landing folder of a running `ecom stream`, so many events a
second, for so many seconds; each rate has a database, a home and a process of its own. Every figure is
from the platform's own tables; that every event was stored exactly once is checked at the end.

A rate is held when the events that wait at the end of the production are fewer than three seconds bring.
The first one that is not held ends the run. The result is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.server import Server, running
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.settings import load_settings
from ecom_platform.shop.generator import GeneratorConfig, write_files
from ecom_platform.streaming.query import weighted_quantile

START_SECONDS = 120
DRAIN_SECONDS = 120
# At most so many seconds' worth of events may wait at the end.
HELD_SECONDS = 3.0
WARM_UP_FILES = 20

_FILES = """
SELECT extract(epoch FROM b.finished_at - f.landed_at)::double precision, f.rows_read
FROM ingested_files AS f JOIN stream_batches AS b USING (batch_id)
WHERE f.landed_at >= %s AND f.rows_read > 0
"""
_BATCHES = """
SELECT count(*), avg(files)::double precision, avg(rows)::double precision, avg(duration_ms), avg(decode_ms),
    avg(store_ms), max(latency_p99_ms), max(worker_peak_bytes)
FROM stream_batches WHERE started_at >= %s AND finished_at IS NOT NULL
"""


@dataclass
class Measurement:
    """One rate. Seconds, events and bytes; latency by rows."""

    events_per_second: int
    rows_per_file: int
    seconds: int
    settle_seconds: float
    trigger_seconds: float
    landed: int = 0
    stored: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    largest: float | None = None
    held: bool = False
    drain_seconds: float | None = None
    # Events that wait, once a second.
    backlog: list[int] = field(default_factory=list)
    batch: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    memory_mib: dict[str, list[int]] = field(default_factory=dict)
    scratch_files: int = 0


class Live:
    """An `ecom stream` on a database and home of its own."""

    def __init__(self, home: Path, url: str, settle: float, trigger: float) -> None:
        self.home, self.url = home, url
        ours = {n: v for n, v in os.environ.items() if not n.startswith(("ECOM_", "DAGSTER_"))}
        self.environment = {
            **ours,
            "ECOM_HOME": str(home),
            "ECOM_POSTGRES_URL": url,
            "ECOM_SETTLE_SECONDS": f"{settle:g}",
            "ECOM_TRIGGER_SECONDS": f"{trigger:g}",
        }
        self.zone = LandingZone.of(load_settings(self.environment))
        self.zone.prepare()
        self.log = home / "stream.log"

    @contextmanager
    def running(self) -> Iterator[psutil.Process]:
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "ecom_platform", "stream"]
            process = subprocess.Popen(command, env=self.environment, cwd=self.home, stdout=log, stderr=log)
        try:
            self._wait_until_ready(process)
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(120)
        if code != 0:
            raise RuntimeError(f"ecom stream ended with {code}: {self.log.read_text()}")

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while "waiting for files" not in self.log.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"ecom stream did not start: {self.log.read_text()}")
            time.sleep(0.2)

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql, parameters).fetchall()

    def waiting_files(self) -> int:
        claimed = self.query("SELECT count(*) FROM ingested_files WHERE state = 'claimed'")[0][0]
        return len(look(self.zone.landing).files) + int(claimed)


def write_ahead(folder: Path, events: int, rows_per_file: int, seed: int) -> list[Path]:
    """The files of one production, finished, on the file system they will land on."""
    folder.mkdir(parents=True)
    now = datetime.now(UTC)
    config = GeneratorConfig(seed=seed, as_of=now, events=events, rows_per_file=rows_per_file)
    return [folder / f"{file.name}" for file in write_files(config, folder, now)]


def produce(files: list[Path], landing: Path, files_per_second: float) -> None:
    """Rename each file into the landing folder when its time has come."""
    started = time.monotonic()
    for number, file in enumerate(files):
        delay = started + number / files_per_second - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        file.rename(landing / file.name)


def measure(server: Server, folder: Path, rate: int, arguments: argparse.Namespace) -> Measurement:
    result = Measurement(
        rate, arguments.rows_per_file, arguments.seconds, arguments.settle, arguments.trigger
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with server.database("latency") as address:
        live = Live(folder / "home", address.url, arguments.settle, arguments.trigger)
        staging = folder / "home" / "landing" / ".ecom" / "staging"
        warm = write_ahead(
            staging / "warm", WARM_UP_FILES * arguments.rows_per_file, arguments.rows_per_file, 1
        )
        files = write_ahead(staging / "files", rate * arguments.seconds, arguments.rows_per_file, 2)
        result.landed = rate * arguments.seconds
        with live.running() as process:
            produce(warm, live.zone.landing, 10)
            _drain(live)
            _measure(live, process, server, files, result)
        stored = live.query("SELECT count(*), count(DISTINCT event_id) FROM user_events")[0]
        expected = result.landed + WARM_UP_FILES * arguments.rows_per_file
        if result.drain_seconds is not None and stored != (expected, expected):
            raise RuntimeError(f"{stored} rows and ids are stored, {expected} expected")
    return result


def _measure(
    live: Live, process: psutil.Process, server: Server, files: list[Path], result: Measurement
) -> None:
    started_at = datetime.now(UTC)
    before = _cpu_seconds(process, server)
    producer = threading.Thread(
        target=produce, args=(files, live.zone.landing, result.events_per_second / result.rows_per_file)
    )
    producer.start()
    next_look = time.monotonic() + 1.0
    while producer.is_alive():
        time.sleep(max(next_look - time.monotonic(), 0.0))
        next_look += 1.0
        result.backlog.append(live.waiting_files() * result.rows_per_file)
        if len(result.backlog) % 10 == 1:
            for name, size in _memory_mib(process).items():
                result.memory_mib.setdefault(name, []).append(size)
    producer.join()
    result.held = result.backlog[-1] <= HELD_SECONDS * result.events_per_second
    result.scratch_files = sum(
        1
        for parent in (live.zone.units, live.home / "checkpoints")
        for path in parent.rglob("*")
        if path.is_file()
    )
    result.drain_seconds = _drain(live)
    after = _cpu_seconds(process, server)
    result.cpu_seconds = {name: round(seconds - before.get(name, 0.0), 2) for name, seconds in after.items()}
    latencies = [(float(latency), int(rows)) for latency, rows in live.query(_FILES, started_at)]
    result.stored = sum(rows for _, rows in latencies)
    result.p50, result.p95, result.p99 = (weighted_quantile(latencies, q) for q in (0.50, 0.95, 0.99))
    result.largest = max((latency for latency, _ in latencies), default=None)
    names = (
        "batches",
        "files",
        "rows",
        "duration_ms",
        "decode_ms",
        "store_ms",
        "worst_p99_ms",
        "worker_peak_bytes",
    )
    row = live.query(_BATCHES, started_at)[0]
    result.batch = {
        name: round(float(value), 1) for name, value in zip(names, row, strict=True) if value is not None
    }


def _drain(live: Live) -> float | None:
    started = time.monotonic()
    while time.monotonic() - started < DRAIN_SECONDS:
        if live.waiting_files() == 0:
            return round(time.monotonic() - started, 2)
        time.sleep(0.1)
    return None


def _family(process: psutil.Process) -> Iterator[tuple[str, psutil.Process]]:
    yield "driver", process
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            yield ("jvm" if child.name() == "java" else "workers"), child


def _cpu_seconds(process: psutil.Process, server: Server) -> dict[str, float]:
    """Processor seconds so far, of processes that are gone as well where their parent has waited."""
    totals: dict[str, float] = defaultdict(float)
    postgres = [("postgres", psutil.Process(pid)) for pid in server.process_ids()]
    backends = [("postgres", child) for _, parent in postgres for child in parent.children(recursive=True)]
    for name, member in [*_family(process), *postgres, *backends]:
        with suppress(psutil.Error):
            times = member.cpu_times()
            totals[name] += times.user + times.system
            if name in ("postgres", "workers"):
                totals[name] += times.children_user + times.children_system
    return dict(totals)


def _memory_mib(process: psutil.Process) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for name, member in _family(process):
        with suppress(psutil.Error):
            totals[name] += member.memory_full_info().uss >> 20
    return dict(totals)


def _line(result: Measurement) -> str:
    def seconds(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    verdict = "held" if result.held else "NOT held"
    return (
        f"{result.events_per_second:>7,} events/s, {result.rows_per_file} rows a file: "
        f"p50 {seconds(result.p50)} s, p95 {seconds(result.p95)} s, p99 {seconds(result.p99)} s; "
        f"backlog at most {max(result.backlog):,} events, {result.backlog[-1]:,} at the end: {verdict}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rates", type=int, nargs="+", default=[1_000, 5_000, 10_000, 20_000, 40_000, 80_000]
    )
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--rows-per-file", type=int, default=500)
    parser.add_argument(
        "--settle", type=float, default=0.0, help="ECOM_SETTLE_SECONDS; the producer renames."
    )
    parser.add_argument("--trigger", type=float, default=load_settings({}).trigger_seconds)
    parser.add_argument("--folder", type=Path, help="Where to work; default: a temporary folder.")
    parser.add_argument("--output", type=Path, default=Path("latency.json"))
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="ecom-latency-"))
    machine = {"cores": os.cpu_count(), "load_before": os.getloadavg(), "python": platform.python_version()}
    results = []
    with running(folder / "postgres") as server:
        for rate in arguments.rates:
            results.append(measure(server, folder / "work", rate, arguments))
            print(_line(results[-1]), file=sys.stderr, flush=True)
            report = {"machine": machine, "results": [asdict(result) for result in results]}
            arguments.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
            if not results[-1].held:
                break
    if arguments.folder is None:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
