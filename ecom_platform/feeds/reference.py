"""``docs/feed-reference.md``, written from the words of a declaration.

Belongs here: turning words, types and reasons into Markdown; a test holds the file against it. Does not
belong here: what the words mean to a person who begins (``docs/feeds.md``). ``python -m
ecom_platform.feeds.reference`` prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.words import (
    DIRECTIVES,
    ENCODINGS,
    MARKS,
    TIME_FORMATS,
    ColumnWords,
    FeedWords,
)

_TYPES = (
    ("text", "text", "any text that is not empty; `007` stays `007`"),
    ("integer, bigint", "integer, bigint", "whole numbers; `17850.0` is 17850"),
    ("numeric(p,s)", "numeric(p,s)", "exact, up to 38 digits; more decimals than s have to be zero"),
    ("double precision", "double precision", "with an exponent or without; not NaN, not infinite"),
    ("boolean", "boolean", "true, t, yes, y, on, 1 and their opposites, in any case of letters"),
    ("date", "date", "`2026-01-31`, or by `time_format`"),
    ("timestamp", "timestamp", "a local time of no zone; a text with an offset is refused"),
    (
        "timestamptz",
        "timestamptz",
        "an instant; without an offset in `zone`, else in UTC",
    ),
    ("uuid", "uuid", "36 characters, in any case of letters"),
    ("jsonb", "jsonb", "JSON that PostgreSQL can store"),
)
_INTRODUCTION = """# The words of a declaration

*Written from the code by `python -m ecom_platform.feeds.reference`. How to begin: [feeds.md](feeds.md).*

One file `NAME.yaml` in `ECOM_FEEDS_DIR` (`feeds/` in the working directory) declares the feed NAME: its files
land in `landing/NAME/`, in folders of their own there or not. NAME is a letter, then letters, digits and `_`,
all lower-case, 41 at most. Every value is the text that it is written as: `NO`, `010`, `12:30` and `~` stay
themselves. In quotes stands what begins with `%` or another sign of YAML (`"%d.%m.%Y"`, `","`, `"|"`), what
has `: ` or ` #` in it, and within braces and brackets what has a comma: `"numeric(12,2)"`. A word that stands
twice, an unknown word, an alias and a tag are errors, which are told with file, line and remedy, all at once;
a feed whose declaration is wrong holds up no other.
"""


_HEADER = ("word", "values", "where nothing is said", "what it says")


def render() -> str:
    """The whole page."""
    marks = ", ".join(f"`{name}`" for name in MARKS)
    return "\n".join(
        [
            _INTRODUCTION,
            "## Of the feed\n",
            _table(_HEADER, _words(FeedWords)),
            f"A mark is one character, or one of {marks}. Encodings: {', '.join(ENCODINGS)}.\n",
            "## Of a column\n",
            "`name: type` is short for `name: {type: …}`.\n",
            _table(_HEADER, _words(ColumnWords)),
            f"Time formats: {', '.join(TIME_FORMATS)}, or one with "
            f"{' '.join('%' + letter for letter in DIRECTIVES)}; numbers may be short where what follows "
            "tells where they end; names of months are English. Bounds are written in ISO form.\n",
            "## Types\n",
            _table(("type", "in PostgreSQL", "what is read"), _TYPES),
            "` null` behind a type permits that there is no value.\n",
            "## Why a row is refused\n",
            "The first rule that is broken, in this order: the record as a whole; each column in the order\n"
            "of the declaration, from its form to its bounds; what one column's value demands of another.\n",
            _table(("reason", "meaning"), ((f"`{reason}`", reason.description) for reason in Reason)),
        ]
    )


def _words(model: Any) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        yield f"`{field.alias or name}`", _values(field), _default(field), field.description or ""


def _values(field: FieldInfo) -> str:
    listed = [str(value) for value in _literals(field.annotation)]
    if listed:
        return ", ".join(f"`{value}`" for value in listed)
    said = str(field.annotation)
    if "bool" in said:
        return "`true`, `false`"
    if "int" in said and "str" not in said:
        return "a number"
    if "ConcatWords" in said or "dict" in said:
        return "a mapping"
    return "one or a list" if "list" in said else "a mark" if "_mark" in repr(field.metadata) else "a text"


def _literals(annotation: Any) -> list[str]:
    """The values of a choice, also where it may be left out; not the keys of a mapping."""
    if "Literal" not in str(annotation) or "dict" in str(annotation):
        return []
    found: list[str] = []
    for inside in get_args(annotation):
        found += [inside] if isinstance(inside, str) else _literals(inside)
    return found


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "has to be said"
    value = field.default
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" if item else '`""`' for item in value)
    name = next((name for name, mark in MARKS.items() if mark == value), None)
    return f"`{name or value}`"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


if __name__ == "__main__":
    print(render(), end="")
