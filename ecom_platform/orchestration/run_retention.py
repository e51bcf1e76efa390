"""Dagster's own history: runs, their events, what they printed. It grows by a few hundred kilobytes a run.

Belongs here: deleting what is past its time. Does not belong here: when (``schedules``), ticks of sensors
and schedules, which Dagster deletes by itself (``retention`` in dagster.yaml), the platform's own tables.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg

from ecom_platform.orchestration.dagster_private import SqliteEventLogStorage

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_AT_ONCE = 500
_SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")


def expire_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete finished runs that were last heard of before a moment, with their events; returns how many.

    The newest run of each job stays, so that the pages of jobs and assets that are seldom used have something
    to show. What is deleted half is deleted by the next call: a run's own row goes last.
    """
    past = dg.RunsFilter(statuses=_FINISHED, updated_before=before)
    # Ids first: a page begins behind a run that must still be there.
    jobs = {record.dagster_run.run_id: record.dagster_run.job_name for record in _all(instance, past)}
    kept = {_newest(instance, job_name) for job_name in set(jobs.values())}
    expired = [run_id for run_id in jobs if run_id not in kept]
    for run_id in expired:
        _delete(instance, run_id)
    return len(expired)


def _all(instance: dg.DagsterInstance, filters: dg.RunsFilter) -> Iterator[dg.RunRecord]:
    cursor = None
    while records := instance.get_run_records(filters, limit=_AT_ONCE, cursor=cursor):
        yield from records
        cursor = records[-1].dagster_run.run_id


def _newest(instance: dg.DagsterInstance, job_name: str) -> str:
    filters = dg.RunsFilter(job_name=job_name, statuses=_FINISHED)
    return instance.get_run_records(filters, limit=1)[0].dagster_run.run_id


def _delete(instance: dg.DagsterInstance, run_id: str) -> None:
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)
    events = instance.event_log_storage
    events.delete_events(run_id)
    if isinstance(events, SqliteEventLogStorage):
        # A file of each run, which stays as large as it was.
        for suffix in _SQLITE_SUFFIXES:
            Path(events.path_for_shard(run_id) + suffix).unlink(missing_ok=True)
    instance.run_storage.delete_run(run_id)
