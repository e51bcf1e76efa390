"""Between claimer and query: one micro-batch of unit files at a time."""

from __future__ import annotations

from pathlib import Path

from ecom_platform.store.ledger import ClaimedFile
from ecom_platform.streaming.dispatch import Dispatcher
from ecom_platform.streaming.units import BatchPlan, read_unit


def files(*file_ids: int) -> list[ClaimedFile]:
    return [ClaimedFile(file_id, f"{file_id}.csv", 1_000) for file_id in file_ids]


def in_hand(folder: Path) -> list[list[int]]:
    """The units that Spark is told of, by the ids of their files."""
    return [
        [file.file_id for file in read_unit(path.read_text(), "/claimed")]
        for path in sorted(folder.glob("*.json"))
    ]


def test_the_first_files_go_at_once_the_next_when_they_are_done(tmp_path: Path) -> None:
    dispatcher = Dispatcher(tmp_path, BatchPlan(2, 5_000), 2)
    assert dispatcher.idle
    dispatcher.add(files(1))
    dispatcher.add(files(2))
    dispatcher.add(files(3))
    assert in_hand(tmp_path) == [[1]]
    assert dispatcher.backlog() == (2, 2_000)
    dispatcher.finished([1])
    assert in_hand(tmp_path) == [[2, 3]]
    dispatcher.finished([2, 3])
    assert in_hand(tmp_path) == []
    assert dispatcher.idle


def test_a_micro_batch_takes_no_more_files_than_allowed(tmp_path: Path) -> None:
    dispatcher = Dispatcher(tmp_path, BatchPlan(2, 1), 2)
    dispatcher.add(files(1, 2, 3, 4, 5))
    assert in_hand(tmp_path) == [[1], [2]]
    dispatcher.finished([1])
    assert in_hand(tmp_path) == [[2]]
    dispatcher.finished([2])
    assert in_hand(tmp_path) == [[3], [4]]


def test_a_unit_holds_no_more_bytes_than_allowed(tmp_path: Path) -> None:
    dispatcher = Dispatcher(tmp_path, BatchPlan(1, 5_000, unit_bytes=16 * 1024**2), 1)
    large = [ClaimedFile(number, "large.csv", 10 * 1024**2) for number in range(6)]
    dispatcher.add(large)
    assert sum(map(len, in_hand(tmp_path))) <= 2
    assert dispatcher.backlog()[0] >= 4
