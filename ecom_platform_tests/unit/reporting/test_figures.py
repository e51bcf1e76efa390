"""Arithmetic on the figures of a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ecom_platform.postgres.metrics import Batch, Files, Metric
from ecom_platform.reporting import charts
from ecom_platform.reporting.figures import (
    COMMIT,
    COPY,
    DECODE,
    LISTING,
    QUANTILES,
    TASKS,
    WAITING,
    Run,
    derived_metrics,
    latency_metrics,
    wall_seconds,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def batch(number: int, at: float, seconds: float, **values: float) -> Batch:
    usual: dict[str, float] = dict.fromkeys(
        ("listing_ms", "planning_ms", "bookkeeping_ms", "decode_ms", "store_ms", "commit_ms"), 0.0
    )
    return Batch(
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


def run(batches: list[Batch], measured: list[Metric] | None = None) -> Run:
    files = Files(len(batches), 0, 100, 1_000 * len(batches), 1_000 * len(batches), 0, 0, 0, 0, 0)
    return Run("run", batches, files, [], None, [], measured or [], {})


def test_tasks_that_ran_side_by_side_share_the_time() -> None:
    (spent,) = wall_seconds([batch(0, 0, 5.0, tasks=8, decode_ms=4_000, store_ms=8_000, commit_ms=400)], 4)
    assert (spent[DECODE], spent[COPY], spent[COMMIT]) == (1.0, 2.0, pytest.approx(0.1))
    assert spent[TASKS] == pytest.approx(5.0 - 3.1)


def test_fewer_tasks_than_cores_do_not_share_with_nobody() -> None:
    (spent,) = wall_seconds([batch(0, 0, 5.0, tasks=2, decode_ms=4_000)], 8)
    assert spent[DECODE] == 2.0


def test_waiting_is_what_nobody_accounts_for_between_two_batches() -> None:
    first, second = batch(0, 0, 1.0), batch(1, 11, 1.0, listing_ms=500, planning_ms=300, bookkeeping_ms=200)
    one, two = wall_seconds([first, second], 2)
    assert one[WAITING] == 0
    assert two[WAITING] == pytest.approx(10.0 - 1.0)
    assert two[LISTING] == 0.5


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
