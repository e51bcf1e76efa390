"""What a mutant is, and putting it into a copy of the code.

Belongs here: the data and the one replacement. Does not belong here: which mutants there are
(``catalogue``), running tests (``trial``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class StaleError(Exception):
    """The code has moved on: the text that a mutant replaces is not there, or there more than once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault. ``promise`` is the line of docs/guarantees.md that it breaks, by its first column.

    ``original`` occurs exactly once in ``file``; a few words more than what is replaced make it so.
    ``tests`` are ids as pytest takes them, and at least one of them must fail. Where ``hangs`` says why,
    the code then waits for ever, and a test that does not end counts as one that fails.
    """

    name: str
    promise: str
    file: str
    original: str
    mutated: str
    tests: tuple[str, ...]
    hangs: str | None = None


def mutated_text(mutant: Mutant, text: str) -> str:
    """``text`` with the fault in it. Raises :class:`StaleError`."""
    found = text.count(mutant.original)
    if found != 1:
        raise StaleError(f"the original text occurs {found} times in {mutant.file}")
    if mutant.original == mutant.mutated:
        raise StaleError("the mutated text is the original")
    return text.replace(mutant.original, mutant.mutated)


@contextmanager
def applied(mutant: Mutant, folder: Path) -> Iterator[None]:
    """The copy of the checkout in ``folder`` has the fault within the block, and no longer."""
    path = folder / mutant.file
    whole = path.read_text(encoding="utf-8")
    path.write_text(mutated_text(mutant, whole), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(whole, encoding="utf-8")
