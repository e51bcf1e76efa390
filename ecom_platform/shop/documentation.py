"""``docs/events.md``, written from the declaration of the event.

Belongs here: turning the declaration and the reason codes into Markdown. A test holds the file
against it, so the docs cannot fall behind. ``python -m ecom_platform.shop.documentation``
prints it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecom_platform.feeds.feed import Column
from ecom_platform.feeds.reasons import Reason
from ecom_platform.files.unreadable import FileReason
from ecom_platform.shop.event import FEED, HEADER

_INTRODUCTION = f"""# Events and files

*Written from the declaration of the event by `python -m ecom_platform.shop.documentation`.*

A file is CSV in UTF-8 with a header line, the nine columns in any order:

    {HEADER}

The same data in another dress loads as such: a byte-order mark, CRLF line ends, quoted values with
commas, line ends or doubled quotes in them, upper-case UUIDs, a last line without a line end, gzip
or zstd, or a zip of one file. Blank lines are passed over. Times are `YYYY-MM-DD HH:MM:SS`, with `T` or a
space, with up to six decimals, with `Z` or an offset; a time without an offset is UTC.
"""


def render() -> str:
    """The whole document."""
    parts = [
        _INTRODUCTION,
        "## Columns\n",
        _table(
            ("column", "in PostgreSQL", "what it is", "values"), (_column(column) for column in FEED.columns)
        ),
        "## Why a row is refused\n",
        "A row that cannot be loaded is kept in `rejected_events`; the other rows of its file load. The\n"
        "first rule that is broken, in this order, gives the reason.\n",
        _table(("reason", "meaning"), ((f"`{code}`", code.description) for code in Reason)),
        "## Why a file is quarantined\n",
        "None of its rows are loaded; it lies in `quarantine/` with a reason file beside it.\n",
        _table(("reason", "meaning"), ((f"`{code}`", code.description) for code in FileReason)),
    ]
    return "\n".join(parts)


def _column(column: Column) -> tuple[str, str, str, str]:
    values = ", ".join(column.values) if len(column.values) < 10 else f"{len(column.values)} codes"
    null = " null" if column.nullable else ""
    return f"`{column.name}`", f"`{column.type}`{null}", column.about, values if column.values else ""


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    print(render(), end="")
