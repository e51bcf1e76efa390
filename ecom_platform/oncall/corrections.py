"""Refused rows tried again, as they are or corrected by a person.

Belongs here: turning a reject's bytes, or a row of a file of corrections, into a row of its feed. Does not
belong here: which reject a correction belongs to (``reject_keys``), storing it (``store.rejects``).

Where rows have a key of their own, the bytes of the reject are all that is needed. Where their id is made
from their file (``reread``), that is read again, and has to be there.

A file of corrections is CSV with the feed's columns, in any order. Nothing of what is no file of corrections
is repeated: a path may have been given by somebody who may not read it.
"""

from __future__ import annotations

import csv
import errno
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from ecom_platform.catalog import packaged
from ecom_platform.errors import UsageError
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.chunks import MAX_RAW_BYTES, RecordPlace
from ecom_platform.files.opening import open_events
from ecom_platform.files.readers import decoder_of
from ecom_platform.files.unreadable import UnreadableFile
from ecom_platform.landing.kept_files import kept_files
from ecom_platform.landing.landing_zone import Zone
from ecom_platform.oncall.fragments import Fragments
from ecom_platform.oncall.reject_keys import PLACE, RejectIndex
from ecom_platform.oncall.reread import Replacement, rows_at, rows_replaced
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.rejects import (
    OpenReject,
    ReplayVerdict,
    feeds_with_rejects,
    open_rejects,
    replay,
)

# What a reject comes to that is none any more.
_SETTLED = (
    ReplayVerdict.INSERTED,
    ReplayVerdict.UPDATED,
    ReplayVerdict.STALE,
    ReplayVerdict.DUPLICATE,
)
# Rejects of one file that are looked for in it at once.
_AT_ONCE = 100_000


@dataclass(slots=True)
class Replayed:
    """Rejects by what became of them, and corrections that belong to no open reject."""

    verdicts: Counter[ReplayVerdict] = field(default_factory=Counter)
    unmatched: list[str] = field(default_factory=list)

    @property
    def loaded(self) -> int:
        return sum(self.verdicts[verdict] for verdict in _SETTLED)


def replay_as_they_are(database: Database, zone: Zone, feeds: Mapping[str, Feed] | None = None) -> Replayed:
    """Try every open reject again; rules may have been widened, a conflicting row deleted.

    ``feeds`` are those that are declared now; without them, the first feed's rejects are tried.
    """
    result = Replayed()
    with database.open(autocommit=True) as reading:
        known = packaged() if feeds is None else feeds
        for name, rows in feeds_with_rejects(reading).items():
            feed = known.get(name)
            if feed is not None:
                _replay_feed(database, reading, zone, feed, result)
            elif feeds is not None:
                result.verdicts[ReplayVerdict.NOT_DECLARED] += rows
    return result


def _replay_feed(database: Database, reading: Connection, zone: Zone, feed: Feed, result: Replayed) -> None:
    table = FeedTable(feed)
    # Of a row of Parquet the bytes are what it looks like, not what it is made of.
    if table.derived or feed.format == "parquet":
        by_file: dict[int, list[OpenReject]] = defaultdict(list)
        for number, reject in enumerate(open_rejects(reading, feed.name), 1):
            by_file[reject.file_id].append(reject)
            if number % _AT_ONCE == 0:
                _replay_from_files(database, reading, zone, table, by_file, result)
                by_file.clear()
        _replay_from_files(database, reading, zone, table, by_file, result)
        return
    fragments = Fragments(feed)
    headers: dict[int, tuple[str, ...] | None] = {}
    for reject in open_rejects(reading, feed.name):
        if reject.file_id not in headers:
            headers[reject.file_id] = reject.header or _header_on_disk(reading, zone, feed, reject.file_id)
        header = headers[reject.file_id]
        if header is None and feed.has_header:
            # By any other order values of one column would be taken for those of another.
            result.verdicts[ReplayVerdict.ORDER_UNKNOWN] += 1
            continue
        cut = len(reject.raw) >= MAX_RAW_BYTES
        row = None if cut else fragments.as_it_is(header, reject.raw)
        result.verdicts[_store(database, table, reject, row)] += 1


