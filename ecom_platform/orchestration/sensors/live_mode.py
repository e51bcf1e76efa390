"""Watching the live mode: once a minute, whether it is alive and how it gets on.

Belongs here: turning its row and its recent micro-batches into events of `user_events`. Does not belong
here: the verdict (``postgres.live_status``), telling anybody (alerts follow failed checks).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from ecom_platform.orchestration.assets.user_events import user_events
from ecom_platform.orchestration.checks.live_mode import live_mode_is_alive
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import PostgresResource
from ecom_platform.postgres import live_status
from ecom_platform.postgres.live_status import LiveStatus, RecentFigures

SECONDS = 60


@dg.sensor(
    minimum_interval_seconds=SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Each minute: is the live mode alive if it should be, and what has it loaded?",
)
def live_mode(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> Any:
    with postgres.transaction() as connection:
        status = live_status.newest(connection)
        figures = live_status.recent_figures(connection, SECONDS)
    result = check_result(live_status.alive(status))
    before = _Memory.load(context.cursor)
    known_to_fail = not before.passed
    if (status is None or not status.expected) and not known_to_fail:
        return dg.SkipReason("No live mode: none was started, or the last one was stopped.")
    evaluation = dg.AssetCheckEvaluation(
        check_name=live_mode_is_alive.check_key.name,
        asset_key=user_events.key,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )
    events: list[Any] = [evaluation]
    memory = _Memory(bool(result.passed), before.run_id, before.rows)
    if status is not None and status.expected:
        loaded = status.rows - (before.rows if before.run_id == status.run_id else 0)
        if loaded > 0:
            # Freshness counts materializations alone, and beside the live mode no run makes one.
            events.append(dg.AssetMaterialization(user_events.key, metadata={"live_rows_loaded": loaded}))
        memory = _Memory(bool(result.passed), status.run_id, status.rows)
        events.append(dg.AssetObservation(user_events.key, metadata=_metadata(status, figures)))
    return dg.SensorResult(asset_events=events, cursor=memory.dump())


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a tick leaves to the next. A check that failed must be seen to pass again, also when the live
    mode was ended for good; and rows are materialized once."""

    passed: bool = True
    run_id: str | None = None
    rows: int = 0

    @classmethod
    def load(cls, cursor: str | None) -> _Memory:
        return cls(**json.loads(cursor)) if cursor else cls()

    def dump(self) -> str:
        return json.dumps(asdict(self))


def _metadata(status: LiveStatus, figures: RecentFigures) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "live_rows": figures.rows,
        "live_rows_per_second": round(figures.rows / SECONDS, 1),
        "live_batches": figures.batches,
        "live_backlog_files": status.backlog_files,
        "live_backlog_bytes": status.backlog_bytes,
    }
    for name, latency in (("p50", figures.p50), ("p95", figures.p95), ("p99", figures.p99)):
        if latency is not None:
            metadata[f"live_latency_{name}_seconds"] = round(latency, 3)
    if status.problem is not None:
        metadata["live_problem"] = status.problem
    return metadata
