"""The types of columns as people write them.

Belongs here: one spelling for each, and what somebody means who writes another. Does not belong here: what
the types read (``types``), or the other words of a column (``words``).
"""

from __future__ import annotations

import difflib
import re

_NUMERIC = re.compile(r"numeric\s*\(\s*([0-9]{1,4})\s*(?:,\s*([0-9]{1,4})\s*)?\)")
_PLAIN_TYPES = (
    "text",
    "integer",
    "bigint",
    "double precision",
    "boolean",
    "date",
    "timestamp",
    "timestamptz",
    "uuid",
    "jsonb",
)
_OTHER_SPELLINGS = {
    "varchar": "text",
    "char": "text",
    "character": "text",
    "nvarchar": "text",
    "character varying": "text",
    "string": "text",
    "int": "integer",
    "int4": "integer",
    "int64": "bigint",
    "int8": "bigint",
    "long": "bigint",
    "smallint": "integer",
    "float": "double precision",
    "float8": "double precision",
    "double": "double precision",
    "real": "double precision",
    "decimal": "numeric(p,s)",
    "numeric": "numeric(p,s)",
    "money": "numeric(p,s)",
    "number": "numeric(p,s)",
    "bool": "boolean",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "datetime": "timestamp or timestamptz",
    "json": "jsonb",
}


def column_type(text: str) -> tuple[str, bool]:
    """PostgreSQL's type in one spelling, and whether `` null`` stands behind it.

    Raises ValueError with what is wrong, and what to write.
    """
    words = " ".join(text.lower().split())
    nullable = words.endswith(" null") and not words.endswith(" not null")
    words = words.removesuffix(" not null").removesuffix(" null")
    numeric = _NUMERIC.fullmatch(words)
    if numeric:
        precision, scale = int(numeric[1]), int(numeric[2] or 0)
        if not 1 <= precision <= 38 or scale > precision:
            raise ValueError(
                f"{text!r} is no type", "A numeric has 1 to 38 digits, and no more of them behind the point."
            )
        return f"numeric({precision},{scale})", nullable
    if words in _PLAIN_TYPES:
        return words, nullable
    raise ValueError(f"{text!r} is no type", _meant(words, not_null=text.lower().endswith(" not null")))


def _meant(words: str, *, not_null: bool) -> str:
    """What to write in place of ``words``, which is no type."""
    bare = words.partition("(")[0].strip()
    known = {**{name: name for name in _PLAIN_TYPES}, **_OTHER_SPELLINGS}
    meant = known.get(bare) or next(
        (known[close] for close in difflib.get_close_matches(bare, known, 1, 0.7)), None
    )
    if meant is None:
        return f"The types are {', '.join(_PLAIN_TYPES)}, numeric(p,s)."
    length = ", which has no length" if meant == "text" and "(" in words else ""
    null = " Without ` null` behind it, it is not null." if not_null else ""
    return f"Did you mean {meant}{length}?{null}"
