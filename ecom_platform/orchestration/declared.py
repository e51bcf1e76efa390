"""The declared feeds as Dagster's assets: their keys, and which of them a run is about.

Belongs here: from feeds to keys and back. Does not belong here: the definitions (``assets.feed_assets``,
``checks.feed_checks``), or the declarations (``catalog``).

The feeds are those that were declared when the code location was loaded; a run looks at their declarations
again.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import dataclass

import dagster as dg

from ecom_platform.catalog import RESERVED, Catalog
from ecom_platform.feeds.feed import Feed
from ecom_platform.store.feed_table import FeedTable

# On the asset of each feed, so that selections need no names.
FEED_TAG = {"ecom/feed": "yes"}
ALL_FEEDS = dg.AssetSelection.tag(*next(iter(FEED_TAG.items())))


@dataclass(frozen=True, slots=True)
class AllBut:
    """Every feed that there is by now, but those of these names."""

    names: frozenset[str]

    def __contains__(self, name: object) -> bool:
        return name not in self.names


@dataclass(frozen=True, slots=True)
class DeclaredFeeds:
    """What ``catalog`` had when the code location was loaded, of which ``only`` are assets of it: all, unless
    that is said. There is always one.

    ``whole`` are the feeds of the code location where these are those of one of its components; what no
    component has, such as what was declared since, is loaded with the feeds of the ``leading`` one.
    """

    catalog: Catalog
    # Those that a run which loads, or looks at what was loaded, evaluates of them.
    checks: Sequence[dg.AssetCheckKey] = ()
    only: Sequence[str] | None = None
    whole: DeclaredFeeds | None = None
    leading: bool = True

    @property
    def feeds(self) -> dict[str, Feed]:
        return {name: self.catalog.feeds[name] for name in self.names if name in self.catalog.feeds}

    @property
    def names(self) -> list[str]:
        """Of every feed, also of those whose declaration has a mistake; not where that is the name, which is
        one of ours."""
        broken = [name for name in self.catalog.problems if name not in RESERVED]
        every = list(dict.fromkeys([*self.catalog.feeds, *broken]))
        return every if self.only is None else [name for name in every if name in self.only]

    @property
    def keys(self) -> list[dg.AssetKey]:
        return [dg.AssetKey(name) for name in self.names]

    @property
    def first(self) -> dg.AssetKey:
        """The asset that checks of the platform as a whole are shown at."""
        return (self.whole or self).keys[0]

    def tables(self) -> dict[str, FeedTable]:
        return {name: FeedTable(feed) for name, feed in self.feeds.items()}

    def of_component(self, names: Collection[str], *, leading: bool) -> DeclaredFeeds:
        """Those of one component of the code location."""
        return DeclaredFeeds(self.catalog, self.checks, tuple(names), self, leading)

    def chosen(self, keys: Iterable[dg.AssetKey]) -> Container[str] | None:
        """The feeds among ``keys``; ``None`` where these are all, and what is declared since as well."""
        names = {key.to_user_string() for key in keys}
        if not names >= set(self.names) or not self.leading:
            return names & set(self.names)
        others = () if self.whole is None else self.whole.names
        return AllBut(frozenset(others) - set(self.names)) if others else None
