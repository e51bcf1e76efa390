"""Which field of a file is which column of its feed.

Belongs here: holding a header against a declaration. Does not belong here: finding the header
(``decoding``), or reading fields.

Names are compared without blanks around them, and exactly. What is said of a header that does not fit
quotes names only where they look like names: a file without a header begins with somebody's data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecom_platform.feeds.feed import Column, Feed
from ecom_platform.files.header_wording import is_header, mark_in_words, named, separated_by

STORE, REFUSE = "store", "refuse"
# Of so many characters a sentence about a header may name all columns.
_MOST_LISTED = 160


@dataclass(frozen=True, slots=True)
class FileColumns:
    """Where a file's columns are. ``places`` has, for each column of the feed, the numbers of the fields
    that it is made of, none where the file lacks it; ``extra`` are names and numbers of the fields that are
    kept as JSON; ``width`` is the number of fields of a line."""

    feed: Feed
    header: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]
    extra: tuple[tuple[str, int], ...]
    width: int

    @property
    def needs_extra(self) -> bool:
        """Whether the file has columns that the feed takes, and does not declare."""
        return len({place for places in self.places for place in places}) < self.width

    @property
    def hashed(self) -> list[tuple[str, tuple[int, ...], str]]:
        """What a row is known by that is known by its content: names, fields and what joins them, by name."""
        found = [
            (canonical_name(self.feed, number), self.places[number], _joined_by(column))
            for number, column in enumerate(self.feed.columns)
        ]
        return sorted([*found, *((name, (at,), "") for name, at in self.extra)])


class HeaderMismatch(ValueError):  # noqa: N818 (a finding, not a fault)
    """A header that is not of the feed; the sentence says how it differs.

    ``missing`` are the declared columns that it lacks, ``strange`` its names that are not declared and that
    the feed refuses, ``twice`` those that stand there more than once.
    """

    def __init__(
        self,
        sentence: str,
        missing: Sequence[str] = (),
        strange: Sequence[str] = (),
        twice: Sequence[str] = (),
    ) -> None:
        super().__init__(sentence)
        self.missing, self.strange, self.twice = tuple(missing), tuple(strange), tuple(twice)


def known_names(feed: Feed) -> set[str]:
    """Every name of a file's column that the declaration speaks of."""
    return {
        name
        for column in feed.columns
        for name in (column.concat.columns if column.concat else column.sources or (column.name,))
    }


def canonical_name(feed: Feed, number: int) -> str:
    """The name of a column by which its content is known, whatever the file calls it."""
    column = feed.columns[number]
    if not feed.dialect.header:
        return f"{column.at or number + 1:05d}"
    if column.concat:
        return "\0".join(column.concat.columns)
    return column.sources[0] if column.sources else column.name


def without_header(feed: Feed) -> FileColumns:
    """By the places that are declared, or the order of the columns."""
    width = feed.dialect.width or len(feed.columns)
    numbers = [column.at - 1 if column.at else at for at, column in enumerate(feed.columns)]
    rest = sorted(set(range(width)) - set(numbers))
    extra = tuple((str(at + 1), at) for at in rest) if feed.extra == STORE else ()
    if rest and feed.extra == REFUSE:
        raise HeaderMismatch(
            f"of {width} fields {len(rest)} are not declared: say `extra: store` or `ignore`"
        )
    return FileColumns(feed, (), tuple((number,) for number in numbers), extra, width)


def by_header(feed: Feed, header: Sequence[str]) -> FileColumns:
    """By the names of a file's header. Raises :class:`HeaderMismatch`."""
    names = [name.strip() for name in header]
    at = {name: number for number, name in reversed(list(enumerate(names)))}
    places: list[tuple[int, ...]] = []
    columns: list[Column] = []
    missing: list[str] = []
    used: set[str] = set()
    for column in feed.columns:
        wanted = column.concat.columns if column.concat else _found(column, at)
        if all(name in at for name in wanted) and wanted:
            places.append(tuple(at[name] for name in wanted))
            used.update(wanted)
            columns.append(column)
        elif feed.missing == "null" and column.nullable:
            places.append(())
            # What is not there is no value, whatever texts stand for none.
            columns.append(replace(column, nulls=(*column.nulls, "")))
        else:
            missing.append(column.sources[0] if column.sources else column.name)
    twice = [
        name for name, count in Counter(names).items() if count > 1 and (name in used or feed.extra == STORE)
    ]
    strange = [name for name in dict.fromkeys(names) if name not in used]
    if missing or twice or (strange and feed.extra == REFUSE):
        refused = strange if feed.extra == REFUSE else ()
        raise HeaderMismatch(_difference(feed, names, missing, strange, twice), missing, refused, twice)
    extra = tuple((name, at[name]) for name in strange) if feed.extra == STORE else ()
    fitted = replace(feed, columns=tuple(columns))
    return FileColumns(fitted, tuple(header), tuple(places), extra, len(names))


def _joined_by(column: Column) -> str:
    return column.concat.separator if column.concat else ""


def _found(column: Column, at: dict[str, int]) -> tuple[str, ...]:
    """Of the names that a column may have the one that is there; none if there are two."""
    there = [name for name in column.sources or (column.name,) if name in at]
    if len(there) > 1:
        raise HeaderMismatch(
            f"{there[0]} and {there[1]} are both there, and both are said to be the column {column.name}"
        )
    return tuple(there)


def _difference(
    feed: Feed, names: Sequence[str], missing: Sequence[str], strange: Sequence[str], twice: Sequence[str]
) -> str:
    count = f"{len(names)} column{'' if len(names) == 1 else 's'}"
    listed = ",".join(column.sources[0] if column.sources else column.name for column in feed.columns)
    several = f"the {len(feed.columns)} columns of the feed {feed.name}"
    expected = f"expected {f'{listed} in any order' if len(listed) <= _MOST_LISTED else several}"
    delimiter = feed.dialect.delimiter
    other = separated_by(names, delimiter, known_names(feed))
    if other is not None:
        written = mark_in_words(other)
        return f"{expected}; it is separated by {written}, the feed by {mark_in_words(delimiter)}"
    if not is_header(names, known_names(feed)):
        return f"{expected}; the first line has {count}, and is no header by the look of it: is it missing?"
    near = {name.casefold(): name for name in strange}
    said = [
        f"{name} missing" + (f" ({near[name.casefold()]} is there)" if name.casefold() in near else "")
        for name in missing
    ]
    facts = [
        *([", ".join(said)] if said else []),
        *([f"{named(strange)} not declared"] if strange and feed.extra == REFUSE else []),
        *([f"{named(twice)} more than once"] if twice else []),
    ]
    return f"{expected}; the header has {count}: {'; '.join(facts)}"
