"""When what the live mode has loaded is due to be looked at: audited, checked, counted.

Belongs here: the decision, from the runs that there were. Does not belong here: the run itself, which is one
of the job `ingest` like any other.
"""

from __future__ import annotations

import time
from collections.abc import Collection

import dagster as dg

from ecom_platform.orchestration.dagster_private import AssetCheckExecutionRecordStatus
from ecom_platform.orchestration.jobs import INGEST_JOB, LIVE_TAG

# From the end of one look to the next.
LOOK_SECONDS = 300.0

_FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def look_is_due(
    instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey], *, live: bool, unseen: bool
) -> bool:
    """Whether a run should look now. ``unseen``: rows were loaded since a look was last requested.

    Of what was loaded, of a look that failed, and of ``checks`` that failed: whoever mends something is told
    so. No sooner than :data:`LOOK_SECONDS` after the last run of the job, but at once when the live mode
    ended.
    """
    newest = next(iter(instance.get_run_records(dg.RunsFilter(job_name=INGEST_JOB), limit=1)), None)
    if newest is not None and not newest.dagster_run.is_finished:
        return False
    ended = newest.end_time or newest.update_timestamp.timestamp() if newest is not None else 0.0
    rested = time.time() - ended >= LOOK_SECONDS
    if unseen:
        return rested or not live
    if not rested or newest is None:
        return False
    run = newest.dagster_run
    return (LIVE_TAG in run.tags and run.status in _FAILED) or (live and _any_failed(instance, checks))


def _any_failed(instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey]) -> bool:
    """Whether a check of severity ERROR found something wrong when it last looked."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(sorted(checks))
    return any(
        record.status is AssetCheckExecutionRecordStatus.FAILED
        and record.evaluation is not None
        and record.evaluation.severity is dg.AssetCheckSeverity.ERROR
        for record in records.values()
    )
