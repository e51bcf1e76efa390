"""The unit of work: one or more whole files into PostgreSQL, in one transaction.

Belongs here: everything between BEGIN and COMMIT (ledger rows locked first, rows copied,
duplicates and conflicts told apart, rejects and counts written) and the decision what to retry.
Does not belong here: Spark, which calls :func:`load_unit` in a task; claiming and archiving
files, which is the landing zone's; reading them, which is ``files.readers``.

Two ways in for rows. The quick one copies a sorted buffer straight into the feed's table; the
primary key promises that nothing in it was known. When the key objects, a savepoint undoes that
buffer alone and it takes the careful way: a temporary table, a look at the stored row of every id,
then one sorted ``INSERT … ON CONFLICT DO NOTHING`` of the ids that had none, and a look at what it
did not insert. Where PostgreSQL refuses a row (a constraint, an index, a type or a trigger of the
owner's), that INSERT is made in ever smaller pieces, until the refused rows are alone. Where a later row
takes the place of an earlier one (``on_conflict: update``), the careful way is that of ``newer_rows``.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import resource
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform import durable
from ecom_platform.errors import IngestError, StorageError
from ecom_platform.feeds import arrow
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.profile import Profile
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.travel import declaration_hash
from ecom_platform.files.chunks import FeedChunk, FileFacts, RecordPlace, RefusedRecord
from ecom_platform.files.opening import EventFile, open_events
from ecom_platform.files.readers import decoder_of, look_over
from ecom_platform.files.unreadable import FileReason, UnreadableFile
from ecom_platform.store import adbc
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.ledger import LOADED, QUARANTINED
from ecom_platform.store.newer_rows import NewerRows, RowGoneError
from ecom_platform.store.outcome import FileOutcome, Stamp, UnitFile, UnitResult, feed_of, header_text
from ecom_platform.store.refusals import refusal
from ecom_platform.store.statements import text

log = logging.getLogger(__name__)

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

CONNECTION_RETRY_SECONDS = 120.0
# How often a connection may be lost that had worked: if it is our own unit that ends it, not for ever.
LOST_RETRIES = 8
CONFLICT_RETRIES = 8
_UNIQUE_VIOLATION = "23505"
_SERIALIZATION = frozenset({"40001", "40P01"})
_LOCK_NOT_AVAILABLE = "55P03"
_CONNECTION_CLASSES = ("08", "57P")
# The verdict of a staged row whose id is not stored: not yet, or after the insert not any more.
_MISSING = "missing"
_NO_ROOM = frozenset({"53100", "53200"})
# Data and integrity, WITH CHECK OPTION, limits such as the size of an index entry; triggers, types.
_REFUSAL_CLASSES = ("22", "23", "44", "54")
_REFUSALS = frozenset({"P0001", "P0004", "42804"})
# What a disk or a file server says of one file, while others of the same folder may be well.
_READ_ERRORS = frozenset(
    getattr(errno, name)
    for name in ("EIO", "ESTALE", "EBADMSG", "EUCLEAN", "EREMOTEIO", "ENODATA", "ETIMEDOUT")
    if hasattr(errno, name)
)


@dataclass(slots=True)
class _Tally:
    """The counts of one file while it is being loaded; columns of the ``outcomes`` table."""

    file_id: int
    state: str = LOADED
    reason: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    rows_read: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_stale: int = 0
    rows_duplicate: int = 0
    rows_rejected: int = 0
    rows_duplicate_within: int = 0
    rows_conflicting: int = 0
    header: str | None = None
    declaration: str | None = None
    profile: Profile = field(default_factory=Profile)
    # Arrays, since all rows of a file may be in conflict.
    conflict_lines: list[npt.NDArray[np.int64]] = field(default_factory=list)
    # Lines that PostgreSQL refused: what it said of them, and of which column.
    refused_lines: dict[int, tuple[str, str | None]] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        values = asdict(self)
        del values["conflict_lines"], values["refused_lines"]
        values["profile"] = json.dumps(self.profile.to_data()) if self.state == LOADED else None
        others = self.rows_updated + self.rows_stale + self.rows_duplicate + self.rows_rejected
        values["rows_inserted"] = self.rows_read - others
        return values


_OUTCOMES = pa.schema(
    [
        ("file_id", pa.int64()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("size_bytes", pa.int64()),
        ("sha256", pa.string()),
        ("rows_read", pa.int64()),
        ("rows_inserted", pa.int64()),
        ("rows_updated", pa.int64()),
        ("rows_stale", pa.int64()),
        ("rows_duplicate", pa.int64()),
        ("rows_rejected", pa.int64()),
        ("rows_duplicate_within", pa.int64()),
        ("rows_conflicting", pa.int64()),
        ("header", pa.string()),
        ("declaration", pa.string()),
        ("profile", pa.string()),
    ]
)
_REJECTS = pa.schema(
    [
        ("file_id", pa.int64()),
        ("file_name", pa.string()),
        ("line_number", pa.int64()),
        ("element", pa.int32()),
        ("raw", pa.binary()),
        ("reason", pa.string()),
        ("column_name", pa.string()),
        ("message", pa.string()),
        ("feed", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A file that turned out unreadable, and what it was then: it may be another by now."""

    error: UnreadableFile
    stamp: Stamp | None
    # It was given a second look.
    final: bool

    def holds(self, file: UnitFile) -> bool:
        """Whether it is still the same file. One that could not be read may be by now, though it is."""
        if self.final:
            return True
        same = self.stamp is not None and self.stamp == _stamp(file)
        return same and self.error.reason is not FileReason.READ_ERROR


