"""How-manieth a record is: exact whatever the size of the table, in bounded memory, and no file stays."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.errors import StorageError
from ecom_platform.feeds.count_table import CountTable, SpilledTable
from ecom_platform.feeds.numbering import MOST_PLACES, Numbering
from ecom_platform_tests.examples import examples

# Of hashes with one first half, one second half, and neither.
HALVES = (0, 1, 2**32, 2**63, 2**64 - 1)
hashes = st.tuples(st.sampled_from(HALVES), st.sampled_from(HALVES) | st.integers(0, 2**64 - 1))


def as_bytes(chunk: list[tuple[int, int]]) -> npt.NDArray[np.uint8]:
    return np.array(chunk, dtype=np.uint64).reshape(-1, 2).view(np.uint8).reshape(-1, 16)


@pytest.mark.parametrize("most_places", [2, 4, 16, 256, MOST_PLACES])
def test_the_number_is_how_often_it_was_there_before(most_places: int) -> None:
    @examples(60)
    @given(st.lists(st.lists(hashes, max_size=60), max_size=10))
    def check(chunks: list[list[tuple[int, int]]]) -> None:
        numbering, counted = Numbering(most_places), Counter[tuple[int, int]]()
        for chunk in chunks:
            expected = []
            for one in chunk:
                expected.append(counted[one])
                counted[one] += 1
            assert numbering.next(as_bytes(chunk)).tolist() == expected

    check()


@pytest.mark.parametrize("most_places", [1 << 12, 1 << 15, MOST_PLACES])
@pytest.mark.parametrize("different", [50, 5_000, 20_000])
def test_against_a_dict(most_places: int, different: int) -> None:
    """Chunks with some that are equal within, and some that were in a chunk long before."""
    random = np.random.default_rng(different)
    known = random.integers(0, 256, (different, 16), dtype=np.uint8)
    numbering, counted = Numbering(most_places), Counter[bytes]()
    for _ in range(12):
        chunk = known[random.integers(0, different, 4_000)]
        expected = []
        for one in chunk:
            expected.append(counted[one.tobytes()])
            counted[one.tobytes()] += 1
        assert numbering.next(chunk).tolist() == expected


def test_equal_ones_that_are_all_of_a_chunk() -> None:
    numbering = Numbering(64)
    for begin in (0, 1_000):
        numbers = numbering.next(np.zeros((1_000, 16), dtype=np.uint8))
        assert (numbers == np.arange(begin, begin + 1_000)).all()


def test_what_is_on_disk_is_found_and_nothing_else() -> None:
    table = CountTable(16)
    high = np.array([1, 1, 1, 7, 2**64 - 1, 2**64 - 2], dtype=np.uint64)
    low = np.array([3, 1, 2, 1, 2**64 - 1, 0], dtype=np.uint64)
    table.add(high, low, np.arange(1, 7, dtype=np.uint32))
    spilled = SpilledTable(table)
    table.clear()
    for _ in range(2):  # the pages were given back
        assert spilled.find(high, low).tolist() == [1, 2, 3, 4, 5, 6]
    strange = np.array([0, 0, 1, 7, 2**64 - 1], dtype=np.uint64)
    assert not spilled.find(strange, np.array([0, 1, 9, 2, 0], dtype=np.uint64)).any()


def test_a_scratch_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    numbering = Numbering(16)
    chunk = np.random.default_rng(1).integers(0, 256, (1_000, 16), dtype=np.uint8)
    assert not numbering.next(chunk).any()
    assert list(tmp_path.iterdir()) == []
    assert (numbering.next(chunk) == 1).all()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> io.FileIO:
        return io.FileIO("/dev/full", "r+")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(StorageError) as raised:
        Numbering(16).next(np.random.default_rng(1).integers(0, 256, (1_000, 16), dtype=np.uint8))
    assert "No space left" in raised.value.message
    assert "TMPDIR" in raised.value.remedy


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing"
    monkeypatch.setattr(tempfile, "tempdir", str(missing))
    with pytest.raises(StorageError, match=str(missing)) as raised:
        Numbering(16).next(np.random.default_rng(1).integers(0, 256, (1_000, 16), dtype=np.uint8))
    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.__cause__.errno == errno.ENOENT


_COUNTING = """
import resource, sys
import numpy as np
from ecom_platform.feeds.count_table import CountTable, SpilledTable
from ecom_platform.feeds.numbering import Numbering

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

numbering, begin = Numbering(), peak()
for again in (0, 1):
    random = np.random.default_rng(1)
    for _ in range(60):
        numbers = numbering.next(random.integers(0, 256, (50_000, 16), dtype=np.uint8))
        assert (numbers == again).all()
print(peak() - begin)
"""


@pytest.mark.usefixtures("starts_programs")
def test_memory_stays_bounded() -> None:
    """Three million different ones, all of them twice: in memory alone they would take 100 MB and more."""
    command = [sys.executable, "-c", _COUNTING]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(printed) < 150 * 1024**2
