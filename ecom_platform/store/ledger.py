"""The file ledger: which files were claimed, and what became of each.

Belongs here: reading and writing ``ingested_files`` and ``stream_batches``. Does not belong here: the
transition of a file to loaded or quarantined together with its rows, which is one transaction of the
``sink``; moving files, which is the ``landing`` zone's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ecom_platform.store.connection import Connection
from ecom_platform.store.outcome import Stamp, feed_of
from ecom_platform.store.statements import queries

CLAIMED, LOADED, QUARANTINED = "claimed", "loaded", "quarantined"


@dataclass(frozen=True, slots=True)
class ClaimedFile:
    """A file that waits to be loaded. ``landed_at`` is what the look before the claim saw, ``key`` and
    ``etag`` are those of an object in a bucket."""

    file_id: int
    name: str
    size_bytes: int
    landed_at: datetime | None = field(default=None, compare=False)
    key: str | None = field(default=None, compare=False)
    etag: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ClaimedObject:
    """An object of a bucket that is claimed, or finished and not yet put away; as it was when it was
    claimed."""

    file_id: int
    key: str
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file that was claimed and not finished, as it was when it landed."""

    name: str
    size_bytes: int
    landed_at: datetime


@dataclass(frozen=True, slots=True)
class FileState:
    """Where one file stands; ``finished_at`` is set once it is loaded or quarantined.

    ``size_bytes`` is what was claimed, then what was read. The time and the inode are those of the claim.
    """

    file_id: int
    name: str
    state: str
    reason: str | None
    finished_at: datetime | None
    sha256: str | None
    size_bytes: int | None = None
    mtime_ns: int | None = None
    inode: int | None = None

    @property
    def stamp(self) -> Stamp | None:
        """What the file has to be until it is put away, if its claim wrote that down."""
        if self.size_bytes is None or self.mtime_ns is None or self.inode is None:
            return None
        return Stamp(self.size_bytes, self.mtime_ns, self.inode)


