"""From landing to commit through the sensor, and how long its ticks take.

    python -m benchmarks.sensor --drops 20 --files 10000

Starts `ecom dev` in a home of its own. Files of 1,000 rows are renamed into the landing folder one by one,
each at a moment of the tick's interval that a seed draws, after the run of the one before has ended. Then
very many small files land at once. Latencies are the platform's own: from the landing of a file to the end
of its micro-batch; ticks are timed by Dagster. That every event was stored once is checked at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.latency import write_ahead
from benchmarks.server import free_port, running
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.settings import load_settings

ROWS_PER_DROP = 1_000
ROWS_PER_SMALL_FILE = 10
# Dagster's daemon looks for sensors that are due this often.
TICK_SECONDS = 5.0
WAIT_SECONDS = 180.0

_LATENCY = """
SELECT extract(epoch FROM b.finished_at - f.landed_at)::double precision
FROM ingested_files AS f JOIN stream_batches AS b USING (batch_id)
WHERE f.name = %s AND b.finished_at IS NOT NULL
"""
_TICKS = """query {sensorOrError(sensorSelector: {sensorName: "new_csv_files",
    repositoryLocationName: "ecom_platform", repositoryName: "__repository__"})
    {... on Sensor {sensorState {ticks(limit: 500) {status timestamp endTimestamp runIds}}}}}"""
_RUNS = (
    "query {runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED]}) {... on Runs {count}}}"
)


class Dev:
    """A running `ecom dev`."""

    def __init__(self, home: Path, url: str) -> None:
        self.home, self.url, self.port = home, url, free_port()
        ours = {n: v for n, v in os.environ.items() if not n.startswith(("ECOM_", "DAGSTER_"))}
        self.environment = {**ours, "ECOM_HOME": str(home), "ECOM_POSTGRES_URL": url}
        self.zone = LandingZone.of(load_settings(self.environment))
        self.zone.prepare()

    @contextmanager
    def running(self) -> Iterator[None]:
        with (self.home / "dev.log").open("wb") as log:
            command = [sys.executable, "-m", "ecom_platform", "dev", "--port", str(self.port)]
            process = subprocess.Popen(command, env=self.environment, cwd=self.home, stdout=log, stderr=log)
        try:
            wait_for("the first tick", lambda: bool(self.ticks()))
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)

    def graphql(self, query: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)["data"]

    def ticks(self) -> list[dict[str, Any]]:
        ticks: list[dict[str, Any]] = self.graphql(_TICKS)["sensorOrError"]["sensorState"]["ticks"]
        return ticks

    def idle(self) -> bool:
        return bool(self.graphql(_RUNS)["runsOrError"]["count"] == 0)

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql, parameters).fetchall()


def wait_for(what: str, question: Callable[[], bool]) -> None:
    """Ask until it is true, also when nobody answers yet. Raises :class:`TimeoutError`."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            if question():
                return
        except (OSError, KeyError, TypeError, ValueError):
            pass
        time.sleep(0.2)
    raise TimeoutError(f"not within {WAIT_SECONDS:g} s: {what}")


def measure(dev: Dev, drops: int, files: int) -> dict[str, Any]:
    """Latencies of single files, then of many that land at once."""
    draw = random.Random(1)  # noqa: S311 (moments of a benchmark)
    staging = dev.zone.landing / ".ecom" / "staging"
    single = write_ahead(staging / "single", drops * ROWS_PER_DROP, ROWS_PER_DROP, 1)
    many = write_ahead(staging / "many", files * ROWS_PER_SMALL_FILE, ROWS_PER_SMALL_FILE, 2)
    latencies = []
    for file in single:
        time.sleep(draw.uniform(0.0, TICK_SECONDS))
        file.rename(dev.zone.landing / file.name)
        wait_for(f"{file.name} is loaded", lambda name=file.name: bool(dev.query(_LATENCY, name)))  # type: ignore[misc]
        latencies.append(float(dev.query(_LATENCY, file.name)[0][0]))
        print(f"{file.name}: {latencies[-1]:.1f} s", file=sys.stderr, flush=True)
        wait_for("the run has ended", dev.idle)
    since = time.time()
    for file in many:
        file.rename(dev.zone.landing / file.name)
    landed = time.time()
    loaded = "SELECT count(*) FROM ingested_files WHERE state = 'loaded'"
    wait_for("the many files are loaded", lambda: dev.query(loaded)[0][0] == drops + files)
    all_loaded = time.time() - landed
    wait_for("the run has ended", dev.idle)
    ticks = dev.ticks()
    stored = dev.query("SELECT count(*), count(DISTINCT event_id) FROM user_events")[0]
    expected = drops * ROWS_PER_DROP + files * ROWS_PER_SMALL_FILE
    if stored != (expected, expected):
        raise RuntimeError(f"{stored} rows and ids are stored, {expected} expected")
    launching = [tick for tick in ticks if tick["runIds"] and tick["timestamp"] >= since]
    return {
        "drops": drops,
        "p50": statistics.median(latencies),
        "p95": statistics.quantiles(latencies, n=20, method="inclusive")[-1],
        "largest": max(latencies),
        "latencies": [round(latency, 2) for latency in latencies],
        "tick_seconds_over_many_files": [round(_seconds(tick), 2) for tick in launching],
        "tick_seconds_otherwise": round(
            statistics.median(_seconds(t) for t in ticks if t not in launching), 3
        ),
        "many_files": files,
        "many_files_loaded_after": round(all_loaded, 1),
    }


def _seconds(tick: dict[str, Any]) -> float:
    return float((tick["endTimestamp"] or time.time()) - tick["timestamp"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drops", type=int, default=20)
    parser.add_argument("--files", type=int, default=10_000)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ecom-sensor-"))
    try:
        with running(folder / "postgres") as server, server.database("sensor") as address:
            dev = Dev(folder / "home", address.url)
            with dev.running():
                found = measure(dev, arguments.drops, arguments.files)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    machine = {"cores": os.cpu_count(), "load": os.getloadavg(), "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}"}
    print(json.dumps({"machine": machine, **found}, indent=2))


if __name__ == "__main__":
    main()