class _NotAsClaimedError(Exception):
    """Files turned out unreadable after some of their rows were sent: the unit starts over without them."""

    def __init__(self, verdicts: dict[int, _Verdict]) -> None:
        super().__init__(", ".join(str(verdict.error) for verdict in verdicts.values()))
        self.verdicts = verdicts


class _ChangedError(Exception):
    """Files were written to while they were read: the unit starts over without them."""

    def __init__(self, file_ids: set[int]) -> None:
        super().__init__(f"changed: {file_ids}")
        self.file_ids = file_ids


class _Reading:
    """How the files of a feed are read."""

    def __init__(self, feed: Feed) -> None:
        self._decoder = decoder_of(feed)
        self._facts: dict[int, FileFacts] = {}
        self.declaration = declaration_hash(feed)

    def chunks(self, file: UnitFile, source: EventFile, now: datetime) -> Iterator[FeedChunk]:
        """The records of a file."""
        if file.file_id not in self._facts:
            self._facts[file.file_id] = look_over(self._decoder.feed, Path(file.path))
        return self._decoder.decode(source.stream, self._facts[file.file_id], now)

    def raw_records(
        self, file: UnitFile, source: EventFile, lines: npt.NDArray[np.int64]
    ) -> Iterator[tuple[int, bytes]]:
        """The records that start at these lines, as bytes."""
        return self._decoder.raw_records(source.stream, self._facts[file.file_id], lines)


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
        unreadable: dict[int, _Verdict],
        hook: Callable[[str], None],
    ) -> None:
        self._session = session
        self._table = table
        self._reading = _Reading(table.feed)
        self._batch_id = batch_id
        self._now = now
        self._unreadable = unreadable
        self._hook = hook
        # Files that became unreadable in mid-file: what was sent of them has to go.
        self._broken_off: dict[int, _Verdict] = {}
        # What the files were before they were read.
        self._stamps: dict[int, Stamp | None] = {}
        self._tallies: dict[int, _Tally] = {}
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
        stamps = self._stamps = _stamps_as_claimed(pending)
        # After the stamps: what is still as stamped before COMMIT has no byte that came later than this.
        with _on_their_way_to_disk(file for file in pending if _is_kept(file, stamps)) as synced:
            for file in pending:
                self._load(file)
            if self._broken_off:
                raise _NotAsClaimedError(self._broken_off)
            self._flush()
            self._hook("copied")
            self._refuse_conflicts(pending)
            self._flush_rejects()
            self._hook("rejected")
            self._settle()
            self._hook("settled")
            _check_unchanged(pending, stamps)
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
        tally = self._tallies[file.file_id] = _Tally(file.file_id, declaration=self._reading.declaration)
        try:
            with open_events(Path(file.path)) as source:
                self._decode(file, tally, source)
                tally.size_bytes, tally.sha256 = source.size, source.sha256()
        except UnreadableFile as error:
            _quarantine(tally, error)
        except OSError as error:
            if not _concerns_one_file(error, Path(file.path)):
                raise IngestError(
                    f"{file.path} cannot be read: {error.strerror or error}.",
                    "Check that ECOM_LANDING_DIR is the same folder, readable, on every machine that runs "
                    "tasks.",
                ) from error
            if tally.rows_read or file.file_id not in self._unreadable:
                self._break_off(file, _read_error(error))  # it may be read the next time
            else:
                _quarantine(tally, _read_error(error))

    def _decode(self, file: UnitFile, tally: _Tally, source: EventFile) -> None:
        """The rows of a file into the buffer, or its state and reason into ``tally``."""
        known = self._unreadable.get(file.file_id)
        if known is not None and known.holds(file):
            _quarantine(tally, known.error)
            return
        try:
            if self._unreadable:
                # A unit starts over once for that: what is sent now has been read to its end before.
                self._read_through(file)
            for chunk in _timed(self._reading.chunks(file, source, self._now), self._add_decode_seconds):
                self._take(file, tally, chunk)
        except UnreadableFile as error:
            if tally.rows_read:
                self._break_off(file, error)
            else:
                _quarantine(tally, error)

    def _read_through(self, file: UnitFile) -> None:
        with open_events(Path(file.path)) as source:
            for _ in _timed(self._reading.chunks(file, source, self._now), self._add_decode_seconds):
                pass
            source.sha256()

    def _break_off(self, file: UnitFile, error: UnreadableFile) -> None:
        """Go on to the other files, to know by the next attempt which of them are unreadable, too."""
        self._broken_off[file.file_id] = self._verdict(file, error)

    def _verdict(self, file: UnitFile, error: UnreadableFile) -> _Verdict:
        return _Verdict(error, self._stamps.get(file.file_id), final=file.file_id in self._unreadable)

    def _add_decode_seconds(self, seconds: float) -> None:
        self.decode_seconds += seconds

    def _take(self, file: UnitFile, tally: _Tally, chunk: FeedChunk) -> None:
        tally.header = header_text(chunk.header)
        tally.rows_read += chunk.records
        if self._broken_off:
            return  # nothing of this attempt is kept
        tally.rows_rejected += len(chunk.rejects)
        self._rejects.extend(_reject_row(file, reject) for reject in chunk.rejects)
        if len(self._rejects) >= REJECT_BUFFER_ROWS:
            self._flush_rejects()
        if chunk.rows.num_rows:
            tally.profile.add(self._table.feed, chunk.rows)
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
        rows, repeated = _in_key_order(rows, self._table.key)
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
            if not _is_refusal(error.sqlstate):
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
            _count_refused(self._tallies[row["file_id"]], row)
        for leftover in leftovers:
            if leftover["verdict"] == _MISSING:
                raise RowGoneError(f"A row that another transaction had stored was deleted: {leftover}.")
            _count_leftover(self._tallies[leftover["file_id"]], leftover)

    def _make_staged(self) -> None:
        self._make_temporary("create_staged", "create_unseen", "create_fresh", "sort_in_memory")
        self._session.run(self._table.sql("empty_staged"))

    def _let_the_newer_stay(self, rows: pa.Table, repeated: bool) -> None:
        """Of the rows, which are in the order of their key, and of what is stored under the same keys."""
        newer = NewerRows(self._session, self._table, _is_refusal, self._copy_quickly)
        several = (
            _of_repeated_keys(rows, self._table.key) if repeated else np.zeros(len(rows), dtype=np.bool_)
        )
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
            _count_refused(self._tallies[row["file_id"]], row)
        for row in counted:
            _count_newer(self._tallies[row["file_id"]], row["verdict"], row["rows"])

    def _insert_unseen(self) -> bool:
        """Insert what is not known; ``False`` if PostgreSQL refuses some of it, with nothing stored."""
        self._session.run("SAVEPOINT unseen")
        try:
            self._session.run(self._table.sql("insert_unseen"))
        except adbc.Error as error:
            if not _is_refusal(error.sqlstate):
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
            tally = self._tallies[file.file_id]
            refused = np.fromiter(tally.refused_lines, dtype=np.int64)
            lines = np.concatenate([*tally.conflict_lines, refused])
            if not len(lines):
                continue
            try:
                with open_events(Path(file.path)) as source:
                    self._refuse(file, tally, self._reading.raw_records(file, source, lines))
            except UnreadableFile as error:
                raise _NotAsClaimedError({file.file_id: self._verdict(file, error)}) from error
            except OSError as error:
                if not _concerns_one_file(error, Path(file.path)):
                    raise
                verdict = self._verdict(file, _read_error(error))
                raise _NotAsClaimedError({file.file_id: verdict}) from error

    def _refuse(self, file: UnitFile, tally: _Tally, records: Iterable[tuple[int, bytes]]) -> None:
        for line, raw in records:
            message, column = tally.refused_lines.get(line, (None, self._table.key[0]))
            reason = Reason.ID_CONFLICT if message is None else Reason.REFUSED_BY_DATABASE
            place = RecordPlace.of(self._table.feed, line)
            reject = RefusedRecord(place.line, raw, reason, column, element=place.element)
            self._rejects.append(_reject_row(file, reject, message))
            if len(self._rejects) >= REJECT_BUFFER_ROWS:
                self._flush_rejects()

    def _flush_rejects(self) -> None:
        if self._rejects:
            self._session.copy("rejected_events", pa.Table.from_pylist(self._rejects, schema=_REJECTS))
            self._rejects = []

    def _settle(self) -> None:
        """The ledger's new state of every file of the unit."""
        if self._tallies:
            self._make_temporary("create_outcomes")
            outcomes = [tally.row() for tally in self._tallies.values()]
            self._session.copy("outcomes", pa.Table.from_pylist(outcomes, schema=_OUTCOMES), temporary=True)
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
    A lost connection is retried for :data:`CONNECTION_RETRY_SECONDS` from when it last worked, a
    serialization failure or a wait for another unit's rows :data:`CONFLICT_RETRIES` times; a COMMIT whose
    answer was lost is answered by the ledger, since every attempt asks it first. However many files turn
    out unreadable after rows of them were sent, there is one more attempt, without them. ``hook`` is called
    with the name of each step that has just been taken; tests abort there.

    Files that are no longer what was claimed are left out and named in the result: their writer is
    still at work.

    Raises :class:`IngestError` or the driver's own error; nothing of the unit is stored then.
    """
    now = datetime.now(UTC)
    cpu = time.process_time()
    unreadable: dict[int, _Verdict] = {}
    changed: set[int] = set()
    retry = _Retry()
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
        except _NotAsClaimedError as error:
            unreadable |= error.verdicts
        except _ChangedError as error:
            changed |= error.file_ids
        except (adbc.Error, RowGoneError) as error:
            retry.after(error)


class _Retry:
    """What to do after a failed attempt: wait and try again, step back, or give up."""

    def __init__(self) -> None:
        self.alone = False
        self._conflicts = 0
        self._attempts = 0
        self._losses = 0
        self._deadline: float | None = None

    def noting_success(self, hook: Callable[[str], None]) -> Callable[[str], None]:
        """``hook``, and with each step the connection is known to work."""

        def noting(step: str) -> None:
            self._deadline = None
            hook(step)

        return noting

    def after(self, error: Exception) -> None:
        """Sleep as long as fits the error; raises it when another attempt makes no sense."""
        sqlstate = getattr(error, "sqlstate", None)
        if isinstance(error, RowGoneError) or sqlstate in _SERIALIZATION or sqlstate == _LOCK_NOT_AVAILABLE:
            self.alone = self.alone or sqlstate is not None
            self._conflicts += 1
            if self._conflicts > CONFLICT_RETRIES:
                raise error
            self._sleep(0.05 if sqlstate else 0.5, self._conflicts, error)
        elif _connection_lost(error, sqlstate):
            now = time.monotonic()
            if self._deadline is None:
                # It worked until now: another restart than the last one, if there was one.
                self._deadline = now + CONNECTION_RETRY_SECONDS
                self._losses += 1
                self._attempts = 0
            if now > self._deadline or self._losses > LOST_RETRIES:
                raise error
            self._attempts += 1
            self._sleep(0.1, self._attempts, error)
        elif sqlstate in _NO_ROOM:
            raise StorageError(
                f"PostgreSQL has no room left: {' '.join(str(error).split())[:300]}",
                "Free space on its disk; nothing of the failed unit was stored.",
            ) from error
        else:
            refused = refusal(error)
            if refused is not None:
                raise refused from error
            raise error

    @staticmethod
    def _sleep(base: float, attempt: int, error: Exception) -> None:
        delay = min(base * 2 ** (attempt - 1), 5.0) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
        log.warning("unit of work: %s; trying again in %.1f s", " ".join(str(error).split())[:300], delay)
        time.sleep(delay)


def _connection_lost(error: Exception, sqlstate: str | None) -> bool:
    """ADBC reports a broken connection without a SQLSTATE, as an OperationalError."""
    if sqlstate is None:
        return isinstance(error, adbc.OperationalError)
    return sqlstate.startswith(_CONNECTION_CLASSES)


def _is_refusal(sqlstate: str | None) -> bool:
    """Whether it is the rows that PostgreSQL does not take, and others it would."""
    return sqlstate is not None and (sqlstate.startswith(_REFUSAL_CLASSES) or sqlstate in _REFUSALS)


def _concerns_one_file(error: OSError, path: Path) -> bool:
    """Whether it is this file that cannot be read, and not its folder or all of the disk."""
    if error.errno not in _READ_ERRORS:
        return False
    try:
        with os.scandir(path.parent) as entries:
            next(entries, None)
    except OSError:
        return False
    return True


def _read_error(error: OSError) -> UnreadableFile:
    return UnreadableFile(FileReason.READ_ERROR, error.strerror or str(error))


def _in_key_order(rows: pa.Table, key: Sequence[str]) -> tuple[pa.Table, bool]:
    """``rows`` sorted by their key, as PostgreSQL sorts it, and whether one occurs twice.

    Ties keep the order of the file, so the first copy stays the first.
    """
    if len(key) == 1 and pa.types.is_fixed_size_binary(rows.schema.field(key[0]).type):
        return _in_id_order(rows, key[0])
    order = pc.sort_indices(rows, [(name, "ascending") for name in (*key, "file_id", "line_number")])
    rows = rows.take(order)
    if len(rows) < 2:
        return rows, False
    same = [pc.equal(rows[name].slice(1), rows[name].slice(0, len(rows) - 1)) for name in key]
    return rows, bool(pc.any(reduce(pc.and_, same)).as_py())


def _of_repeated_keys(rows: pa.Table, key: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which of ``rows``, in the order of their key, have it in common with another."""
    same = [pc.equal(rows[name].slice(1), rows[name].slice(0, len(rows) - 1)) for name in key]
    as_before = arrow.to_mask(reduce(pc.and_, same).combine_chunks())
    found: npt.NDArray[np.bool_] = np.append(as_before, False) | np.append(False, as_before)
    return found


