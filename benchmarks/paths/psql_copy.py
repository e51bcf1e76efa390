"""`psql \\copy`: the yardstick, which validates and deduplicates nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.paths.path import LoadPath, PathFailedError
from benchmarks.server import Address
from benchmarks.workload import Workload
from ecom_platform.shop.event import COLUMN_NAMES
from ecom_platform.store.client import psql_command
from ecom_platform.store.connection import Database


class PsqlCopy(LoadPath):
    """The files one after another, each in a transaction of its own, by one psql or several at once."""

    def __init__(self, name: str, streams: int) -> None:
        super().__init__(name)
        self._streams = streams

    @property
    def description(self) -> str:
        streams = "one stream" if self._streams == 1 else f"{self._streams} streams"
        return f"psql \\copy, {streams}: no validation, no deduplication"

    def load(self, workload: Workload, address: Address, folder: Path) -> dict[str, float]:
        command, environment = psql_command(Database(address.url))
        psql = [*command, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
        running = []
        for number in range(self._streams):
            script = folder / f"copy-{number}.sql"
            script.write_text("".join(_copy(path) for path in workload.paths[number :: self._streams]))
            running.append(subprocess.Popen([*psql, f"--file={script}"], env=environment))
        codes = [process.wait() for process in running]
        if any(codes):
            raise PathFailedError("psql ended with an error")
        return {}


def _copy(path: Path) -> str:
    return f"\\copy loaded ({','.join(COLUMN_NAMES)}) from '{path}' with (format csv, header)\n"
