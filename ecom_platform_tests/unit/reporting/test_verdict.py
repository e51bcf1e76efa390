"""Which rule speaks in which situation, and that what it says is what the figures say."""

import re
from dataclasses import replace

import pytest

from ecom_platform.reporting.figures import (
    BOOKKEEPING,
    COMMIT,
    COPY,
    DECODE,
    LISTING,
    PARTS,
    PLANNING,
    TASKS,
    WAITING,
)
from ecom_platform.reporting.verdict import Cause, Evidence, judge


def evidence(parts: dict[str, float], **values: object) -> Evidence:
    """A run of a million rows in twenty micro-batches on a machine that is not busy."""
    usual: dict[str, object] = {
        "rows_read": 1_000_000,
        "batches": 20,
        "parts": {part: parts.get(part, 0.5) for part in PARTS},
        "cores": 4,
        "slots": 4,
        "trigger_seconds": 10.0,
        "sampled_seconds": 60.0,
        "our_cpu_seconds": 60.0,
        "host_cpu_seconds": 70.0,
        "memory_total_bytes": 16 * 2**30,
        "memory_available_bytes": 8 * 2**30,
    }
    return Evidence(**{**usual, **values})  # type: ignore[arg-type]


SLOW_TRIGGER = evidence({WAITING: 180.0, DECODE: 4.0, COPY: 6.0})
NO_MEMORY = evidence({DECODE: 40.0, COPY: 20.0}, memory_available_bytes=2**30)
NO_PROCESSORS = evidence({DECODE: 40.0, COPY: 20.0}, our_cpu_seconds=30.0, host_cpu_seconds=238.0)
SLOW_DISK = evidence({COMMIT: 55.0, COPY: 20.0, DECODE: 6.0})
SLOW_POSTGRES = evidence({COPY: 70.0, DECODE: 9.0}, postgres_cpu_seconds=65.0)
REJECT_STORM = evidence({COPY: 70.0}, rows_rejected=430_000, reason="not_finite")

SITUATIONS = [
    (SLOW_TRIGGER, Cause.TRIGGER, "180.0 s", "ECOM_TRIGGER_SECONDS"),
    (
        NO_MEMORY,
        Cause.MEMORY,
        "The machine was short of memory: at the least 1,024 MiB",
        "ECOM_SPARK_DRIVER_MEMORY",
    ),
    (NO_PROCESSORS, Cause.PROCESSORS, "87%", "machine of its own"),
    (SLOW_DISK, Cause.DISK, "2.75 s a micro-batch", "faster disk"),
    (SLOW_POSTGRES, Cause.POSTGRES, "at work", "Faster cores"),
    (REJECT_STORM, Cause.REJECTS, "43%", "ecom rejects"),
    (
        evidence({COPY: 70.0}, postgres_cpu_seconds=3.0),
        Cause.POSTGRES,
        "waited for something",
        "pg_stat_activity",
    ),
    (evidence({COPY: 70.0}, postgres_cpu_seconds=None), Cause.POSTGRES, "cannot be seen", "during a load"),
    (
        evidence({COPY: 70.0}, wal_bytes=2.0 * 2**30, full_pages=180_000, checkpoints=3),
        Cause.POSTGRES,
        "after 3 checkpoints 180,000 pages went whole into a log of 2,048 MiB",
        "max_wal_size",
    ),
    (
        evidence({DECODE: 70.0}, executor_task_seconds=80.0, executor_gc_seconds=20.0),
        Cause.MEMORY,
        "25% of their tasks' time, 20.0 s",
        "ECOM_SPARK_EXECUTOR_MEMORY",
    ),
    (evidence({DECODE: 70.0}), Cause.DECODING, "70.0 s with 4 tasks at once", "More cores"),
    (evidence({TASKS: 20.0, PLANNING: 9.0}), Cause.MANY_BATCHES, "50,000 rows each", "ECOM_BATCH_FILES"),
    (evidence({TASKS: 3.0}, batches=1, rows_read=30_000), Cause.START, "30,000 rows are too few", "Nothing"),
    (Evidence(rows_read=0), Cause.NOTHING_LOADED, "No rows", "landing folder"),
]


@pytest.mark.parametrize(("seen", "cause", "said", "advised"), SITUATIONS)
def test_the_rule_for_a_situation(seen: Evidence, cause: Cause, said: str, advised: str) -> None:
    verdict = judge(seen)
    assert verdict.cause is cause
    assert said in verdict.sentence
    assert advised in verdict.recommendation


def test_every_cause_has_its_situation() -> None:
    assert {cause for _, cause, _, _ in SITUATIONS} == set(Cause)


def test_the_advised_trigger_is_the_work_of_a_batch() -> None:
    verdict = judge(SLOW_TRIGGER)
    work = (SLOW_TRIGGER.seconds - 180.0) / 20
    assert f"from 10 to about {work:.1f}" in verdict.recommendation
    assert f"each had {work:.1f} s" in verdict.sentence


@pytest.mark.parametrize("trigger_seconds", [0.0, 0.1, 0.6])
def test_a_trigger_that_could_not_be_lower_is_not_what_is_wrong(trigger_seconds: float) -> None:
    """Of 0.6 s of work a batch: nothing is won below that."""
    seen = evidence({WAITING: 180.0, DECODE: 4.0, COPY: 6.0}, trigger_seconds=trigger_seconds)
    assert seen.advised_trigger == 0.6
    verdict = judge(seen)
    assert verdict.cause is Cause.POSTGRES
    assert "ECOM_TRIGGER_SECONDS" not in verdict.recommendation


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_verdict_is_one_of_shares_not_of_a_fast_or_slow_machine(factor: float) -> None:
    for seen, cause, _, _ in SITUATIONS:
        scaled = replace(
            seen,
            parts={part: seconds * factor for part, seconds in seen.parts.items()},
            sampled_seconds=seen.sampled_seconds * factor,
            our_cpu_seconds=seen.our_cpu_seconds * factor,
            host_cpu_seconds=seen.host_cpu_seconds * factor,
            postgres_cpu_seconds=(
                None if seen.postgres_cpu_seconds is None else seen.postgres_cpu_seconds * factor
            ),
            executor_task_seconds=seen.executor_task_seconds * factor,
            executor_gc_seconds=seen.executor_gc_seconds * factor,
        )
        assert judge(scaled).cause is cause


def test_a_run_of_which_no_process_was_seen_is_judged_by_its_batches() -> None:
    seen = Evidence(rows_read=10, parts={part: float(part == COPY) for part in PARTS})
    assert judge(seen).cause is Cause.POSTGRES


def test_what_micro_batches_cost_by_themselves_counts_together() -> None:
    parts = {LISTING: 4.0, PLANNING: 4.0, TASKS: 4.0, BOOKKEEPING: 4.0, COPY: 15.0}
    assert judge(evidence(parts)).cause is Cause.MANY_BATCHES


def test_no_number_is_canned() -> None:
    """Other figures, other numbers in the sentence."""
    for (seen, _, _, _), other in zip(
        SITUATIONS[:1], [evidence({WAITING: 90.0, DECODE: 4.0, COPY: 6.0})], strict=True
    ):
        one, two = judge(seen).sentence, judge(other).sentence
        assert re.sub(r"[\d.,]+", "#", one) == re.sub(r"[\d.,]+", "#", two)
        assert one != two
