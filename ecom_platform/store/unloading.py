"""What some files brought, out of their feed's table again, in one transaction with the ledger.

Belongs here: rows, rejects, counts and notes of files that are to be as if they had never come, and of the
files whose rows were held against theirs. Does not belong here: which files, and where they lie
(``tables.unload``).

A row of another file that was a duplicate of one that goes is stored now; one that was in conflict with it
as well. Which of the others' rows these are is known from the files alone, so they are read again. Every such
row is judged anew, in the order of files and lines: the table is what it would be without the files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from ecom_platform.errors import FeedError
from ecom_platform.feeds.feed import Feed
from ecom_platform.files.chunks import RecordPlace
from ecom_platform.files.opening import open_events
from ecom_platform.files.readers import decoder_of, look_over
from ecom_platform.files.unreadable import UnreadableFile
from ecom_platform.store import adbc
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.ledger import FileState
from ecom_platform.store.sink import BUFFER_ROWS, UNIT_LOCK, for_copy
from ecom_platform.store.statements import text


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """Rows of another file that are stored now, since the one that they were held against is gone."""

    file_id: int
    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class Unloaded:
    """What went with some files of a feed, and what came back. ``replayed``: of the ``rejects``, those that a
    person had corrected or tried again."""

    rows: int
    rejects: int
    replayed: int
    back: list[BroughtBack] = field(default_factory=list)


def held_against(database: Database, feed: Feed, gone: Iterable[int]) -> list[FileState]:
    """The loaded files of the feed that may hold a row of the files that go, in the order of their claims."""
    with adbc.open_session(database.url) as session:
        rows = session.rows(text("unload", "may_hold_others"), feed.name, _array(gone))
    return [FileState(**row) for row in rows]


def unload(
    database: Database,
    feed: Feed,
    gone: Sequence[int],
    others: Mapping[Path, FileState],
    before_commit: Callable[[], None],
) -> Unloaded:
    """Take out what the files ``gone`` brought; ``others`` are the files to be read again and where they lie.

    The caller holds the ingest lock. ``before_commit`` is called when all is done but the COMMIT. Raises
    :class:`FeedError`, with nothing changed, where one of ``others`` is not what was loaded.
    """
    with adbc.open_session(database.url) as session:
        return _Unloading(session, FeedTable(feed), _array(gone)).run(others, before_commit)


class _Unloading:
    """One transaction."""

    def __init__(self, session: adbc.Session, table: FeedTable, gone: str) -> None:
        self._session, self._table, self._gone = session, table, gone
        self._decoder = decoder_of(without_rules(table.feed))

    def _run(self, *names: str, file: str = "unload") -> None:
        for name in names:
            self._session.run(self._table.sql(name, file))

    def _run_on_gone(self, *names: str) -> None:
        for name in names:
            self._session.run(self._table.sql(name, "unload"), self._gone)

    def run(self, others: Mapping[Path, FileState], before_commit: Callable[[], None]) -> Unloaded:
        self._session.run("BEGIN")
        self._session.run(self._table.sql("lock_exclusive"), UNIT_LOCK)
        self._run("create_unloaded")
        self._run_on_gone("fill_unloaded")
        self._run("index_unloaded")
        self._run_on_gone("delete_rows")
        (counted,) = self._session.rows(self._table.sql("counted", "unload"), self._gone)
        back = self._bring_back(others) if counted["rows"] else []
        self._run_on_gone("forget_lost", "forget_rejects", "forget_twins", "forget_files")
        before_commit()
        self._session.run("COMMIT")
        return Unloaded(**counted, back=back)

    def _bring_back(self, others: Mapping[Path, FileState]) -> list[BroughtBack]:
        self._run("create_staged", "create_unseen", "create_fresh", file="sink")
        self._run("create_contested")
        for path, file in others.items():
            self._contest(path, file)
        self._run("forget_replayed", "insert_contested", "create_verdicts", "account", "forget_conflicts")
        self._refuse_new_conflicts(others)
        self._run("note_unchecked")
        told = self._table.sql("is_told", "unload"), self._table.told_of_replays
        if self._session.rows(*told)[0]["told"]:
            self._session.rows(self._table.sql("tell_of_rows", "unload"))
        self._run("settle_lost")
        return [BroughtBack(**row) for row in self._session.rows(self._table.sql("brought_back", "unload"))]

    def _contest(self, path: Path, file: FileState) -> None:
        """The rows of a file whose keys were those of rows that are gone."""
        buffer: list[pa.RecordBatch] = []
        try:
            facts = look_over(self._table.feed, path)
            with open_events(path) as source:
                for chunk in self._decoder.decode(source.stream, facts, datetime.now(UTC)):
                    ids = pa.repeat(pa.scalar(file.file_id, pa.int64()), chunk.rows.num_rows)
                    buffer.append(chunk.rows.append_column("file_id", ids))
                    if sum(rows.num_rows for rows in buffer) >= BUFFER_ROWS:
                        self._stage(buffer)
                        buffer = []
                same = source.sha256() == file.sha256
        except (OSError, UnreadableFile) as error:
            raise _not_as_loaded(file, str(error)) from error
        if not same:
            raise _not_as_loaded(file, f"{path} has other bytes")
        self._stage(buffer)

    def _stage(self, buffer: Sequence[pa.RecordBatch]) -> None:
        if any(rows.num_rows for rows in buffer):
            self._run("empty_staged", file="sink")
            rows = for_copy(self._table, pa.Table.from_batches(buffer).combine_chunks())
            self._session.copy("staged", rows, temporary=True)
            self._run("fill_contested")

    def _refuse_new_conflicts(self, others: Mapping[Path, FileState]) -> None:
        """Rows that were duplicates of one that is gone and are in conflict with the one that is stored."""
        lines: dict[int, list[int]] = defaultdict(list)
        for row in self._session.rows(self._table.sql("new_conflicts", "unload")):
            lines[row["file_id"]].append(row["line_number"])
        for path, file in others.items():
            if file.file_id not in lines:
                continue
            facts, wanted = look_over(self._table.feed, path), np.array(lines[file.file_id], dtype=np.int64)
            with open_events(path) as source:
                for line, raw in self._decoder.raw_records(source.stream, facts, wanted):
                    place = RecordPlace.of(self._table.feed, line)
                    values = (
                        file.file_id,
                        file.name,
                        place.line,
                        place.element if place.element is not None else -1,
                        raw,
                    )
                    known_by = self._table.key[0], self._table.feed.name
                    self._session.run(text("unload", "add_conflict"), *values, *known_by)


def without_rules(feed: Feed) -> Feed:
    """``feed``, taking every value of its types: what was taken of a file when it was loaded is known from
    its rejects, and rules may have changed since."""
    columns = (
        replace(
            column,
            values=(),
            minimum=None,
            maximum=None,
            greater_than=None,
            match=None,
            required_when=(),
            absent_when=(),
        )
        for column in feed.columns
    )
    return replace(feed, columns=tuple(columns))


def _not_as_loaded(file: FileState, reason: str) -> FeedError:
    return FeedError(
        f"The file {file.name} (file {file.file_id}) may hold rows of the file that is to go, and is not "
        f"as it was loaded: {reason}.",
        "Nothing was changed. Bring it back into the archive; or `--partial` does without it: rows that only "
        "it has are missing then.",
    )


def _array(file_ids: Iterable[int]) -> str:
    return "{" + ",".join(map(str, file_ids)) + "}"
