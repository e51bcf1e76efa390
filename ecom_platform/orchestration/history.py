"""What Dagster's history says of the platform's state.

Belongs here: the newest run, and how each check came out last, read from the instance as it is. Does not
belong here: making the instance (``instance``), or what counts as wrong (``ecom_platform.cli.status``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from ecom_platform.orchestration.dagster_private import AssetCheckExecutionRecordStatus


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run of a job that has ended."""

    run_id: str
    job: str
    state: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check whose newest execution did not find what it should."""

    name: str
    severity: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class History:
    """Of an instance that was never used, nothing."""

    last_run: LastRun | None = None
    failed_checks: list[FailedCheck] = field(default_factory=list)


_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def read_history(home: Path, definitions: Callable[[], dg.Definitions]) -> History:
    """From the instance in ``home``, the folder that ``prepare_instance`` would give.

    ``definitions``, which say what checks there are, are asked for where there is something to read.
    """
    if not (home / "dagster.yaml").is_file():
        return History()
    os.environ["DAGSTER_HOME"] = str(home)
    keys = list(definitions().get_repository_def().asset_graph.asset_check_keys)
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_run_records(dg.RunsFilter(statuses=_ENDED), limit=1, order_by="end_time")
        newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    return History(
        last_run=_last_run(runs[0]) if runs else None,
        failed_checks=sorted(
            (failed for record in newest.values() if (failed := _failed(record))),
            key=lambda check: (check.severity, check.name),
        ),
    )


def _last_run(record: dg.RunRecord) -> LastRun:
    run = record.dagster_run
    ended = datetime.fromtimestamp(record.end_time or 0, UTC)
    return LastRun(run.run_id, run.job_name, run.status.value, ended)


def _failed(record: Any) -> FailedCheck | None:
    name = f"{record.key.asset_key.to_user_string()}:{record.key.name}"
    if record.status is AssetCheckExecutionRecordStatus.FAILED:
        evaluation = record.event.dagster_event.asset_check_evaluation_data
        metadata = {key: str(value.value) for key, value in evaluation.metadata.items()}
        return FailedCheck(
            name, evaluation.severity.value, metadata.get("expected", ""), metadata.get("found", "")
        )
    return None
