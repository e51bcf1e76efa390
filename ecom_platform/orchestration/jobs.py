"""Jobs: the selections of assets that people and programs launch."""

from __future__ import annotations

import dagster as dg

MAIN_JOB = "main"
INGEST_JOB = "ingest"
# On a run that was launched for files that wait; its value says for which (`arrivals.fingerprint`).
WAITING_TAG = "ecom/waiting"

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

JOBS = [main_job, ingest_job]
