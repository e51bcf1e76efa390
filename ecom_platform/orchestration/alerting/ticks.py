"""The other sensors: whether they tick, and without failing.

Belongs here: reading their newest ticks, which of them fail or are silent, as signs and for the
heartbeat. Does not belong here: what a sensor does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from ecom_platform.alerts.problem import Kind, Problem, Raised, Resolved, Sign
from ecom_platform.orchestration.alerting.signs import first_line, moment
from ecom_platform.orchestration.dagster_private import (
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickStatus,
)

# So many ticks that failed one after the other are a problem; one alone is often a database that restarts.
FAILURES = 3
# A sensor that has not ended a tick for so long, or for some of its intervals, is silent.
_SILENT = timedelta(minutes=5)
_SILENT_INTERVALS = 5
_ENDED = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]
_RUNNING = {InstigatorStatus.RUNNING, InstigatorStatus.DECLARED_IN_CODE}


@dataclass(frozen=True, slots=True)
class Sensor:
    """A running sensor and the newest of its ticks that ended."""

    location: str
    repository: str
    name: str
    interval: timedelta
    ticked_at: datetime
    # Failures in a row, up to FAILURES, and what the newest says.
    failures: int
    error: str

    def silent(self, now: datetime) -> bool:
        return now - self.ticked_at > max(_SILENT, _SILENT_INTERVALS * self.interval)


def sensors(instance: dg.DagsterInstance, but: str) -> list[Sensor]:
    """Every running sensor of the instance that has ticked, without the one named ``but``."""
    states = instance.all_instigator_state(
        instigator_type=InstigatorType.SENSOR, instigator_statuses=_RUNNING
    )
    found = []
    for state in states:
        if state.name == but:
            continue
        ticks = instance.get_ticks(
            state.instigator_origin_id, state.selector_id, limit=FAILURES, statuses=_ENDED
        )
        if not ticks:
            continue
        failed = [tick.status is TickStatus.FAILURE for tick in ticks]
        error = ticks[0].error
        data = state.instigator_data
        seconds = data.min_interval if isinstance(data, SensorInstigatorData) else None
        repository = state.origin.repository_origin
        found.append(
            Sensor(
                repository.code_location_origin.location_name,
                repository.repository_name,
                state.name,
                timedelta(seconds=seconds or 30),
                moment(ticks[0].timestamp),
                failed.index(False) if False in failed else len(failed),
                first_line(error.cls_name, error.message) if error is not None else "the tick failed",
            )
        )
    return found


def failing(
    found: Sequence[Sensor], open_keys: Sequence[str], location: str, now: datetime, ui_url: str
) -> Iterator[Sign]:
    """Sensors whose ticks fail, and the end of that.

    One of another ``location`` that is silent went with its location, and its last failure is over.
    """
    keys = set()
    for sensor in found:
        gone = sensor.location != location and sensor.silent(now)
        if sensor.failures >= FAILURES and not gone:
            problem = _fails(sensor, ui_url)
            keys.add(problem.key)
            yield Raised(problem, sensor.ticked_at)
        elif sensor.failures and not gone:
            keys.add(_key(sensor))  # neither a problem yet nor the end of one
    for key in open_keys:
        if key not in keys:
            yield Resolved(key, "Its newest tick did not fail, or it no longer runs.", now)


def unwell(found: Sequence[Sensor], location: str, now: datetime) -> list[str]:
    """Names of sensors of this location whose newest tick failed or is long ago."""
    return [
        sensor.name
        for sensor in found
        if sensor.location == location and (sensor.failures or sensor.silent(now))
    ]


def _key(sensor: Sensor) -> str:
    return f"sensor/{sensor.location}/{sensor.name}"


def _fails(sensor: Sensor, ui_url: str) -> Problem:
    return Problem(
        key=_key(sensor),
        kind=Kind.SENSOR_FAILS,
        title=f"the ticks of sensor {sensor.name} fail",
        expected="its ticks do not fail",
        found=f"the last {sensor.failures} failed; {sensor.error}",
        link=f"{ui_url}/locations/{sensor.repository}@{sensor.location}/sensors/{sensor.name}",
    )
