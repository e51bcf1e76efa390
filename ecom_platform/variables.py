"""Names of environment variables that are ours by their prefix, and are not known.

Belongs here: telling a typing error from a name that somebody else uses. Does not belong here: which
variables there are, what they mean and what they hold (``settings``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PREFIX = "ECOM_"
# What the stack of containers is set up with, outside this program.
OF_THE_STACK = frozenset(
    f"{PREFIX}{name}"
    for name in (
        *("IMAGE", "NOTEBOOK_IMAGE", "NOTEBOOK_TOKEN", "LANDING_SOURCE", "STREAM_CORES"),
        *("OWNER_PASSWORD", "INGEST_PASSWORD", "READER_PASSWORD"),
    )
)
# Names that were understood once, and what is to be set now. None yet.
RETIRED: Mapping[str, str] = {}
# Up to so many letters a name is short: one slip makes it another, two make it any.
_SHORT = 6
_SAME_WORDS = {
    "DIRECTORY": "DIR",
    "FOLDER": "DIR",
    "PATH": "DIR",
    "URI": "URL",
    "URIS": "URL",
    "SEC": "SECONDS",
    "SECS": "SECONDS",
    "MEM": "MEMORY",
    "PASS": "PASSWORD",
    "PWD": "PASSWORD",
    "PG": "POSTGRES",
    "DB": "POSTGRES",
    "DATABASE": "POSTGRES",
    "POSTGRESQL": "POSTGRES",
}


@dataclass(frozen=True, slots=True)
class Strangers:
    """Names that are set, and not understood: those like a known one with that one, the retired with what is
    to be set instead, and the others."""

    mistyped: dict[str, str] = field(default_factory=dict)
    retired: dict[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


def strangers(names: Iterable[str], known: Iterable[str], retired: Mapping[str, str] = RETIRED) -> Strangers:
    """What of ``names`` looks as if it were meant for this program."""
    understood = sorted(name for name in known if name.startswith(PREFIX))
    mistyped: dict[str, str] = {}
    unknown: list[str] = []
    gone: dict[str, str] = {}
    for name in sorted(set(names) - set(understood) - OF_THE_STACK):
        if not name.upper().startswith(PREFIX.rstrip("_")):
            continue
        if name in retired:
            gone[name] = retired[name]
        elif (like := _like(name, understood)) is not None:
            mistyped[name] = like
        elif name.upper().startswith(PREFIX):
            unknown.append(name)
    return Strangers(mistyped, gone, tuple(unknown))


def _like(name: str, known: Iterable[str]) -> str | None:
    body = _body(name)
    limit = 1 if len(body) <= _SHORT else 2
    nearest = min(known, key=lambda other: _distance(body, _body(other)), default=None)
    if nearest is not None and _distance(body, _body(nearest)) <= limit:
        return nearest
    return next((other for other in known if _words(body) == _words(_body(other))), None)


def _body(name: str) -> str:
    return name.upper().replace("-", "_").removeprefix(PREFIX.rstrip("_")).strip("_")


def _words(body: str) -> list[str]:
    return sorted(_SAME_WORDS.get(word, word).rstrip("S") for word in body.split("_"))


def _distance(left: str, right: str) -> int:
    """How many letters have to be put in, taken out, replaced or exchanged with the next."""
    before: list[int] = []
    above = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        here = [row]
        for column, other in enumerate(right, 1):
            cost = min(above[column] + 1, here[-1] + 1, above[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            here.append(cost)
        before, above = above, here
    return above[-1]
