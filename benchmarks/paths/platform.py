"""This platform: `ecom ingest`, with its ledger, validation, audit and checks.

Belongs here: running it as people run it, a process of its own from start to end.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import psycopg

from benchmarks.paths.path import LoadPath, PathFailedError, run
from benchmarks.server import Address
from benchmarks.workload import Workload, copy_into

_LAST_COMMIT = "SELECT extract(epoch FROM max(finished_at))::float8 FROM ingested_files"


class Platform(LoadPath):
    """The first load. Timed up to the end of its last check; ``committed`` is when the last row was."""

    table = "user_events"

    @property
    def description(self) -> str:
        return "ecom ingest: validated, deduplicated, exactly once"

    def prepare(self, workload: Workload, address: Address, folder: Path) -> None:
        copy_into(workload, folder / "landing")

    def load(self, workload: Workload, address: Address, folder: Path) -> dict[str, float]:
        started = time.time()
        summary = ingest(address, folder)
        if summary["files"]["loaded"] != len(workload.paths):
            raise PathFailedError(f"not every file was loaded: {summary}")
        with psycopg.connect(address.url) as connection:
            ((committed,),) = connection.execute(_LAST_COMMIT).fetchall()
        return {"committed": committed - started, "stream": summary["seconds"]["stream"]}


class PlatformAgain(Platform):
    """All the same rows in other files, when the table has every one of them."""

    @property
    def description(self) -> str:
        return "ecom ingest again: every row is known"

    def prepare(self, workload: Workload, address: Address, folder: Path) -> None:
        super().prepare(workload, address, folder)
        ingest(address, folder)
        for path in workload.paths:
            shutil.copy2(path, folder / "landing" / f"again-{path.name}")


def ingest(
    address: Address, folder: Path, others: Mapping[str, str] = MappingProxyType({})
) -> dict[str, dict[str, float]]:
    """One `ecom ingest` whose state is in ``folder``, and ``others`` set; returns its summary."""
    environment = {
        "ECOM_HOME": str(folder),
        "ECOM_POSTGRES_URL": address.url,
        "ECOM_FEEDS_DIR": str(folder / "feeds"),
        "ECOM_SETTLE_SECONDS": "0",
        "DAGSTER_HOME": "",
        **others,
    }
    printed = run([sys.executable, "-m", "ecom_platform", "ingest", "--json"], folder, environment)
    summary: dict[str, dict[str, float]] = json.loads(printed)
    return summary
