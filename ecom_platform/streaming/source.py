"""A Spark streaming source over the file ledger.

Belongs here: the offsets of the query, which are file ids, and the partitions of a micro-batch,
each a unit of whole files. Does not belong here: the landing folder, which Spark never reads,
and the rows of a file, which ``postgres.sink`` reads inside the task.

Against Spark's own file source this has no listing of the folder, no age after which a file is
silently skipped, and no log of every file ever seen: the ledger has numbered them already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import (
    ReadAllAvailable,
    ReadLimit,
    ReadMaxFiles,
    SupportsTriggerAvailableNow,
)

from ecom_platform.postgres import ledger
from ecom_platform.postgres.connection import Connection, Database
from ecom_platform.streaming.units import plan_units

FORMAT = "ecom_claimed_files"
SCHEMA = "file_id bigint, name string, size_bytes bigint"
_ARROW_SCHEMA = pa.schema([("file_id", pa.int64()), ("name", pa.string()), ("size_bytes", pa.int64())])
_OFFSET = "file_id"

# A restart of PostgreSQL is shorter than this.
RECONNECT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What the reader needs. Pickled into the query, never an option of it: Spark shows options."""

    database: Database
    parallelism: int
    batch_files: int


class UnitPartition(InputPartition):
    """The files of one unit of work."""

    def __init__(self, files: list[ledger.ClaimedFile]) -> None:
        super().__init__(files[0].file_id)
        self.files = files


class LedgerReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Offsets are file ids: everything up to and including one has been handed out."""

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        # Set in bounded mode: files claimed later are left to the next run.
        self._until: int | None = None

    def _connect(self) -> Connection:
        return self._config.database.open(autocommit=True, wait_seconds=RECONNECT_SECONDS)

    def _highest(self) -> int:
        with self._connect() as connection:
            bounds = ledger.claimed_bounds(connection)
        return 0 if bounds is None else bounds[1]

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802 (Spark's name)
        self._until = self._highest()

    def initialOffset(self) -> dict[str, int]:  # noqa: N802
        with self._connect() as connection:
            bounds = ledger.claimed_bounds(connection)
        return {_OFFSET: 0 if bounds is None else bounds[0] - 1}

    def getDefaultReadLimit(self) -> ReadLimit:  # noqa: N802
        return ReadMaxFiles(self._config.batch_files)

    def latestOffset(self, start: dict[str, int], limit: ReadLimit) -> dict[str, int]:  # noqa: N802
        until = self._highest() if self._until is None else self._until
        if isinstance(limit, ReadAllAvailable):
            return {_OFFSET: max(start[_OFFSET], until)}
        files = limit.max_files if isinstance(limit, ReadMaxFiles) else self._config.batch_files
        with self._connect() as connection:
            end = ledger.claimed_limit(connection, start[_OFFSET], until, files)
        return {_OFFSET: start[_OFFSET] if end is None else end}

    def reportLatestOffset(self) -> dict[str, int]:  # noqa: N802
        return {_OFFSET: self._highest()}

    def partitions(self, start: dict[str, int], end: dict[str, int]) -> list[InputPartition]:
        with self._connect() as connection:
            files = ledger.claimed(connection, start[_OFFSET], end[_OFFSET])
        return [UnitPartition(unit) for unit in plan_units(files, self._config.parallelism)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        assert isinstance(partition, UnitPartition)  # noqa: S101 (it is one of ours)
        columns: Any = zip(*((f.file_id, f.name, f.size_bytes) for f in partition.files), strict=True)
        yield pa.record_batch([list(column) for column in columns], schema=_ARROW_SCHEMA)


def ledger_source(config: SourceConfig) -> type[DataSource]:
    """A data source class bound to ``config``."""

    class ClaimedFilesSource(DataSource):
        @classmethod
        def name(cls) -> str:
            return FORMAT

        def schema(self) -> str:
            return SCHEMA

        def streamReader(self, schema: Any) -> DataSourceStreamReader:  # noqa: ARG002, N802
            return LedgerReader(config)

    return ClaimedFilesSource
