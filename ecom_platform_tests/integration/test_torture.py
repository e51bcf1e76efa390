"""The torture: a short version, and among the long tests every kind of fault; `make torture` goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecom_platform_tests.torture.campaign import Torture
from ecom_platform_tests.torture.faults import BUCKET, FOLDER, usable_faults

pytestmark = pytest.mark.usefixtures("starts_spark")

EVENTS = 20_000
SEED = 11


@pytest.fixture(scope="module", params=[FOLDER, BUCKET])
def torture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Torture]:
    with Torture(tmp_path_factory.mktemp("torture"), SEED, EVENTS, request.param) as rounds:
        yield rounds


@pytest.mark.parametrize(
    ("torture", "number", "fault"),
    [
        (FOLDER, 1, "SIGKILL the driver"),
        pytest.param(FOLDER, 2, "SIGKILL a Python worker", marks=pytest.mark.long),
        pytest.param(FOLDER, 3, "PostgreSQL stopped at once and started", marks=pytest.mark.long),
        pytest.param(FOLDER, 4, "a second ingest beside the first", marks=pytest.mark.long),
        (BUCKET, 1, "the store's answers are lost, then SIGKILL the driver"),
        pytest.param(BUCKET, 2, "SIGKILL the store, and start it", marks=pytest.mark.long),
        pytest.param(BUCKET, 3, "the store answers 503 for a while", marks=pytest.mark.long),
        pytest.param(BUCKET, 4, "credentials expire for a while", marks=pytest.mark.long),
        pytest.param(BUCKET, 5, "the store's answers are lost", marks=pytest.mark.long),
        pytest.param(BUCKET, 6, "the store's answers are cut off", marks=pytest.mark.long),
    ],
    indirect=["torture"],
)
def test_nothing_lost_and_nothing_twice(torture: Torture, number: int, fault: str) -> None:
    # A fault that came too late, after the last file, is no round: it is tried again.
    assert any(torture.round(number + 10 * again, fault) for again in range(3))
    assert torture.rows > EVENTS


@pytest.mark.long
def test_every_kind_of_fault_twice(torture: Torture) -> None:
    torture.run(2 * len(usable_faults(torture.folder, torture.landing)))
    assert torture.faults.total() >= torture.late.total()
    assert (torture.lost, torture.doubled) == (0, 0)
