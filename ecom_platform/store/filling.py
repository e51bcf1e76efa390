"""A new column of a feed's table, filled with what was read before it was declared.

Belongs here: values from ``extra`` and from files that are read again, in one transaction. Does not belong
here: adding the column (``feed_tables``), which files, and where they lie (``tables.adding``).

A value goes to the row that its line has brought: a row that another file has replaced since, or a person, is
that of another line. Called again it goes on: what has a value keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.types.column_types import column_type_of
from ecom_platform.files.opening import open_events
from ecom_platform.files.readers import decoder_of, look_over
from ecom_platform.files.unreadable import UnreadableFile
from ecom_platform.store import adbc
from ecom_platform.store.connection import Database
from ecom_platform.store.conninfo import quoted
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.ledger import FileState
from ecom_platform.store.outcome import header_names
from ecom_platform.store.sink import BUFFER_ROWS, for_copy
from ecom_platform.store.statements import text

_FILE = "filling"


@dataclass(frozen=True, slots=True)
class Filled:
    """Rows that have a value now; ``unfit`` are those whose text is none of the type, and stays in ``extra``;
    ``unread`` are files that have the column and are not in the archive as they were loaded."""

    rows: int
    unfit: int
    unread: list[str]


def files_by_header(
    database: Database, table: FeedTable, source: str
) -> tuple[list[FileState], list[FileState]]:
    """The loaded files of the feed whose header has the column ``source``, or is not known; and those whose
    header lacks it."""
    with adbc.open_session(database.url) as session:
        rows = session.rows(table.sql("loaded_files", _FILE), table.feed.name)
    having: list[FileState] = []
    lacking: list[FileState] = []
    for row in rows:
        names = header_names(row.pop("header"))
        has_it = names is None or source in [name.strip() for name in names]
        (having if has_it else lacking).append(FileState(**row))
    return having, lacking


def fill_from_extra(database: Database, table: FeedTable, column: str, source: str) -> Filled:
    """Move what ``extra`` keeps under ``source`` into ``column``, where it is a value of its type."""
    declared = next(one for one in table.feed.columns if one.name == column)
    kind = column_type_of(declared, table.feed.dialect)
    with adbc.open_session(database.url) as session:
        filling = _Filling(session, table, column)
        session.run("BEGIN")
        filling.run("create_read")
        rows, texts = 0, [""]
        while texts:
            values = [(text, kind.parse(text, datetime.now(UTC))) for text in texts]
            read = [(text, value) for text, value in values if not isinstance(value, Reason)]
            if read:
                columns = {
                    "Text": pa.array([text for text, _ in read]),
                    column: kind.array([v for _, v in read]),
                }
                filling.run("empty_read")
                session.copy("read_values", for_copy(table, pa.table(columns)), temporary=True)
                rows += filling.count("fill_from_kept", source)
            texts = [row["value"] for row in filling.rows("kept_values", source, texts[-1])]
        (left,) = filling.rows("still_kept", source)
        session.run("COMMIT")
    return Filled(rows, left["rows"], [])


def fill_from_files(
    database: Database, table: FeedTable, column: str, files: Mapping[Path, FileState]
) -> Filled:
    """Read ``files`` again and give their rows the values that they have in ``column``."""
    unread: list[str] = []
    rows = 0
    with adbc.open_session(database.url) as session:
        filling = _Filling(session, table, column)
        session.run("BEGIN")
        filling.run("create_found")
        for path, file in files.items():
            session.run("SAVEPOINT file")
            try:
                rows += filling.fill(path, file)
            except (OSError, UnreadableFile, _OtherBytesError) as error:
                session.run("ROLLBACK TO SAVEPOINT file")
                unread.append(f"{file.name} (file {file.file_id}): {error}")
            session.run("RELEASE SAVEPOINT file")
        session.run("COMMIT")
    return Filled(rows, 0, unread)


class _OtherBytesError(Exception):
    """A file is not the one that was loaded."""


class _Filling:
    """One transaction."""

    def __init__(self, session: adbc.Session, table: FeedTable, column: str) -> None:
        self._session, self._table, self._column = session, table, column
        self._decoder = decoder_of(table.feed)
        self._columns = [*dict.fromkeys([*table.key, column])]

    def _sql(self, name: str) -> str:
        statement = text(_FILE, name).replace("{added}", quoted(self._column))
        statement = statement.replace("{added_type}", self._table.types[self._column])
        return self._table.filled(statement, _FILE)

    def run(self, name: str, *parameters: object) -> None:
        self._session.run(self._sql(name), *parameters)

    def rows(self, name: str, *parameters: object) -> list[dict[str, Any]]:
        return self._session.rows(self._sql(name), *parameters)

    def count(self, name: str, *parameters: object) -> int:
        """How many rows the statement has given a value."""
        (counted,) = self.rows(name, *parameters)
        return int(counted["rows"])

    def fill(self, path: Path, file: FileState) -> int:
        filled = 0
        batches: list[pa.RecordBatch] = []
        facts = look_over(self._table.feed, path)
        with open_events(path) as source:
            for chunk in self._decoder.decode(source.stream, facts, datetime.now(UTC)):
                batches.append(chunk.rows)
                if sum(batch.num_rows for batch in batches) >= BUFFER_ROWS:
                    filled += self._give(batches, file.file_id)
                    batches = []
            if source.sha256() != file.sha256:
                raise _OtherBytesError("it has other bytes than were loaded")
        return filled + self._give(batches, file.file_id)

    def _give(self, batches: Sequence[pa.RecordBatch], file_id: int) -> int:
        if not batches:
            return 0
        rows = pa.Table.from_batches(batches).select([*self._columns, "line_number"])
        rows = rows.filter(pc.is_valid(rows[self._column])).combine_chunks()
        if not rows.num_rows:
            return 0
        ids = pa.repeat(pa.scalar(file_id, pa.int64()), rows.num_rows)
        self.run("empty_found")
        self._session.copy("found", for_copy(self._table, rows.append_column("file_id", ids)), temporary=True)
        return self.count("fill")
