"""Runs that are interrupted, in a real Dagster instance: CANCELED, and never anything else again."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ecom_platform.orchestration.cancellation import Cancellation
from ecom_platform_tests.waiting import wait_until

RUN = "68a1600f-7f90-4c92-88f3-779e133a78d1"

# Dagster leaves the programs that follow a step's output to themselves; they end soon. Python says so
# whenever it collects them: it is made to here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("starts_programs"),
]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


def test_a_run_in_the_middle_of_a_step_is_canceled_and_stays_it(tmp_path: Path) -> None:
    in_step, go_on = threading.Event(), threading.Event()

    @dg.op
    def wait() -> None:
        in_step.set()
        go_on.wait(240)

    @dg.job
    def waiting() -> None:
        wait()

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        cancellation = Cancellation(RUN)
        cancellation.begin(instance)
        worker = threading.Thread(
            target=lambda: waiting.execute_in_process(instance=instance, run_id=RUN), daemon=True
        )
        worker.start()
        assert in_step.wait(240)
        assert cancellation.cancel() == RUN
        go_on.set()
        # The process ends here. Until then the run has an event to store, and cannot.
        worker.join(0.2)
        assert worker.is_alive()
        run = instance.get_run_by_id(RUN)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.CANCELED
        cancellation._storing.release()
        worker.join()


def test_before_its_row_is_made_it_is_waited_for(tmp_path: Path) -> None:
    @dg.job
    def nothing() -> None:
        pass

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        cancellation = Cancellation(RUN)
        cancellation.begin(instance)
        answers: list[str | None] = []
        canceller = threading.Thread(target=lambda: answers.append(cancellation.cancel()), daemon=True)
        canceller.start()
        wait_until(lambda: cancellation._asked)
        instance.create_run_for_job(nothing, run_id=RUN)
        wait_until(lambda: answers == [RUN])
        run = instance.get_run_by_id(RUN)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.CANCELED


def test_one_that_has_not_begun_never_does(tmp_path: Path) -> None:
    cancellation = Cancellation(RUN)
    assert cancellation.cancel() is None
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, pytest.raises(KeyboardInterrupt):
        cancellation.begin(instance)
