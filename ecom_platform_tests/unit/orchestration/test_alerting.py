"""Reading the event log page by page, and the words of what was read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from ecom_platform.alerts.problem import Raised, Resolved
from ecom_platform.orchestration.alerting import reading, signs
from ecom_platform.orchestration.alerting.reading import EventReader, beginning
from ecom_platform.orchestration.alerting.signs import EndedRun, PlannedCheck, UnendedRun

pytestmark = pytest.mark.usefixtures("starts_programs")

NOW = datetime(2026, 1, 2, tzinfo=UTC)
UI = "http://ui"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    overrides = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as instance:
        yield instance


def report(instance: dg.DagsterInstance, number: int) -> None:
    for index in range(number):
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey("a"), check_name=f"c{index}", passed=False, metadata={}
            )
        )


def test_a_flood_is_read_over_several_ticks(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE", 7)
    monkeypatch.setattr(reading, "MOST_EVENTS", 20)
    reader = EventReader()
    position = beginning(instance, NOW)
    report(instance, 50)
    seen: set[str] = set()
    now = NOW
    for _ in range(6):
        now += timedelta(minutes=5)  # past the overlap: nothing is read twice
        found, position = reader.read(instance, position, now, UI, "")
        assert len(found) <= 21
        seen.update(sign.key for sign in found)
    assert seen == {f"check/a/c{index}" for index in range(50)}
    assert position.reached == 50


def test_a_flood_within_the_overlap_is_read_on_not_again_and_again(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE", 7)
    monkeypatch.setattr(reading, "MOST_EVENTS", 20)
    reader = EventReader()
    position = beginning(instance, NOW)
    report(instance, 50)
    seen: set[str] = set()
    for tick in range(1, 4):
        found, position = reader.read(instance, position, NOW + timedelta(seconds=5 * tick), UI, "")
        seen.update(sign.key for sign in found)
    assert seen == {f"check/a/c{index}" for index in range(50)}


def test_the_overlap_is_read_again(instance: dg.DagsterInstance) -> None:
    reader = EventReader()
    position = beginning(instance, NOW)
    report(instance, 2)
    for seconds, again in ((5, 2), (60, 2), (400, 0)):
        found, position = reader.read(instance, position, NOW + timedelta(seconds=seconds), UI, "")
        assert len(found) == again


CHECK = PlannedCheck(dg.AssetKey(["shop", "orders"]), "sane", "orders_sane")


def test_a_check_that_was_never_reached_did_not_raise() -> None:
    """Its step did not fail: an earlier one did. The run's own problem says so."""
    run = EndedRun("r", "nightly", "here", NOW, failed={"orders": "ValueError: no"}, unanswered=[CHECK])
    (raised,) = list(signs.run_failed(run, UI))
    assert isinstance(raised, Raised)
    assert raised.problem.title == "job nightly failed in step orders"
    assert raised.problem.link == "http://ui/runs/r"


def test_a_run_that_dagster_retries_is_not_told_but_its_silent_check_is() -> None:
    run = EndedRun(
        "r", "nightly", "here", NOW, failed={"orders_sane": "E: x"}, unanswered=[CHECK], retried=True
    )
    (raised,) = list(signs.run_failed(run, UI))
    assert raised.key == "check/shop/orders/sane"


def test_a_run_whose_process_died_says_what_dagster_says() -> None:
    run = EndedRun("r", "nightly", "here", NOW, error="the run worker is gone")
    (raised,) = list(signs.run_failed(run, UI))
    assert isinstance(raised, Raised)
    assert (raised.problem.title, raised.problem.found) == ("job nightly failed", "the run worker is gone")


def test_jobs_of_one_name_in_two_locations_are_two() -> None:
    failed = list(signs.run_failed(EndedRun("r", "main", "one", NOW), UI))
    succeeded = list(signs.run_succeeded(EndedRun("s", "main", "two", NOW)))
    assert failed[0].key != succeeded[0].key


@pytest.mark.parametrize("status", ["QUEUED", "STARTED"])
def test_what_hangs_and_what_does_not(status: str) -> None:
    begun = NOW - timedelta(minutes=61)
    runs = [
        UnendedRun("long", "main", status, begun, None),
        UnendedRun("allowed", "main", status, begun, timedelta(hours=2)),
        UnendedRun("young", "main", status, NOW, None),
    ]
    found = list(signs.hanging(runs, ["hang/gone"], timedelta(hours=1), NOW, UI))
    assert [(type(sign), sign.key) for sign in found] == [(Raised, "hang/long"), (Resolved, "hang/gone")]
    assert list(signs.hanging(runs, [], timedelta(0), NOW, UI)) == []  # 0: no limit
