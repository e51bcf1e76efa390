"""Arithmetic on the figures of a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ecom_platform.reporting import charts
from ecom_platform.reporting.figures import (
    BOOKKEEPING,
    COMMIT,
    COPY,
    DECODE,
    LISTING,
    QUANTILES,
    TASKS,
    WAITING,
    Run,
    derived_metrics,
    labelled,
    latency_metrics,
    wall_seconds,
)
from ecom_platform.reporting.sampler import DRIVER, WORKERS
from ecom_platform.reporting.verdict import Cause, Evidence, judge
from ecom_platform.store.metrics import BatchRow, Files, Metric

START = datetime(2026, 1, 1, tzinfo=UTC)


def batch(number: int, at: float, seconds: float, **values: float) -> BatchRow:
    usual: dict[str, float] = dict.fromkeys(
        ("listing_ms", "planning_ms", "bookkeeping_ms", "decode_ms", "store_ms", "commit_ms"), 0.0
    )
    return BatchRow(
        number=number,
        started_at=START + timedelta(seconds=at),
        finished_at=START + timedelta(seconds=at + seconds),
        files=1,
        rows=1_000,
        rows_rejected=0,
        tasks=int(values.pop("tasks", 1)),
        duration_ms=seconds * 1000,
        latency_p50_ms=None,
        latency_p95_ms=None,
        worker_peak_bytes=0,
        **{**usual, **values},
    )


def run(batches: list[BatchRow], measured: list[Metric] | None = None) -> Run:
    files = Files(len(batches), 0, 100, 1_000 * len(batches), 1_000 * len(batches), 0, 0, 0, 0, 0)
    return Run("run", batches, files, [], [], measured or [], {})


def test_tasks_that_ran_side_by_side_share_the_time() -> None:
    (spent,) = wall_seconds([batch(0, 0, 5.0, tasks=8, decode_ms=4_000, store_ms=8_000, commit_ms=400)], 4)
    assert (spent[DECODE], spent[COPY], spent[COMMIT]) == (1.0, 2.0, pytest.approx(0.1))
    assert spent[TASKS] == pytest.approx(5.0 - 3.1)


def test_tasks_take_as_long_as_the_longest_of_them() -> None:
    """One huge file beside a tiny one: two tasks on two cores, and hardly anything side by side."""
    uneven = {"tasks": 2, "slots": 2, "decode_ms": 24_000, "store_ms": 36_000, "longest_task_ms": 58_000}
    (spent,) = wall_seconds([batch(0, 0, 62.0, **uneven)], 2)
    assert spent[DECODE] + spent[COPY] == pytest.approx(58)
    assert spent[COPY] / spent[DECODE] == pytest.approx(1.5)
    assert spent[TASKS] == pytest.approx(4)
    seen = judge(Evidence.of(run([batch(0, 0, 62.0, **uneven)], [Metric("cores", 2, "cores")])))
    assert seen.cause is Cause.POSTGRES
    assert "copying took 56% of the time, 34.8 s" in seen.sentence


def test_tasks_share_the_slots_of_the_session_not_the_cores_of_the_driver() -> None:
    one_slot = {"tasks": 2, "slots": 1, "decode_ms": 24_000, "store_ms": 36_000, "longest_task_ms": 31_000}
    (spent,) = wall_seconds([batch(0, 0, 62.0, **one_slot)], 2)
    assert (spent[DECODE], spent[COPY]) == (24, 36)
    cluster = {"tasks": 32, "slots": 16, "decode_ms": 64_000, "longest_task_ms": 2_000}
    (spent,) = wall_seconds([batch(0, 0, 6.0, **cluster)], 2)
    assert spent[DECODE] == 4


def test_fewer_tasks_than_cores_do_not_share_with_nobody() -> None:
    (spent,) = wall_seconds([batch(0, 0, 5.0, tasks=2, decode_ms=4_000)], 8)
    assert spent[DECODE] == 2.0


@pytest.mark.parametrize(
    ("trigger_ms", "waiting", "bookkeeping"),
    [
        (30_000, 9.0, 0.2),
        # Beyond the trigger's interval nothing had landed.
        (4_000, 4.0, 0.2),
        # A bounded run has no trigger to wait for.
        (0, 0.0, 9.2),
        # Not recorded: it may have been either.
        (None, 0.0, 0.2),
    ],
)
def test_time_between_two_batches(trigger_ms: float | None, waiting: float, bookkeeping: float) -> None:
    first = batch(0, 0, 1.0)
    spark = {"listing_ms": 500.0, "planning_ms": 300.0, "bookkeeping_ms": 200.0}
    second = replace(batch(1, 11, 1.0, **spark), trigger_ms=trigger_ms)
    one, two = wall_seconds([first, second], 2)
    assert one[WAITING] == 0
    assert two[WAITING] == pytest.approx(waiting)
    assert two[BOOKKEEPING] == pytest.approx(bookkeeping)
    assert two[LISTING] == 0.5


def test_a_live_mode_that_had_nothing_to_do_is_not_told_to_lower_its_trigger() -> None:
    """A file each minute, loaded within two seconds, at a trigger of half a second."""
    batches = [batch(n, 60.0 * n, 2.0, store_ms=1_500, slots=1, trigger_ms=500) for n in range(5)]
    assert judge(Evidence.of(run(batches))).cause is Cause.POSTGRES
    slow = [batch(n, 60.0 * n, 2.0, store_ms=1_500, slots=1, trigger_ms=30_000) for n in range(5)]
    assert judge(Evidence.of(run(slow))).cause is Cause.TRIGGER


def test_processor_time_of_workers_that_the_sampler_cannot_see_is_their_own() -> None:
    batches = [batch(0, 0, 1.0, worker_cpu_ms=2_500), batch(1, 1, 1.0, worker_cpu_ms=500)]
    here = [Metric("cpu_seconds", 4.0, "s"), Metric("cpu_seconds", 4.0, "s", DRIVER)]
    elsewhere = run(batches, here)
    assert elsewhere.cpu_by_process == {DRIVER: 4.0, WORKERS: 3.0}
    assert {m.name: m.value for m in derived_metrics(elsewhere)}["processor_seconds"] == 7.0
    local = run(batches, [*here, Metric("cpu_seconds", 3.5, "s", WORKERS)])
    assert local.cpu_by_process == {DRIVER: 4.0, WORKERS: 3.5}
    unknown = run([batch(0, 0, 1.0)])
    assert "processor_seconds" not in {m.name for m in derived_metrics(unknown)}


def test_each_figure_has_a_label_that_a_plot_over_runs_can_rest_on() -> None:
    measured = [
        Metric("rows_per_second", 5.0, "rows/s"),
        Metric("memory_peak_bytes", 9.0, "bytes"),
        Metric("memory_peak_bytes", 7.0, "bytes", "JVM"),
        Metric("duplicates", 3.0, "rows", "file dropped again"),
        Metric("rejects", 2.0, "rows", "not_finite"),
        Metric("table_bytes", 8.0, "bytes", "user_events"),
        Metric("latency_seconds", 1.0, "s", "p05"),
    ]
    assert labelled(run([batch(0, 0, 1.0, worker_cpu_ms=2_000)], measured)) == {
        "rows_per_second": 5.0,
        "memory_peak_bytes": 9.0,
        "memory_peak_bytes_jvm": 7.0,
        "cpu_seconds_python_workers": 2.0,
        "duplicates_file_dropped_again": 3.0,
        "rejects_not_finite": 2.0,
        "table_bytes_user_events": 8.0,
    }


def test_parts_that_were_measured_longer_than_the_batch_are_no_negative_rest() -> None:
    (spent,) = wall_seconds([batch(0, 0, 1.0, decode_ms=900, store_ms=300)], 1)
    assert spent[TASKS] == 0


def test_rows_per_second_are_from_the_first_start_to_the_last_end() -> None:
    assert run([batch(0, 0, 1.0), batch(1, 3, 1.0)]).rows_per_second == 500


def test_latency_is_of_records_not_of_files() -> None:
    latencies = [(1.0, 900), (11.0, 100)]
    found = {(m.name, m.part): m.value for m in latency_metrics(latencies, [1.0] * 18 + [11.0] * 3)}
    assert found["latency_mean_seconds", ""] == 2.0
    assert found["latency_p50_seconds", ""] == 1.0
    assert found["latency_p95_seconds", ""] == 11.0
    assert len([name for name, part in found if part]) == len(QUANTILES)
    assert latency_metrics([], [None] * len(QUANTILES)) == []


def test_derived_figures_have_each_name_and_part_once() -> None:
    rows = derived_metrics(run([batch(0, 0, 1.0)]))
    assert len({(row.name, row.part) for row in rows}) == len(rows)


def test_many_batches_share_bars_and_lose_no_row() -> None:
    seen = run([batch(number, number, 1.0) for number in range(1_003)])
    assert charts.throughput(seen).count("<rect") <= 80
    assert "batches 1 to 13: 1,000" in charts.throughput(seen)


def test_nothing_sampled_is_no_plot() -> None:
    assert charts.processors(run([batch(0, 0, 1.0)])) == ""
    assert charts.not_inserted(run([batch(0, 0, 1.0)])) == ""
