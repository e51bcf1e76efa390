"""Which feeds a run can load.

Belongs here: bringing declarations and tables together before a load. Does not belong here: either of them
(``catalog``, ``store.feed_tables``), or the load.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from ecom_platform.alerts.outbox import DEFAULT_SOURCE, resolve_problem
from ecom_platform.alerts.problem import Kind
from ecom_platform.catalog import catalog
from ecom_platform.errors import FeedError
from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.landed import NO_FEED
from ecom_platform.landing.landing_places import LandingPlaces
from ecom_platform.settings import Settings
from ecom_platform.store.alerts import open_problems
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_tables import applied_tables, tables_of


@dataclass(frozen=True, slots=True)
class Ready:
    """``feeds`` have a declaration that can be used and a table that is as declared. Of the others
    ``refused`` says what is wrong; their files stay where they are and hold up nobody. ``declared`` are all
    whose declaration can be used: by these files are placed, whether their table can take them yet."""

    feeds: dict[str, Feed]
    refused: dict[str, str]
    declared: dict[str, Feed] = field(default_factory=dict)

    def places(self, places: LandingPlaces) -> LandingPlaces:
        """``places``, in which only folders of these feeds are looked into."""
        return places.looking_into(self.feeds)

    def refusals(self, found: dict[str, str], feeds_dir: Path) -> dict[str, str]:
        """What a look refused: a folder of a feed that cannot be loaded by what is wrong with it, one of no
        feed with the place where declarations are read."""
        known = {name: f"{reason} in {feeds_dir}" for name, reason in found.items() if reason == NO_FEED}
        return found | known | {name: self.refused[name] for name in found if name in self.refused}


LOADABLE_CHECK = "can_be_loaded"


def can_be_loaded(settings: Settings, database: Database, name: str) -> Finding:
    """The declaration of the feed can be used, and its table is as it says."""
    declared = catalog(settings)
    expected = "a declaration that can be used, and a table that is as it says"
    problem = declared.problems.get(name)
    if problem is None and name in declared.feeds:
        _, refused = tables_of(database, [declared.feeds[name]])
        problem = refused.get(name)
    elif problem is None:
        problem = FeedError(
            f"The feed {name} is not declared any more.",
            f"Put its declaration back into {settings.feeds_dir}.",
        )
    found = expected if problem is None else str(problem)
    details: dict[str, str | int] = {} if problem is None else {"remedy": problem.remedy}
    return Finding(LOADABLE_CHECK, problem is None, expected, found, "The feed can be loaded.", details)


def ready_feeds(settings: Settings, database: Database) -> Ready:
    """The feeds that are declared now; their tables are made where they are missing."""
    declared = catalog(settings)
    feeds, refused = tables_of(database, declared.feeds.values())
    _close_alerts_of_undeclared(database, {*declared.feeds, *declared.problems})
    problems = {**declared.problems, **refused}
    return Ready(
        {feed.name: feed for feed in feeds},
        {name: f"a feed that cannot be loaded: {error}" for name, error in problems.items()},
        declared.feeds,
    )


def _close_alerts_of_undeclared(database: Database, declared: Collection[str]) -> None:
    """A declaration that could not be used and was taken away again is no problem any more, where nothing was
    loaded by it; its check is not there to say so. (A table without a declaration is a failed check.)"""
    with database.transaction() as connection:
        failed = open_problems(connection, DEFAULT_SOURCE, Kind.CHECK_FAILED)
        gone = {
            problem.key: problem.asset
            for problem in failed
            if problem.check == LOADABLE_CHECK and problem.asset not in declared
        }
        if not gone:
            return
        with_tables = {table.feed.name for table in applied_tables(connection)}
        for key, name in gone.items():
            if name not in with_tables:
                resolve_problem(connection, key, f"No feed is declared as {name} any more.")
