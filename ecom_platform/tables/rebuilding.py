"""A feed's table from its archive: the way out after a wrong key, zone, type or ``nulls``.

Belongs here: which files are loaded again and whether they are what was loaded, and what is refused so that
no row is lost silently. Does not belong here: the new table and the change of places (``store.shadow``).

The new declaration decides how files are read, as if it had been there from the first. What the archive does
not have is named and refused: files that are gone or of other bytes, files that cannot be read any more, rows
that were corrected by hand (unless they mean the same in the new table), rows that somebody has written. With
``partial`` they are left out, and kept in a table of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from ecom_platform.errors import FeedError
from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.kept_files import KeptFiles, kept_files
from ecom_platform.landing.landing_zone import Zone
from ecom_platform.oncall.requeue import known_file
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.corrected_rows import Replays
from ecom_platform.store.ledger import FileState
from ecom_platform.store.lock import ingest_lock
from ecom_platform.store.outcome import UnitFile
from ecom_platform.store.shadow import Rebuilt, Shadow
from ecom_platform.store.sink import load_unit

# Of a unit of work: one of many small files is as quick as one of a large one.
_UNIT_FILES, _UNIT_BYTES = 200, 256 * 1024**2
_NAMED = 20


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that the new table does not have: a file or a line of one, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """What a rebuilding did. ``continued``: one that had been killed was taken up; ``carried``: rows that
    were corrected by hand, and are in the new table as they were."""

    feed: str
    rebuilt: Rebuilt
    left_out: list[LeftOut]
    continued: bool
    carried: int = 0

    def as_json(self) -> dict[str, Any]:
        done = self.rebuilt
        return {
            "feed": self.feed,
            "files": done.files,
            "rows": {
                "read": done.read,
                "inserted": done.inserted,
                "updated": done.updated,
                "stale": done.stale,
                "duplicate": done.duplicate,
                "rejected": done.rejected,
            },
            "left_out": [{"file": one.file, "reason": one.reason} for one in self.left_out],
            "kept_in": done.kept_in,
            "continued": self.continued,
            "carried": self.carried,
        }


def rebuild(
    database: Database,
    zone: Zone,
    feed: Feed,
    lock_wait_seconds: float,
    *,
    without: Sequence[str] = (),
    partial: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, files: None,
) -> Rebuilding:
    """Load all files of ``feed`` anew into a table that takes the place of its own.

    ``without`` names files to leave out, ``partial`` leaves out all that cannot be had; ``on_progress`` is
    told how many files of how many are done. Raises :class:`FeedError`, with the old table as it was, where
    something would be lost; :class:`LockedError` while somebody loads.
    """
    kept = kept_files(zone)
    with ingest_lock(database, lock_wait_seconds):
        kept.recover(database)  # what was loaded and not yet moved is in the archive then
        shadow = Shadow(database, feed)
        shadow.require_old()
        files = shadow.files()
        left_out = _named(database, files, feed, without)
        with database.open() as connection:
            gone = _gone(connection, kept, files, left_out)
        left_out |= _require(gone, feed, partial, "is not in the archive as loaded")
        strange = shadow.strange_rows()
        if strange:
            one = LeftOut("(no file)", f"{strange:,} rows that somebody has written")
            _require({0: one}, feed, partial, "is not from files")
        continued = shadow.begin(files, left_out)
        _fill(shadow, database, kept, feed, on_progress)
        while unlike := _require(_unlike(shadow, files), feed, partial, "cannot be loaded again", shadow):
            left_out |= unlike
            shadow.begin(files, left_out)
            _fill(shadow, database, kept, feed, on_progress)
        replays = shadow.replays()
        corrected = _require(_corrected(replays), feed, partial, "was corrected by hand")
        some = bool(left_out or corrected or strange)
        reasons = {file_id: one.reason for file_id, one in left_out.items()}
        rebuilt = shadow.put_in_place(files, replays, reasons, keep=some)
        with database.open() as connection:
            states = ledger.states(connection, left_out)
        left = [state for state in states.values() if state.state == ledger.QUARANTINED]
        kept.quarantine(database, left, files)
    parts = [*left_out.values(), *corrected.values()]
    return Rebuilding(feed.name, rebuilt, parts, continued, len(replays.carried))


def _named(
    database: Database, files: Iterable[FileState], feed: Feed, without: Iterable[str]
) -> dict[int, LeftOut]:
    ours = {file.file_id for file in files}
    found: dict[int, LeftOut] = {}
    with database.open() as connection:
        for name in without:
            file = known_file(connection, name)
            if file.file_id not in ours:
                raise FeedError(
                    f"The file {file.name} (file {file.file_id}) is no loaded file of the feed {feed.name}.",
                    f"`ecom trace {file.file_id}` says what became of it.",
                )
            found[file.file_id] = LeftOut(_called(file), "left out as asked")
    return found


def _called(file: FileState) -> str:
    return f"{file.name} (file {file.file_id})"


def _gone(
    connection: Connection, kept: KeptFiles, files: Iterable[FileState], left_out: dict[int, LeftOut]
) -> dict[int, LeftOut]:
    """By the disk alone; whether the bytes are the same is seen when they are read."""
    found: dict[int, LeftOut] = {}
    wanted = [file for file in files if file.file_id not in left_out]
    sizes = kept.sizes(connection, wanted)
    for file in wanted:
        size = sizes.get(file.file_id)
        if size is None:
            found[file.file_id] = LeftOut(_called(file), "not in the archive any more")
        elif size != file.size_bytes:
            reason = f"{size} bytes, and {file.size_bytes} were loaded"
            found[file.file_id] = LeftOut(_called(file), reason)
    return found


def _require(
    found: dict[int, LeftOut],
    feed: Feed,
    partial: bool,
    problem: str,
    shadow: Shadow | None = None,
) -> dict[int, LeftOut]:
    """``found``, where that may be left out. Raises :class:`FeedError` where it may not."""
    if not found or partial:
        return found
    names = [f"{one.file}: {one.reason}" for one in [*found.values()][:_NAMED]]
    more = f"; and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    if shadow is not None:
        shadow.abandon()  # a file that was read wrongly may be right by then
    raise FeedError(
        f"The table of the feed {feed.name} is not rebuilt, since {len(found):,} part(s) of it could not be: "
        f"what {problem}. {'; '.join(names)}{more}.",
        "Bring the files back into the archive; or leave out what is named, with `--without FILE` or all of "
        "it with `--partial`: its rows are kept in a table of their own, and lines that were corrected are "
        "rejects again (`ecom rejects replay --fixed FILE`).",
    )


def _fill(
    shadow: Shadow,
    database: Database,
    kept: KeptFiles,
    feed: Feed,
    on_progress: Callable[[int, int], None],
) -> None:
    """Load what is not loaded yet, in the order of the files: of rows with one key the first stays."""
    files = shadow.loaded()
    left = [file for file in files if file.state == ledger.CLAIMED]
    done = len(files) - len(left)
    archived = {file.file_id: file for file in shadow.files()}
    for unit in _units(left):
        with ExitStack() as stack, database.open(autocommit=True) as connection:
            paths = [_path(stack, connection, kept, archived[file.file_id]) for file in unit]
            sources = [
                UnitFile(file.file_id, file.name, path, file.size_bytes)
                for file, path in zip(unit, paths, strict=True)
            ]
            load_unit(shadow.database.url, replace(feed, schema=None), sources, 0)
        done += len(unit)
        on_progress(done, len(files))


def _path(stack: ExitStack, connection: Connection, kept: KeptFiles, file: FileState) -> str:
    """Where the file lies, by the ledger that knows when it was loaded; nowhere, if it is gone."""
    try:
        return str(stack.enter_context(kept.reading(connection, file)))
    except FileNotFoundError as error:
        return str(error.filename)


def _units(files: Iterable[FileState]) -> Iterator[list[FileState]]:
    unit: list[FileState] = []
    size = 0
    for file in files:
        if unit and (len(unit) >= _UNIT_FILES or size + (file.size_bytes or 0) > _UNIT_BYTES):
            yield unit
            unit, size = [], 0
        unit.append(file)
        size += file.size_bytes or 0
    if unit:
        yield unit


def _unlike(shadow: Shadow, files: Iterable[FileState]) -> dict[int, LeftOut]:
    """Files that were loaded otherwise than before, or not at all."""
    before = {file.file_id: file for file in files}
    found: dict[int, LeftOut] = {}
    for file in shadow.loaded():
        if file.state == ledger.CLAIMED:
            found[file.file_id] = LeftOut(_called(file), "it is written to, or gone")
        elif file.state == ledger.QUARANTINED:
            found[file.file_id] = LeftOut(_called(file), file.reason or "it cannot be read")
        elif file.sha256 != before[file.file_id].sha256:
            found[file.file_id] = LeftOut(_called(file), "other bytes than were loaded")
    return found


def _corrected(replays: Replays) -> dict[int, LeftOut]:
    return {
        number: LeftOut(f"{name}, line {line} (file {file_id})", "its row is not that of the file")
        for number, (file_id, name, line) in enumerate(replays.reopened)
    }
