"""One record at a time: every accepted spelling with its value, every reason with its column."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.feeds.reasons import Reason
from ecom_platform.feeds.rows import Fault
from ecom_platform.shop.event import COLUMN_NAMES, COUNTRIES, FEED
from ecom_platform_tests.events import judged

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
GOOD = {
    "event_id": UUID,
    "user_id": "7",
    "product_id": "PROD1000",
    "event_type": "purchase",
    "event_time": "2026-02-28 23:59:59.000001",
    "price": "10.50",
    "category": "Books",
    "user_device": "Mobile",
    "user_location": "DE",
}


def verdict(**changes: str) -> object:
    return judged([{**GOOD, **changes}[name] for name in COLUMN_NAMES], NOW)


def value(column: str, text: str) -> object:
    """The typed value of ``text`` in an otherwise good record."""
    values = verdict(**{column: text})
    assert isinstance(values, tuple), values
    return values[COLUMN_NAMES.index(column)]


def test_a_good_record_has_typed_values_in_the_order_of_the_declaration() -> None:
    assert verdict() == (
        bytes.fromhex(UUID.replace("-", "")),
        7,
        "PROD1000",
        "purchase",
        datetime(2026, 2, 28, 23, 59, 59, 1, tzinfo=UTC),
        Decimal("10.50"),
        "Books",
        "Mobile",
        "DE",
    )


def test_a_view_has_no_price() -> None:
    values = verdict(event_type="view", price="")
    assert isinstance(values, tuple)
    assert values[COLUMN_NAMES.index("price")] is None


# -- event_id ------------------------------------------------------------------------------------


def test_an_identifier_may_be_upper_case() -> None:
    assert value("event_id", UUID.upper()) == bytes.fromhex(UUID.replace("-", ""))


@pytest.mark.parametrize(
    "text",
    [UUID.replace("-", ""), f"{{{UUID}}}", f"urn:uuid:{UUID}", UUID[:-1], UUID + "0", UUID[:-1] + "g"]
    + [f" {UUID}", f"{UUID}\n", UUID.replace("0f8fad5b-", "0f8fad5-b"), UUID.replace("0", "\u0660"), "x"],
)
def test_not_an_identifier(text: str) -> None:
    assert verdict(event_id=text) == Fault(Reason.NOT_A_UUID, "event_id")


# -- user_id -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"), [("1", 1), ("0007", 7), ("9223372036854775807", 2**63 - 1), ("0" * 9_000 + "1", 1)]
)
def test_a_user_id(text: str, expected: int) -> None:
    assert value("user_id", text) == expected


@pytest.mark.parametrize("text", ["x", "+7", "1e3", " 7", "7 ", "7\n", "0x7", "1_000", "\u0663", "-", "--7"])
def test_not_a_number_of_a_user(text: str) -> None:
    assert verdict(user_id=text) == Fault(Reason.NOT_AN_INTEGER, "user_id")


@pytest.mark.parametrize(
    "text", ["0", "000", "-7", "-0", "9223372036854775808", "9" * 9_000, "-" + "9" * 9_000]
)
def test_a_user_id_out_of_range(text: str) -> None:
    assert verdict(user_id=text) == Fault(Reason.OUT_OF_RANGE, "user_id")


# -- texts and choices ---------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["PROD1000", "x", " ", " padded ", "Größe", "a\nb", 'say "hi", twice'])
def test_a_product_is_any_text_and_never_altered(text: str) -> None:
    assert value("product_id", text) == text


@pytest.mark.parametrize("column", [column for column in FEED.columns if column.values])
def test_a_choice_takes_its_domain_only(column) -> None:  # type: ignore[no-untyped-def]
    price = {text: "" if text == "view" else "1" for text in column.values}
    for text in column.values:
        changes = {column.name: text, "price": price[text]}
        assert isinstance(verdict(**changes), tuple)
        for wrong in (text.swapcase(), f" {text}", f"{text} ", text[:-1], text + "x"):
            problem = verdict(**{**changes, column.name: wrong})
            assert isinstance(problem, Fault)
            assert problem.column == column.name
            assert problem.reason == Reason.NOT_IN_LIST


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("event_type", Reason.NOT_IN_LIST),
        ("category", Reason.NOT_IN_LIST),
        ("user_device", Reason.NOT_IN_LIST),
        ("user_location", Reason.NOT_IN_LIST),
    ],
)
def test_each_choice_has_a_reason_of_its_own(column: str, reason: Reason) -> None:
    assert verdict(**{column: "?"}) == Fault(reason, column)


def test_user_assigned_country_codes_are_unknown() -> None:
    assert not {"XX", "ZZ", "QQ", "AA", "XK", "UK", "EU"} & set(COUNTRIES)


# -- event_time ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-28 23:59:59", datetime(2026, 2, 28, 23, 59, 59)),
        ("2026-02-28T23:59:59", datetime(2026, 2, 28, 23, 59, 59)),
        ("2026-02-28T23:59:59Z", datetime(2026, 2, 28, 23, 59, 59)),
        ("2026-02-28 23:59:59z", datetime(2026, 2, 28, 23, 59, 59)),
        ("2026-02-28 23:59:59.1", datetime(2026, 2, 28, 23, 59, 59, 100_000)),
        ("2026-02-28 23:59:59.01", datetime(2026, 2, 28, 23, 59, 59, 10_000)),
        ("2026-02-28 23:59:59.123456", datetime(2026, 2, 28, 23, 59, 59, 123_456)),
        ("2026-02-28 23:59:59.123456000", datetime(2026, 2, 28, 23, 59, 59, 123_456)),
        ("2026-02-28 23:59:59.000000000", datetime(2026, 2, 28, 23, 59, 59)),
        ("2026-02-28 23:59:59+02:00", datetime(2026, 2, 28, 21, 59, 59)),
        ("2026-02-28 23:59:59+0200", datetime(2026, 2, 28, 21, 59, 59)),
        ("2026-02-28 23:59:59+02", datetime(2026, 2, 28, 21, 59, 59)),
        ("2026-02-28 23:59:59.5-03:30", datetime(2026, 3, 1, 3, 29, 59, 500_000)),
        ("2026-02-28 23:59:59-00:00", datetime(2026, 2, 28, 23, 59, 59)),
        ("2026-02-28 23:59:59-00:30", datetime(2026, 3, 1, 0, 29, 59)),
        ("2024-02-29 00:00:00", datetime(2024, 2, 29)),
        ("2000-01-01 00:00:00", datetime(2000, 1, 1)),
        ("1999-12-31 23:00:00-01:00", datetime(2000, 1, 1)),
        ("2026-03-02 12:00:00", datetime(2026, 3, 2, 12)),
        ("2026-03-03 11:59:00+23:59", datetime(2026, 3, 2, 12)),
    ],
)
def test_a_time(text: str, expected: datetime) -> None:
    assert value("event_time", text) == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-02-28",
        "2026-02-28 23:59",
        "2026-02-28 23:59:59.",
        "2026-02-28 23:59:59,5",
        "2026-02-28 23:59:59.1234567",
        "2026-02-28t23:59:59",
        "2026-02-28  23:59:59",
        " 2026-02-28 23:59:59",
        "2026-02-28 23:59:59 ",
        "2026-02-28 23:59:59\n",
        "2026-02-28 23:59:59 +02:00",
        "2026-02-28 23:59:59+2",
        "2026-02-28 23:59:59+02:0",
        "2026-02-28 23:59:59+24:00",
        "2026-02-28 23:59:59+01:60",
        "2026-02-28 23:59:59 UTC",
        "2026-02-28 24:00:00",
        "2026-02-28 23:60:00",
        "2026-02-28 23:59:60",
        "2026-02-29 00:00:00",
        "2026-13-01 00:00:00",
        "2026-00-01 00:00:00",
        "2026-01-00 00:00:00",
        "0000-01-01 00:00:00",
        "20260228T235959",
        "26-02-28 23:59:59",
        "28/02/2026 23:59:59",
        "1772323199",
        "\u0662026-02-28 23:59:59",
    ],
)
def test_not_a_time(text: str) -> None:
    assert verdict(event_time=text) == Fault(Reason.NOT_A_TIME, "event_time")


@pytest.mark.parametrize(
    "text",
    [
        "1999-12-31 23:59:59.999999",
        "2000-01-01 00:00:00+00:01",
        "2026-03-02 12:00:00.000001",
        "0001-01-01 00:00:00+23:59",
        "9999-12-31 23:59:59-23:59",
        "1970-01-01 00:00:00",
    ],
)
def test_an_implausible_time(text: str) -> None:
    assert verdict(event_time=text) == Fault(Reason.OUT_OF_RANGE, "event_time")


# -- price ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.01", "0.01"), ("5", "5.00"), ("5.", "5.00"), ("5.1", "5.10"), ("5.10", "5.10"), ("005.1", "5.10")]
    + [
        ("10.500", "10.50"),
        ("10.5000000", "10.50"),
        ("99999999.99", "99999999.99"),
        ("0" * 50 + "1", "1.00"),
    ],
)
def test_a_price(text: str, expected: str) -> None:
    price = value("price", text)
    assert isinstance(price, Decimal)
    assert str(price) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *[(text, Reason.NOT_FINITE) for text in ("nan", "NaN", "NAN", "-nan", "+NaN")],
        *[(text, Reason.NOT_FINITE) for text in ("inf", "-Inf", "+INF", "Infinity", "-infinity")],
        *[(text, Reason.OUT_OF_RANGE) for text in ("0", "0.00", "0.", "-5", "-0")],
        *[(text, Reason.TOO_MANY_DECIMALS) for text in ("0.001", "10.501", "10.5000001", "-0.001", "-5.123")],
        *[(text, Reason.OUT_OF_RANGE) for text in ("100000000", "100000000.00", "9" * 9_000)],
        *[(text, Reason.NOT_A_NUMBER) for text in ("ten", "1e2", "+5", ".5", ".", "-", "1,5", "1.2.3")],
        *[
            (text, Reason.NOT_A_NUMBER)
            for text in (" 5", "5 ", "5\n", "$5", "1_0", "0x5", "\u0663", "null", "nan1")
        ],
    ],
)
def test_not_a_price(text: str, reason: Reason) -> None:
    assert verdict(price=text) == Fault(reason, "price")


def test_a_price_where_none_belongs_and_none_where_one_belongs() -> None:
    assert verdict(event_type="view", price="10.50") == Fault(Reason.MUST_BE_ABSENT, "price")
    assert verdict(event_type="purchase", price="") == Fault(Reason.REQUIRED, "price")
    assert verdict(event_type="add_to_cart", price="") == Fault(Reason.REQUIRED, "price")


# -- the order of the rules ----------------------------------------------------------------------


@pytest.mark.parametrize("column", [column.name for column in FEED.columns if not column.nullable])
def test_an_empty_value(column: str) -> None:
    assert verdict(**{column: ""}) == Fault(Reason.EMPTY_VALUE, column)


@pytest.mark.parametrize("count", [0, 1, 8, 10, 100])
def test_the_number_of_fields_comes_first(count: int) -> None:
    reason = Reason.MISSING_FIELDS if count < 9 else Reason.EXTRA_FIELDS
    assert judged([""] * count, NOW) == Fault(reason)


def test_the_first_column_in_the_order_of_the_declaration_is_named() -> None:
    for position, name in enumerate(COLUMN_NAMES):
        if name != "price":
            fields = [*[GOOD[good] for good in COLUMN_NAMES[:position]], *["?"] * (9 - position)]
            fields[2] = GOOD["product_id"] if name != "product_id" else ""
            problem = judged(fields, NOW)
            assert isinstance(problem, Fault)
            assert problem.column == name


def test_the_rule_across_columns_comes_last() -> None:
    assert verdict(price="", user_location="?") == Fault(Reason.NOT_IN_LIST, "user_location")
    assert verdict(event_type="view", price="x") == Fault(Reason.NOT_A_NUMBER, "price")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    assert reason.description.endswith(".")
    assert reason.value == reason.name.lower()


@given(st.lists(st.text(max_size=40), min_size=9, max_size=9))
def test_any_text_has_a_verdict(fields: list[str]) -> None:
    assert isinstance(judged(fields, NOW), (tuple, Fault))


@given(st.datetimes(datetime(2000, 1, 1), datetime(2026, 3, 1)), st.sampled_from([" ", "T"]))
def test_the_isoformat_of_any_plausible_time_is_read_back(moment: datetime, separator: str) -> None:
    assert value("event_time", moment.isoformat(separator)) == moment.replace(tzinfo=UTC)
    aware = moment.replace(tzinfo=UTC)
    assert value("event_time", aware.isoformat(separator)) == aware


@given(st.decimals("0.01", "99999999.99", places=2))
def test_any_price_is_read_back(price: Decimal) -> None:
    assert value("price", str(price)) == price
