"""The pure parts of the query; the query itself is in integration/test_query.py."""

from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.store.outcome import UnitResult
from ecom_platform.streaming.query import batch_figures, weighted_quantile


def test_nothing_has_no_quantile() -> None:
    assert weighted_quantile([], 0.5) is None
    assert weighted_quantile([(1.0, 0)], 0.5) is None


def test_weights_count() -> None:
    values = [(1.0, 98), (2.0, 1), (9.0, 1)]
    assert weighted_quantile(values, 0.50) == 1.0
    assert weighted_quantile(values, 0.99) == 2.0
    assert weighted_quantile(values, 1.00) == 9.0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 1000)), max_size=30), st.floats(0.01, 1.0))
def test_at_least_the_share_lies_at_or_below(values: list[tuple[float, int]], quantile: float) -> None:
    result = weighted_quantile(values, quantile)
    total = sum(weight for _, weight in values)
    if total == 0:
        assert result is None
    else:
        assert result is not None
        assert sum(weight for value, weight in values if value <= result) >= quantile * total * (1 - 1e-9)


def test_a_micro_batch_knows_its_longest_task_and_what_its_workers_used() -> None:
    units = [UnitResult([], 1.0, 2.0, 0.5, 2.75, 100), UnitResult([], 0.1, 0.1, 0.1, 0.25, 300)]
    figures = batch_figures(units, 4.0, slots=8, trigger_ms=200)
    assert (figures.decode_ms, figures.store_ms, figures.commit_ms) == (1_100, 2_100, 600)
    assert (figures.longest_task_ms, figures.worker_cpu_ms) == (3_500, 3_000)
    assert (figures.tasks, figures.slots, figures.trigger_ms) == (2, 8, 200)
    assert (figures.duration_ms, figures.worker_peak_bytes) == (4_000, 300)


def test_a_micro_batch_whose_units_another_run_has_finished() -> None:
    figures = batch_figures([], 1.0, slots=2, trigger_ms=0)
    assert (figures.tasks, figures.longest_task_ms, figures.latency_p50_ms) == (0, 0, None)
