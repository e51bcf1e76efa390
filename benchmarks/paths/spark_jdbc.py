"""A Spark job as people write it by hand: read CSV, append over JDBC."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.paths.path import JOBS, LoadPath, run
from benchmarks.server import Address
from benchmarks.workload import Workload

# Debian's package, or a copy from a Maven repository.
DRIVER = Path("/usr/share/java/postgresql.jar")


class SparkJdbc(LoadPath):
    """Batches of ``batch_size`` rows over ``partitions`` connections."""

    def __init__(self, name: str, batch_size: int, partitions: int, rewrite: bool) -> None:
        super().__init__(name)
        self._batch_size, self._partitions, self._rewrite = batch_size, partitions, rewrite

    @property
    def description(self) -> str:
        rewrite = ", reWriteBatchedInserts" if self._rewrite else ""
        return f"Spark JDBC append, batchsize {self._batch_size}, {self._partitions} partitions{rewrite}"

    def missing(self) -> str | None:
        return None if DRIVER.is_file() else f"the JDBC driver {DRIVER} (Debian: libpostgresql-jdbc-java)"

    def load(self, workload: Workload, address: Address, folder: Path) -> dict[str, float]:
        rewrite = "&reWriteBatchedInserts=true" if self._rewrite else ""
        url = f"{address.jdbc_url}?stringtype=unspecified{rewrite}"
        program = JOBS / "spark_jdbc.py"
        arguments = (workload.folder, url, address.user, str(self._batch_size), str(self._partitions), DRIVER)
        run([sys.executable, program, *arguments], folder, {"JDBC_PASSWORD": address.password})
        return {}
