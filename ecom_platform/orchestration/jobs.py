"""Jobs: the selections of assets that people and programs launch."""

from __future__ import annotations

import dagster as dg

from ecom_platform.orchestration.declared import ALL_FEEDS, DeclaredFeeds
from ecom_platform.settings import Settings

INGEST_JOB = "ingest"
# What loads takes this pool, whose limit (`dagster.yaml`) is one run.
POOL = "ecom_ingest"
# On a run that was launched for files that wait; its value says for which (`arrivals.fingerprint`).
WAITING_TAG = "ecom/waiting"
# On a run that was requested to look at what the live mode has loaded; its value is the live mode's run id.
LIVE_TAG = "ecom/live"
# On the runs of jobs that load what has landed.
LOADS = {"ecom/loads": "yes"}

# On assets that are brought up to date by every run that loads.
FOLLOWS_TAG = {"ecom/follows": "yes"}

ingest_job = dg.define_asset_job(
    INGEST_JOB,
    # Not all that is downstream: what another project makes of a feed may have partitions, or take an hour.
    selection=ALL_FEEDS | dg.AssetSelection.tag(*next(iter(FOLLOWS_TAG.items()))),
    description="Load what has landed, audit, check; generates nothing: `ecom ingest`.",
    tags=LOADS,
    executor_def=dg.in_process_executor,
)


def whole_up_to(run: dg.DagsterRun, settings: Settings, declared: DeclaredFeeds) -> int | None:
    """Rows up to which a check reads the whole table in this run; ``None``: it always does.

    What loads has to be quick again and again; whoever asks for checks alone, as the daily audit does and
    the button in the UI, wants to know of everything.
    """
    # What is materialised in the UI is a run of Dagster's own job for assets, with a selection.
    chosen_keys = run.asset_selection or frozenset()
    loads = LOADS.items() <= run.tags.items() or not chosen_keys.isdisjoint(declared.keys)
    return settings.whole_check_rows if loads else None
