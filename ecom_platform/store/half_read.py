"""Whether a row was stored from a line that its writer had not finished.

Belongs here: the evidence behind that check, in the tables. Does not belong here: Dagster, or files that have
grown (``landing.folder.put_away``).
"""

from __future__ import annotations

from collections.abc import Iterable

from ecom_platform.store.audit import Finding, named
from ecom_platform.store.connection import Connection
from ecom_platform.store.feed_table import FeedTable


def no_line_half_read(connection: Connection, tables: Iterable[FeedTable]) -> Finding:
    """No row is stored that was read before its writer had finished the line.

    Such a row shows when its file has grown and is loaded again: the whole line is in conflict with it.
    """
    rows = [
        row
        for table in tables
        for row in connection.execute(
            table.query("half_read_rows" if table.has_uuid else "half_read_lines", "checks")
        )
    ]
    return Finding(
        "no_line_half_read",
        not rows,
        "0 rows",
        f"{len(rows)} rows",
        "Rows that were stored from a line of which the rest came later.",
        named(
            (f"{name}, line {line} (file {file_id})", f"{_row(key)} is stored as the first half said")
            for file_id, name, line, key in rows
        ),
    )


def _row(key: str | None) -> str:
    return "its row" if key is None else f"the row {key}"
