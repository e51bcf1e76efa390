"""What is said of a file whose header is that of no feed: what it looks like, and how far it is from one.

Belongs here: the words. Does not belong here: the decision (``belonging``), or where its feed's folder is
(``landing.folder.placing``).

What is said goes to logs, chats and mail: names are repeated where they look like names, data never.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ecom_platform.feeds.feed import Dialect, Feed
from ecom_platform.files.content_kinds import content_kind
from ecom_platform.files.file_columns import HeaderMismatch, by_header
from ecom_platform.files.header_lines import names_by
from ecom_platform.files.header_wording import is_header, named
from ecom_platform.files.heads import Head
from ecom_platform.files.known_names import KnownNames
from ecom_platform.files.unreadable import UnreadableFile

# Those before others are preferred among equals.
_SEPARATORS = {"\t": "tabs", "|": "pipes", ";": "semicolons", ",": "commas", "^": "carets", "~": "tildes"}
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Misfit:
    """``said``: what the file is, as a clause. ``remedy``: what to do about a file that no declaration would
    take. ``feeds``: those that it might be of. ``is_text``: it may be separated text. ``by_folder``: a
    declaration can take it, and only the folder says whose it is."""

    said: str
    remedy: str = ""
    feeds: tuple[str, ...] = ()
    is_text: bool = True
    by_folder: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A feed, and the names of a file as far as this feed would know them."""

    feed: Feed
    names: tuple[str, ...]
    separator: str
    alike: int


def of_several(feeds: Sequence[str]) -> Misfit:
    """Of a file that fits these feeds equally well."""
    listed = f"{', '.join(feeds[:-1])} and {feeds[-1]}"
    return Misfit(f"its header fits the feeds {listed} equally well", feeds=tuple(feeds))


def of_no_columns(names: Sequence[str]) -> Misfit:
    """Of a file of Parquet whose columns have these names."""
    return Misfit(
        f"it is a Parquet file, and its columns ({named(names)}) are those of no feed", is_text=False
    )


def why_it_fits_none(head: Head, beginning: bytes, ways: Sequence[KnownNames]) -> Misfit:
    """Of a file that fits none of the feeds of ``ways``. ``beginning``: with any of their headers in it."""
    kind = content_kind(head.data)
    if kind is not None:
        return Misfit(f"it is {kind.said}", kind.remedy, is_text=False, by_folder=kind.by_folder)
    guessed, separator = _guessed(head)
    nearest = _nearest(beginning, guessed, separator, ways)
    names = guessed if nearest is None else nearest.names
    # One name alone may be a value that is called like a column of some feed.
    speaks = nearest is not None and (nearest.alike > 1 or len(names) == 1)
    if not speaks and not is_header(names, ()):
        return Misfit(f"its first line has {_fields(names, separator)}, and is no header by the look of it")
    if nearest is None:
        fields = f"{_fields(names, separator)} ({named(names)})"
        return Misfit(f"its header has {fields}, and no feed has any of these columns")
    return Misfit(f"its header is that of no feed; the nearest is {nearest.feed.name}: {_differs(nearest)}")


def _guessed(head: Head) -> tuple[tuple[str, ...], str]:
    """The fields of the first line by the mark that most often stands in it, and what that is."""
    line = head.first_lines(0).decode("utf-8", "replace").strip("\ufeff\r\n")
    line = line.splitlines()[-1] if line else line
    delimiter = max(_SEPARATORS, key=line.count)
    if delimiter not in line:
        return (line.strip(),), ","
    names = [name.strip() for name in line.split(delimiter)]
    if '"' in line:
        with suppress(UnreadableFile, HeaderMismatch):
            names = names_by(Dialect(delimiter), line.encode())
    return tuple(names), delimiter


def _nearest(
    beginning: bytes, guessed: tuple[str, ...], separator: str, ways: Sequence[KnownNames]
) -> _Candidate | None:
    """The feed of which most columns are there; of several, the one with the fewest."""
    found = []
    for way in ways:
        own = way.names(beginning)
        for names, mark in {own: way.dialect.delimiter, guessed: separator}.items():
            alike = way.alike(names)
            most = max(alike.values(), default=0)
            found += [_Candidate(way.feeds[f], names, mark, n) for f, n in alike.items() if n == most]
    return max(found, key=lambda one: (one.alike, -len(one.feed.columns)), default=None)


def _differs(candidate: _Candidate) -> str:
    """How the header differs from that of the nearest feed."""
    feed = candidate.feed
    marks = [candidate.separator, feed.dialect.delimiter]
    written = [_SEPARATORS.get(mark, repr(mark)) for mark in marks]
    separated = f"it is separated by {written[0]}, and the feed by {written[1]}"
    try:
        by_header(feed, candidate.names)
    except HeaderMismatch as error:
        facts = [
            *([f"{_listed(error.missing)} missing"] if error.missing else []),
            *([f"{named(error.strange)} not declared"] if error.strange else []),
            *([f"{named(error.twice)} more than once"] if error.twice else []),
        ]
        return "; ".join([*(facts or [str(error)]), *([separated] if marks[0] != marks[1] else [])])
    if marks[0] != marks[1]:
        return separated
    return f"there are {feed.dialect.skip} lines above its header by the declaration"


def _listed(names: Sequence[str]) -> str:
    """Names of a declaration."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _fields(names: Sequence[str], separator: str) -> str:
    if len(names) == 1:
        return "one field"
    return f"{len(names):,} fields separated by {_SEPARATORS.get(separator, repr(separator))}"
