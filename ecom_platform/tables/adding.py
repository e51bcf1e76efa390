"""A column that producers send by now, added to a feed: declaration, table, and the rows that are there.

Belongs here: the order of the three, so that what was killed in between is finished by running it again; and
which files are read again or land again. Does not belong here: the declaration's text
(``feeds.written_column``), rows (``store.filling``).

Where ``extra: store`` has kept the column, its values are moved from there; else the files of the archive
that have it are read again. Files of the feed in quarantine whose header fits by now land again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecom_platform import durable
from ecom_platform.catalog import RESERVED, Catalog
from ecom_platform.errors import FeedError, StorageError, UsageError
from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.travel import to_data
from ecom_platform.feeds.type_names import column_type
from ecom_platform.feeds.written_column import with_column, with_word
from ecom_platform.landing.kept_files import KeptFiles, kept_files, reading_all
from ecom_platform.landing.landing_zone import Zone
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.feed_tables import apply_table
from ecom_platform.store.filling import Filled, files_by_header, fill_from_extra, fill_from_files
from ecom_platform.store.lock import ingest_lock
from ecom_platform.tables.planning import usable


@dataclass(frozen=True, slots=True)
class Added:
    """What was done. ``missing_allowed``: the declaration says ``missing: null`` now, since files that were
    loaded lack the column; ``landed_again`` are files from the quarantine."""

    feed: str
    column: str
    declaration: Path
    filled: Filled
    missing_allowed: bool
    landed_again: list[str]

    def as_json(self) -> dict[str, Any]:
        return {
            "feed": self.feed,
            "column": self.column,
            "declaration": str(self.declaration),
            "filled": self.filled.rows,
            "unfit": self.filled.unfit,
            "unread": self.filled.unread,
            "missing_allowed": self.missing_allowed,
            "landed_again": self.landed_again,
        }


def add_column(
    database: Database,
    zone: Zone,
    feeds_dir: Path,
    declared: Catalog,
    name: str,
    column: str,
    kind: str,
    lock_wait_seconds: float,
    *,
    source: str | None = None,
) -> Added:
    """Declare ``column`` of the feed ``name`` as ``kind``, make it and fill it; called again it goes on.

    It may be null, whether ``kind`` says so or not, since rows may be there. ``source`` is its name in files,
    where that is another. Raises :class:`UsageError` and :class:`FeedError`, with nothing changed, where it
    cannot be added; :class:`LockedError` while somebody loads.
    """
    kept = kept_files(zone)
    with ingest_lock(database, lock_wait_seconds):
        before = usable(declared, name)
        path = _declaration(feeds_dir, name)
        kept.recover(database)
        text = _read(path)
        feed, missing_allowed = before, False
        if column in before.names:
            _require_same(before, column, kind, source)
        else:
            _require_addable(before, column)
            text, feed = _with_column(text, path, before, column, kind, source)
            if before.missing != "null" and _some_lack(database, before, source or column):
                text = with_word(text, "missing", "null")
                feed, missing_allowed = read_feed(text, str(path), name, RESERVED), True
            _write(path, text)
        apply_table(database, feed)
        filled = _fill(database, kept, feed, column, source or column)
        again = kept.release_what_fits(database, feed)
    return Added(name, column, path, filled, missing_allowed, again)


def _declaration(feeds_dir: Path, name: str) -> Path:
    paths = (feeds_dir / f"{name}{end}" for end in (".yaml", ".yml"))
    found = next((path for path in paths if path.exists()), None)
    if found is None:
        raise UsageError(
            f"The feed {name} has no declaration in {feeds_dir}.",
            "A feed that the package brings has the columns that it has; `ecom feeds list` shows yours.",
        )
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}.", "Make it readable."
        ) from error


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.chmod(path.stat().st_mode & 0o777)
        durable.sync(aside)
        aside.replace(path)
        durable.sync(path.parent)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}.", "Nothing was changed. Make it writable."
        ) from error


def _require_addable(feed: Feed, column: str) -> None:
    if feed.identity == "content":
        raise FeedError(
            f"The feed {feed.name} knows its rows by all of their columns: with {column} they were others.",
            f"Nothing was changed. Declare {column}, then `ecom feeds rebuild {feed.name}` makes the table "
            "anew from the archive.",
        )
    if not feed.dialect.header:
        raise FeedError(
            f"The files of the feed {feed.name} have no header: where {column} stands is said by `at` or by "
            "the order of the columns.",
            f"Nothing was changed. Declare it, then `ecom feeds rebuild {feed.name}`.",
        )


def _require_same(feed: Feed, column: str, kind: str, source: str | None) -> None:
    """What is declared already is only filled."""
    there = next(one for one in feed.columns if one.name == column)
    try:
        wanted, _ = column_type(kind)
    except ValueError as error:
        message, remedy = error.args
        raise UsageError(f"{column}: {message}.", remedy) from error
    if there.type != wanted or (source is not None and source not in (there.sources or (column,))):
        raise UsageError(
            f"The feed {feed.name} has a column {column}: {there.type}.",
            "Choose another name; or change its declaration, and see `ecom feeds plan`.",
        )


def _with_column(
    text: str, path: Path, before: Feed, column: str, kind: str, source: str | None
) -> tuple[str, Feed]:
    """The declaration with the column. Raises where it says anything else by that."""
    nullable = kind if kind.endswith(" null") else f"{kind} null"
    words = {"type": nullable} if source is None else {"from": source, "type": nullable}
    changed = with_column(text, str(path), column, words)
    feed = read_feed(changed, str(path), before.name, RESERVED)
    if to_data(replace(feed, columns=feed.columns[:-1])) != to_data(before) or feed.names[-1] != column:
        raise UsageError(
            f"{column} cannot be written into {path} without changing what else it says.",
            f"Write `{column}: {words}` below `columns:` yourself, then run the command again.",
        )
    return changed, feed


def _some_lack(database: Database, feed: Feed, source: str) -> bool:
    """Whether files were loaded that lack the column, or lines of them may: each line of JSON has its own."""
    having, lacking = files_by_header(database, FeedTable(feed), source)
    return bool(lacking or (having and feed.format == "jsonl"))


def _fill(database: Database, kept: KeptFiles, feed: Feed, column: str, source: str) -> Filled:
    table = FeedTable(feed)
    if feed.extra == "store":
        return fill_from_extra(database, table, column, source)
    with reading_all(kept, database, files_by_header(database, table, source)[0]) as (there, lacking):
        filled = fill_from_files(database, table, column, there)
    gone = [f"{file.name} (file {file.file_id}): not in the archive any more" for file in lacking]
    return replace(filled, unread=[*gone, *filled.unread])


def said_of(added: Added) -> list[str]:
    """What was done, in sentences."""
    done, where = added.filled, f"{added.feed} and in {added.declaration}"
    lines = [f"{added.column} is a column of {where} now; {done.rows:,} rows have a value in it."]
    if added.missing_allowed:
        lines.append("The declaration says `missing: null` as well: files were loaded that lack the column.")
    if done.unfit:
        lines.append(f"{done.unfit:,} rows keep theirs in extra: it is none of the type.")
    lines += [f"Not read: {name}." for name in done.unread]
    if added.landed_again:
        files = f"{len(added.landed_again):,} files"
        lines.append(f"{files} from the quarantine have landed again: `ecom ingest` loads them.")
    return lines
