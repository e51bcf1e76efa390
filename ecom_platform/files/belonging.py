"""To which feed a file belongs that lies in no feed's folder: its header says so, or nothing does.

Belongs here: the decision about one file. Does not belong here: where files lie, and moving them
(``landing.folder.placing``), or the words about a file that fits no feed (``misfits``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.content_kinds import PARQUET
from ecom_platform.files.file_columns import HeaderMismatch, by_header
from ecom_platform.files.heads import read_head
from ecom_platform.files.known_names import KnownNames, by_dialect
from ecom_platform.files.misfits import Misfit, of_no_columns, of_several, why_it_fits_none
from ecom_platform.files.opening import open_events
from ecom_platform.files.parquet_decoding import schema_names
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
    """Finds the feeds of files among ``feeds``: of these, those whose files are CSV with a header, or
    Parquet."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        known = list(feeds)
        self._ways = by_dialect(feed for feed in known if feed.has_header)
        self._of_parquet = [feed for feed in known if feed.format == "parquet"]
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
        if head.data.startswith(PARQUET):
            return self._of_columns(path)
        beginning = head.first_lines(self._titles)
        fitting = _best(self._fitting(beginning))
        if fitting is not None:
            return fitting
        misfit = why_it_fits_none(head, beginning, self._ways)
        if head.damaged or (misfit.is_text and head.is_cut_off):
            return Belonging(TOP_FEED)
        return Belonging(None, misfit)

    def _of_columns(self, path: Path) -> Belonging:
        """Of a file of Parquet, whose columns have names."""
        try:
            with open_events(path) as source:
                names = schema_names(source.stream)
        except (UnreadableFile, OSError):
            return Belonging(TOP_FEED)
        return _best(tuple(_fits_of(self._of_parquet, names))) or Belonging(None, of_no_columns(names))

    def _fitting(self, beginning: bytes) -> tuple[_Fit, ...]:
        fits = self._fits.get(beginning)
        if fits is None:
            if len(self._fits) >= _BEGINNINGS:
                self._fits.clear()
            fits = self._fits[beginning] = tuple(_fits(self._ways, beginning))
        return fits


def _best(fits: tuple[_Fit, ...]) -> Belonging | None:
    """The feed that a file fits best; ``None`` where it fits none."""
    best = [fit for fit in fits if not fit.needs_extra] or fits
    if len(best) == 1:
        return Belonging(best[0].feed)
    return Belonging(None, of_several([fit.feed for fit in best])) if best else None


def _fits(ways: Iterable[KnownNames], beginning: bytes) -> Iterator[_Fit]:
    for way in ways:
        names = way.names(beginning)
        yield from _fits_of(way.possible(names), names)


def _fits_of(feeds: Iterable[Feed], names: Sequence[str]) -> Iterator[_Fit]:
    for feed in feeds:
        with suppress(HeaderMismatch):
            columns = by_header(feed, names)
            if any(columns.places):
                yield _Fit(feed.name, columns.needs_extra)
