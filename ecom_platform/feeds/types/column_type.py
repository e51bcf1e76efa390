"""What all types of columns have in common: no value, lists, bounds, and the two paths.

Belongs here: the order in which one column's rules are looked at. Does not belong here: any one type.

The row path (:meth:`ColumnType.parse`) takes all that is valid and says why it does not take the rest. The
vector path (:meth:`ColumnType.convert`) need not accept all that is valid, since what it leaves the row
path judges; but whatever it accepts, the row path accepts with the same value.

A value is what its column's Arrow array is made of: ``int`` for whole numbers, numbers in units of their last
decimal, days and microseconds since 1970; ``float``; ``bool``; ``str``; 16 bytes for a UUID.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ecom_platform.feeds import arrow
from ecom_platform.feeds.feed import Column, Dialect
from ecom_platform.feeds.places import Array, Places
from ecom_platform.feeds.reasons import Reason

Value: TypeAlias = "bytes | int | float | str | None"


class ColumnType(ABC):
    """The type of one column as it is declared, with its rules."""

    # Whether blanks, bounds and the like make sense of a text that any line may have in this place.
    tells_rows: ClassVar[bool] = True

    def __init__(self, column: Column, dialect: Dialect) -> None:
        self.column, self.dialect = column, dialect
        self._nulls = frozenset(column.nulls)
        self._null_bytes = [text.encode() for text in column.nulls]

    @property
    @abstractmethod
    def arrow(self) -> pa.DataType:
        """The type of the decoded values, as the sink sends them."""

    @property
    def sql(self) -> str:
        """PostgreSQL's type."""
        return self.column.type

    # -- the row path ----------------------------------------------------------------------------

    def parse(self, text: str | None, now: datetime) -> Value | Reason:
        """The value that ``text`` stands for, ``None`` for no value, or the first rule that it breaks.

        ``text`` is ``None`` where the file itself says that there is no value, as JSON's null does. ``now``
        is an aware time, for bounds that move with it."""
        if text is None:
            return None if self.column.nullable else Reason.EMPTY_VALUE
        if self.column.trim:
            text = text.strip(" ")
        if text in self._nulls:
            return None if self.column.nullable else Reason.EMPTY_VALUE
        value = self._read(text)
        return value if isinstance(value, Reason) else self._judge(text, value, now)

    @abstractmethod
    def _read(self, text: str) -> Value | Reason:
        """The value by its form."""

    def _judge(self, text: str, value: Value, now: datetime) -> Value | Reason:  # noqa: ARG002
        """The value, if it keeps the rules of the column."""
        return value

    @abstractmethod
    def array(self, values: Sequence[Value]) -> pa.Array:
        """Values of the row path as an array."""

    # -- the vector path -------------------------------------------------------------------------

    def convert(self, places: Places, now: datetime, absent: Array | None = None) -> tuple[pa.Array, Array]:
        """All values, and which rows are certainly right; values of other rows are arbitrary.

        ``absent``: the rows of which the file itself says that they have no value, whatever is in ``places``.
        """
        if self.column.trim:
            places = places.trimmed()
        null = self._are_null(places)
        if absent is not None:
            null = absent if null is None else null | absent
        if not self.column.nullable:
            array, right = self._convert(places, None, now)
            return array, right & ~null if null is not None else right
        array, right = self._convert(places, null, now)
        return array, right | null if null is not None else right

    def _are_null(self, places: Places) -> Array | None:
        """Which fields stand for no value; ``None`` where none does."""
        found: Array | None = None
        for text in self._null_bytes:
            here = places.lengths == 0 if not text else places.equal(text)
            found = here if found is None else found | here
        return found if found is not None and found.any() else None

    def adopt(self, values: pa.Array, now: datetime) -> tuple[pa.Array, Array] | None:  # noqa: ARG002
        """The same of typed values, some of which may be null, and of texts that can be stored: as the type
        has them, and which are certainly right.

        ``None`` where they are not of a type that goes over as it is: then their texts are read.
        """
        return None

    def _adopted(self, array: pa.Array, right: Array) -> tuple[pa.Array, Array]:
        """With what a null is by the declaration; ``right`` is of the values that are there."""
        if not array.null_count:
            return array, right
        null = arrow.to_mask(pc.is_null(array))
        return array, right | null if self.column.nullable else right & ~null

    @abstractmethod
    def _convert(self, places: Places, null: Array | None, now: datetime) -> tuple[pa.Array, Array]:
        """Values with ``null`` where that holds, and which of the others are right."""

    # -- bounds ----------------------------------------------------------------------------------

    def bound(self, text: str, now: datetime) -> Any:  # noqa: ARG002
        """The value of a bound of the declaration; ``None`` if it is none of this type."""
        return None

    # -- what is stored --------------------------------------------------------------------------

    def listed(self) -> str | None:
        """That a stored value is one of those permitted, as SQL about ``{column}``; ``None`` where any is."""
        return None

    def bounded(self) -> str | None:
        """That a stored value is within its bounds, as SQL about ``{column}``; ``None`` without any."""
        return None


def valid_bits(null: Array | None, rows: int) -> pa.Buffer | None:
    """Arrow's validity of ``rows`` values, of which some are null."""
    if null is None:
        return None
    return pa.py_buffer(np.packbits(~null[:rows], bitorder="little"))


def fixed(values: Array, null: Array | None, kind: pa.DataType) -> pa.Array:
    """Values of fixed width as an array, null where ``null`` holds."""
    contiguous = np.ascontiguousarray(values)
    return pa.Array.from_buffers(
        kind, len(contiguous), [valid_bits(null, len(contiguous)), pa.py_buffer(contiguous)]
    )


def nulls_of(values: Sequence[Value]) -> Array | None:
    """Which of ``values`` are none; ``None`` where all are there."""
    found = np.fromiter((value is None for value in values), dtype=np.bool_, count=len(values))
    return found if found.any() else None
