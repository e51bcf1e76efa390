"""Names of a file as names of columns and feeds.

Belongs here: clean names, one for each, that PostgreSQL takes without quotes. Does not belong here: which
line has the names (``files.dialect_guess``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from ecom_platform.feeds.declaring import RESERVED_COLUMNS

_MOST = 63
_MOST_OF_FEED = 41
# What PostgreSQL takes as a name of a column or a table only in quotes.
SQL_WORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate
    collation column concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user default deferrable desc distinct do else end
    except false fetch for foreign freeze from full grant group having ilike in initially inner intersect
    into is isnull join lateral leading left like limit localtime localtimestamp natural not notnull null
    offset on only or order outer overlaps placing primary references returning right select session_user
    similar some symmetric system_user table tablesample then to trailing true union unique user using
    variadic verbose when where window with""".split()
)
_TAKEN = SQL_WORDS | RESERVED_COLUMNS
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def clean_name(text: str) -> str:
    """``text`` in lower case, of letters, digits and ``_``; empty where nothing of it is either."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    plain = plain.encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "_", _WORD_ENDS.sub("_", plain)).strip("_").lower()
    return words[:_MOST].rstrip("_")


def column_names(names: Sequence[str]) -> list[str]:
    """A name for each of the ``names`` that a file has; where it has none, the place."""
    taken: set[str] = set()
    found = []
    for number, name in enumerate(names, 1):
        clean = clean_name(name) or f"column_{number}"
        clean = f"_{clean}"[:_MOST] if clean[0].isdigit() else clean
        clean = f"{clean}_" if clean in _TAKEN else clean
        found.append(_free(clean, taken))
        taken.add(found[-1])
    return found


def why_renamed(name: str) -> str:
    """Why a column called ``name`` is not called as the file calls it; empty where that says itself."""
    bare = name.rstrip("_")
    if bare == name or bare not in _TAKEN:
        return ""
    return f"{bare} is a column of ours" if bare in RESERVED_COLUMNS else f"{bare} is a word of SQL"


def feed_name(stem: str, reserved: Collection[str]) -> str:
    """The name of a feed whose file is called ``stem``."""
    name = re.sub(r"[^a-z0-9_]+", "_", stem.lower(), flags=re.ASCII).strip("_") or "feed"
    name = f"feed_{name}" if not name[0].isalpha() else name
    if name in reserved:
        name = f"{name}_feed"
    return name[:_MOST_OF_FEED].rstrip("_")


def _free(name: str, taken: Collection[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        end = f"_{number}"
        free = name[: _MOST - len(end)] + end
    return free
