"""The declaration of the event: the nine columns of a file, once.

Belongs here: names, types, domains and bounds of the columns, and the type names that Arrow,
Spark and PostgreSQL use for them. Validation, the SQL of the sink, the column schema in the UI
and the table in the docs are derived from it. Does not belong here: how a text becomes a value
(``validation``), how bytes become rows (``decoding``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import pyarrow as pa


class ColumnKind(StrEnum):
    """How the text of a column is read."""

    UUID = "uuid"
    POSITIVE_INTEGER = "positive integer"
    TEXT = "text"
    CHOICE = "choice"
    TIMESTAMP = "timestamp"
    PRICE = "price"


@dataclass(frozen=True, slots=True)
class EventColumn:
    """One column of an event.

    ``domain`` lists the permitted values of a ``CHOICE``. ``arrow`` is the type of the decoded
    value, as the sink sends it; ``sql`` the column type of ``user_events``.
    """

    name: str
    kind: ColumnKind
    arrow: pa.DataType
    sql: str
    description: str
    domain: tuple[str, ...] = ()
    nullable: bool = False


EVENT_TYPES = ("view", "add_to_cart", "purchase")
CATEGORIES = ("Electronics", "Books", "Home", "Clothing", "Toys")
DEVICES = ("Mobile", "Desktop", "Tablet")

# Officially assigned ISO 3166-1 alpha-2 codes.
COUNTRIES = tuple(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW "
    "GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY "
    "KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV "
    "MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY "
    "QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG "
    "TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM "
    "ZW".split()
)

COLUMNS: tuple[EventColumn, ...] = (
    EventColumn(
        "event_id", ColumnKind.UUID, pa.binary(16), "uuid", "Identity of the event; stored at most once."
    ),
    EventColumn(
        "user_id", ColumnKind.POSITIVE_INTEGER, pa.int64(), "bigint", "Visitor, a positive 64-bit integer."
    ),
    EventColumn("product_id", ColumnKind.TEXT, pa.string(), "text", "Product, any non-empty text."),
    EventColumn("event_type", ColumnKind.CHOICE, pa.string(), "text", "What the visitor did.", EVENT_TYPES),
    EventColumn(
        "event_time",
        ColumnKind.TIMESTAMP,
        pa.timestamp("us", "UTC"),
        "timestamptz",
        "When, in UTC to the microsecond; a time without an offset is UTC.",
    ),
    EventColumn(
        "price",
        ColumnKind.PRICE,
        pa.decimal128(10, 2),
        "numeric(10,2)",
        "Positive, at most two decimals; empty on a view and only there.",
        nullable=True,
    ),
    EventColumn("category", ColumnKind.CHOICE, pa.string(), "text", "Product category.", CATEGORIES),
    EventColumn("user_device", ColumnKind.CHOICE, pa.string(), "text", "Device class.", DEVICES),
    EventColumn(
        "user_location", ColumnKind.CHOICE, pa.string(), "text", "ISO 3166-1 alpha-2 country code.", COUNTRIES
    ),
)

COLUMN_NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)
BY_NAME: dict[str, EventColumn] = {column.name: column for column in COLUMNS}

EVENT_ARROW_SCHEMA = pa.schema([pa.field(c.name, c.arrow, nullable=c.nullable) for c in COLUMNS])

# The event type on which a price is absent; on every other one it is required.
UNPRICED_EVENT_TYPE = "view"

# numeric(10,2): eight digits before the point.
MAX_PRICE = Decimal("99999999.99")
MAX_USER_ID = 2**63 - 1

EARLIEST_EVENT_TIME = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_EVENT_TIME_AHEAD = timedelta(days=1)

HEADER = ",".join(COLUMN_NAMES)