def _replay_from_files(
    database: Database,
    reading: Connection,
    zone: Zone,
    table: FeedTable,
    by_file: Mapping[int, Sequence[OpenReject]],
    result: Replayed,
) -> None:
    for file_id, rejects in by_file.items():
        try:
            with _as_loaded(reading, zone, file_id) as path:
                rows = rows_at(table.feed, path, map(_place, rejects))
        except (OSError, UnreadableFile):
            result.verdicts[ReplayVerdict.FILE_GONE] += len(rejects)
            continue
        for reject in rejects:
            result.verdicts[_store(database, table, reject, rows.get(_place(reject)))] += 1


def replay_corrected(
    database: Database, corrections: Path, feed: Feed | None = None, zone: Zone | None = None
) -> Replayed:
    """Load the rows of a file of corrections, each in the place of its reject.

    ``feed``: of which they are, without it of the first. ``zone`` is asked for where rows have ids that are
    made from their file.
    """
    feed = feed or packaged()[TOP_FEED]
    result, fragments, table = Replayed(), Fragments(feed), FeedTable(feed)
    _require_correctable(feed, table)
    rows = _read_corrections(corrections, fragments)
    taken: list[tuple[OpenReject, dict[str, str]]] = []
    with database.open(autocommit=True) as reading:
        rejects = RejectIndex(feed, open_rejects(reading, feed.name))
        for number, row in enumerate(rows, 1):
            place = [row.pop(name, "") for name in PLACE]
            reject = rejects.take(row, *place)
            if isinstance(reject, str):
                shown = rejects.shown(row) if not reject.startswith(":") else ""
                result.unmatched.append(f"row {number}{shown}{reject}")
            else:
                taken.append((reject, row))
        if table.derived:
            _store_in_files(database, reading, zone, table, taken, result)
            return result
    for reject, row in taken:
        result.verdicts[_store(database, table, reject, fragments.corrected(row))] += 1
    return result


def _require_correctable(feed: Feed, table: FeedTable) -> None:
    """Raises :class:`UsageError` where no row of a file of corrections can stand in the place of another."""
    if feed.format == "parquet" and table.derived:
        raise UsageError(
            f"A row of {feed.name} is known by its Parquet file, which no correction can be written into.",
            f"Write the file with corrected rows and drop it into {feed.name}/; where rows are known by "
            "their place, `ecom unload` the old file first.",
        )
    if feed.explode is not None and table.derived and feed.identity != "content":
        raise UsageError(
            f"A row of {feed.name} is known by its place among the elements of its line: no correction can "
            "take that.",
            f"Correct the line in its file, and drop that into {feed.name}/; rows that are known by their "
            "place are all new then: `ecom unload` the old file first.",
        )


def _store_in_files(
    database: Database,
    reading: Connection,
    zone: Zone | None,
    table: FeedTable,
    taken: Iterable[tuple[OpenReject, dict[str, str]]],
    result: Replayed,
) -> None:
    fragments = Fragments(table.feed)
    by_file: dict[int, list[tuple[OpenReject, dict[str, str]]]] = defaultdict(list)
    for reject, row in taken:
        by_file[reject.file_id].append((reject, row))
    for file_id, corrected in by_file.items():
        replacements = {
            reject: Replacement(_place(reject), reject.raw.count(b"\n") + 1, line)
            for reject, row in corrected
            if len(reject.raw) < MAX_RAW_BYTES
            and (line := fragments.line(reject.header or (), row)) is not None
        }
        if unread := len(corrected) - len(replacements):
            result.verdicts[ReplayVerdict.STILL_REJECTED] += unread
        try:
            with nullcontext(Path()) if zone is None else _as_loaded(reading, zone, file_id) as path:
                while replacements:
                    rows = rows_replaced(table.feed, path, replacements.values())
                    replacements = _store_replacements(database, table, replacements, rows, result)
        except (OSError, UnreadableFile):
            result.verdicts[ReplayVerdict.FILE_GONE] += len(replacements)


