"""A feed's rows: all columns together, one by one and a column at a time.

Belongs here: the order in which rules are looked at, and those that span columns. Does not belong here: the
rules of one column (``types``), how bytes become fields (``files``).

The order: first the number of fields; then each column in the order of the declaration, within a column
from its form to its bounds; then what one column's value demands of another, in the same order. The first
rule that is broken names column and reason. Nothing is repaired or guessed beyond what the declaration
says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.feed import Feed, When
from ecom_platform.feeds.places import Array, Places
from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.types.column_type import Value
from ecom_platform.feeds.types.column_types import column_type_of

# Of a row's looks only the form counts, whenever it is read.
_ANY_TIME = datetime(9999, 1, 1, tzinfo=UTC)
_ROW_LOOKS = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """The first rule that a record breaks. ``column`` is None when the record as a whole is at fault;
    ``value`` is the text in that column."""

    reason: Reason
    column: str | None = None
    value: str | None = field(default=None, compare=False)


# What stands in the place of a column: a text, nothing, or what is wrong with it whatever the column's type.
Text: TypeAlias = "str | Fault | None"


def _shown(text: Text) -> str:
    return text if isinstance(text, str) else ""


class RowType:
    """The rows of one feed; made once, since a declaration is read once."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.types = [column_type_of(column, feed.dialect) for column in feed.columns]
        self._at = {column.name: number for number, column in enumerate(feed.columns)}
        self._spanning = [
            (number, column.required_when, column.absent_when)
            for number, column in enumerate(feed.columns)
            if column.required_when or column.absent_when
        ]
        self.schema = pa.schema(
            [
                pa.field(c.name, t.arrow, nullable=c.nullable)
                for c, t in zip(feed.columns, self.types, strict=True)
            ]
        )

    def judge(self, texts: Sequence[Text], now: datetime) -> tuple[Value, ...] | Fault:
        """The values of a record, whose ``texts`` are in the order of the declaration.

        ``now`` is an aware time, for bounds that move with it.
        """
        values: list[Value] = []
        for kind, text in zip(self.types, texts, strict=True):
            if isinstance(text, Fault):
                return Fault(text.reason, kind.column.name, text.value)
            value = kind.parse(text, now)
            if isinstance(value, Reason):
                return Fault(value, kind.column.name, text or "")
            values.append(value)
        for number, required, absent in self._spanning:
            name, there = self.feed.columns[number].name, values[number] is not None
            if not there and self._holds(required, values):
                return Fault(Reason.REQUIRED, name, _shown(texts[number]))
            if there and self._holds(absent, values):
                return Fault(Reason.MUST_BE_ABSENT, name, _shown(texts[number]))
        return tuple(values)

    def _holds(self, whens: Sequence[When], values: Sequence[Value]) -> bool:
        return any(values[self._at[when.column]] in when.values for when in whens)

    def convert(
        self, columns: Sequence[Places], now: datetime, no_value: Sequence[Array | None] = ()
    ) -> tuple[list[pa.Array], Array]:
        """All columns, in the order of the declaration, and the rows that are certainly right throughout.

        ``no_value``: for each column the rows in which the file itself says that there is no value.
        """
        arrays: list[pa.Array] = []
        accepted = np.ones(len(columns[0].begins), dtype=np.bool_)
        for kind, places, none in zip(self.types, columns, no_value or [None] * len(columns), strict=True):
            array, right = kind.convert(places, now, none)
            arrays.append(array)
            accepted &= right
        return arrays, accepted & self.spanning(arrays)

    def spanning(self, arrays: Sequence[pa.Array]) -> Array:
        """The rows of converted columns in which one column's value has what another's demands of it."""
        kept = np.ones(len(arrays[0]), dtype=np.bool_)
        for number, required, absent in self._spanning:
            there = arrow.to_mask(pc.is_valid(arrays[number]))
            for whens, wrong in ((required, ~there), (absent, there)):
                for when in whens:
                    kept &= ~(wrong & self._have(arrays[self._at[when.column]], when))
        return kept

    @staticmethod
    def _have(array: pa.Array, when: When) -> Array:
        return arrow.to_mask(pc.is_in(array, value_set=arrow.strings(when.values)))

    def batch(self, rows: Sequence[Sequence[Value]]) -> list[pa.Array]:
        """Values of the row path as columns."""
        columns = zip(*rows, strict=True) if rows else [()] * len(self.types)
        return [kind.array(values) for kind, values in zip(self.types, columns, strict=True)]

    def tells(self, number: int, text: str) -> bool:
        """Whether ``text`` in the place of a column looks like a value of it, and not like any text."""
        kind = self.types[number]
        return kind.tells_rows and bool(text) and not isinstance(kind.parse(text, _ANY_TIME), Reason)

    def looks_like_row(self, fields: Sequence[bytes | None]) -> bool:
        """Whether fields, in the order of the declaration, are those of a row by their looks: at least two
        of them are values that not any text is. ``None`` stands for a field that the line does not have."""
        found = 0
        for number, text in enumerate(fields):
            found += text is not None and self.tells(number, text.decode(errors="replace"))
            if found == _ROW_LOOKS:
                return True
        return False
