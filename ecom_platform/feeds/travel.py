"""A declaration as JSON: on its way to tasks, in the table of what was applied, and by its fingerprint.

Belongs here: the form, and which words of it decide about rows. Does not belong here: what words mean
(``feed``), or what a change of one means (``store.table_changes``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ecom_platform.feeds.feed import Column, Concat, Dialect, Feed, When

# Part of every fingerprint: whoever changes what a word means changes this.
_VERSION = 1
# What is said of a feed, and does not decide about a row.
_SAID = frozenset({"about", "owners", "freshness", "reject_share", "checks"})


def to_data(feed: Feed) -> dict[str, Any]:
    """The declaration as JSON has it: lists where there are tuples."""
    data: dict[str, Any] = json.loads(json.dumps(asdict(feed)))
    return data


def from_data(data: Mapping[str, Any]) -> Feed:
    """The declaration that :func:`to_data` was given."""
    values = _tupled(data)
    values["columns"] = tuple(_column(column) for column in data["columns"])
    values["dialect"] = Dialect(**_tupled(data["dialect"]))
    return Feed(**values)


def declaration_hash(feed: Feed) -> str:
    """A fingerprint of what decides about rows; 64 hexadecimal digits."""
    decides = {word: value for word, value in to_data(feed).items() if word not in _SAID}
    for column in decides["columns"]:
        column.pop("about")
    text = json.dumps([_VERSION, decides], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _column(data: Mapping[str, Any]) -> Column:
    values = _tupled(data)
    if data["concat"] is not None:
        values["concat"] = Concat(**_tupled(data["concat"]))
    for word in ("required_when", "absent_when"):
        values[word] = tuple(When(**_tupled(when)) for when in data[word])
    return Column(**values)


def _tupled(data: Mapping[str, Any]) -> dict[str, Any]:
    return {word: tuple(value) if isinstance(value, list) else value for word, value in data.items()}
