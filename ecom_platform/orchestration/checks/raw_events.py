"""Checks of the files, before anything is loaded from them."""

from typing import Any

import dagster as dg

from ecom_platform.landing.records import count_records
from ecom_platform.orchestration.assets.raw_events import raw_events
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.postgres import audit, ledger


@dg.asset_check(asset=raw_events, blocking=True)
def files_hold_generated_events(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, landing: LandingZoneResource
) -> Any:
    """The files hold exactly as many events as were generated; nothing is loaded otherwise.

    If it fails, files were changed or removed before they were loaded: materialise again.
    """
    with postgres.transaction() as connection:
        generation = ledger.latest_generation(connection, context.run.run_id)
        counts = count_records(connection, landing.zone, generation.file_names) if generation else {}
    return check_result(audit.generated_files(generation, counts))
