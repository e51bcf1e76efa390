"""A feed by another name: its declaration, its table and ledger, its folders.

Belongs here: the order of the three, so that what was killed in between is finished by running it again. Does
not belong here: what the database knows by the name (``store.feed_names``), or moving files
(``landing.feed_folders``, ``landing.bucket.feed_objects``).

The declaration goes first, to a name that declares nothing: from there on until it has its new name, neither
feed is loaded, and nobody makes a table for the one or the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ecom_platform import durable
from ecom_platform.alerts.outbox import DEFAULT_SOURCE
from ecom_platform.catalog import RESERVED
from ecom_platform.errors import EcomError, StorageError, UsageError
from ecom_platform.feeds.declaring import NAME, read_feed
from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.kept_files import kept_files
from ecom_platform.landing.landing_zone import Zone, claims_locked
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_names import rename_feed
from ecom_platform.store.lock import ingest_lock


@dataclass(frozen=True, slots=True)
class Renamed:
    """``declaration`` is where it is now; ``table`` is its name. ``folders`` were moved by this call."""

    declaration: Path
    table: str
    folders: list[str]


def rename(
    database: Database, zone: Zone, feeds_dir: Path, old: str, new: str, lock_wait_seconds: float
) -> Renamed:
    """Let the feed ``old`` be called ``new``; called again it goes on where it was killed.

    Ids of rows do not depend on the name. Raises :class:`UsageError` for names that cannot be, or where there
    is no such feed; :class:`LockedError` while somebody loads.
    """
    _require_names(old, new)
    kept = kept_files(zone)
    kept.require_renamable()
    with ingest_lock(database, lock_wait_seconds):
        between = feeds_dir / f"{new}.yaml.renamed-from-{old}"
        source, target = _declaration(feeds_dir, old, new, between)
        feed = _read(source, target, new)
        kept.recover(database)
        with claims_locked(database, zone) as connection:
            if source not in (between, target):
                source.rename(between)
            try:
                rename_feed(database, old, feed, DEFAULT_SOURCE)
            except EcomError:
                if source not in (between, target):
                    between.rename(source)
                raise
            folders = kept.rename_feed(connection, old, new)
            if source != target:
                between.rename(target)
                durable.sync(feeds_dir)
    table = feed.table if feed.schema is None else f"{feed.schema}.{feed.table}"
    return Renamed(target, table, folders)


def _require_names(old: str, new: str) -> None:
    for name in (old, new):
        if name in RESERVED or not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is no name of a feed of yours.",
                "It is a letter, then letters, digits and _, all lower-case, 41 at most; none of ours.",
            )
    if old == new:
        raise UsageError(f"The feed is called {old} already.", "Give another name.")


def _declaration(feeds_dir: Path, old: str, new: str, between: Path) -> tuple[Path, Path]:
    """Where the declaration is, and where it will be."""
    there = {name: _yaml(feeds_dir, name) for name in (old, new)}
    target = feeds_dir / f"{new}.yaml"
    if between.exists():
        source = between
    elif there[old] is not None and there[new] is not None:
        raise UsageError(f"There is a feed {new}: {there[new]}.", "Give another name.")
    else:
        source = there[old] or there[new] or target
        target = there[new] or target
    if not source.exists():
        raise UsageError(
            f"No feed is called {old!r}: {feeds_dir} has no {old}.yaml.",
            "`ecom feeds list` shows those that there are.",
        )
    return source, target


def _yaml(feeds_dir: Path, name: str) -> Path | None:
    paths = (feeds_dir / f"{name}{end}" for end in (".yaml", ".yml"))
    return next((path for path in paths if path.exists()), None)


def _read(source: Path, target: Path, new: str) -> Feed:
    """As which feed it will be read."""
    try:
        return read_feed(source.read_bytes(), str(target), new, RESERVED)
    except OSError as error:
        raise StorageError(
            f"{source} cannot be read: {error.strerror or error}.", "Make it readable."
        ) from error
