"""The tables of feeds held against their declarations, and brought to what is declared.

Belongs here: which feeds, the lock, and what is said of each. Does not belong here: what a change means
(``store.table_changes``) or making it (``store.feed_tables``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ecom_platform.catalog import Catalog, require_known
from ecom_platform.errors import FeedError
from ecom_platform.feeds.feed import Feed
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_tables import applied_names, apply_table
from ecom_platform.store.lock import ingest_lock
from ecom_platform.store.table_plans import TablePlan, plan_table


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """What is to do, or was done, for one feed; or why it cannot be."""

    feed: str
    plan: TablePlan | None = None
    error: FeedError | None = None

    @property
    def is_right(self) -> bool:
        """Whether there is nothing to do."""
        return self.plan is not None and not self.plan.changes

    def as_json(self) -> dict[str, Any]:
        return {
            "feed": self.feed,
            "table": self.plan and f"{self.plan.known}.{self.plan.name}",
            "changes": [change.as_json() for change in self.plan.changes] if self.plan else [],
            "error": self.error and self.error.as_json(),
        }


def planned(database: Database, declared: Catalog, names: Collection[str] = ()) -> list[FeedPlan]:
    """What has to be done for the tables of these feeds, or of all; nothing is changed.

    Raises :class:`UsageError` for a name that is neither declared nor known to the ledger.
    """
    return _of_each(database, declared, names, lambda feed: plan_table(database, feed))


def applied(
    database: Database, declared: Catalog, names: Collection[str], lock_wait_seconds: float
) -> list[FeedPlan]:
    """Do it, under the ingest lock, each table in one transaction: one that is refused stops no other."""
    with ingest_lock(database, lock_wait_seconds):
        return _of_each(database, declared, names, lambda feed: apply_table(database, feed))


def _of_each(
    database: Database, declared: Catalog, names: Collection[str], work: Callable[[Feed], TablePlan]
) -> list[FeedPlan]:
    with database.open() as connection:
        known = set(applied_names(connection))
    every = {*declared.feeds, *declared.problems, *known}
    require_known(names, every)
    return [_of_one(declared, name, work) for name in sorted(set(names) or every)]


def _of_one(declared: Catalog, name: str, work: Callable[[Feed], TablePlan]) -> FeedPlan:
    try:
        return FeedPlan(name, work(usable(declared, name)))
    except FeedError as error:
        return FeedPlan(name, error=error)


def usable(declared: Catalog, name: str) -> Feed:
    """The feed of this name; raises :class:`FeedError` where it has no declaration that can be used."""
    if name in declared.problems:
        raise declared.problems[name]
    if name not in declared.feeds:
        raise FeedError(
            f"The feed {name} has a table and no declaration.",
            f"Put its declaration back; `ecom feeds remove {name}` takes the feed out.",
        )
    return declared.feeds[name]
