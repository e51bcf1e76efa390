"""The declared feeds as Dagster's assets: their keys, and which of them a run is about.

Belongs here: from feeds to keys and back. Does not belong here: the definitions (``assets.feed_assets``,
``checks.feed_checks``), or the declarations (``catalog``).

The feeds are those that were declared when the code location was loaded; a run looks at their declarations
again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import dagster as dg

from ecom_platform.catalog import Catalog
from ecom_platform.feeds.feed import Feed
from ecom_platform.store.feed_table import FeedTable

# On the asset of each feed, so that selections need no names.
FEED_TAG = {"ecom/feed": "yes"}
ALL_FEEDS = dg.AssetSelection.tag(*next(iter(FEED_TAG.items())))


@dataclass(frozen=True, slots=True)
class DeclaredFeeds:
    """What ``catalog`` had when the code location was loaded. There is always a feed: one is packaged."""

    catalog: Catalog
    # Those that a run which loads, or looks at what was loaded, evaluates of them.
    checks: Sequence[dg.AssetCheckKey] = ()

    @property
    def feeds(self) -> dict[str, Feed]:
        return self.catalog.feeds

    @property
    def names(self) -> list[str]:
        """Of every feed, also of those whose declaration has a mistake."""
        return list(dict.fromkeys([*self.catalog.feeds, *self.catalog.problems]))

    @property
    def keys(self) -> list[dg.AssetKey]:
        return [dg.AssetKey(name) for name in self.names]

    @property
    def first(self) -> dg.AssetKey:
        """The asset that checks of the platform as a whole are shown at."""
        return self.keys[0]

    def tables(self) -> dict[str, FeedTable]:
        return {name: FeedTable(feed) for name, feed in self.catalog.feeds.items()}

    def chosen(self, keys: Iterable[dg.AssetKey]) -> Collection[str] | None:
        """The feeds among ``keys``; ``None`` where these are all, and what is declared since as well."""
        names = {key.to_user_string() for key in keys}
        return None if names >= set(self.names) else names & set(self.names)