def _store_replacements(
    database: Database,
    table: FeedTable,
    replacements: Mapping[OpenReject, Replacement],
    rows: Mapping[int, pa.RecordBatch],
    result: Replayed,
) -> dict[OpenReject, Replacement]:
    """Store each; returns those whose numbers earlier corrections of the file have.

    Of these the first of each text is one more of its like than it was, and the others are behind it: no
    number is left out.
    """
    taken: dict[OpenReject, Replacement] = {}
    texts: set[str] = set()
    for reject, replacement in replacements.items():
        row = rows.get(_place(reject))
        verdict = _store(database, table, reject, row, one_more=table.feed.identity == "content")
        if verdict is not ReplayVerdict.NUMBER_TAKEN:
            result.verdicts[verdict] += 1
            continue
        more = replacement.text not in texts
        texts.add(replacement.text)
        taken[reject] = replace(replacement, copies=replacement.copies + more)
    return taken


def _place(reject: OpenReject) -> int:
    """Where the refused record is in its file, as one number."""
    return RecordPlace(reject.line_number, reject.element).number


def _store(
    database: Database,
    table: FeedTable,
    reject: OpenReject,
    row: pa.RecordBatch | None,
    *,
    one_more: bool = False,
) -> ReplayVerdict:
    if row is None:
        return ReplayVerdict.STILL_REJECTED
    with database.transaction() as connection:
        return replay(connection, table, reject.reject_id, row, one_more=one_more)


@contextmanager
def _as_loaded(connection: Connection, zone: Zone, file_id: int) -> Iterator[Path]:
    """The file whose bytes were loaded. Raises OSError and :class:`UnreadableFile`: of other bytes its rows
    would get the ids of others."""
    with _reading(connection, zone, file_id) as (state, path):
        with open_events(path) as source:
            if state.sha256 != source.sha256():
                raise FileNotFoundError(errno.ENOENT, "not the file that was loaded", str(path))
        yield path


@contextmanager
def _reading(connection: Connection, zone: Zone, file_id: int) -> Iterator[tuple[ledger.FileState, Path]]:
    """The file, wherever it is kept. Raises OSError, if it is not or the ledger does not know it."""
    state = ledger.states(connection, [file_id]).get(file_id)
    if state is None:
        raise FileNotFoundError(errno.ENOENT, "not in the ledger", str(file_id))
    with kept_files(zone).reading(connection, state) as path:
        yield state, path


def _header_on_disk(connection: Connection, zone: Zone, feed: Feed, file_id: int) -> tuple[str, ...] | None:
    """Of a file that was loaded before the ledger kept it; ``None`` if the file is gone."""
    try:
        with _reading(connection, zone, file_id) as (_, path), open_events(path) as source:
            return decoder_of(feed).header(source.stream)
    except (OSError, UnreadableFile):
        return None


def file_below(folder: Path, given: str) -> Path:
    """The file of corrections ``given``, which has to lie in ``folder``, whatever links lead there: for those
    who may press a button, and not read every file of this machine."""
    path = (folder / given).resolve()
    if not path.is_relative_to(folder.resolve()) or path == folder.resolve():
        raise UsageError(
            f"The file of corrections {given!r} is not in the folder {folder}.",
            "Put it there and give its name, or use `ecom rejects replay --fixed FILE` on a terminal.",
        )
    return path


def _read_corrections(path: Path, fragments: Fragments) -> list[dict[str, str]]:
    problem = None
    names: set[str] = set()
    rows: list[dict[str, str]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names, rows = set(reader.fieldnames or ()), list(reader)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
    except csv.Error:
        problem = "it is no CSV"
    if problem is not None:
        raise UsageError(f"The file of corrections {path} cannot be read: {problem}.", "Give a CSV file.")
    missing = [name for name in fragments.names if name not in names]
    strange = set() if fragments.feed.extra == "store" else names - {*fragments.names, *PLACE}
    if missing or strange:
        facts = [f"lacks {', '.join(missing)}"] if missing else []
        facts += [f"has {len(strange)} columns that are not known"] if strange else []
        raise UsageError(
            f"The header of the file of corrections {path} {' and '.join(facts)}.",
            f"It must have {','.join(fragments.names)}, and may have {' and '.join(PLACE)}.",
        )
    return [{name: value or "" for name, value in row.items() if name} for row in rows]
