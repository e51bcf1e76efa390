"""The declaration: what the rest of the package relies on."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest

from ecom_platform.feeds import declaration as schema
from ecom_platform.feeds.declaration import (
    BY_NAME,
    COLUMN_NAMES,
    COLUMNS,
    EVENT_ARROW_SCHEMA,
    HEADER,
    ColumnKind,
)


def test_the_nine_columns_in_the_order_of_the_file() -> None:
    assert HEADER == (
        "event_id,user_id,product_id,event_type,event_time,price,category,user_device,user_location"
    )
    assert HEADER.split(",") == list(COLUMN_NAMES) == list(BY_NAME) == EVENT_ARROW_SCHEMA.names


def test_only_the_price_may_be_absent() -> None:
    assert [column.name for column in COLUMNS if column.nullable] == ["price"]
    assert [field.name for field in EVENT_ARROW_SCHEMA if field.nullable] == ["price"]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_column_has_a_domain_if_and_only_if_it_is_a_choice(column: schema.Column) -> None:
    assert bool(column.domain) == (column.kind is ColumnKind.CHOICE)
    assert len(set(column.domain)) == len(column.domain)
    assert column.description.endswith(".")


def test_there_are_249_countries_of_two_capital_letters() -> None:
    assert len(schema.COUNTRIES) == 249
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in schema.COUNTRIES)


def test_the_bounds_fit_the_types() -> None:
    assert pa.scalar(schema.MAX_USER_ID, BY_NAME["user_id"].arrow).as_py() == schema.MAX_USER_ID
    assert pa.scalar(schema.MAX_PRICE, BY_NAME["price"].arrow).as_py() == schema.MAX_PRICE
    with pytest.raises(pa.ArrowInvalid):
        pa.scalar(schema.MAX_PRICE * 10, BY_NAME["price"].arrow)


def test_the_unpriced_event_type_is_one_of_the_event_types() -> None:
    assert schema.UNPRICED_EVENT_TYPE in schema.EVENT_TYPES
    assert isinstance(schema.EARLIEST_EVENT_TIME, datetime) and schema.EARLIEST_EVENT_TIME.tzinfo
