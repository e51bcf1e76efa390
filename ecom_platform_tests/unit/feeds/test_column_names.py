"""Names of files as names of feeds and columns."""

from __future__ import annotations

import pytest

from ecom_platform.catalog import RESERVED
from ecom_platform.feeds.declaring import NAME
from ecom_platform.feeds.inference.column_names import (
    SQL_WORDS,
    clean_name,
    column_names,
    feed_name,
    why_renamed,
)


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("orders", "orders"),
        ("orders-2026-11-25", "orders_2026_11_25"),
        ("orders 25.11.2026", "orders_25_11_2026"),
        ("orders_2026", "orders_2026"),
        ("2026-11-25", "feed_2026_11_25"),
        ("online_retail_II", "online_retail_ii"),
        ("2019-Oct", "feed_2019_oct"),
        ("user_events", "user_events_feed"),
        ("Order", "order"),
        ("日付", "feed"),
        ("a__b (1)", "a__b_1"),
        ("x" * 80, "x" * 41),
    ],
)
def test_names_of_feeds(stem: str, name: str) -> None:
    assert feed_name(stem, RESERVED) == name
    assert NAME.fullmatch(name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("InvoiceNo", "invoice_no"),
        ("CustomerID", "customer_id"),
        ("SKU", "sku"),
        ("Quantity (- Refund)", "quantity_refund"),
        ("Straße", "strasse"),
        ("€", ""),
        ("HTTPStatus", "http_status"),
    ],
)
def test_names_of_columns(text: str, name: str) -> None:
    assert clean_name(text) == name


def test_each_has_a_name_of_its_own() -> None:
    names = ["a", "A", "a_2", "€", "", *sorted(SQL_WORDS), "row_id", "y" * 70, "y" * 71]
    found = column_names(names)
    assert len(set(found)) == len(names)
    assert all(len(name) <= 63 for name in found)
    assert not set(found) & SQL_WORDS


def test_why_a_name_is_another() -> None:
    assert why_renamed("when_") == "when is a word of SQL"
    assert why_renamed("row_id_") == "row_id is a column of ours"
    assert (why_renamed("when"), why_renamed("price"), why_renamed("price_")) == ("", "", "")
