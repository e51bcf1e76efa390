"""What to do about files that wait: load them now, leave them for now, or give them up.

Belongs here: the pure decision over what is on disk, in the ledger and under way, and what makes
two sets of files the same. Does not belong here: finding any of it out (``scan``, ``zone``, the
ledger, Dagster), or launching anything (``orchestration.sensors``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ecom_platform.landing.landed import LandedFile
from ecom_platform.store.ledger import Leftover
from ecom_platform.store.lock import Holder

_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A file that waits to be loaded, known by what stays the same when it is claimed."""

    name: str
    size: int
    landed_at: datetime


@dataclass(frozen=True, slots=True)
class Work:
    """What one look found to do, without claiming anything. ``waiting`` are files that may be claimed, and
    those that a killed run had claimed; ``growing`` are not finished. ``without_feed`` says why each of those
    waits that is of none, ``refused`` why others are never taken. ``holder`` loads just now, where that was
    asked."""

    waiting: frozenset[Waiting] = frozenset()
    growing: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    without_feed: dict[str, str] = field(default_factory=dict)
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class Attempts:
    """Runs that ended and left work behind.

    ``of_this_set``: launched for exactly the files that wait now. ``in_a_row``: the newest ingests,
    for whatever files, back to the last that succeeded. ``ended_at``: when the newest of either
    ended, in seconds since the epoch; ``None`` if there is none.
    """

    of_this_set: int = 0
    in_a_row: int = 0
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait after a failure, and how often to try.

    With these values a set is tried six times within twenty minutes of waiting.
    """

    first_seconds: float = 10.0
    factor: float = 3.0
    attempts: int = 6
    # Files that have not failed yet are not to wait for long because of those that did.
    other_set_seconds: float = 60.0

    def delay(self, attempts: Attempts) -> float:
        """Seconds to let pass after the end of the newest attempt."""
        if attempts.of_this_set:
            return self._after(attempts.of_this_set)
        if attempts.in_a_row:
            return min(self._after(attempts.in_a_row), self.other_set_seconds)
        return 0.0

    def _after(self, failures: int) -> float:
        return self.first_seconds * self.factor ** (min(failures, self.attempts) - 1)


@dataclass(frozen=True, slots=True)
class State:
    """All that the decision rests on. ``now`` in seconds since the epoch."""

    now: float
    waiting: frozenset[Waiting] = frozenset()
    growing: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    # Files of no feed, and why: nothing is launched for them.
    without_feed: dict[str, str] = field(default_factory=dict)
    # Why nobody could look: what waits is not known.
    away: str | None = None
    # Runs that ingest and have not ended, and who holds the ingest lock, in words.
    under_way: tuple[str, ...] = ()
    lock_holder: str | None = None
    live: bool = False
    attempts: Attempts = Attempts()


@dataclass(frozen=True, slots=True)
class Launch:
    """Load everything that waits, in one run."""

    files: tuple[str, ...]
    fingerprint: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing to do now."""

    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """These files were tried often enough; nothing is tried until the set changes."""

    reason: str
    files: tuple[str, ...]
    fingerprint: str


Decision = Launch | Skip | GiveUp


def waiting(landed: Iterable[LandedFile], leftovers: Iterable[Leftover]) -> frozenset[Waiting]:
    """Files at rest in the landing folder and files that a killed run had claimed, each once."""
    return frozenset(
        [Waiting(file.name, file.size, file.landed_at) for file in landed]
        + [Waiting(file.name, file.size_bytes, file.landed_at) for file in leftovers]
    )


def fingerprint(files: Iterable[Waiting]) -> str:
    """The same for the same files, claimed or not; another one as soon as a file comes, goes or changes."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.name}\0{file.size}\0{file.landed_at.timestamp():.6f}\0".encode())
    return digest.hexdigest()[:16]


def decide(state: State, patience: Patience = Patience()) -> Decision:
    """What to do about the files that wait."""
    if state.under_way:
        return Skip(f"An ingest is under way: {_some(state.under_way)}.")
    if state.away is not None:
        return Skip(f"Not looked at, tried again with the next tick: {state.away}")
    if state.live:
        return Skip("The live mode loads what lands (`ecom stream`).")
    if state.lock_holder is not None:
        return Skip(f"Another ingest holds the lock: {state.lock_holder}.")
    if not state.waiting:
        return Skip(_why_nothing(state))
    return _with_work(state, patience)


def _with_work(state: State, patience: Patience) -> Decision:
    names = tuple(file.name for file in sorted(state.waiting))
    key = fingerprint(state.waiting)
    attempts = state.attempts
    if attempts.of_this_set >= patience.attempts:
        return GiveUp(
            f"{_files(names)} could not be loaded in {attempts.of_this_set} runs. Nothing is tried again "
            "until a file comes, goes or changes, or somebody launches the job.",
            names,
            key,
        )
    left = _seconds_left(state, patience)
    if left > 0:
        failures = _count(attempts.of_this_set or attempts.in_a_row, "run")
        whose = "for them" if attempts.of_this_set else "for other files"
        return Skip(
            f"{_files(names)} to load; {failures} {whose} did not succeed, the next try is in {left:.0f} s."
        )
    return Launch(names, key, f"{_files(names)} to load.")


def _seconds_left(state: State, patience: Patience) -> float:
    """Until the next try.

    An end that is unknown, or in the future since the clock was set back, delays nothing.
    """
    ended_at = state.attempts.ended_at
    if ended_at is None or state.now < ended_at:
        return 0.0
    return patience.delay(state.attempts) - (state.now - ended_at)


def _why_nothing(state: State) -> str:
    seen = []
    if state.growing:
        seen.append(f"{_files(state.growing)} still being written")
    if state.without_feed:
        names = sorted(state.without_feed)
        first = f"; {names[0]}: {state.without_feed[names[0]]}"
        seen.append(f"{_files(names)} without a feed{first}")
    if state.refused:
        entries = [f"{name} ({reason})" for name, reason in sorted(state.refused.items())]
        seen.append(f"{len(entries)} never taken: {_some(entries)}")
    return f"Nothing to load; {'; '.join(seen)}." if seen else "Nothing has landed."


def _files(names: Sequence[str]) -> str:
    return f"{_count(len(names), 'file')} ({_some(names)})"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _NAMES_SHOWN
    return ", ".join(texts[:_NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
