"""What lines of JSON have in them: which paths there are, and the texts at each.

Belongs here: walking over values that were parsed, and telling what is worth a column. Does not belong here:
parsing (``json_values``), or what texts say of their column (``feeds.inference``).

An object is walked into where it has few keys, which are names; one whose keys are data becomes a column as a
whole, as lists do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ecom_platform.files.json_columns import JsonColumns
from ecom_platform.files.json_values import json_text

Path: TypeAlias = "tuple[str, ...]"
_MOST_KEYS, _MOST_PATHS = 64, 400


@dataclass(slots=True)
class Shape:
    """What is at one path: how many rows have it, and as what."""

    rows: int = 0
    objects: int = 0
    lists: int = 0
    of_objects: int = 0
    scalars: int = 0
    inside: dict[str, Shape] = field(default_factory=dict)

    def add(self, value: Any) -> None:
        """See one more value."""
        self.rows += 1
        if isinstance(value, dict):
            self.objects += 1
            for key, one in value.items():
                if len(self.inside) <= _MOST_KEYS or key in self.inside:
                    self.inside.setdefault(key, Shape()).add(one)
        elif isinstance(value, list):
            self.lists += 1
            self.of_objects += bool(value) and all(isinstance(one, dict) for one in value)
        elif value is not None:
            self.scalars += 1

    @property
    def opens(self) -> bool:
        """Whether columns are made of what is inside."""
        plain = self.objects and not self.lists and not self.scalars
        names = all(key and "." not in key for key in self.inside)
        return bool(plain and names and 0 < len(self.inside) <= _MOST_KEYS)

    def leaves(self, path: Path = ()) -> Iterator[tuple[Path, Shape]]:
        """The paths below this one that become columns."""
        for key, shape in self.inside.items():
            if shape.opens:
                yield from shape.leaves((*path, key))
            else:
                yield (*path, key), shape


@dataclass(frozen=True, slots=True)
class Leaf:
    """One column to be: its ``path``; whether it is ``nested`` and so becomes jsonb; in how many rows it
    is ``missing``; whether it ``lists`` objects, which could be rows of their own."""

    path: Path
    nested: bool
    missing: int
    lists: bool

    @property
    def name(self) -> str:
        return ".".join(self.path)


def leaves_of(records: Iterable[tuple[dict[str, Any], Any]], exploded: Path) -> tuple[list[Leaf], list[str]]:
    """The columns that rows of lines may have, and the keys at the top that no path can name.

    ``records``: the object of a line, and the element where its list is ``exploded``.
    """
    top, inside, rows = Shape(), Shape(), 0
    for record, element in records:
        rows += 1
        top.add(_without(record, exploded))
        if exploded:
            inside.add(element)
    found = [(exploded, inside)] if exploded and not inside.opens else list(inside.leaves(exploded))
    found = [*top.leaves(), *found]
    if len(found) > _MOST_PATHS:
        found = [((key,), shape) for key, shape in top.inside.items()]
    unnamed = [path[0] for path, _ in found if len(path) == 1 and (not path[0] or "." in path[0])]
    leaves = [
        Leaf(path, bool(shape.objects or shape.lists), rows - shape.rows, bool(shape.of_objects))
        for path, shape in found
        if len(path) > 1 or path[0] not in unnamed
    ]
    return leaves, unnamed


def _without(record: dict[str, Any], path: Path) -> dict[str, Any]:
    if not path:
        return record
    rest = {key: value for key, value in record.items() if key != path[0]}
    if len(path) > 1 and isinstance(record.get(path[0]), dict):
        rest[path[0]] = _without(record[path[0]], path[1:])
    return rest


def elements(columns: JsonColumns, record: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """The rows of a line: itself, or it with each element of the list that is exploded."""
    value: Any = record
    for key in columns.exploded:
        value = value.get(key) if isinstance(value, dict) else None
    if not columns.exploded:
        yield record, None
    elif isinstance(value, list):
        for element in value:
            yield record, element


def text_at(value: Any) -> str:
    """What a value says as a text; empty where it says nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json_text(value)
