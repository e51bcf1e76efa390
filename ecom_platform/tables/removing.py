"""A feed taken out: its table, its ledger, its declaration; its files are kept.

Belongs here: what would be lost, said before anything is; and the order of files and ledger. Does not belong
here: the database's part (``store.feed_names``).

Nothing is lost from disk: what archive and quarantine have of the feed is moved to ``.ecom/unloaded/NAME/``,
where nothing looks, and the declaration gets the ending ``.removed``. Put both back, and the files load as
they did.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecom_platform.alerts.outbox import DEFAULT_SOURCE
from ecom_platform.errors import EcomError, FeedError, UsageError
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.landing.kept_files import kept_files
from ecom_platform.landing.landing_zone import Zone, claims_locked
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_names import Holdings, holdings, remove_feed
from ecom_platform.store.lock import ingest_lock


@dataclass(frozen=True, slots=True)
class Removal:
    """What a feed has, and where its files and its declaration are once it is taken out."""

    feed: str
    has: Holdings
    kept: str
    declaration: Path | None

    def as_json(self) -> dict[str, Any]:
        return {
            "feed": self.feed,
            "table": self.has.table,
            "rows": self.has.rows,
            "files": len(self.has.files),
            "rejects": self.has.rejects,
            "kept": self.kept,
            "declaration": None if self.declaration is None else str(self.declaration),
        }

    def __str__(self) -> str:
        table = f"the table {self.has.table} with {self.has.rows:,} rows" if self.has.table else "no table"
        return (
            f"{table}, the ledger of {len(self.has.files):,} files and {self.has.rejects:,} rejects; "
            f"the files are kept in {self.kept}"
        )


def survey(database: Database, zone: Zone, feeds_dir: Path, name: str) -> Removal:
    """What :func:`remove` would take out. Raises :class:`UsageError` where there is no such feed."""
    if name == TOP_FEED:
        raise UsageError(
            f"{name} is the feed that the package brings.", "`ECOM_SHOP=off` leaves out its shop."
        )
    found, yaml = holdings(database, name), _declaration(feeds_dir, name)
    if found.table is None and found.nothing and yaml is None:
        raise UsageError(f"No feed is called {name!r}.", "`ecom feeds list` shows those that there are.")
    return Removal(name, found, kept_files(zone).taken_out(name), yaml)


def _declaration(feeds_dir: Path, name: str) -> Path | None:
    paths = (feeds_dir / f"{name}{end}" for end in (".yaml", ".yml"))
    return next((path for path in paths if path.exists()), None)


def remove(
    database: Database,
    zone: Zone,
    feeds_dir: Path,
    name: str,
    lock_wait_seconds: float,
    *,
    drop_table: bool,
) -> Removal:
    """Take the feed out. Without ``drop_table`` only one of which nothing would be lost.

    The declaration goes first, then the files, then table and ledger in one transaction: killed in between,
    no row is gone, and called again it goes on. Raises :class:`FeedError` where rows would be lost, or
    something depends on the table, :class:`LockedError` while somebody loads.
    """
    kept = kept_files(zone)
    with ingest_lock(database, lock_wait_seconds):
        kept.recover(database)
        found = survey(database, zone, feeds_dir, name)
        if not found.has.nothing and not drop_table:
            raise FeedError(
                f"The feed {name} has {found}.",
                "Nothing was removed: with `--drop-table --yes` its rows go.",
            )
        if found.has.claimed:
            raise FeedError(
                f"{found.has.claimed:,} files of the feed {name} are claimed and not loaded yet.",
                "`ecom ingest` loads them first; nothing was removed.",
            )
        with claims_locked(database, zone):
            away = _put_aside(found.declaration)
            moves = kept.taking_out_feed(found.has.files)
            try:
                moves.make()
                remove_feed(database, name, found.has.files, DEFAULT_SOURCE)
            except EcomError:
                moves.take_back()
                if away is not None and found.declaration is not None:
                    away.rename(found.declaration)
                raise
    return Removal(name, found.has, found.kept, away)


def _put_aside(declaration: Path | None) -> Path | None:
    if declaration is None:
        return None
    number, target = 1, declaration.with_name(f"{declaration.name}.removed")
    while os.path.lexists(target):
        number += 1
        target = declaration.with_name(f"{declaration.name}.removed-{number}")
    declaration.rename(target)
    return target
