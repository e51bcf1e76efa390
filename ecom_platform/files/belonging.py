"""To which feed a file belongs that lies in no feed's folder: its header says so, or nothing does.

Belongs here: the decision about one file. Does not belong here: where files lie, and moving them
(``landing.placing``), or the words about a file that fits no feed (``misfits``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.file_columns import HeaderMismatch, by_header
from ecom_platform.files.heads import read_head
from ecom_platform.files.known_names import KnownNames, by_dialect
from ecom_platform.files.misfits import Misfit, of_several, why_it_fits_none
from ecom_platform.files.unreadable import UnreadableFile

# Files that begin alike are judged once; so many beginnings are remembered.
_BEGINNINGS = 4_096


@dataclass(frozen=True, slots=True)
class Belonging:
    """The feed of a file, by its name; or why it has none, and what to do."""

    feed: str | None
    misfit: Misfit | None = None


@dataclass(frozen=True, slots=True)
class _Fit:
    feed: str
    needs_extra: bool


class FeedFinder:
    """Finds the feeds of files among ``feeds``: of these, those whose files are CSV with a header."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self._ways = by_dialect(feed for feed in feeds if feed.format == "csv" and feed.dialect.header)
        self._titles = max((way.dialect.skip for way in self._ways), default=0)
        self._fits: dict[bytes, tuple[_Fit, ...]] = {}

    def feed_of_file(self, path: Path) -> Belonging:
        """Of a file that is at rest. What is empty, damaged or cannot be read is of the first feed: whoever
        loads it finds out what is wrong with it, and sets it aside."""
        try:
            head = read_head(path, self._titles)
        except (UnreadableFile, OSError):
            return Belonging(TOP_FEED)
        if head.is_empty:
            return Belonging(TOP_FEED)
        beginning = head.first_lines(self._titles)
        fits = self._fitting(beginning)
        best = [fit for fit in fits if not fit.needs_extra] or fits
        if len(best) == 1:
            return Belonging(best[0].feed)
        if best:
            return Belonging(None, of_several([fit.feed for fit in best]))
        misfit = why_it_fits_none(head, beginning, self._ways)
        if head.damaged or (misfit.is_text and head.is_cut_off):
            return Belonging(TOP_FEED)
        return Belonging(None, misfit)

    def _fitting(self, beginning: bytes) -> tuple[_Fit, ...]:
        fits = self._fits.get(beginning)
        if fits is None:
            if len(self._fits) >= _BEGINNINGS:
                self._fits.clear()
            fits = self._fits[beginning] = tuple(_fits(self._ways, beginning))
        return fits


def _fits(ways: Iterable[KnownNames], beginning: bytes) -> Iterator[_Fit]:
    for way in ways:
        names = way.names(beginning)
        for feed in way.possible(names):
            with suppress(HeaderMismatch):
                yield _Fit(feed.name, by_header(feed, names).needs_extra)
