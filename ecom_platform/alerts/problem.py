"""What deserves telling: a problem, the signs of it, and which of these change anything.

Belongs here: the vocabulary of alerts and the pure decisions about it. Does not belong here: where
signs come from (``orchestration.alerting``), where they are kept (``outbox``), how they are worded
(``messages``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """Every kind of problem there is."""

    CHECK_FAILED = "check_failed"
    CHECK_RAISED = "check_raised"
    RUN_FAILED = "run_failed"
    RUN_HANGS = "run_hangs"
    FRESHNESS_LOST = "freshness_lost"
    SENSOR_FAILS = "sensor_fails"
    FILE_QUARANTINED = "file_quarantined"
    REJECTS = "rejects"
    # The sensor on new files has stopped trying; the live mode is not alive when it should be.
    INGEST_GIVEN_UP = "ingest_given_up"
    # Told past the outbox, which is in that database.
    DATABASE_DOWN = "database_down"


# Details that are for the source of a problem, and said to nobody.
MEMORY = frozenset({"file_ids", "files_in_all"})


class Severity(StrEnum):
    ERROR = "ERROR"
    WARN = "WARN"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that somebody should know. ``key`` says which one it is: while a problem of a key is
    open, another of the same key is the same problem and is not told again."""

    key: str
    kind: Kind
    title: str
    expected: str
    found: str
    severity: Severity = Severity.ERROR
    asset: str | None = None
    check: str | None = None
    run_id: str | None = None
    link: str | None = None
    # Where and how much, by name; what a source has to remember itself has one of the names in MEMORY.
    details: Mapping[str, object] = field(default_factory=dict)
    # What to do about it.
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Raised:
    """A sign, of time ``at``, that there is a problem."""

    problem: Problem
    at: datetime

    @property
    def key(self) -> str:
        return self.problem.key


@dataclass(frozen=True, slots=True)
class Resolved:
    """A sign, of time ``at``, that the problem of ``key`` is over, if there was one."""

    key: str
    resolution: str
    at: datetime


Sign = Raised | Resolved


@dataclass(frozen=True, slots=True)
class Window:
    """What a source of signs is asked about. Nothing from before ``began`` is told: it is no news.
    From ``since`` on, later than that or the same, no earlier tick can be trusted to have seen it all."""

    began: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a key: the time of the newest sign, and whether a problem is open."""

    at: datetime
    open: bool


def changes(signs: Iterable[Sign], known: Mapping[str, Known]) -> list[Sign]:
    """The signs that change what is known, in the order of their time.

    A sign older than the newest one of its key changes nothing, so signs may be given again, in any
    order, by any number of readers: what comes out is as if each had been given once, in order. Only a
    key that nothing is known of takes an old sign, and then takes the newer ones after it as well.
    """
    state = dict(known)
    effective: list[Sign] = []
    for sign in sorted(signs, key=lambda sign: sign.at):
        before = state.get(sign.key)
        if before is not None and sign.at <= before.at:
            continue
        raised = isinstance(sign, Raised)
        if not raised and (before is None or not before.open):
            continue
        state[sign.key] = Known(sign.at, raised)
        effective.append(sign)
    return effective
