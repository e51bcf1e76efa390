"""The unit of work: one or more whole files into PostgreSQL, in one transaction.

Belongs here: everything between BEGIN and COMMIT (ledger rows locked first, rows copied,
duplicates and conflicts told apart, rejects and counts written). Does not belong here: Spark, which
calls :func:`load_unit` in a task; claiming and archiving files, which is the landing zone's; whether
they are what was claimed (``unit_files``); what to try again (``unit_retries``).

Two ways in for rows. The quick one copies a sorted buffer straight into the feed's table; the
primary key promises that nothing in it was known. When the key objects, a savepoint undoes that
buffer alone and it takes the careful way: a temporary table, a look at the stored row of every id,
then one sorted ``INSERT … ON CONFLICT DO NOTHING`` of the ids that had none, and a look at what it
did not insert. Where PostgreSQL refuses a row (a constraint, an index, a type or a trigger of the
owner's), that INSERT is made in ever smaller pieces, until the refused rows are alone. Where a later row
takes the place of an earlier one (``on_conflict: update``), the careful way is that of ``newer_rows``.
"""

from __future__ import annotations

import resource
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.errors import IngestError
from ecom_platform.feeds import arrow
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.reasons import Reason
from ecom_platform.files.chunks import FeedChunk, RecordPlace, RefusedRecord
from ecom_platform.files.opening import EventFile, open_events
from ecom_platform.files.unreadable import UnreadableFile
from ecom_platform.store import adbc
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.file_counts import OUTCOMES, REJECTS, FileCounts, reject_row
from ecom_platform.store.key_order import in_key_order, of_repeated_keys
from ecom_platform.store.newer_rows import NewerRows, RowGoneError
from ecom_platform.store.outcome import FileOutcome, Stamp, UnitFile, UnitResult, header_text
from ecom_platform.store.statements import text
from ecom_platform.store.unit_files import (
    ChangedError,
    NotAsClaimedError,
    Reading,
    Unreadable,
    check_unchanged,
    concerns_one_file,
    is_kept,
    on_their_way_to_disk,
    read_error,
    stamps_as_claimed,
)
from ecom_platform.store.unit_retries import Retry, is_refusal

# Rows that are sorted and copied together. Random ids touch most pages of a large index, so the more
# rows share a visit the better; a buffer of this size takes about 50 MB (docs/lab-book.md).
BUFFER_ROWS = 250_000
# Rows of ordinary length are fewer bytes; this is for those with very long values.
BUFFER_BYTES = 64 * 1024**2
REJECT_BUFFER_ROWS = 10_000

# How long a unit waits for a row of another before it steps back and takes its turn alone. Below
# PostgreSQL's deadlock_timeout (1 s), so two units that want each other's ids never deadlock.
ROW_WAIT_MS = 500
# The advisory lock that units share, and that a unit which stepped back takes for itself.
UNIT_LOCK = 4_917_205_002

# The verdict of a staged row whose id is not stored: not yet, or after the insert not any more.
_MISSING = "missing"


def for_copy(table: FeedTable, rows: pa.Table) -> pa.Table:
    """``rows`` as COPY's binary form has them: JSON behind a version."""
    for name, kind in table.types.items():
        if kind == "jsonb" and name in rows.schema.names:
            at = rows.schema.get_field_index(name)
            column = pc.binary_join_element_wise(pa.scalar("\x01"), rows[name], pa.scalar(""))
            rows = rows.set_column(at, name, column)
    return rows


