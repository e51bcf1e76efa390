"""What is to be known of runs, asked of the Dagster instance.

Belongs here: looking a run up. Does not belong here: what that means (``signs``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg

from ecom_platform.orchestration.alerting.signs import (
    AD_HOC_JOBS,
    EndedRun,
    PlannedCheck,
    UnendedRun,
    first_line,
    moment,
)
from ecom_platform.orchestration.dagster_private import MAX_RUNTIME_SECONDS_TAG, WILL_RETRY_TAG

_UNENDED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_MOST_RUNS = 1_000
# Asset, check, partition.
_CheckIdentity = tuple[str, str, str | None]
_Event = dg.DagsterEventType


def succeeded(instance: dg.DagsterInstance, entry: Any, default_location: str) -> EndedRun:
    """The run of a RUN_SUCCESS event. Its steps are looked up only where no job stands for them."""
    job, location, _ = _run(instance, entry, default_location)
    steps: list[str] = []
    if job in AD_HOC_JOBS:
        records = instance.get_records_for_run(entry.run_id, of_type={_Event.STEP_SUCCESS}).records
        steps = [str(record.event_log_entry.get_dagster_event().step_key) for record in records]
    return EndedRun(entry.run_id, job, location, moment(entry.timestamp), succeeded=steps)


def failed(instance: dg.DagsterInstance, entry: Any, default_location: str) -> EndedRun:
    """The run of a RUN_FAILURE event: its failed steps, and its checks that never answered."""
    job, location, tags = _run(instance, entry, default_location)
    kinds = {
        _Event.STEP_FAILURE,
        _Event.ASSET_MATERIALIZATION_PLANNED,
        _Event.ASSET_CHECK_EVALUATION,
        _Event.ASSET_CHECK_EVALUATION_PLANNED,
    }
    failures: dict[str, str] = {}
    assets: dict[str, list[str]] = {}
    planned: dict[_CheckIdentity, PlannedCheck] = {}
    answered: set[_CheckIdentity] = set()
    for record in instance.get_records_for_run(entry.run_id, of_type=kinds).records:
        event = record.event_log_entry.get_dagster_event()
        if event.event_type is _Event.STEP_FAILURE:
            failures[str(event.step_key)] = _text(event.step_failure_data.error)
            continue
        data: Any = event.event_specific_data
        asset = data.asset_key.to_user_string()
        if event.event_type is _Event.ASSET_CHECK_EVALUATION:
            answered.add((asset, data.check_name, data.partition))
            continue
        of_step = assets.setdefault(str(event.step_key), [])
        if asset not in of_step:
            of_step.append(asset)
        if event.event_type is _Event.ASSET_CHECK_EVALUATION_PLANNED:
            subset = data.partitions_subset
            for partition in [None] if subset is None else subset.get_partition_keys():
                identity = (asset, data.check_name, partition)
                planned[identity] = PlannedCheck(data.asset_key, data.check_name, event.step_key, partition)
    data = entry.get_dagster_event().event_specific_data
    error = getattr(data, "error", None)
    return EndedRun(
        entry.run_id,
        job,
        location,
        moment(entry.timestamp),
        failed=failures,
        assets=assets,
        unanswered=[check for identity, check in planned.items() if identity not in answered],
        error=_text(error) if error else first_line(None, entry.get_dagster_event().message or ""),
        retried=tags.get(WILL_RETRY_TAG) == "true",
    )


def unended(instance: dg.DagsterInstance) -> list[UnendedRun]:
    """Runs that wait or work, the oldest first."""
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_UNENDED), limit=_MOST_RUNS, ascending=True, order_by="create_timestamp"
    )
    return [_unended(record) for record in records]


def _unended(record: Any) -> UnendedRun:
    run = record.dagster_run
    began = record.start_time if record.start_time is not None else record.create_timestamp.timestamp()
    limit = run.tags.get(MAX_RUNTIME_SECONDS_TAG, "")
    return UnendedRun(
        run.run_id,
        run.job_name,
        run.status.value,
        moment(began),
        timedelta(seconds=int(limit)) if limit.isdigit() and int(limit) else None,
    )


def _run(instance: dg.DagsterInstance, entry: Any, default_location: str) -> tuple[str, str, dict[str, str]]:
    run = instance.get_run_by_id(entry.run_id)
    if run is None:  # deleted since
        return entry.job_name or "unknown", default_location, {}
    origin = run.remote_job_origin
    return run.job_name, origin.location_name if origin else default_location, dict(run.tags)


def _text(error: Any) -> str:
    """What went wrong, in the words of whoever raised it: Dagster's wrapping is around it."""
    if error is None:
        return "it failed without an error"
    while error.cause is not None:
        error = error.cause
    return first_line(error.cls_name, error.message)
