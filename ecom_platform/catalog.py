"""Which feeds there are: those that the package brings and those of ``ECOM_FEEDS_DIR``.

Belongs here: which declarations can be used together. Does not belong here: where they stand
(``declarations``), what one may say (``feeds``), or the tables that follow from it (``store.feed_tables``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache

from ecom_platform.declarations import Declaration, Source, declarations
from ecom_platform.errors import FeedError, UsageError
from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import PACKAGED, TOP_FEED
from ecom_platform.settings import Settings


@cache
def packaged() -> dict[str, Feed]:
    """The feeds that the package brings, by name."""
    return {path.stem: read_feed(path.read_bytes(), path.name, path.stem) for path in PACKAGED}


# Names that a feed must not have: assets, tables and temporary tables of ours, and packaged feeds.
RESERVED = frozenset(path.stem for path in PACKAGED) | frozenset(
    """
    alembic_version alert_deliveries alerts changed_files claimed_objects contested conversion_funnel
    duplicate_audit ended feeds found fresh generations hourly_buyers hourly_sales ingested_files judged
    landing_zone live_status looked_at looked_at_files lost_events lost_files lost_rows narrowed_checks
    outcomes pending_events pending_files performance_metrics performance_report ranked raw_events read_values
    rejected_events replaced_rows returned_files rollups staged stored_rows stream_batches trial tried
    unchecked_files unloaded unseen verdicts whole_checks """.split()
)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The feeds by name, and what is wrong with the declarations that cannot be used, by theirs.

    ``sources``: where each stands that the package does not bring; of one that is declared twice, the first.
    """

    feeds: dict[str, Feed]
    problems: dict[str, FeedError] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)


def catalog(settings: Settings) -> Catalog:
    """What the package brings and what ``ECOM_FEEDS_DIR`` has; a mistake in one file stops no other."""
    found = Catalog(dict(packaged()))
    by_name: dict[str, list[Declaration]] = {}
    for declaration in declarations(settings.feeds_dir):
        by_name.setdefault(declaration.name, []).append(declaration)
    for name, (declaration, *twins) in by_name.items():
        found.sources[name] = declaration.source
        try:
            if twins:
                raise FeedError(
                    f"{declaration.source} and {twins[0].source} both declare the feed {name}.",
                    "Leave one of them.",
                )
            feed = declaration.read(RESERVED)
            if feed.schema is None and feed.table in RESERVED:
                raise FeedError(
                    f"{declaration.source}: the table {feed.table} of the feed {name} is one of ours.",
                    "Give it another name (`table: …`).",
                )
            found.feeds[name] = feed
        except FeedError as error:
            if name not in packaged():
                found.feeds.pop(name, None)
            found.problems[name] = error
    _refuse_shared_tables(found)
    return found


def declared_feed(settings: Settings, name: str | None = None) -> Feed:
    """The feed of this name, or the first.

    Raises :class:`FeedError` where its declaration cannot be used, and :class:`UsageError` where there is
    none.
    """
    declared = catalog(settings)
    wanted = name or TOP_FEED
    if wanted in declared.problems:
        raise declared.problems[wanted]
    if wanted not in declared.feeds:
        where = settings.feeds_dir.absolute()
        raise UsageError(
            f"No feed is called {wanted!r}.",
            f"There are {', '.join(sorted(declared.feeds))}. Declarations are read from "
            f"{where}{'' if where.is_dir() else ', which does not exist'}: run `ecom` where that "
            "folder is, or set ECOM_FEEDS_DIR. `ecom feeds init FILE` writes another.",
        )
    return declared.feeds[wanted]


def require_known(names: Iterable[str], known: Collection[str]) -> None:
    """Raises :class:`UsageError` for a name that no feed has."""
    for name in names:
        if name not in known:
            raise UsageError(
                f"No feed is called {name!r}.",
                f"There are {', '.join(sorted(known))}; see `ecom feeds list`.",
            )


def _refuse_shared_tables(found: Catalog) -> None:
    """Two declarations of one table: neither can be believed."""
    by_table: dict[tuple[str | None, str], list[str]] = {}
    for feed in found.feeds.values():
        by_table.setdefault((feed.schema, feed.table), []).append(feed.name)
    for names in by_table.values():
        for name in names[:] if len(names) > 1 else ():
            if name in packaged():
                continue
            others = ", ".join(other for other in names if other != name)
            table = found.feeds.pop(name).table
            found.problems[name] = FeedError(
                f"The feed {name} has the table {table}, which is that of {others} as well.",
                "Give each of them a table of its own (`table: schema.name`).",
            )
