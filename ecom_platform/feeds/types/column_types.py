"""Which type a column has.

Belongs here: the choice. Does not belong here: the types.
"""

from __future__ import annotations

from ecom_platform.feeds.feed import Column, Dialect
from ecom_platform.feeds.types.column_type import ColumnType
from ecom_platform.feeds.types.number_types import DoubleType, IntegerType, NumericType
from ecom_platform.feeds.types.text_types import BooleanType, JsonType, TextType, UuidType
from ecom_platform.feeds.types.time_types import DateType, TimestampType, TimestamptzType

_TYPES: dict[str, type[ColumnType]] = {
    "text": TextType,
    "integer": IntegerType,
    "bigint": IntegerType,
    "numeric": NumericType,
    "double precision": DoubleType,
    "boolean": BooleanType,
    "date": DateType,
    "timestamp": TimestampType,
    "timestamptz": TimestamptzType,
    "uuid": UuidType,
    "jsonb": JsonType,
}


def column_type_of(column: Column, dialect: Dialect) -> ColumnType:
    """The type of ``column`` with its rules, for files of this dialect."""
    return _TYPES[column.type.partition("(")[0]](column, dialect)
