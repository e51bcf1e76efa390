"""pgloader: COPY in batches, bad rows set aside by bisection."""

from __future__ import annotations

from pathlib import Path

from benchmarks.paths import peers
from benchmarks.paths.path import LoadPath, run
from benchmarks.server import Address
from benchmarks.workload import Workload
from ecom_platform.shop.event import COLUMN_NAMES


class PgLoader(LoadPath):
    """Into a table like ours."""

    @property
    def description(self) -> str:
        return "pgloader: COPY, bad rows set aside, no deduplication"

    def missing(self) -> str | None:
        return None if peers.pgloader() else "pgloader (the package of the system)"

    def load(self, workload: Workload, address: Address, folder: Path) -> dict[str, float]:
        columns = ", ".join(COLUMN_NAMES)
        fields = columns.replace("price", "price [null if blanks]")
        script = folder / "load.pgloader"
        script.touch(mode=0o600)  # the address has a password
        script.write_text(
            f"LOAD CSV FROM ALL FILENAMES MATCHING ~/csv$/ IN DIRECTORY '{workload.folder}'\n"
            f"  HAVING FIELDS ({fields})\n"
            f"  INTO {address.url} TARGET TABLE loaded ({columns})\n"
            "  WITH skip header = 1, fields optionally enclosed by '\"', fields terminated by ',';\n"
        )
        run(["pgloader", "--root-dir", folder, script], folder)
        return {}