def _in_id_order(rows: pa.Table, name: str) -> tuple[pa.Table, bool]:
    """The same for a uuid: two numbers are sorted faster than bytes."""
    ids = rows[name].combine_chunks()
    ids = ids.chunk(0) if isinstance(ids, pa.ChunkedArray) else ids
    halves = np.frombuffer(ids.buffers()[1], dtype=">u8", count=2 * len(ids), offset=16 * ids.offset)
    high, low = halves.reshape(-1, 2).astype(np.uint64).T
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    repeated = bool(np.any((high[1:] == high[:-1]) & (low[1:] == low[:-1])))
    return rows.take(pa.array(order)), repeated


def _stamp(file: UnitFile) -> Stamp | None:
    """What a file is now; ``None`` of what is none. Opened, since NFS is up to date only then."""
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return Stamp.of(status) if stat.S_ISREG(status.st_mode) else None


def _stamps_as_claimed(files: Iterable[UnitFile]) -> dict[int, Stamp | None]:
    """What the files are before they are read. Raises :class:`_ChangedError` if some have grown by now."""
    stamps = {file.file_id: _stamp(file) for file in files}
    sizes = {file.file_id: file.size for file in files}
    _refuse_changed(
        key
        for key, stamp in stamps.items()
        if stamp is not None and sizes[key] is not None and stamp.size != sizes[key]
    )
    return stamps


