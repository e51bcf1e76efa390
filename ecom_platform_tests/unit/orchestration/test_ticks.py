"""Whether other sensors tick: read from a real instance, judged purely."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus

from ecom_platform.alerts.problem import Raised, Resolved
from ecom_platform.orchestration.alerting.ticks import Sensor, failing, sensors, unwell
from ecom_platform_tests.alerting import Ticking

UI = "http://ui"


def now() -> datetime:
    """Of the moment: in a long run of tests, the import of this module is long ago."""
    return datetime.now(UTC)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    overrides = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as instance:
        yield instance


def test_a_sensor_whose_ticks_fail_is_told_once_and_recovers(instance: dg.DagsterInstance) -> None:
    landing = Ticking(instance, "new_csv_files")
    Ticking(instance, "check_alerts").tick(TickStatus.FAILURE)
    Ticking(instance, "stopped", InstigatorStatus.STOPPED).tick(TickStatus.FAILURE)
    key = "sensor/here/new_csv_files"
    for ago in (40, 30):
        landing.tick(TickStatus.FAILURE, ago)
        assert unwell(sensors(instance, "check_alerts"), "here", now()) == ["new_csv_files"]
        assert list(failing(sensors(instance, "check_alerts"), [], "here", now(), UI)) == []
    landing.tick(TickStatus.FAILURE, 20)
    landing.tick(TickStatus.STARTED, 15)
    (raised,) = failing(sensors(instance, "check_alerts"), [key], "here", now(), UI)
    assert isinstance(raised, Raised)
    assert raised.key == key
    assert raised.problem.found == "the last 3 failed; StorageError: landing cannot be read"
    landing.tick(TickStatus.SKIPPED, 10)
    (over,) = failing(sensors(instance, "check_alerts"), [key], "here", now(), UI)
    assert isinstance(over, Resolved)
    assert unwell(sensors(instance, "check_alerts"), "here", now()) == []


def test_a_sensor_that_does_not_tick_silences_the_heartbeat(instance: dg.DagsterInstance) -> None:
    Ticking(instance, "new_csv_files").tick(TickStatus.SKIPPED, 400)
    assert unwell(sensors(instance, "check_alerts"), "here", now()) == ["new_csv_files"]


def test_a_sensor_of_a_location_that_is_gone_is_no_problem() -> None:
    gone = Sensor("gone", "r", "s", timedelta(seconds=30), now() - timedelta(days=1), 3, "E: x")
    assert unwell([gone], "here", now()) == []
    (over,) = failing([gone], ["sensor/gone/s"], "here", now(), UI)
    assert isinstance(over, Resolved)


def test_a_long_interval_is_no_silence() -> None:
    slow = Sensor("here", "r", "s", timedelta(minutes=10), now() - timedelta(minutes=12), 0, "")
    assert unwell([slow], "here", now()) == []