class _Unit:
    """One attempt at a unit of work."""

    def __init__(
        self,
        session: adbc.Session,
        table: FeedTable,
        batch_id: int,
        now: datetime,
        unreadable: dict[int, Unreadable],
        hook: Callable[[str], None],
    ) -> None:
        self._session = session
        self._table = table
        self._reading = Reading(table.feed)
        self._batch_id = batch_id
        self._now = now
        self._unreadable = unreadable
        self._hook = hook
        # Files that became unreadable in mid-file: what was sent of them has to go.
        self._broken_off: dict[int, Unreadable] = {}
        # What the files were before they were read.
        self._stamps: dict[int, Stamp | None] = {}
        self._counts: dict[int, FileCounts] = {}
        self._buffer: list[pa.RecordBatch] = []
        self._buffered_rows = 0
        self._buffered_bytes = 0
        self._rejects: list[dict[str, Any]] = []
        self._temporary: set[str] = set()
        # After the key has objected once, further buffers of this unit are likely to hold known ids.
        self._careful = False
        # Whether the columns take the values as COPY sends them.
        self._binary = True
        # Whether no other unit is at work.
        self._alone = False
        self.decode_seconds = 0.0
        self.store_seconds = 0.0
        self.commit_seconds = 0.0

    def run(self, files: Sequence[UnitFile], *, alone: bool) -> None:
        self._alone = alone
        self._session.run("BEGIN")
        self._session.run(self._table.sql("lock_exclusive" if alone else "lock_shared"), UNIT_LOCK)
        pending = self._lock(files)
        self._hook("locked")
        self._session.run(self._table.sql("refuse_at_once"))
        (binary,) = self._session.rows(self._table.sql("binary_fits"))
        self._binary = bool(binary["fits"])
        if not alone:
            self._session.run(f"SET LOCAL lock_timeout = {ROW_WAIT_MS}")
        stamps = self._stamps = stamps_as_claimed(pending)
        # After the stamps: what is still as stamped before COMMIT has no byte that came later than this.
        with on_their_way_to_disk(file for file in pending if is_kept(file, stamps)) as synced:
            for file in pending:
                self._load(file)
            if self._broken_off:
                raise NotAsClaimedError(self._broken_off)
            self._flush()
            self._hook("copied")
            self._refuse_conflicts(pending)
            self._flush_rejects()
            self._hook("rejected")
            self._settle()
            self._hook("settled")
            check_unchanged(pending, stamps)
            synced()
        self._hook("durable")
        started = time.perf_counter()
        self._session.run("COMMIT")
        self.commit_seconds = time.perf_counter() - started
        self._hook("committed")

    def _lock(self, files: Sequence[UnitFile]) -> list[UnitFile]:
        """The files that are still to be loaded; a second attempt waits here for the first."""
        rows = self._session.rows(self._table.sql("lock_files"), _id_array(files))
        ids = {row["file_id"] for row in rows}
        return [file for file in files if file.file_id in ids]

    def _load(self, file: UnitFile) -> None:
        """Decode one file into the buffer."""
        counts = self._counts[file.file_id] = FileCounts(file.file_id, declaration=self._reading.declaration)
        try:
            with open_events(Path(file.path)) as source:
                self._decode(file, counts, source)
                counts.size_bytes, counts.sha256 = source.size, source.sha256()
        except UnreadableFile as error:
            counts.quarantine(error)
        except OSError as error:
            if not concerns_one_file(error, Path(file.path)):
                raise IngestError(
                    f"{file.path} cannot be read: {error.strerror or error}.",
                    "Check that ECOM_LANDING_DIR is the same folder, readable, on every machine that runs "
                    "tasks.",
                ) from error
            if counts.rows_read or file.file_id not in self._unreadable:
                self._break_off(file, read_error(error))  # it may be read the next time
            else:
                counts.quarantine(read_error(error))

    def _decode(self, file: UnitFile, counts: FileCounts, source: EventFile) -> None:
        """The rows of a file into the buffer, or its state and reason into ``counts``."""
        known = self._unreadable.get(file.file_id)
        if known is not None and known.holds(file):
            counts.quarantine(known.error)
            return
        try:
            if self._unreadable:
                # A unit starts over once for that: what is sent now has been read to its end before.
                self._read_through(file)
            for chunk in _timed(self._reading.chunks(file, source, self._now), self._add_decode_seconds):
                self._take(file, counts, chunk)
        except UnreadableFile as error:
            if counts.rows_read:
                self._break_off(file, error)
            else:
                counts.quarantine(error)

    def _read_through(self, file: UnitFile) -> None:
        with open_events(Path(file.path)) as source:
            for _ in _timed(self._reading.chunks(file, source, self._now), self._add_decode_seconds):
                pass
            source.sha256()

    def _break_off(self, file: UnitFile, error: UnreadableFile) -> None:
        """Go on to the other files, to know by the next attempt which of them are unreadable, too."""
        self._broken_off[file.file_id] = self._verdict(file, error)

    def _verdict(self, file: UnitFile, error: UnreadableFile) -> Unreadable:
        return Unreadable(error, self._stamps.get(file.file_id), final=file.file_id in self._unreadable)

    def _add_decode_seconds(self, seconds: float) -> None:
        self.decode_seconds += seconds

    def _take(self, file: UnitFile, counts: FileCounts, chunk: FeedChunk) -> None:
        counts.header = header_text(chunk.header)
        counts.rows_read += chunk.records
        if self._broken_off:
            return  # nothing of this attempt is kept
        counts.rows_rejected += len(chunk.rejects)
        self._rejects.extend(reject_row(file, reject) for reject in chunk.rejects)
        if len(self._rejects) >= REJECT_BUFFER_ROWS:
            self._flush_rejects()
        if chunk.rows.num_rows:
            counts.profile.add(self._table.feed, chunk.rows)
            ids = pa.repeat(pa.scalar(file.file_id, pa.int64()), chunk.rows.num_rows)
            self._buffer.append(chunk.rows.append_column("file_id", ids))
            self._buffered_rows += chunk.rows.num_rows
            self._buffered_bytes += chunk.rows.nbytes
        if self._buffered_rows >= BUFFER_ROWS or self._buffered_bytes >= BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Send what is buffered, the quick way if nothing speaks against it."""
        if not self._buffer:
            return
        started = time.perf_counter()
        rows = for_copy(self._table, pa.Table.from_batches(self._buffer).combine_chunks())
        self._buffer, self._buffered_rows, self._buffered_bytes = [], 0, 0
        rows, repeated = in_key_order(rows, self._table.key)
        if self._table.updates:
            self._let_the_newer_stay(rows, repeated)
        elif not self._binary or self._careful or repeated or not self._copy_quickly(rows):
            self._copy_carefully(rows)
        self.store_seconds += time.perf_counter() - started

    def _copy_quickly(self, rows: pa.Table) -> bool:
        """COPY into the table itself; ``False`` if an id was known or a row refused, with nothing stored."""
        self._session.run("SAVEPOINT buffer")
        try:
            stored = rows if self._table.updates else rows.drop_columns("line_number")
            self._session.copy(self._table.name, stored, schema=self._table.schema)
        except adbc.Error as error:
            if not is_refusal(error.sqlstate):
                raise
            self._session.run("ROLLBACK TO SAVEPOINT buffer")
            self._careful = True
            return False
        self._session.run("RELEASE SAVEPOINT buffer")
        return True

    def _copy_carefully(self, rows: pa.Table) -> None:
        """Account for every row that is known, insert what is new."""
        self._make_staged()
        self._session.copy("staged", rows, temporary=True)
        verdicts = self._session.rows(self._table.sql("classify_known"))
        leftovers = [row for row in verdicts if row["verdict"] != _MISSING]
        refused: list[dict[str, Any]] = []
        if len(leftovers) < len(verdicts):
            if self._insert_unseen():
                leftovers += self._session.rows(self._table.sql("classify_unseen"))
            else:
                refused = self._insert_what_is_not_refused()
                leftovers += self._session.rows(self._table.sql("classify_tried"))
        self._careful = bool(leftovers or refused)
        for row in refused:
            self._counts[row["file_id"]].add_refused(row)
        for leftover in leftovers:
            if leftover["verdict"] == _MISSING:
                raise RowGoneError(f"A row that another transaction had stored was deleted: {leftover}.")
            self._counts[leftover["file_id"]].add_leftover(leftover)

    def _make_staged(self) -> None:
        self._make_temporary("create_staged", "create_unseen", "create_fresh", "sort_in_memory")
        self._session.run(self._table.sql("empty_staged"))

    def _let_the_newer_stay(self, rows: pa.Table, repeated: bool) -> None:
        """Of the rows, which are in the order of their key, and of what is stored under the same keys."""
        newer = NewerRows(self._session, self._table, is_refusal, self._copy_quickly)
        several = of_repeated_keys(rows, self._table.key) if repeated else np.zeros(len(rows), dtype=np.bool_)
        if not self._binary:
            several[:] = True  # none may be copied into the table itself
        single, others = rows.filter(arrow.booleans(~several)), rows.filter(arrow.booleans(several))
        self._careful = self._careful or not newer.is_empty()
        if not self._careful and self._copy_quickly(single):
            single = single.slice(0, 0)
        if not len(single) and not len(others):
            return
        self._make_staged()
        self._make_temporary("create_tried")
        if "ranked" not in self._temporary:
            # It may have to wait for as long as another unit takes.
            self._session.run("SET LOCAL lock_timeout = 0")
            newer.prepare()
            if not self._alone:
                self._session.run(f"SET LOCAL lock_timeout = {ROW_WAIT_MS}")
            self._temporary.add("ranked")
        counted, refused = newer.settle(single, others)
        for row in refused:
            self._counts[row["file_id"]].add_refused(row)
        for row in counted:
            self._counts[row["file_id"]].add_newer(row["verdict"], row["rows"])

    def _insert_unseen(self) -> bool:
        """Insert what is not known; ``False`` if PostgreSQL refuses some of it, with nothing stored."""
        self._session.run("SAVEPOINT unseen")
        try:
            self._session.run(self._table.sql("insert_unseen"))
        except adbc.Error as error:
            if not is_refusal(error.sqlstate):
                raise
            self._session.run("ROLLBACK TO SAVEPOINT unseen")
            return False
        self._session.run("RELEASE SAVEPOINT unseen")
        return True

    def _insert_what_is_not_refused(self) -> list[dict[str, Any]]:
        """The same without the rows that are refused; returns these."""
        self._make_temporary("create_trial", "create_tried")
        for name in ("empty_trial", "fill_trial", "try_each"):
            self._session.run(self._table.sql(name))
        return self._session.rows(self._table.sql("refused_rows"))

    def _make_temporary(self, *statements: str) -> None:
        """Create temporary tables and the like once an attempt; they go with its transaction."""
        for name in statements:
            if name not in self._temporary:
                self._session.run(self._table.sql(name))
                self._temporary.add(name)

    def _refuse_conflicts(self, files: Iterable[UnitFile]) -> None:
        """Rows whose id is stored with other content, and those that PostgreSQL refused, become rejects."""
        for file in files:
            counts = self._counts[file.file_id]
            refused = np.fromiter(counts.refused_lines, dtype=np.int64)
            lines = np.concatenate([*counts.conflict_lines, refused])
            if not len(lines):
                continue
            try:
                with open_events(Path(file.path)) as source:
                    self._refuse(file, counts, self._reading.raw_records(file, source, lines))
            except UnreadableFile as error:
                raise NotAsClaimedError({file.file_id: self._verdict(file, error)}) from error
            except OSError as error:
                if not concerns_one_file(error, Path(file.path)):
                    raise
                verdict = self._verdict(file, read_error(error))
                raise NotAsClaimedError({file.file_id: verdict}) from error

    def _refuse(self, file: UnitFile, counts: FileCounts, records: Iterable[tuple[int, bytes]]) -> None:
        for line, raw in records:
            message, column = counts.refused_lines.get(line, (None, self._table.key[0]))
            reason = Reason.ID_CONFLICT if message is None else Reason.REFUSED_BY_DATABASE
            place = RecordPlace.of(self._table.feed, line)
            reject = RefusedRecord(place.line, raw, reason, column, element=place.element)
            self._rejects.append(reject_row(file, reject, message))
            if len(self._rejects) >= REJECT_BUFFER_ROWS:
                self._flush_rejects()

    def _flush_rejects(self) -> None:
        if self._rejects:
            self._session.copy("rejected_events", pa.Table.from_pylist(self._rejects, schema=REJECTS))
            self._rejects = []

    def _settle(self) -> None:
        """The ledger's new state of every file of the unit."""
        if self._counts:
            self._make_temporary("create_outcomes")
            outcomes = [counts.row() for counts in self._counts.values()]
            self._session.copy("outcomes", pa.Table.from_pylist(outcomes, schema=OUTCOMES), temporary=True)
            self._session.run(self._table.sql("settle_files"), self._batch_id)


