"""The runner of mutants on a program of two lines: what it calls killed, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecom_platform_tests.mutants.catalogue import MUTANTS
from ecom_platform_tests.mutants.copies import ForeignCodeError, copy_checkout, require_own_code
from ecom_platform_tests.mutants.mutant import Mutant, StaleError, applied, mutated_text
from ecom_platform_tests.mutants.trial import Result, Verdict, try_mutant

pytestmark = pytest.mark.usefixtures("starts_programs")

PROGRAM = "def add(a, b):\n    return a + b\n"
# It asks a process of its own, as tests that start programs do.
TESTS = """
import subprocess, sys
def test_sum():
    command = [sys.executable, "-c", "import sums; print(sums.add(1, 2))"]
    assert subprocess.run(command, capture_output=True, cwd="/").stdout == b"3\\n"
def test_nothing():
    pass
"""


def mutant(original: str, mutated: str, test: str = "test_sum") -> Mutant:
    return Mutant("name", "promise", "sums/__init__.py", original, mutated, (f"test_sums.py::{test}",))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of a checkout that has a package and its tests."""
    root = tmp_path / "root"
    (root / "sums").mkdir(parents=True)
    (root / "sums" / "__init__.py").write_text(PROGRAM)
    (root / "test_sums.py").write_text(TESTS)
    (root / "pytest.ini").write_text("[pytest]\n")
    copy_checkout(root, tmp_path / "copy", ("sums",))
    return tmp_path / "copy"


def test_a_fault_is_found_or_not_and_the_copy_is_as_before(copy: Path) -> None:
    killed = try_mutant(mutant("a + b", "a - b"), copy)
    # As long as the one before, and within the same second: compiled files must not pass for each other.
    survived = try_mutant(mutant("a + b", "b + a"), copy)
    assert (killed.verdict, killed.by) == (Verdict.KILLED, "test_sums::test_sum")
    assert survived.verdict is Verdict.SURVIVED
    assert (copy / "sums" / "__init__.py").read_text() == PROGRAM


def test_a_test_that_is_not_there_kills_nothing(copy: Path) -> None:
    result = try_mutant(mutant("a + b", "a - b", "no_such_test"), copy)
    assert result.verdict is Verdict.BROKEN


@pytest.mark.parametrize(("original", "mutated"), [("a * b", "a"), ("a", "b"), ("a + b", "a + b")])
def test_a_text_that_is_not_there_once_is_stale(copy: Path, original: str, mutated: str) -> None:
    result: Result = try_mutant(mutant(original, mutated), copy)
    assert result.verdict is Verdict.STALE


def test_code_of_another_place_is_refused(copy: Path) -> None:
    require_own_code(copy, ("sums",))
    with pytest.raises(ForeignCodeError, match="ecom_platform"):
        require_own_code(copy, ("sums", "ecom_platform"))


def test_what_an_exception_leaves(copy: Path) -> None:
    with pytest.raises(RuntimeError), applied(mutant("a + b", "a - b"), copy):
        raise RuntimeError
    assert (copy / "sums" / "__init__.py").read_text() == PROGRAM


def test_the_catalogue_is_well_formed() -> None:
    names = [each.name for each in MUTANTS]
    assert len(set(names)) == len(names)
    for each in MUTANTS:
        assert each.tests and isinstance(each.tests, tuple)
        with pytest.raises(StaleError):
            mutated_text(each, "")
