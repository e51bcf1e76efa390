"""What is said of a first line that is not our header.

Belongs here: telling names from data, since what is said goes to logs, chats and mail. Does not belong
here: reading the line, or judging it (``decoding``).

A file without a header begins with data, which may be anybody's. So names are repeated only of a line that
is a header by the look of it, and only those that look like names themselves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ecom_platform.feeds.declaration import COLUMN_NAMES, HEADER

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
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_QUOTES = " \t'\""


def strange_header(fields: Sequence[str] | None) -> str:
    """One sentence about a first line that is not our header, without any data. ``fields`` are its parts;
    ``None`` if it does not even split."""
    expected = f"expected {HEADER} in any order"
    if fields is None:
        return f"{expected}; the first line has a quote that is not closed"
    names = [field.strip(_QUOTES) for field in fields]
    count = f"{len(names)} column{'' if len(names) == 1 else 's'}"
    if not is_header(names, COLUMN_NAMES):
        return f"{expected}; the first line has {count}, and is no header by the look of it: is it missing?"
    missing = [name for name in COLUMN_NAMES if name not in names]
    strange = [name for name in dict.fromkeys(names) if name not in COLUMN_NAMES]
    twice = [name for name in COLUMN_NAMES if names.count(name) > 1]
    facts = [
        *([f"{', '.join(missing)} missing"] if missing else []),
        *([f"{named(strange)} not known"] if strange else []),
        *([f"{', '.join(twice)} more than once"] if twice else []),
        # Trimmed, all is well: it is the blanks or quotes.
        *([] if missing or strange or twice else ["blanks or quotes in the names"]),
    ]
    return f"{expected}; the header has {count}: {'; '.join(facts)}"


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
