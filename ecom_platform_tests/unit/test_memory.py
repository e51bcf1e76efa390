"""The memory of a container, by a control group as the kernel shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecom_platform import memory

MIB = 2**20


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the groups; this process is in ``outer/inner``."""
    own = tmp_path / "own"
    own.write_text("1:cpu:/elsewhere\n0::/outer/inner\n")
    monkeypatch.setattr(memory, "_OWN_GROUP", own)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    return tmp_path


def limit(group: Path, maximum: str, current: int, idle: int) -> None:
    (group / "memory.max").write_text(f"{maximum}\n")
    (group / "memory.current").write_text(f"{current}\n")
    (group / "memory.stat").write_text(f"anon {current - idle}\ninactive_file {idle}\n")


def test_without_a_limit_it_is_the_machine(groups: Path) -> None:
    machine = memory.total_bytes()
    limit(groups / "outer" / "inner", "max", 50 * MIB, 0)
    assert memory.total_bytes() == machine > 64 * MIB
    assert memory.available_bytes(machine) == machine


@pytest.mark.parametrize("place", [".", "outer", "outer/inner"])
def test_the_limit_of_any_group_above_holds(groups: Path, place: str) -> None:
    limit(groups / place, str(64 * MIB), 40 * MIB, 0)
    assert memory.total_bytes() == 64 * MIB
    assert memory.available_bytes(1_000 * MIB) == 24 * MIB
    assert memory.available_bytes(10 * MIB) == 10 * MIB


def test_files_that_were_read_and_can_be_forgotten_are_available(groups: Path) -> None:
    limit(groups, str(64 * MIB), 63 * MIB, 30 * MIB)
    assert memory.available_bytes(1_000 * MIB) == 31 * MIB


def test_what_is_over_the_limit_leaves_nothing(groups: Path) -> None:
    limit(groups, str(64 * MIB), 70 * MIB, 0)
    assert memory.available_bytes(1_000 * MIB) == 0
