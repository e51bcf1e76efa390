"""Watching the live mode: once a minute, whether it is alive and how it gets on; every five, what it loaded.

Belongs here: turning its row and its recent micro-batches into events of the first feed, and requesting runs
that look at what it has loaded. Does not belong here: the verdict (``store.live_status``), when such a run
is due (``live_looks``), telling anybody (alerts follow failed checks).

No materialization is made here: one without an evaluation of the checks would turn a failed one grey. The run
that looks makes it: it is one of the job `ingest`, which beside a live mode loads nothing, and which audits,
checks and brings the sales figures up to date like any other.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import dagster as dg

from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.jobs import LIVE_TAG, ingest_job
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import PostgresResource
from ecom_platform.orchestration.sensors.live_looks import look_is_due
from ecom_platform.orchestration.workload import Workload
from ecom_platform.store import live_status
from ecom_platform.store.live_status import ALIVE_CHECK, LiveStatus, RecentFigures

SECONDS = 60


@dg.sensor(
    job=ingest_job,
    minimum_interval_seconds=SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Each minute: is the live mode alive if it should be? Every five: what it loaded is checked.",
)
def live_mode(
    context: dg.SensorEvaluationContext,
    ecom_postgres: PostgresResource,
    ecom_workload: dg.ResourceParam[Workload],
    ecom_declared: dg.ResourceParam[DeclaredFeeds],
) -> Any:
    with ecom_postgres.transaction() as connection:
        status = live_status.newest(connection)
        figures = live_status.recent_figures(connection, SECONDS)
    result = check_result(live_status.alive(status))
    before = _Memory.load(context.cursor)
    known_to_fail = not before.passed
    memory = before.after(status, passed=bool(result.passed))
    live = status is not None and status.expected
    requests = []
    if look_is_due(
        context.instance, [*ecom_declared.checks, *ecom_workload.checks], live=live, unseen=memory.unseen
    ):
        requests = [dg.RunRequest(tags={LIVE_TAG: memory.run_id or ""})]
        memory = replace(memory, unseen=False)
    if not live and not known_to_fail and not requests and memory == before:
        return dg.SkipReason("No live mode: none was started, or the last one was stopped.")
    evaluation = dg.AssetCheckEvaluation(
        check_name=ALIVE_CHECK,
        asset_key=ecom_declared.first,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )
    events: list[Any] = [evaluation]
    if status is not None and status.expected:
        events.append(dg.AssetObservation(ecom_declared.first, metadata=_metadata(status, figures)))
    return dg.SensorResult(requests, asset_events=events, cursor=memory.dump())


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a tick leaves to the next. A check that failed must be seen to pass again, also when the live
    mode was ended for good; and rows that were loaded are looked at, also when it ended soon after.

    ``unseen``: rows were loaded since a look was last requested.
    """

    passed: bool = True
    run_id: str | None = None
    rows: int = 0
    unseen: bool = False

    def after(self, status: LiveStatus | None, *, passed: bool) -> _Memory:
        """What is known after a tick that saw ``status``."""
        if status is None:
            return replace(self, passed=passed)
        if status.run_id != self.run_id:
            # Of the process before it, the last rows may not have been seen.
            unseen = self.unseen or self.run_id is not None or status.rows > 0
            return _Memory(passed, status.run_id, status.rows, unseen)
        return _Memory(passed, self.run_id, status.rows, self.unseen or status.rows > self.rows)

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
