"""The declaration of the event: what the shop and everybody's files of nine columns rely on."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from ecom_platform.feeds.feed import Column, When
from ecom_platform.shop import event


def test_the_nine_columns_in_the_order_of_the_file() -> None:
    assert event.HEADER == (
        "event_id,user_id,product_id,event_type,event_time,price,category,user_device,user_location"
    )
    assert (
        event.HEADER.split(",") == list(event.COLUMN_NAMES) == list(event.BY_NAME) == event.ARROW_SCHEMA.names
    )


def test_their_types() -> None:
    assert [(column.name, column.type) for column in event.FEED.columns] == [
        ("event_id", "uuid"),
        ("user_id", "bigint"),
        ("product_id", "text"),
        ("event_type", "text"),
        ("event_time", "timestamptz"),
        ("price", "numeric(10,2)"),
        ("category", "text"),
        ("user_device", "text"),
        ("user_location", "text"),
    ]
    assert event.FEED.primary_key == ("event_id",)


def test_only_the_price_may_be_absent_and_is_so_on_views() -> None:
    assert [column.name for column in event.FEED.columns if column.nullable] == ["price"]
    assert [field.name for field in event.ARROW_SCHEMA if field.nullable] == ["price"]
    price = event.BY_NAME["price"]
    assert price.absent_when == (When("event_type", ("view",)),)
    # On each other type there has to be one.
    assert {"view", *price.required_when[0].values} == set(event.EVENT_TYPES)


@pytest.mark.parametrize("column", event.FEED.columns, ids=lambda column: column.name)
def test_each_is_described_and_lists_values_once(column: Column) -> None:
    assert len(set(column.values)) == len(column.values)
    assert column.about.endswith(".")


def test_there_are_249_countries_of_two_capital_letters() -> None:
    assert len(event.COUNTRIES) == 249
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in event.COUNTRIES)


def test_the_largest_values_fit_the_types() -> None:
    price = event.ARROW_SCHEMA.field("price").type
    assert pa.scalar(Decimal("99999999.99"), price).as_py() == Decimal("99999999.99")
    with pytest.raises(pa.ArrowInvalid):
        pa.scalar(Decimal("999999999.99"), price)
    assert datetime(2000, 1, 1, tzinfo=UTC) == event.EARLIEST_EVENT_TIME
