"""What executors say of themselves, as figures of a run."""

from dataclasses import replace

from ecom_platform.streaming.executors import ExecutorUse, executor_metrics, since

FIRST = ExecutorUse("0", "10.0.0.1", 4, 0, 8.0, 0.5, 100)
SECOND = ExecutorUse("1", "10.0.0.2", 2, 1, 3.0, 0.0, 0)


def test_what_was_added_since() -> None:
    later = replace(FIRST, tasks=6, task_seconds=9.5, gc_seconds=0.75, heap_peak_bytes=120)
    assert since([FIRST], [later, SECOND]) == [
        ExecutorUse("0", "10.0.0.1", 2, 0, 1.5, 0.25, 120),
        SECOND,
    ]


def test_one_that_did_nothing_since_is_not_named() -> None:
    assert since([FIRST, SECOND], [FIRST, replace(SECOND, failed_tasks=2)]) == [
        ExecutorUse("1", "10.0.0.2", 0, 1, 0.0, 0.0, 0)
    ]


def test_figures_of_each_and_of_all() -> None:
    found = {(row.name, row.part): row.value for row in executor_metrics([FIRST, SECOND])}
    assert found["executor_tasks", ""] == 6
    assert found["executor_failed_tasks", ""] == 1
    assert found["executor_task_seconds", ""] == 11.0
    assert found["executor_heap_peak_bytes", ""] == found["executor_heap_peak_bytes", "0 on 10.0.0.1"] == 100
    assert found["executor_gc_seconds", "0 on 10.0.0.1"] == 0.5
    assert ("executor_heap_peak_bytes", "1 on 10.0.0.2") not in found  # nobody looked


def test_none_ran() -> None:
    assert executor_metrics([]) == []