@dataclass(frozen=True, slots=True)
class LandedRow:
    """One landing of a name."""

    file_id: int
    name: str
    landed_at: datetime


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a set of files."""

    files: int = 0
    loaded: int = 0
    quarantined: int = 0
    rows_read: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_stale: int = 0
    rows_duplicate: int = 0
    rows_rejected: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """What one micro-batch did; times in milliseconds, latency from landing to commit.

    Those of tasks are added up, but for ``longest_task_ms``, which is of the one that took longest.
    ``slots`` is how many tasks could run at once; ``trigger_ms`` is 0 where the query has no trigger.
    """

    rows: int
    rows_inserted: int
    rows_updated: int
    rows_stale: int
    rows_duplicate: int
    rows_rejected: int
    duration_ms: float
    decode_ms: float
    store_ms: float
    commit_ms: float
    tasks: int
    longest_task_ms: float
    slots: int
    trigger_ms: float
    worker_cpu_ms: float
    worker_peak_bytes: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None


def _queries() -> Any:
    return queries("ledger")


def register(
    connection: Connection,
    names: Sequence[str],
    sizes: Sequence[int],
    landed_at: Sequence[datetime],
    stamps: Sequence[Stamp | None] = (),
) -> list[int]:
    """New ledger rows in state claimed, in the order of ``names``; returns their ids."""
    rows = _queries().register_files(
        connection,
        names=list(names),
        feeds=[feed_of(name) for name in names],
        sizes=list(sizes),
        landed_at=list(landed_at),
        mtimes_ns=[None if stamp is None else stamp.mtime_ns for stamp in stamps],
        inodes=[None if stamp is None else stamp.inode for stamp in stamps],
    )
    return [int(file_id) for file_id, _ in rows]


def stamp(connection: Connection, file_id: int, stamp: Stamp) -> None:
    """Write down what a claimed file is, where that is not what was registered."""
    _queries().stamp_file(connection, file_id=file_id, **asdict(stamp))


def note_returned(connection: Connection, stamp: Stamp, file_id: int) -> None:
    """Write down that what has this stamp is about to land once more, and has the landing of ``file_id``."""
    _queries().note_returned(connection, file_id=file_id, **asdict(stamp))


def note_returned_unknown(
    connection: Connection, stamp: Stamp, ordered_at: datetime, ordered_as: int
) -> None:
    """The same of a file that the ledger does not know: when it landed, as far as that is known, and the
    number that it had."""
    _queries().note_returned_unknown(
        connection, ordered_at=ordered_at, ordered_as=ordered_as, **asdict(stamp)
    )


def note_moved(connection: Connection, stamp: Stamp, former: Stamp) -> None:
    """The same of what was noted as ``former`` and is about to land elsewhere: it has the same landing."""
    _queries().note_moved(connection, former_inode=former.inode, **asdict(stamp))


def noted_returns(connection: Connection, inodes: Iterable[int]) -> dict[int, int]:
    """Of what was noted to land once more under one of these inodes, its time by its inode."""
    return dict(_queries().noted_returns(connection, inodes=list(inodes)))


def claimed(connection: Connection) -> list[ClaimedFile]:
    """The unfinished files, in the order they were claimed."""
    return [ClaimedFile(*row) for row in _queries().claimed_files(connection)]


def claim_objects(connection: Connection, objects: Sequence[ClaimedObject]) -> set[int]:
    """Claim these objects for the files that they are to be; returns the files of those that nobody else has
    claimed."""
    return {int(file_id) for (file_id,) in _queries().claim_objects(connection, **_columns(objects))}


def claim_versions(connection: Connection, objects: Sequence[ClaimedObject]) -> set[int]:
    """The same where objects stay: a key is claimed anew for another version than the one of its last claim,
    once that has come to an end."""
    return {int(file_id) for (file_id,) in _queries().claim_versions(connection, **_columns(objects))}


def _columns(objects: Sequence[ClaimedObject]) -> dict[str, list[Any]]:
    return {
        "file_ids": [claimed.file_id for claimed in objects],
        "keys": [claimed.key for claimed in objects],
        "etags": [claimed.etag for claimed in objects],
        "sizes": [claimed.size for claimed in objects],
    }


def claimed_objects(
    connection: Connection, file_ids: Iterable[int] | None = None
) -> dict[int, ClaimedObject]:
    """The objects that are claimed or not yet put away, by their files: all, or those of ``file_ids``."""
    wanted = None if file_ids is None else list(file_ids)
    return {row[0]: ClaimedObject(*row) for row in _queries().claimed_objects(connection, file_ids=wanted)}


def untagged_objects(
    connection: Connection, file_ids: Iterable[int] | None = None
) -> list[tuple[ClaimedObject, str]]:
    """The objects of finished files that have no tag yet, and the state of each file: all, or those of
    ``file_ids``."""
    wanted = None if file_ids is None else list(file_ids)
    rows = _queries().untagged_objects(connection, file_ids=wanted)
    return [(ClaimedObject(*claimed), state) for *claimed, state in rows]


def note_tagged(connection: Connection, file_ids: Iterable[int]) -> None:
    """Write down that these need no tag any more."""
    _queries().note_tagged(connection, file_ids=list(file_ids))


def release_objects(connection: Connection, file_ids: Iterable[int]) -> None:
    """Write down that these objects are put away, or given back."""
    _queries().release_objects(connection, file_ids=list(file_ids))


def forget_files(connection: Connection, file_ids: Iterable[int]) -> None:
    """:func:`forget`, of several."""
    _queries().forget_files(connection, file_ids=list(file_ids))


def leftovers(connection: Connection, file_ids: Iterable[int]) -> list[Leftover]:
    """The unfinished ones of ``file_ids``, in the order they were claimed."""
    return [Leftover(*row) for row in _queries().leftovers(connection, file_ids=list(file_ids))]


def states(connection: Connection, file_ids: Iterable[int]) -> dict[int, FileState]:
    """The ledger's word on each of ``file_ids`` that it knows."""
    rows = _queries().file_states(connection, file_ids=list(file_ids))
    return {row[0]: FileState(*row) for row in rows}


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Files that wait to be loaded, rows that a run has committed, and in which time.

    The one definition of a run's rate: rows read by the seconds from the start of its first micro-batch to
    the end of its last.
    """

    claimed_files: int
    rows: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds if self.seconds > 0 else 0.0


def run_progress(connection: Connection, run_id: str) -> RunProgress:
    """How far ``run_id`` has come, as the tables have it."""
    claimed, rows, seconds = _queries().run_progress(connection, run_id=run_id)
    return RunProgress(int(claimed), int(rows), float(seconds))


def newest_by_name(connection: Connection, names: Iterable[str]) -> list[FileState]:
    """The newest row of each of ``names`` that the ledger knows."""
    return [FileState(*row) for row in _queries().newest_by_name(connection, names=list(names))]


def quarantined_for(connection: Connection, feed: str, reasons: Iterable[str]) -> list[tuple[int, str]]:
    """Number and name of each file of ``feed`` that was quarantined for one of ``reasons``, oldest first."""
    return list(_queries().quarantined_for(connection, feed=feed, reasons=list(reasons)))


def landed_files(connection: Connection, names: Iterable[str]) -> list[LandedRow]:
    """Every row of each of ``names``, in the order they were claimed."""
    return [LandedRow(*row) for row in _queries().landed_files(connection, names=list(names))]


def loaded_since(connection: Connection, since: datetime) -> list[FileState]:
    """Files that were loaded at or after ``since``."""
    return [FileState(*row) for row in queries("oncall").loaded_since(connection, since=since)]


def finished_since(connection: Connection, since: datetime, limit: int | None = None) -> list[FileState]:
    """The newest files that were loaded or quarantined at or after ``since``, at most ``limit`` of each."""
    return [FileState(*row) for row in _queries().finished_since(connection, since=since, limit=limit)]


def note_landed_again(connection: Connection, file_id: int) -> None:
    """Write down that a finished file went back into the landing folder, since it had grown."""
    _queries().note_landed_again(connection, file_id=file_id)


def note_touched(connection: Connection, file_id: int, mtime_ns: int) -> None:
    """Write down a finished file's new time, where it is still what was loaded."""
    _queries().note_touched(connection, file_id=file_id, mtime_ns=mtime_ns)


