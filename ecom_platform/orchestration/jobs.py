"""Jobs: the selections of assets that people and programs launch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import dagster as dg

MAIN_JOB = "main"
INGEST_JOB = "ingest"
# On a run that was launched for files that wait; its value says for which (`arrivals.fingerprint`).
WAITING_TAG = "ecom/waiting"
RECOUNT_JOB = "recount_sales"

main_job = dg.define_asset_job(
    MAIN_JOB,
    selection=dg.AssetSelection.all(),
    description="Generate events, stream them into PostgreSQL, audit, run every check: `ecom run`.",
)
ingest_job = dg.define_asset_job(
    INGEST_JOB,
    selection=dg.AssetSelection.assets("user_events").downstream(),
    description="Load what has landed, audit, check; generates nothing: `ecom ingest`.",
)


@dg.daily_partitioned_config(start_date="2025-01-01", end_offset=1)
def one_day(start: datetime, _end: datetime) -> dict[str, Any]:
    """The run config that counts one day (UTC) anew."""
    day = f"{start:%Y-%m-%d}"
    ops = ("hourly_sales", "conversion_funnel")
    return {"ops": {name: {"config": {"first_day": day, "last_day": day}} for name in ops}}


# The job has the partitions, not the assets: a partitioned asset would make "Materialize all" ask for
# a partition, and there is none to ask for when what changed is taken in.
recount_job = dg.define_asset_job(
    RECOUNT_JOB,
    selection=dg.AssetSelection.assets("hourly_sales", "conversion_funnel"),
    config=one_day,
    description="Count days anew from the events, a partition a day: `Launch backfill` takes any range.",
)
JOBS = [main_job, ingest_job, recount_job]
