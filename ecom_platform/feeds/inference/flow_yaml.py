"""Values of a declaration as YAML of one line.

Belongs here: writing texts, lists and mappings so that they are read as what they are, and reading what
``--set`` says of a word. Does not belong here: which words there are (``words``), or who has said them
(``said``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ecom_platform.errors import DeclarationError, UsageError, sentence
from ecom_platform.feeds.document import read_document

_SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_ (),.%/+-]*(?<! )", re.ASCII)
# What they say may be several values, or values by name; of any other word brackets are a part of the text.
_LISTS = {"encoding", "in", "nulls", "owners", "primary_key", "time_format"}
_MAPPINGS = {"absent_when", "checks", "required_when", "roles"}


def scalar(text: str) -> str:
    """A text as YAML, plain where that is safe within a list or a mapping."""
    if _SAFE.fullmatch(text) and "," not in text and not re.search(r"[:#]", text):
        return text
    escapes = {'"': '\\"', "\\": "\\\\", "\t": "\\t"}
    shown = "".join(escapes.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in text)
    return f'"{shown}"'


def scalars(values: Sequence[str]) -> str:
    """One value, or a list."""
    return scalar(values[0]) if len(values) == 1 else flow(list(values))


def flow(value: Any) -> str:
    """Texts, lists and mappings of them, however deep."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{scalar(name)}: {flow(item)}' for name, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(flow(item) for item in value)}]"
    return scalar(str(value))


def said_value(word: str, text: str) -> Any:
    """What ``--set word=text`` says: a text, or what stands in brackets or braces where the word takes such.

    Raises :class:`UsageError`.
    """
    bare = text.strip()
    listed = word in _LISTS and bare.startswith("[")
    mapped = word in _MAPPINGS and bare.startswith("{")
    if word in _MAPPINGS and not mapped:
        raise UsageError(
            f"--set {word}={text}: {word} has values by name.", f"Say it in braces: --set '{_example(word)}'."
        )
    if not (listed or mapped):
        return text
    try:
        return read_document(f"{word}: {bare}", "--set").data[word]
    except DeclarationError as error:
        raise UsageError(
            f"--set {word}={text}: {sentence(error.problems[0].message)}", error.problems[0].remedy
        ) from error


def _example(word: str) -> str:
    return {
        "checks": 'checks={paid_first: "paid_at <= sent_at"}',
        "roles": "roles={time: COLUMN}",
    }.get(word, f"COLUMN.{word}={{COLUMN: VALUE}}")


def as_said(word: str, text: str) -> str:
    """What ``--set`` says of a word, as YAML."""
    return flow(said_value(word, text))