def load_unit(
    url: str,
    feed: Feed,
    files: Sequence[UnitFile],
    batch_id: int,
    *,
    hook: Callable[[str], None] = lambda step: None,
) -> UnitResult:
    """Load ``files`` of ``feed`` in one transaction and say what became of each.

    Safe to repeat at any time, by anyone: files that are already finished are only reported.
    What passes (a lost connection, another unit's rows) is tried again (``unit_retries``); a COMMIT whose
    answer was lost is answered by the ledger, since every attempt asks it first. However many files turn
    out unreadable after rows of them were sent, there is one more attempt, without them. ``hook`` is called
    with the name of each step that has just been taken; tests abort there.

    Files that are no longer what was claimed are left out and named in the result: their writer is
    still at work.

    Raises :class:`IngestError` or the driver's own error; nothing of the unit is stored then.
    """
    now = datetime.now(UTC)
    cpu = time.process_time()
    unreadable: dict[int, Unreadable] = {}
    changed: set[int] = set()
    retry = Retry()
    table = FeedTable(feed)
    while True:
        try:
            with adbc.open_session(url) as session:
                unit = _Unit(session, table, batch_id, now, unreadable, retry.noting_success(hook))
                unit.run([file for file in files if file.file_id not in changed], alone=retry.alone)
                committed_at = time.time()
                session.run(text("sink", "hand_statistics_in"))
                outcomes = _read_outcomes(session, files, committed_at)
            seconds = unit.decode_seconds, unit.store_seconds, unit.commit_seconds
            used = time.process_time() - cpu
            left_out = sorted(changed - {outcome.file_id for outcome in outcomes})
            return UnitResult(outcomes, *seconds, used, _peak_bytes(), socket.gethostname(), left_out)
        except NotAsClaimedError as error:
            unreadable |= error.verdicts
        except ChangedError as error:
            changed |= error.file_ids
        except (adbc.Error, RowGoneError) as error:
            retry.after(error)


def _read_outcomes(
    session: adbc.Session, files: Sequence[UnitFile], committed_at: float
) -> list[FileOutcome]:
    rows = session.rows(text("sink", "read_outcomes"), _id_array(files))
    return [_outcome(row, committed_at) for row in rows if row["finished_at"] is not None]


def _outcome(row: dict[str, Any], committed_at: float) -> FileOutcome:
    finished_at = row.pop("finished_at").timestamp()
    landed_at = row.pop("landed_at").timestamp()
    return FileOutcome(
        **row, landed_at=landed_at, finished_at=finished_at, committed_at=max(committed_at, finished_at)
    )


def _id_array(files: Iterable[UnitFile]) -> str:
    return "{" + ",".join(str(file.file_id) for file in files) + "}"


def _timed(chunks: Iterator[FeedChunk], add: Callable[[float], None]) -> Iterator[FeedChunk]:
    """``chunks``, with the seconds each took to arrive handed to ``add``."""
    while True:
        started = time.perf_counter()
        chunk = next(chunks, None)
        add(time.perf_counter() - started)
        if chunk is None:
            return
        yield chunk


def _peak_bytes() -> int:
    """The largest resident set this process has had; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
