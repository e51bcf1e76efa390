"""The event that the shop generates, as its declaration (``user_events.yaml``) has it.

Belongs here: names for what the generator and the sales figures ask of the declaration. Does not belong here:
saying any of it a second time.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ecom_platform.catalog import packaged
from ecom_platform.feeds.feed import Column
from ecom_platform.feeds.rows import RowType

USER_EVENTS = "user_events"
FEED = packaged()[USER_EVENTS]
BY_NAME: dict[str, Column] = {column.name: column for column in FEED.columns}
COLUMN_NAMES = FEED.names
HEADER = ",".join(COLUMN_NAMES)
ARROW_SCHEMA = RowType(FEED).schema

EVENT_TYPES = BY_NAME["event_type"].values
CATEGORIES = BY_NAME["category"].values
DEVICES = BY_NAME["user_device"].values
COUNTRIES = BY_NAME["user_location"].values

EARLIEST_EVENT_TIME = datetime.fromisoformat(BY_NAME["event_time"].minimum or "").replace(tzinfo=UTC)
