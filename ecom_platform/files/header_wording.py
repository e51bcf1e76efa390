"""What is said of a first line that is not the header of its feed.

Belongs here: telling names from data, since what is said goes to logs, chats and mail. Does not belong
here: reading the line, or judging it (``feed_decoding``).

A file without a header begins with data, which may be anybody's. So names are repeated only of a line that
is a header by the look of it, and only those that look like names themselves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

_SHOWN = 12
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .#%()/-]{0,39}")
# So many digits in a row are a number of something.
_NUMBER = re.compile(r"[0-9]{4}")
# Of these words names of columns are made, and few values are.
_WORDS = frozenset(
    "id uuid guid key ref name title type kind status state code sku date time timestamp day month year hour"
    " created updated ordered at price amount total sum quantity qty count number no currency user customer"
    " client buyer seller order item product event session category brand device country city zip postcode"
    " location address region email phone url ip source channel store description comment value unit tax"
    " discount payment shipping gender age first last".split()
)
# What may stand between the names of a header; those before others are preferred among equals.
_SEPARATORS = "\t|;,^~"
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def is_header(names: Sequence[str], known: Collection[str]) -> bool:
    """Whether these are names of columns by the look of them; ``known`` are those that are expected."""
    lowered = {name.lower() for name in known}
    if any(name.lower() in lowered for name in names):
        return True
    wordy = sum(_is_name(name) and bool(_WORDS & {w.lower() for w in _WORD.findall(name)}) for name in names)
    return 2 * wordy > len(names) and not any(_NUMBER.search(name) for name in names)


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and _NUMBER.search(text) is None


def named(names: Sequence[str]) -> str:
    """Names, as far as they look like names."""
    shown = [name for name in names if _is_name(name)][:_SHOWN]
    rest = len(names) - len(shown)
    more = f"{rest} more" if shown else f"{rest} that are no names by the look of them"
    return ", ".join([*shown, *([more] if rest else [])])


def separated_by(names: Sequence[str], delimiter: str, known: Collection[str]) -> str | None:
    """What stands between the names of a header where it is not ``delimiter``, by which it was split into
    ``names``: the mark that makes more of them known. ``None`` where no other does."""
    line = delimiter.join(names)
    most, found = len(set(names) & set(known)), None
    for mark in _SEPARATORS:
        parts = {part.strip(" \"'\r\ufeff") for part in line.split(mark)}
        if mark != delimiter and len(parts & set(known)) > max(most, 1):
            most, found = len(parts & set(known)), mark
    return found


def mark_in_words(mark: str) -> str:
    """A mark as it can be read in a sentence."""
    return {"\t": "a tab", " ": "a blank"}.get(mark, f"'{mark}'")
