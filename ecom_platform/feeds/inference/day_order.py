"""Which of two numbers of a date is the day, and which the month.

Belongs here: deciding for all columns of a file together. Does not belong here: formats (``time_shapes``).

A column's own values decide, else those of the file's other columns, which the same program wrote; where
none does, somebody has to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ecom_platform.feeds.inference.column_choice import Choice
from ecom_platform.feeds.inference.flow_yaml import scalars
from ecom_platform.feeds.inference.undecided import UndecidedError

_DOUBT = "no value of its own says which is the day and which the month: it is read as other columns are"


def with_day_order(choices: Sequence[Choice]) -> list[Choice]:
    """All columns with one order of day and month each. Raises :class:`UndecidedError`."""
    unclear = [choice for choice in choices if choice.times is not None]
    if not unclear:
        return list(choices)
    formats = [text for choice in choices if choice.times is None for text in choice.column.time_formats]
    decided = {order for text in formats if (order := _order_of(text))}
    order = decided.pop() if len(decided) == 1 else ""
    if any(order not in choice.times.orders for choice in unclear if choice.times):
        raise _which_order(unclear)
    return [_ordered(choice, order) for choice in choices]


def _ordered(choice: Choice, order: str) -> Choice:
    if choice.times is None:
        return choice
    formats = choice.times.orders[order]
    was, now = " or ".join(choice.column.time_formats), " or ".join(formats)
    return replace(
        choice,
        column=replace(choice.column, time_formats=formats),
        evidence=choice.evidence.replace(was, now),
        doubts=(*choice.doubts, _DOUBT),
        times=None,
    )


def _order_of(text: str) -> str | None:
    """The order of a format that begins with a day or a month in digits, or a year of two."""
    if "%m" not in text or not text.startswith(("%d", "%m", "%y")):
        return None
    return {"%d": "dmy", "%m": "mdy", "%y": "ymd"}[text[:2]]


def _which_order(choices: Sequence[Choice]) -> UndecidedError:
    questions = []
    for choice in choices:
        name = choice.column.name
        ways = choice.times.orders.values() if choice.times else ()
        answers = [
            f"{name}.time_format={formats[0] if len(formats) == 1 else scalars(formats)}" for formats in ways
        ]
        sentence = f"No value of {name} says which is the day and which the month ({choice.evidence})."
        questions.append((sentence, answers))
    return UndecidedError(questions)
