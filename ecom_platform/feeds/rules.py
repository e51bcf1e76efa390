"""What several words of a declaration have to keep together.

Belongs here: one rule after the other, each with the word at fault, what is wrong and what to do. Does not
belong here: what a word may say by itself (``words``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds.document import Path
from ecom_platform.feeds.feed import Column, Feed
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.types.column_types import column_type_of
from ecom_platform.feeds.words import ColumnWords, FeedWords

Broken: TypeAlias = "tuple[Path, str, str]"

_TIMES = ("date", "timestamp", "timestamptz")
_NUMBERS = ("integer", "bigint", "numeric", "double precision")
_ROLE_TYPES = {"time": _TIMES, "amount": _NUMBERS}
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


# Of every feed, or of the platform.
_CHECKS_OF_EVERY_FEED = frozenset(
    """
    archive_matches_ledger can_be_loaded counts_reconcile disk_matches_ledger few_rows_rejected
    files_have_a_feed live_mode_is_alive loaded_recently no_line_half_read nothing_unusual rows_as_declared
    table_matches_ledger""".split()
)


def broken_rules(feed: Feed, words: FeedWords) -> Iterator[Broken]:
    """Every rule that the declaration breaks."""
    yield from _identity(feed, words)
    if feed.format == "csv":
        yield from _dialect(feed)
        yield from _places(feed)
    else:
        yield from _of_separated_text(feed, words)
    yield from _exploded(feed)
    yield from _sources(feed)
    yield from _roles(feed)
    for column in feed.columns:
        path = ("columns", column.name)
        for word, message, remedy in _column(feed, column, words.columns[column.name]):
            yield (*path, word), f"columns.{column.name}.{word}: {message}", remedy


def _identity(feed: Feed, words: FeedWords) -> Iterator[Broken]:
    if bool(feed.primary_key) == bool(feed.identity):
        found = "both are said" if feed.identity else "neither is said"
        yield (
            ("identity",) if feed.identity else (),
            f"by what a row is known: primary_key or identity, and {found}",
            "Say `primary_key: COLUMN` where a row has a key, `identity: content` where it has none.",
        )
    if feed.identity and words.on_conflict:
        yield (
            ("on_conflict",),
            "on_conflict goes with a primary_key: rows that are known by all of them have no other content",
            "Leave it out.",
        )
    if feed.version is not None:
        yield from _version(feed, feed.version)
    if feed.numbered and not feed.primary_key:
        yield ("numbered",), "numbered goes with a primary_key", "Leave it out, or name the key."
    for name in feed.primary_key:
        column = _by_name(feed, name)
        if column is None:
            yield (
                ("primary_key",),
                f"primary_key: {name} is no column",
                f"Choose from {', '.join(feed.names)}.",
            )
        elif column.nullable:
            yield (
                ("primary_key",),
                f"primary_key: {name} may be null, and a key may not",
                f"Take ` null` from the type of {name}, or choose another key.",
            )
        elif column.type == "jsonb":
            yield ("primary_key",), f"primary_key: {name} is jsonb", "Choose columns of other types."


def _version(feed: Feed, name: str) -> Iterator[Broken]:
    column = _by_name(feed, name)
    if feed.on_conflict != "update":
        yield (
            ("version",),
            "version goes with `on_conflict: update`: it says which of two rows of a key is the newer",
            "Say both, or neither.",
        )
    elif column is None:
        yield ("version",), f"version: {name} is no column", f"Choose from {', '.join(feed.names)}."
    elif name in feed.primary_key:
        yield (
            ("version",),
            f"version: {name} is part of the key, so all rows of a key have the same",
            "Choose a column that grows with each change.",
        )
    elif column.type in ("jsonb", "boolean", "uuid"):
        yield (
            ("version",),
            f"version: {name} is {column.type}, which says nothing of newer and older",
            "Choose a number, a time or a text.",
        )


def _dialect(feed: Feed) -> Iterator[Broken]:
    dialect = feed.dialect
    if not dialect.delimiter:
        yield ("delimiter",), "delimiter: none leaves nothing between two fields", "Name the character."
    if not dialect.decimal:
        yield ("decimal",), "decimal: none leaves nothing before decimals", "Name the character."
    if dialect.escape not in (None, "\\"):
        yield ("escape",), f"escape: {dialect.escape!r} is not supported", "It may be `backslash` or `none`."
    if dialect.quote is not None and dialect.quote == dialect.delimiter:
        yield ("quote",), "quote and delimiter are the same character", "Correct one of them."
    if dialect.escape is not None and dialect.escape in (dialect.delimiter, dialect.quote):
        yield ("escape",), "escape is the delimiter or the quote", "Correct one of them."
    if dialect.thousands is not None and dialect.thousands == dialect.decimal:
        yield ("thousands",), "thousands and decimal are the same character", "Correct one of them."
    for word, mark in (("decimal", dialect.decimal), ("thousands", dialect.thousands)):
        if mark is not None and mark == dialect.delimiter and dialect.quote is None:
            yield (
                (word,),
                f"{word} is the delimiter, and there is no quote to tell them apart",
                "Correct one.",
            )


# Words about how lines of separated text are written.
_OF_SEPARATED_TEXT = ("delimiter", "quote", "escape", "encoding", "header", "skip", "width")


def _of_separated_text(feed: Feed, words: FeedWords) -> Iterator[Broken]:
    """Words that say nothing of a file of another format."""
    for word in _OF_SEPARATED_TEXT:
        if word in words.model_fields_set:
            yield (
                (word,),
                f"{word}: it goes with separated text, and the format is {feed.format}",
                "Leave it out.",
            )
    for column in feed.columns:
        if column.at is not None:
            yield (
                ("columns", column.name, "at"),
                f"columns.{column.name}.at: in a file of the format {feed.format} columns have names",
                "Leave it out, and say `from: NAME` where the file calls it otherwise.",
            )
    for word in ("decimal", "thousands"):
        if feed.format == "parquet" and word in words.model_fields_set:
            yield (
                (word,),
                f"{word}: in a file of the format parquet numbers have a type",
                "Leave it out.",
            )
    if not feed.dialect.decimal:
        yield ("decimal",), "decimal: none leaves nothing before decimals", "Name the character."
    if feed.dialect.thousands is not None and feed.dialect.thousands == feed.dialect.decimal:
        yield ("thousands",), "thousands and decimal are the same character", "Correct one of them."


def _exploded(feed: Feed) -> Iterator[Broken]:
    """A path of which some column reads; and keys on the way are not empty."""
    if feed.explode is not None and feed.format != "jsonl":
        yield (
            ("explode",),
            f"explode: it goes with `format: jsonl`, and the format is {feed.format}",
            "Leave it out.",
        )
        return
    if feed.format != "jsonl":
        return
    names = {name for column in feed.columns for name in _names(column)}
    for name in sorted(names | ({feed.explode} if feed.explode is not None else set())):
        if not all(name.split(".")):
            yield (
                ("columns",),
                f"the path {name!r} has a point that nothing stands before or behind",
                "Correct it.",
            )
    if feed.explode is not None and not any(f"{name}.".startswith(f"{feed.explode}.") for name in names):
        yield (
            ("explode",),
            f"explode: no column reads from {feed.explode}, so its elements would all be the same row",
            f"Say of a column `from: {feed.explode}.KEY`.",
        )


def _names(column: Column) -> tuple[str, ...]:
    return column.concat.columns if column.concat else column.sources or (column.name,)


def _places(feed: Feed) -> Iterator[Broken]:
    placed = [column for column in feed.columns if column.at is not None]
    width = feed.dialect.width
    if feed.dialect.header:
        for column in placed:
            yield (
                ("columns", column.name, "at"),
                f"columns.{column.name}.at: the file has a header, which says where it is",
                "Leave it out, or say `header: false`.",
            )
        if width is not None:
            yield ("width",), "width: the header says how many fields a line has", "Leave it out."
        return
    for column in feed.columns:
        if column.sources or column.concat:
            word = "from" if column.sources else "concat"
            yield (
                ("columns", column.name, word),
                f"columns.{column.name}.{word}: a file without a header has no names",
                "Say `at: N` instead, counted from 1.",
            )
    if placed and len(placed) < len(feed.columns):
        missing = next(column.name for column in feed.columns if column.at is None)
        yield (
            ("columns", missing),
            f"columns.{missing} has no `at`, and others have",
            "Give every column its place, or none: then they stand in the order of the file.",
        )
    if placed and width is None:
        yield ("columns",), "width is missing: how many fields a line has", "Say `width: N`."
    seen: dict[int, str] = {}
    for column in placed:
        at = column.at or 0
        if at < 1 or (width is not None and at > width):
            yield (
                ("columns", column.name, "at"),
                f"columns.{column.name}.at: {at} is no place in a line of {width} fields",
                "Places are counted from 1.",
            )
        elif at in seen:
            yield (
                ("columns", column.name, "at"),
                f"columns.{column.name}.at: {at} is that of {seen[at]}",
                "Correct one of them.",
            )
        seen.setdefault(at, column.name)
    if width is not None and width < len(feed.columns):
        yield ("width",), f"width: {width} fields do not hold {len(feed.columns)} columns", "Correct it."
    if not placed and width is not None and width > len(feed.columns):
        yield (
            ("width",),
            f"width: which of {width} fields the {len(feed.columns)} columns are is not said",
            "Give every column its `at`.",
        )


def _sources(feed: Feed) -> Iterator[Broken]:
    """A name of the file belongs to one column."""
    seen: dict[str, str] = {}
    for column in feed.columns:
        names = () if column.concat else column.sources or (column.name,)
        for name in names:
            if name.strip() != name or not name:
                yield (
                    ("columns", column.name, "from"),
                    f"columns.{column.name}.from: {name!r} has blanks at its ends, or is empty",
                    "Names of a file are compared without blanks around them.",
                )
            elif name in seen:
                yield (
                    ("columns", column.name, "from"),
                    f"columns.{column.name}.from: {name} is read by {seen[name]} already",
                    "Correct one of them.",
                )
            seen.setdefault(name, column.name)
        if column.concat and column.sources:
            yield (
                ("columns", column.name, "concat"),
                f"columns.{column.name}: concat and from are both said",
                "Leave one of them out.",
            )


def _roles(feed: Feed) -> Iterator[Broken]:
    for role, name in feed.roles.items():
        column = _by_name(feed, name)
        if column is None:
            yield (
                ("roles", role),
                f"roles.{role}: {name} is no column",
                f"Choose from {', '.join(feed.names)}.",
            )
            continue
        wanted = _ROLE_TYPES.get(role)
        if wanted and _kind(column) not in wanted:
            yield (
                ("roles", role),
                f"roles.{role}: {name} is of type {column.type}",
                f"It has to be one of {', '.join(wanted)}.",
            )
    for name in feed.checks:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name, re.ASCII):
            yield (
                ("checks", name),
                f"checks.{name} is no name of a check",
                "A letter, then letters, digits and _, all lower-case.",
            )
        elif name in _CHECKS_OF_EVERY_FEED or name.endswith("_is_unique"):
            yield ("checks", name), f"checks.{name} is a check that every feed has", "Give it another name."


def _column(feed: Feed, column: Column, words: ColumnWords) -> Iterator[tuple[str, str, str]]:
    kind = _kind(column)
    yield from _times(column, words, kind)
    if not _is_zone(column.zone):
        return  # and nothing more can be read
    if column.remove and kind not in _NUMBERS:
        yield "remove", f"characters are taken out of numbers, and this is {column.type}", "Leave it out."
    if column.match is not None:
        yield from _pattern(column, kind)
    for word, bound in (
        ("min", column.minimum),
        ("max", column.maximum),
        ("greater_than", column.greater_than),
    ):
        if bound is not None and kind not in (*_NUMBERS, *_TIMES):
            yield word, f"a value of type {column.type} has no bounds", "Leave it out."
    if kind in (*_NUMBERS, *_TIMES):
        yield from _bounds(feed, column)
    for text in column.values:
        verdict = column_type_of(_bare(column), feed.dialect).parse(text, _MOMENT)
        if isinstance(verdict, Reason):
            yield "in", f"{text!r} is no value of type {column.type} ({verdict})", "Correct it."
    yield from _conditions(feed, column)


def _times(column: Column, words: ColumnWords, kind: str) -> Iterator[tuple[str, str, str]]:
    formats = column.time_formats
    if formats != ("iso",) and kind not in _TIMES:
        yield "time_format", f"it goes with times, and this is {column.type}", "Leave it out."
    if words.zone is not None:
        if kind != "timestamptz":
            yield "zone", f"it goes with timestamptz, and this is {column.type}", "Leave it out."
        elif all(text.startswith("epoch_") or "%z" in text for text in formats):
            yield "zone", "these times say theirs", "Leave it out."
        if not _is_zone(words.zone):
            yield "zone", f"{words.zone!r} is no time zone", "It is called like Europe/Berlin."
    if column.fold is not None and (kind != "timestamptz" or words.zone is None):
        yield "fold", "it goes with a zone, where a local time may occur twice", "Leave it out."
    for text in formats:
        letters = set(re.findall(r"%([a-zA-Z])", text))
        if "%" in text and not ({"d"} <= letters and letters & {"Y", "y"} and letters & {"m", "b", "B"}):
            yield "time_format", f"{text!r} does not say day, month and year", "All three are needed."
        if (letters & {"p"} and "I" not in letters) or ("I" in letters and "p" not in letters):
            yield "time_format", f"{text!r}: %I and %p go together", "Or say %H."
        if "z" in letters and kind != "timestamptz":
            yield "time_format", f"{text!r} has %z, and {column.type} has no zone", "Say timestamptz."


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def _pattern(column: Column, kind: str) -> Iterator[tuple[str, str, str]]:
    pattern = column.match or ""
    if kind != "text":
        yield "match", f"it goes with text, and this is {column.type}", "Leave it out."
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        yield "match", f"it is no regular expression of RE2: {str(error).splitlines()[0]}", "Correct it."


def _bounds(feed: Feed, column: Column) -> Iterator[tuple[str, str, str]]:
    kind = column_type_of(_bare(column), feed.dialect)
    values = {}
    for word, text in (
        ("min", column.minimum),
        ("max", column.maximum),
        ("greater_than", column.greater_than),
    ):
        if text is None:
            continue
        value = kind.bound(text, _MOMENT)
        if value is None:
            yield word, f"{text!r} is no value of type {column.type}", "Write it as a file in ISO form would."
        else:
            values[word] = value
    # One that moves with the time may be on either side of one that does not.
    moving = [text is not None and text.startswith("now") for text in (column.minimum, column.maximum)]
    comparable = "min" in values and "max" in values and moving[0] == moving[1]
    if comparable and values["min"] > values["max"]:
        yield "max", "it is below min, so no value is permitted", "Correct one of them."


def _conditions(feed: Feed, column: Column) -> Iterator[tuple[str, str, str]]:
    for word, whens in (("required_when", column.required_when), ("absent_when", column.absent_when)):
        if whens and not column.nullable:
            yield word, "the column may not be null at all", "Say ` null` behind its type, or leave this out."
        for when in whens:
            other = _by_name(feed, when.column)
            if other is None:
                yield word, f"{when.column} is no column", f"Choose from {', '.join(feed.names)}."
            elif _kind(other) != "text":
                yield word, f"{when.column} is of type {other.type}", "It has to be a text."
            elif other.values and (strange := [v for v in when.values if v not in other.values]):
                yield word, f"{strange[0]!r} is none of the values of {when.column}", "Correct it."
    for when in column.required_when:
        for other_when in column.absent_when:
            both = set(when.values) & set(other_when.values)
            if when.column == other_when.column and both:
                yield (
                    "absent_when",
                    f"it is required where {when.column} is {min(both)}",
                    "Correct one of them.",
                )


def _by_name(feed: Feed, name: str) -> Column | None:
    return next((column for column in feed.columns if column.name == name), None)


def _kind(column: Column) -> str:
    return column.type.partition("(")[0]


def _bare(column: Column) -> Column:
    """Its type alone, as a declaration writes values."""
    return Column(column.name, column.type, nullable=True, nulls=(), zone=column.zone)
