"""What a change of a declaration means for the table that was made from it, and for the rows in it.

Belongs here: holding one declaration against another, and the kind of each difference. Does not belong here:
what is in the database, or changing it (``feed_tables``); what a declaration may say (``feeds``).

What PostgreSQL does without touching a row (documentation of ALTER TABLE, "Notes"): a column that is added
and has no default, NOT NULL dropped, and a type whose stored form is the same, which of ours is only
``numeric`` of more digits and the same scale. Any other type writes the table and its indexes anew and keeps
readers out meanwhile; an index keeps writers out; and NOT NULL reads all rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ecom_platform.feeds.travel import to_data
from ecom_platform.store.conninfo import quoted
from ecom_platform.store.feed_table import EXTRA, FeedTable


class ChangeKind(StrEnum):
    """What it takes to make a change, from nothing to a new table."""

    MAKES = "makes"
    WIDENS = "widens"
    REWRITES = "rewrites"
    RENAMES = "renames"
    LOSES = "loses"


@dataclass(frozen=True, slots=True)
class TableChange:
    """One difference. ``word`` is that of the declaration, ``what`` a sentence; ``action`` is what ALTER
    TABLE is told, or nothing where the table stays as it is."""

    kind: ChangeKind
    word: str
    what: str
    action: str = ""

    def as_json(self) -> dict[str, str]:
        return {"kind": str(self.kind), "word": self.word, "what": self.what}


# Of the feed: by what rows are known, and what else a stored row rests on.
_FROZEN = {
    "primary_key": "by what a row is known",
    "numbered": "by what a row is known",
    "identity": "by what a row is known",
    "on_conflict": "what became of rows of one key",
    "version": "what became of rows of one key",
    "explode": "what a row is",
    "format": "what the files are",
}
# Of a column: what its stored values mean.
_FROZEN_OF_COLUMN = ("sources", "concat", "at", "zone", "trim", "remove", "nulls")
# Which texts are taken from now on.
_RULES = ("values", "minimum", "maximum", "greater_than", "match", "required_when", "absent_when")
_WORDS = {
    "values": "in",
    "minimum": "min",
    "maximum": "max",
    "sources": "from",
    "time_formats": "time_format",
}
_STAYS = "rows that are there stay as they are"
_NUMBERS = ("integer", "bigint", "numeric", "double")
_DIGITS = {"integer": (10, 0), "bigint": (19, 0)}
# As many digits of any value.
_HELD_BY = {"integer": 9, "bigint": 18}


def changes_between(table: FeedTable, before: Mapping[str, Any]) -> list[TableChange]:
    """What distinguishes the declaration of ``table`` from ``before``, the data of the one that it was made
    from; without its name, which is no matter of the rows."""
    now = to_data(table.feed)
    return [*_of_feed(table, before, now), *_of_columns(table, before, now)]


# -- of the feed ---------------------------------------------------------------------------------


def _of_feed(table: FeedTable, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[TableChange]:
    for word, meaning in _FROZEN.items():
        if before[word] != now[word]:
            yield _lost(word, f"{_shown(before[word])} to {_shown(now[word])}: {meaning}")
    yield from _of_dialect(table, before["dialect"], now["dialect"])
    yield from _of_extra(table, before["extra"], now["extra"])
    yield from _of_time(table, before["roles"].get("time"), now["roles"].get("time"))
    for word in ("missing", "roles"):
        rest = [{k: v for k, v in side[word].items() if k != "time"} if word == "roles" else side[word]
                for side in (before, now)]  # fmt: skip
        if rest[0] != rest[1]:
            yield _no_change(word)


def _of_dialect(table: FeedTable, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[TableChange]:
    numbers = any(column.type.startswith(_NUMBERS) for column in table.feed.columns)
    for word in sorted(before.keys() | now.keys()):
        old, new = before.get(word), now.get(word)
        if old == new:
            continue
        further = word == "encodings" and (new or [])[: len(old or [])] == old
        read_by_it = (
            (word in ("decimal", "thousands") and numbers)
            or (word == "encodings" and not further)
            or (word == "header" and table.feed.identity == "content")
        )
        said = word.removesuffix("s") if word == "encodings" else word
        if read_by_it:
            yield _lost(said, f"{_shown(old)} to {_shown(new)}: what the stored rows were read by")
        else:
            yield _no_change(said)


def _of_extra(table: FeedTable, before: str, now: str) -> Iterator[TableChange]:
    if before == now:
        return
    if "store" not in (before, now):
        yield _no_change("extra")
    elif before == "store":
        yield _lost("extra", "what the column extra holds would go")
    elif table.feed.identity == "content":
        yield _lost("extra", "rows are known by all that is stored of them, and would get other ids")
    else:
        what = f"a new column extra; {_null_in_it(table)}"
        yield TableChange(ChangeKind.WIDENS, "extra", what, f"ADD COLUMN {EXTRA} jsonb")


def _of_time(table: FeedTable, before: str | None, now: str | None) -> Iterator[TableChange]:
    if before == now:
        return
    if table.derived:
        yield _lost("roles.time", f"{_shown(before)} to {_shown(now)}: ids of rows begin with their time")
    elif now is None:
        yield _no_change("roles.time")
    else:
        yield TableChange(ChangeKind.REWRITES, "roles.time", f"a new index on {now}")


# -- of columns ----------------------------------------------------------------------------------


def _of_columns(table: FeedTable, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[TableChange]:
    old = {column["name"]: column for column in before["columns"]}
    new = {column["name"]: column for column in now["columns"]}
    for name in old.keys() - new.keys():
        yield _lost(f"columns.{name}", "it is not declared any more, and its values would go")
    for name, column in new.items():
        if name in old:
            yield from _of_column(table, name, old[name], column)
        else:
            yield _added(table, name, column)
    if [name for name in old if name in new] != [name for name in new if name in old]:
        yield TableChange(
            ChangeKind.WIDENS, "columns", "another order: the table keeps its own, which decides nothing"
        )


def _added(table: FeedTable, name: str, column: Mapping[str, Any]) -> TableChange:
    word = f"columns.{name}"
    if table.feed.identity == "content":
        return _lost(word, "a new column: rows are known by all of theirs, and would get other ids")
    if not column["nullable"]:
        return _lost(word, "a new column that may not be null, and rows that are there have no value")
    action = f"ADD COLUMN {quoted(name)} {table.type_of(name)}"
    return TableChange(ChangeKind.WIDENS, word, f"a new column; {_null_in_it(table)}", action)


def _null_in_it(table: FeedTable) -> str:
    there = "rows that are there have null (`ecom feeds rebuild` reads them again)"
    return f"{there}, and another value of the same key is a conflict" if table.compared else there


def _of_column(
    table: FeedTable, name: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[TableChange]:
    word = f"columns.{name}"
    if old["type"] != new["type"]:
        yield _retyped(table, name, old["type"], new["type"])
    if old["nullable"] != new["nullable"]:
        yield _nullable(name, allowed=new["nullable"])
    for part in _FROZEN_OF_COLUMN:
        first, second = (side[part][:1] or [name] if part == "sources" else side[part] for side in (old, new))
        if first != second:
            said = f"{_shown(first)} to {_shown(second)}: what the stored values mean"
            yield _lost(f"{word}.{_WORDS.get(part, part)}", said)
    if old["fold"] != new["fold"]:
        turned = old["fold"] is not None and new["fold"] is not None
        meant = f"{old['fold']} to {new['fold']}: what the stored values mean"
        yield _lost(f"{word}.fold", meant) if turned else _no_change(f"{word}.fold")
    formats = old["time_formats"], new["time_formats"]
    if formats[0] != formats[1]:
        further = formats[1][: len(formats[0])] == formats[0]
        meant = f"{_shown(formats[0])} to {_shown(formats[1])}: what the stored values mean"
        yield _no_change(f"{word}.time_format") if further else _lost(f"{word}.time_format", meant)
    for part in _RULES:
        if old[part] != new[part]:
            yield _no_change(f"{word}.{_WORDS.get(part, part)}")
    if old["sources"][1:] != new["sources"][1:]:
        yield _no_change(f"{word}.from")


def _nullable(name: str, *, allowed: bool) -> TableChange:
    word, column = f"columns.{name}.type", quoted(name)
    if allowed:
        return TableChange(ChangeKind.WIDENS, word, "it may be null", f"ALTER COLUMN {column} DROP NOT NULL")
    what = "it may not be null any more: all rows are looked at, and refused if one is"
    return TableChange(ChangeKind.REWRITES, word, what, f"ALTER COLUMN {column} SET NOT NULL")


def _retyped(table: FeedTable, name: str, old: str, new: str) -> TableChange:
    kind = kind_of_retyping(old, new)
    if table.derived and table.time_column is not None and table.time_column.name == name:
        kind = ChangeKind.LOSES
    action = "" if kind is ChangeKind.LOSES else f"ALTER COLUMN {quoted(name)} TYPE {table.type_of(name)}"
    return TableChange(kind, f"columns.{name}.type", f"{old} to {new}", action)


def kind_of_retyping(old: str, new: str) -> ChangeKind:
    """What it takes for a column of type ``old`` to be ``new``, so that every stored value is the one that
    its text would be read as."""
    held, holds = _digits(old), _digits(new)
    numeric = old.startswith("numeric") and new.startswith("numeric")
    if held is not None and holds is not None and new.startswith("numeric"):
        if numeric and held[1] == holds[1] and holds[0] >= held[0]:
            return ChangeKind.WIDENS
        fits = holds[1] >= held[1] and holds[0] - holds[1] >= held[0] - held[1]
        return ChangeKind.REWRITES if fits else ChangeKind.LOSES
    if old == "integer" and new in ("bigint", "double precision"):
        return ChangeKind.REWRITES
    if new in _HELD_BY and held is not None and old.startswith("numeric"):
        return ChangeKind.REWRITES if held[1] == 0 and held[0] <= _HELD_BY[new] else ChangeKind.LOSES
    return ChangeKind.LOSES


def _digits(kind: str) -> tuple[int, int] | None:
    """Digits in all and behind the point of a type of exact numbers."""
    found = re.fullmatch(r"numeric\((\d+),(\d+)\)", kind)
    return (int(found[1]), int(found[2])) if found else _DIGITS.get(kind)


def _lost(word: str, what: str) -> TableChange:
    return TableChange(ChangeKind.LOSES, word, what)


def _no_change(word: str) -> TableChange:
    return TableChange(ChangeKind.WIDENS, word, f"how files are read from now on; {_STAYS}")


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, Mapping):
        return "another" if value else "none"
    return {None: "none", True: "true", False: "false", "": '""'}.get(value, str(value))  # type: ignore[call-overload, no-any-return]
