"""The words of an alert, and how many problems share a message.

Belongs here: notices to messages, purely. Does not belong here: who gets them (``dispatch``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from ecom_platform.alerts.problem import Problem, Severity

# Problems that a message names at most. Nobody reads so many, but as many messages would be worse.
MOST_PROBLEMS = 200
# A part of a message that is longer says nothing more, and a whole message of one problem fits anywhere.
_LONGEST_VALUE = 600
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Notice:
    """That a problem was raised or, with ``resolution``, that it is over; on its way to a target."""

    delivery_id: int
    attempts: int
    problem: Problem
    occurred_at: datetime
    resolved_at: datetime | None = None
    resolution: str | None = None

    @property
    def recovered(self) -> bool:
        return self.resolution is not None


@dataclass(frozen=True, slots=True)
class Message:
    """What one message says, and the deliveries that it settles."""

    title: str
    body: str
    recovered: bool
    delivery_ids: tuple[int, ...]
    attempts: int


def compose(notices: Sequence[Notice], longest_body: int) -> Iterator[Message]:
    """Messages that name every one of ``notices``, as few as are readable.

    What is raised and what is over do not share a message. ``longest_body`` is what a target takes, in
    characters; a single problem is never cut into two messages.
    """
    for recovered, group in groupby(notices, key=lambda notice: notice.recovered):
        yield from _messages(list(group), recovered, longest_body)


def _messages(notices: list[Notice], recovered: bool, longest_body: int) -> Iterator[Message]:
    batch: list[Notice] = []
    length = 0
    for notice in notices:
        needed = len(_paragraph(notice)) + 2
        if batch and (len(batch) == MOST_PROBLEMS or length + needed > longest_body):
            yield _message(batch, recovered)
            batch, length = [], 0
        batch.append(notice)
        length += needed
    if batch:
        yield _message(batch, recovered)


def _message(notices: list[Notice], recovered: bool) -> Message:
    severe = any(notice.problem.severity is Severity.ERROR for notice in notices)
    word = "RECOVERED" if recovered else str(Severity.ERROR if severe else Severity.WARN)
    title = f"[{word}] {notices[0].problem.title}"
    if len(notices) == 1:
        body = "\n".join(_facts(notices[0]))
    else:
        title += f", and {len(notices) - 1} more"
        body = "\n\n".join(_paragraph(notice) for notice in notices)
    ids = tuple(notice.delivery_id for notice in notices)
    return Message(title, body, recovered, ids, max(notice.attempts for notice in notices))


def _paragraph(notice: Notice) -> str:
    return "\n".join([notice.problem.title, *_facts(notice, detailed=False)])


def _facts(notice: Notice, *, detailed: bool = True) -> list[str]:
    problem = notice.problem
    facts = [
        ("over", notice.resolution),
        ("asset", problem.asset),
        ("check", problem.check),
        ("expected", problem.expected),
        ("found", problem.found),
        *(_details(problem) if detailed else ()),
        ("since", _time(notice.occurred_at)),
        ("until", _time(notice.resolved_at) if notice.resolved_at else None),
        ("run", problem.run_id),
        ("link", problem.link),
    ]
    return [f"{name}: {_short(value)}" for name, value in facts if value]


def _details(problem: Problem) -> Iterable[tuple[str, str]]:
    for name, value in problem.details.items():
        if isinstance(value, (list, tuple)):
            shown = [str(item) for item in value[:_LISTED]]
            more = [f"and {len(value) - len(shown)} more"] if len(value) > len(shown) else []
            yield name, ", ".join([*shown, *more])
        else:
            yield name, str(value)


def _short(value: str) -> str:
    value = " ".join(value.split())
    return value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