def lock_file(connection: Connection, file_id: int) -> FileState | None:
    """The same of one file, once nobody else has it in hand; it stays so until this transaction ends."""
    row = _queries().lock_file(connection, file_id=file_id)
    return None if row is None else FileState(*row)


def zone_id(connection: Connection) -> UUID | None:
    """The id of the landing zone that this ledger is about, if it has one."""
    found: UUID | None = _queries().zone_id(connection)
    return found


def set_zone_id(connection: Connection, zone_id: UUID) -> None:
    """Write down which landing zone this ledger is about."""
    _queries().set_zone_id(connection, zone_id=zone_id)


def has_files(connection: Connection) -> bool:
    """Whether anything was ever claimed."""
    return bool(_queries().has_files(connection))


def loaded_files(connection: Connection, since: datetime | None = None) -> Iterator[FileState]:
    """Every file that was loaded (at or after ``since``), read as they are asked for."""
    with connection.cursor("loaded_files") as cursor:
        cursor.execute(_queries().loaded_files.sql, {"since": since})
        for row in cursor:
            yield FileState(*row)


def loaded_count(connection: Connection) -> int:
    """How many files were loaded."""
    return int(_queries().loaded_count(connection))


def highest_file_id(connection: Connection) -> int:
    """The highest number that was given to a file, whether it is still known; 0 before the first."""
    return int(_queries().highest_file_id(connection))


def skip_file_ids(connection: Connection, file_id: int) -> None:
    """Number new files above ``file_id``."""
    queries("oncall").skip_file_ids(connection, file_id=file_id)


def quarantine(connection: Connection, file_id: int, reason: str) -> None:
    """Close a claimed file that cannot be loaded."""
    _queries().quarantine_file(connection, file_id=file_id, reason=reason)


def forget(connection: Connection, file_id: int) -> None:
    """Take back a ledger row whose file somebody else claimed first."""
    _queries().forget_file(connection, file_id=file_id)


def totals(connection: Connection, file_ids: Iterable[int]) -> dict[str, Totals]:
    """Sums over ``file_ids`` by feed, whoever loaded them."""
    rows = _queries().totals(connection, file_ids=list(file_ids))
    return {feed: Totals(*sums) for feed, *sums in rows}


def refused_files(connection: Connection, file_ids: Iterable[int]) -> list[tuple[int, str, str]]:
    """Number, name and reason of those of these files that were quarantined."""
    return [(*row,) for row in _queries().refused_files(connection, file_ids=list(file_ids))]


def start_batch(connection: Connection, query: str, query_batch_id: int, run_id: str) -> int:
    """A row for a micro-batch that is about to begin; returns its id."""
    return int(_queries().start_batch(connection, query=query, query_batch_id=query_batch_id, run_id=run_id))


def finish_batch(connection: Connection, batch_id: int, files: int, figures: BatchFigures) -> None:
    """Write down what the micro-batch did."""
    _queries().finish_batch(connection, batch_id=batch_id, files=files, **asdict(figures))


def record_progress(
    connection: Connection,
    run_id: str,
    query_batch_ids: Sequence[int],
    listing_ms: Sequence[float],
    planning_ms: Sequence[float],
    bookkeeping_ms: Sequence[float],
) -> None:
    """What Spark says of its own time in each micro-batch of a run, outside of ours."""
    _queries().record_progress(
        connection,
        run_id=run_id,
        query_batch_ids=list(query_batch_ids),
        listing_ms=list(listing_ms),
        planning_ms=list(planning_ms),
        bookkeeping_ms=list(bookkeeping_ms),
    )
