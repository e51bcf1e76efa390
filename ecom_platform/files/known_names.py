"""Which declared columns the names of a file's header are, over all feeds at once.

Belongs here: feeds by the way in which their files are written, and an index of their columns' names. Does
not belong here: whether a header fits one (``file_columns``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

from ecom_platform.feeds.feed import Column, Dialect, Feed
from ecom_platform.files.file_columns import HeaderMismatch, known_names
from ecom_platform.files.header_lines import names_by
from ecom_platform.files.unreadable import UnreadableFile


class KnownNames:
    """The names that ``feeds``, whose files are written alike, speak of."""

    def __init__(self, dialect: Dialect, feeds: Sequence[Feed]) -> None:
        self.dialect = dialect
        self.feeds = {feed.name: feed for feed in feeds}
        self._least = {feed.name: _least(feed) for feed in feeds}
        self._speaking = defaultdict(list)
        self._read: tuple[bytes, tuple[str, ...]] = (b"", ())
        for feed in feeds:
            for name in known_names(feed):
                self._speaking[name].append(feed.name)

    def names(self, beginning: bytes) -> tuple[str, ...]:
        """Those in the header of a file that begins like this; none where it cannot be read like this."""
        if self._read[0] == beginning:
            return self._read[1]
        try:
            names = tuple(names_by(self.dialect, beginning))
        except (UnreadableFile, HeaderMismatch):
            names = ()
        self._read = (beginning, names)
        return names

    def alike(self, names: Iterable[str]) -> Counter[str]:
        """How many of ``names`` each feed speaks of, of those that speak of any."""
        return Counter(chain.from_iterable(self._speaking.get(name, ()) for name in set(names)))

    def possible(self, names: Iterable[str]) -> list[Feed]:
        """The feeds whose header this may be, since enough of their columns are there."""
        return [self.feeds[feed] for feed, count in self.alike(names).items() if count >= self._least[feed]]


def by_dialect(feeds: Iterable[Feed]) -> list[KnownNames]:
    """``feeds`` by the way in which their files have to be read to find the header."""
    found: dict[Dialect, list[Feed]] = defaultdict(list)
    for feed in feeds:
        plain = Dialect()
        way = replace(feed.dialect, decimal=plain.decimal, thousands=plain.thousands, width=plain.width)
        found[way].append(feed)
    return [KnownNames(way, same) for way, same in found.items()]


def _least(feed: Feed) -> int:
    """How many of its names a header has at least. One, also where every column may be missing: otherwise
    such a feed would take any file."""
    wanted = [_names(column) for column in feed.columns]
    if sum(map(len, wanted)) > len(set(chain.from_iterable(wanted))):
        return 1  # columns share a name
    counts = (
        len(column.concat.columns) if column.concat else 1
        for column in feed.columns
        if not (feed.missing == "null" and column.nullable)
    )
    return max(1, sum(counts))


def _names(column: Column) -> tuple[str, ...]:
    return column.concat.columns if column.concat else column.sources or (column.name,)