def _check_unchanged(files: Iterable[UnitFile], stamps: dict[int, Stamp | None]) -> None:
    """A renamed file may still be open in its writer: what was read must still be what is there."""
    _refuse_changed(
        file.file_id
        for file in files
        if stamps[file.file_id] is not None and stamps[file.file_id] != _stamp(file)
    )


def _is_kept(file: UnitFile, stamps: dict[int, Stamp | None]) -> bool:
    """Whether what is read is what the archive will have; a copy of an object is not."""
    return stamps[file.file_id] is not None and file.etag is None


@contextmanager
def _on_their_way_to_disk(files: Iterable[UnitFile]) -> Iterator[Callable[[], None]]:
    """Writes files to the disk while they are read; gives a function that waits until they are there.

    The ledger calls them loaded only after it: what the archive then holds outlives a loss of power.
    """
    syncing = durable.Syncing(Path(file.path) for file in files)

    def wait() -> None:
        try:
            syncing.wait()
        except OSError as error:
            raise IngestError(
                f"{error.filename or 'A file'} cannot be written to the disk: {error.strerror or error}.",
                "Nothing of the unit was stored. Check the disk of the landing zone, and run again.",
            ) from error

    try:
        yield wait
    finally:
        syncing.abandon()


def _refuse_changed(file_ids: Iterable[int]) -> None:
    changed = set(file_ids)
    if changed:
        raise _ChangedError(changed)


