"""What every stored row has to keep, as SQL that follows from its feed's declaration.

Belongs here: one condition a column and kind of rule. Does not belong here: the rules of reading
(``feeds.types``, which say what one type's values have to keep), or counting what breaks them (``audit``).

A pattern (``match``) is RE2's and has no twin in PostgreSQL; it is held when a row is read, and not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ecom_platform.feeds.feed import Column, Feed, When
from ecom_platform.feeds.types.column_types import column_type_of
from ecom_platform.store.conninfo import literal, quoted


class RuleKind(StrEnum):
    """What a condition is about."""

    PRESENT = "present"
    LISTED = "listed"
    BOUNDED = "bounded"
    DEPENDENT = "dependent"


@dataclass(frozen=True, slots=True)
class RowCondition:
    """``sql`` is true, or null, of every row as it should be."""

    column: str
    kind: RuleKind
    sql: str


def row_conditions(feed: Feed) -> list[RowCondition]:
    """The conditions of a feed's rows, in the order of its columns."""
    return [
        RowCondition(column.name, kind, sql)
        for column in feed.columns
        for kind, sql in _of_column(feed, column)
    ]


def _of_column(feed: Feed, column: Column) -> Iterator[tuple[RuleKind, str]]:
    name = quoted(column.name)
    if not column.nullable:
        yield RuleKind.PRESENT, f"{name} IS NOT NULL"
    kind = column_type_of(column, feed.dialect)
    for rule, sql in ((RuleKind.LISTED, kind.listed()), (RuleKind.BOUNDED, kind.bounded())):
        if sql is not None:
            yield rule, sql.format(column=name)
    dependent = [
        *([f"({name} IS NOT NULL OR NOT ({_holds(column.required_when)}))"] if column.required_when else []),
        *([f"({name} IS NULL OR NOT ({_holds(column.absent_when)}))"] if column.absent_when else []),
    ]
    if dependent:
        yield RuleKind.DEPENDENT, " AND ".join(dependent)


def _holds(whens: Sequence[When]) -> str:
    """A column that has no value has none of the values."""
    return " OR ".join(
        f"coalesce({quoted(when.column)} IN ({', '.join(map(literal, when.values))}), false)"
        for when in whens
    )
