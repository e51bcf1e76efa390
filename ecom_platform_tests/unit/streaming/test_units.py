"""Cutting what is claimed into units of work."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.store.ledger import ClaimedFile
from ecom_platform.streaming.units import (
    MAX_UNIT_BYTES,
    MIN_UNIT_BYTES,
    plan_batches,
    plan_units,
    read_unit,
    write_units,
)

MB = 1024**2


def files(*sizes: int) -> list[ClaimedFile]:
    return [ClaimedFile(number, f"{number}.csv", size) for number, size in enumerate(sizes, 1)]


@given(st.lists(st.integers(0, 200 * MB), max_size=60), st.integers(1, 16), st.integers(1, 50))
def test_every_file_is_in_one_unit_in_order(sizes: list[int], parallelism: int, files_per_unit: int) -> None:
    waiting = files(*sizes)
    units = plan_units(waiting, parallelism, files_per_unit)
    assert [file for unit in units for file in unit] == waiting
    assert all(1 <= len(unit) <= files_per_unit for unit in units)


@given(st.lists(st.integers(0, 200 * MB), max_size=60), st.integers(1, 16))
def test_a_unit_passes_the_limit_only_by_its_last_file(sizes: list[int], parallelism: int) -> None:
    for unit in plan_units(files(*sizes), parallelism):
        assert sum(file.size_bytes for file in unit[:-1]) <= MAX_UNIT_BYTES


def test_small_work_is_one_unit() -> None:
    assert len(plan_units(files(*[130_000] * 30), 2)) == 1


def test_larger_work_is_spread_over_the_cores() -> None:
    units = plan_units(files(*[130_000] * 1_000), 2)
    assert len(units) == 2
    assert all(sum(file.size_bytes for file in unit) > MIN_UNIT_BYTES for unit in units)


@pytest.mark.parametrize("parallelism", [1, 2, 3, 8])
def test_no_core_is_left_with_a_unit_more_than_the_others(parallelism: int) -> None:
    units = plan_units(files(*[10 * MB] * 50), parallelism)
    assert len(units) % parallelism == 0
    assert {len(unit) for unit in units} <= {50 // len(units), 50 // len(units) + 1}


def test_a_large_file_is_a_unit_by_itself() -> None:
    units = plan_units(files(500 * MB, 500 * MB, 500 * MB), 2)
    assert [len(unit) for unit in units] == [1, 1, 1]


@pytest.mark.parametrize(
    ("batch_files", "parallelism", "units", "per_unit"),
    [(1, 2, 1, 1), (2, 2, 2, 1), (7, 2, 2, 3), (30, 4, 4, 7)],
)
def test_a_batch_never_takes_more_files_than_allowed(
    batch_files: int, parallelism: int, units: int, per_unit: int
) -> None:
    plan = plan_batches(batch_files, parallelism)
    assert (plan.units_per_batch, plan.files_per_unit) == (units, per_unit)
    assert plan.units_per_batch * plan.files_per_unit <= batch_files


def test_unit_files_are_what_a_task_reads(tmp_path: Path) -> None:
    write_units(tmp_path / "units", [files(1, 2), files(3)])
    first, second = sorted((tmp_path / "units").iterdir())
    assert [file.path for file in read_unit(first.read_text(), "/claimed")] == [
        "/claimed/1-1.csv",
        "/claimed/2-2.csv",
    ]
    assert json.loads(second.read_text()) == [[1, "1.csv", 3]]
