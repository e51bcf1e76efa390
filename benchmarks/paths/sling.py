"""sling, incremental: a temporary table, then rows merged by the primary key."""

from __future__ import annotations

from pathlib import Path

from benchmarks.paths import peers
from benchmarks.paths.path import LoadPath, run
from benchmarks.server import Address
from benchmarks.workload import Workload


class Sling(LoadPath):
    """Into a table of sling's own making."""

    table = "sling_events"

    @property
    def description(self) -> str:
        return "sling, incremental by primary key"

    def missing(self) -> str | None:
        return None if peers.sling() else f"sling ({peers.REMEDY})"

    def prepare(self, workload: Workload, address: Address, folder: Path) -> None:
        """Nothing: sling makes its table."""

    def load(self, workload: Workload, address: Address, folder: Path) -> dict[str, float]:
        command = [
            *(str(peers.sling()), "run"),
            *("--src-stream", f"file://{workload.folder}/"),
            *("--src-options", '{"format": "csv", "columns": {"price": "decimal(10,2)"}}'),
            *("--tgt-conn", "PEER", "--tgt-object", f"public.{self.table}"),
            *("--mode", "incremental", "--primary-key", "event_id"),
        ]
        run(command, folder, {"PEER": f"{address.url}?sslmode=disable", "SLING_HOME_DIR": str(folder)})
        return {}
