"""To which feed a file belongs that lies in no feed's folder: its header says so, or nothing does.

Belongs here: the decision about one file. Does not belong here: where files lie, and moving them
(``landing.placing``), or the words about a file that fits no feed (``misfits``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.file_columns import HeaderMismatch, by_header, known_names
from ecom_platform.files.header_lines import names_by
from ecom_platform.files.heads import Head, read_head
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
        self._feeds = [feed for feed in feeds if feed.format == "csv" and feed.dialect.header]
        self._known = {feed.name: known_names(feed) for feed in self._feeds}
        self._titles = max((feed.dialect.skip for feed in self._feeds), default=0)
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
        fits = self._fitting(head)
        best = [fit for fit in fits if not fit.needs_extra] or fits
        if len(best) == 1:
            return Belonging(best[0].feed)
        if best:
            return Belonging(None, of_several([fit.feed for fit in best]))
        misfit = why_it_fits_none(head, self._feeds, self._known)
        if head.damaged or (misfit.is_text and head.is_cut_off):
            return Belonging(TOP_FEED)
        return Belonging(None, misfit)

    def _fitting(self, head: Head) -> tuple[_Fit, ...]:
        beginning = head.first_lines(self._titles)
        fits = self._fits.get(beginning)
        if fits is None:
            if len(self._fits) >= _BEGINNINGS:
                self._fits.clear()
            found = (self._fit(feed, beginning) for feed in self._feeds)
            fits = self._fits[beginning] = tuple(fit for fit in found if fit is not None)
        return fits

    def _fit(self, feed: Feed, beginning: bytes) -> _Fit | None:
        """Whether the header is one of the feed. At least one of its columns has to be there, also where all
        of them may be missing: otherwise such a feed would take any file."""
        try:
            names = names_by(feed.dialect, beginning)
            if self._known[feed.name].isdisjoint(names):
                return None
            return _Fit(feed.name, by_header(feed, names).needs_extra)
        except (UnreadableFile, HeaderMismatch):
            return None