def _quarantine(tally: _Tally, error: UnreadableFile) -> None:
    # The reason quotes the file: PostgreSQL refuses NUL in text, and a terminal obeys control characters.
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(error))
    tally.state, tally.reason = QUARANTINED, "".join(shown)


def _count_leftover(tally: _Tally, leftover: dict[str, Any]) -> None:
    rows = leftover["rows"]
    if leftover["verdict"] == "conflict":
        tally.rows_rejected += rows
        tally.rows_conflicting += rows
        tally.conflict_lines.append(np.array(leftover["lines"], dtype=np.int64))
    else:
        tally.rows_duplicate += rows
        tally.rows_duplicate_within += rows if leftover["verdict"] == "within" else 0


def _count_newer(tally: _Tally, verdict: str, rows: int) -> None:
    if verdict == "updated":
        tally.rows_updated += rows
    elif verdict == "stale":
        tally.rows_stale += rows
    elif verdict != "inserted":
        tally.rows_duplicate += rows
        tally.rows_duplicate_within += rows if verdict == "within" else 0


def _count_refused(tally: _Tally, row: dict[str, Any]) -> None:
    named = row["constraint_name"]
    message = f"SQLSTATE {row['sqlstate']}" + (f", {named}" if named else "")
    tally.rows_rejected += 1
    tally.refused_lines[row["line_number"]] = message, row["column_name"]


def _reject_row(file: UnitFile, reject: RefusedRecord, message: str | None = None) -> dict[str, Any]:
    return {
        "file_id": file.file_id,
        "file_name": file.name,
        "line_number": reject.line_number,
        "element": reject.element,
        "raw": reject.raw,
        "reason": str(reject.reason),
        "column_name": reject.column,
        "message": message,
        "feed": feed_of(file.name),
    }


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
