"""The check that the live mode is alive when it should be."""

from typing import Any

import dagster as dg

from ecom_platform.orchestration.assets.user_events import user_events
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import PostgresResource
from ecom_platform.store import live_status


@dg.asset_check(asset=user_events)
def live_mode_is_alive(postgres: PostgresResource) -> Any:
    """A live process (`ecom stream`) that started and did not stop gracefully is there, and loads.

    Without one the check passes: files are then loaded by bounded runs. If it fails, start `ecom stream`
    again; it takes up what the last one left. To do without it from now on, start it and end it with
    Ctrl-C.
    """
    with postgres.transaction() as connection:
        return check_result(live_status.alive(live_status.newest(connection)))
