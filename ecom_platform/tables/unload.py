"""One wrong file taken out: what it brought, its ledger, and the file itself out of the archive.

Belongs here: which files, what has to be there to do it, and the move on disk. Does not belong here: rows and
ledger (``store.unloading``).

The file is moved into ``.ecom/unloaded/``, where nothing looks: it is not loaded again by itself, and nothing
is lost. It is moved just before the transaction is committed; killed in between, `unload` of the same file
finds it there and goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecom_platform.catalog import Catalog
from ecom_platform.errors import FeedError, UsageError
from ecom_platform.landing.kept_files import KeptFiles, kept_files, reading_all
from ecom_platform.landing.landing_zone import Zone
from ecom_platform.oncall.requeue import known_file
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_tables import prepare_table
from ecom_platform.store.ledger import FileState
from ecom_platform.store.lock import ingest_lock
from ecom_platform.store.outcome import feed_of
from ecom_platform.store.unloading import Unloaded, held_against, unload
from ecom_platform.tables.planning import usable

_NAMED = 20


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What became of some files of a feed. ``places`` is where they lie now, ``None`` of one that is gone;
    ``passed_over`` are files that may hold rows of theirs and could not be read."""

    feed: str
    files: list[FileState]
    places: list[str | None]
    result: Unloaded
    passed_over: list[str]

    def as_json(self) -> dict[str, Any]:
        return {
            "feed": self.feed,
            "files": [
                {"file_id": file.file_id, "name": file.name, "path": place}
                for file, place in zip(self.files, self.places, strict=True)
            ],
            "rows": self.result.rows,
            "rejects": self.result.rejects,
            "replayed": self.result.replayed,
            "back": [
                {"file_id": one.file_id, "name": one.name, "rows": one.rows} for one in self.result.back
            ],
            "passed_over": self.passed_over,
        }


def unload_files(
    database: Database,
    zone: Zone,
    declared: Catalog,
    names: Sequence[str],
    lock_wait_seconds: float,
    *,
    partial: bool = False,
) -> list[TakenOut]:
    """Let these files (a name, ledger id or path) be as if they had never come; one transaction a feed.

    ``partial`` does without files that may hold rows of theirs and are not in the archive any more. Raises
    :class:`UsageError` for what the ledger does not know, :class:`FeedError` where rows would be lost,
    :class:`LockedError` while somebody loads.
    """
    kept = kept_files(zone)
    with ingest_lock(database, lock_wait_seconds):
        kept.recover(database)
        by_feed: dict[str, dict[int, FileState]] = defaultdict(dict)
        with database.open() as connection:
            for name in names:
                file = known_file(connection, name)
                by_feed[feed_of(file.name)][file.file_id] = file
        _require_finished([file for files in by_feed.values() for file in files.values()])
        return [
            _of_one_feed(database, kept, declared, name, list(files.values()), partial)
            for name, files in by_feed.items()
        ]


def _require_finished(files: Iterable[FileState]) -> None:
    for file in files:
        if file.state == ledger.CLAIMED:
            raise UsageError(
                f"The file {file.name} (file {file.file_id}) is claimed and not loaded yet.",
                "`ecom ingest` loads it first; nothing was changed.",
            )


def _of_one_feed(
    database: Database, kept: KeptFiles, declared: Catalog, name: str, files: list[FileState], partial: bool
) -> TakenOut:
    feed = usable(declared, name)
    if feed.on_conflict == "update":
        without = " ".join(f"--without {file.file_id}" for file in files)
        raise UsageError(
            f"The feed {name} keeps the newest row of each key: what its files have replaced is not in the "
            "table any more.",
            f"Nothing was changed. `ecom feeds rebuild {name} {without}` makes it from its other files.",
        )
    prepare_table(database, feed)
    gone = [file.file_id for file in files]
    moves = kept.taking_out(files)
    with reading_all(kept, database, held_against(database, feed, gone)) as (others, lacking):
        passed_over = _passed_over(lacking, partial)
        try:
            result = unload(database, feed, gone, others, moves.make)
        except BaseException:
            with database.open() as connection:
                # Not of a COMMIT whose answer was lost.
                if ledger.states(connection, gone):
                    moves.take_back()
            raise
    moves.forget_reasons()
    return TakenOut(name, files, moves.places, result, passed_over)


def _passed_over(files: Iterable[FileState], partial: bool) -> list[str]:
    gone = [f"{file.name} (file {file.file_id})" for file in files]
    if gone and not partial:
        more = f" and {len(gone) - _NAMED:,} more" if len(gone) > _NAMED else ""
        raise FeedError(
            f"Rows of what is to go may be in {', '.join(gone[:_NAMED])}{more} as well, which the archive "
            "does not have any more.",
            "Nothing was changed. Bring them back into the archive; or `--partial` does without them: rows "
            "that only they have are missing then.",
        )
    return gone


def summed(done: Iterable[TakenOut]) -> Mapping[str, int]:
    """Rows that went and rows that came back."""
    found = list(done)
    return {
        "rows": sum(one.result.rows for one in found),
        "back": sum(part.rows for one in found for part in one.result.back),
    }
