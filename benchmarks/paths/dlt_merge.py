"""dlt with its insert-only merge: Arrow tables in, a staging table by COPY, new keys inserted."""

from __future__ import annotations

from pathlib import Path

from benchmarks.paths import peers
from benchmarks.paths.path import JOBS, LoadPath, run
from benchmarks.server import Address
from benchmarks.workload import Workload


class DltMerge(LoadPath):
    """Into a table of dlt's own making, which has fewer indexes than ours."""

    table = "shop.dlt_events"

    @property
    def description(self) -> str:
        return "dlt, merge with strategy insert-only"

    def missing(self) -> str | None:
        return None if peers.dlt() else f"dlt ({peers.REMEDY})"

    def prepare(self, workload: Workload, address: Address, folder: Path) -> None:
        """Nothing: dlt makes its tables."""

    def load(self, workload: Workload, address: Address, folder: Path) -> dict[str, float]:
        environment = {
            "DLT_DATA_DIR": str(folder),
            "DESTINATION__POSTGRES__CREDENTIALS": address.url,
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "ERROR",
        }
        job = JOBS / "dlt_merge.py"
        run([peers.PYTHON, job, workload.folder], folder, environment)
        return {}
