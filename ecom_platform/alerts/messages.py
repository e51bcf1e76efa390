"""The words of an alert, and how many problems share a message.

Belongs here: notices to messages, purely. Does not belong here: who gets them (``dispatch``), what
makes a stranger's text harmless (``neutral``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from ecom_platform.alerts.neutral import neutral
from ecom_platform.alerts.problem import MEMORY, Problem, Severity

# Problems that a message names at most. Nobody reads so many, but as many messages would be worse.
MOST_PROBLEMS = 200
# Up to so many at once are told in full; of more, what was expected and found.
_IN_FULL = 10
# A part of a message that is longer says nothing more, and a whole message of one problem fits anywhere.
_LONGEST_VALUE = 600
_LONGEST_REMEDY = 1_200
# Details, and items of one of them, that are named.
_NAMED = 20
# Items of a list stand on a line each where one of them is longer.
_SHORT_ITEM = 40


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
    full = [_paragraph(notice, detailed=True) for notice in notices]
    if len(notices) <= _IN_FULL and sum(len(text) + 2 for text in full) <= longest_body:
        yield _message(notices, full, recovered)
        return
    batch: list[Notice] = []
    texts: list[str] = []
    length = 0
    for notice in notices:
        text = _paragraph(notice, detailed=False)
        if batch and (len(batch) == MOST_PROBLEMS or length + len(text) + 2 > longest_body):
            yield _message(batch, texts, recovered)
            batch, texts, length = [], [], 0
        batch.append(notice)
        texts.append(text)
        length += len(text) + 2
    if batch:
        yield _message(batch, texts, recovered)


def _message(notices: list[Notice], paragraphs: Sequence[str], recovered: bool) -> Message:
    severe = any(notice.problem.severity is Severity.ERROR for notice in notices)
    word = "RECOVERED" if recovered else str(Severity.ERROR if severe else Severity.WARN)
    title = f"[{word}] {neutral(notices[0].problem.title)}"
    if len(notices) == 1:
        body = "\n".join(_facts(notices[0], detailed=True))
    else:
        title += f", and {len(notices) - 1} more"
        body = "\n\n".join(paragraphs)
    ids = tuple(notice.delivery_id for notice in notices)
    return Message(title, body, recovered, ids, max(notice.attempts for notice in notices))


def _paragraph(notice: Notice, *, detailed: bool) -> str:
    return "\n".join([neutral(notice.problem.title), *_facts(notice, detailed=detailed)])


def _facts(notice: Notice, *, detailed: bool) -> list[str]:
    problem = notice.problem
    facts = [
        *_line("over", notice.resolution),
        *_line("asset", problem.asset),
        *_line("check", problem.check),
        *_line("expected", problem.expected),
        *_line("found", problem.found),
    ]
    if detailed:
        facts += _details(problem.details)
        # What is over needs nothing done about it.
        facts += _line("what to do", None if notice.recovered else problem.remedy, _LONGEST_REMEDY)
    return [
        *facts,
        *_line("since", _time(notice.occurred_at)),
        *_line("until", _time(notice.resolved_at) if notice.resolved_at else None),
        *_line("run", problem.run_id),
        *_line("link", problem.link),
    ]


def _line(name: str, value: str | None, longest: int = _LONGEST_VALUE) -> list[str]:
    return [f"{neutral(name)}: {_short(value, longest)}"] if value else []


def _details(details: Mapping[str, object]) -> Iterator[str]:
    said = sorted((name, value) for name, value in details.items() if name not in MEMORY and value != "")
    for name, value in said[:_NAMED]:
        if not isinstance(value, (list, tuple)):
            yield from _line(name, str(value))
            continue
        items = [_short(str(item)) for item in value[:_NAMED]]
        if len(value) > len(items):
            items.append(f"and {len(value) - len(items)} more")
        if any(len(item) > _SHORT_ITEM for item in items):
            yield f"{neutral(name)}:"
            yield from (f"  {item}" for item in items)
        elif items:
            yield f"{neutral(name)}: {', '.join(items)}"
    if len(said) > _NAMED:
        yield f"and {len(said) - _NAMED} more"


def _short(value: str, longest: int = _LONGEST_VALUE) -> str:
    value = " ".join(value.split())
    return neutral(value if len(value) <= longest else f"{value[:longest]}…")


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
