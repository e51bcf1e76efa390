"""The torture: a short version, and among the long tests every kind of fault; `make torture` goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_platform_tests.torture import Torture, run, usable_faults

pytestmark = pytest.mark.usefixtures("starts_spark")

EVENTS = 20_000
SEED = 11


@pytest.fixture(scope="module")
def torture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Torture]:
    folder: Path = tmp_path_factory.mktemp("torture")
    rounds = Torture(folder, SEED, EVENTS)
    with rounds.server:
        yield rounds


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (1, "SIGKILL the driver"),
        pytest.param(2, "SIGKILL a Python worker", marks=pytest.mark.long),
        pytest.param(3, "PostgreSQL stopped at once and started", marks=pytest.mark.long),
        pytest.param(4, "a second ingest beside the first", marks=pytest.mark.long),
    ],
)
def test_nothing_lost_and_nothing_twice(torture: Torture, number: int, fault: str) -> None:
    # A fault that came too late, after the last file, is no round: it is tried again.
    assert any(torture.round(number + 10 * again, fault) for again in range(3))
    assert torture.rows > EVENTS


@pytest.mark.long
def test_every_kind_of_fault_twice(torture: Torture) -> None:
    run(torture, 2 * len(usable_faults(torture.folder)))
    assert torture.faults.total() >= torture.late.total()
    assert (torture.lost, torture.doubled) == (0, 0)
