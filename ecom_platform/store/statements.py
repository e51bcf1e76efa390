"""The package's ``.sql`` files as named statements.

Belongs here: loading them, and filling in what follows from the declaration of the event. Does
not belong here: SQL text, or running it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import aiosql

_SQL = Path(__file__).parent / "sql"
_KEY = "event_id"
_PLACE = re.compile(r"\{(\w+)\}")


@cache
def queries(name: str, folder: Path = _SQL) -> Any:
    """The statements of ``<name>.sql`` as functions that take a psycopg connection first."""
    return aiosql.from_path(folder / f"{name}.sql", "psycopg", mandatory_parameters=False)


@cache
def _fragments() -> dict[str, str]:
    # Imported here: it brings Arrow, and whoever only connects needs neither.
    from ecom_platform.feeds.declaration import COLUMN_NAMES, COLUMNS

    content = [name for name in COLUMN_NAMES if name != _KEY]
    return {
        "definitions": ", ".join(f"{column.name} {column.sql}" for column in COLUMNS),
        "columns": ", ".join(COLUMN_NAMES),
        "declared_types": ", ".join(f"('{column.name}', '{column.sql}'::regtype)" for column in COLUMNS),
        "placeholders": ", ".join("%s" for _ in COLUMNS),
        "typed_placeholders": ", ".join(f"%s::{column.sql}" for column in COLUMNS),
        "compared": ", ".join(content),
        "compared_s": ", ".join(f"s.{name}" for name in content),
        "compared_t": ", ".join(f"t.{name}" for name in content),
    }


@cache
def text(file: str, name: str) -> str:
    """One statement's text, with ``{columns}`` and its kin filled from the declaration.

    ``{name}`` also stands for another statement of the same file, a part that several have.
    """
    statement = str(getattr(queries(file), name).sql).removesuffix(";")

    def filled(match: re.Match[str]) -> str:
        part = match[1]
        return _fragments()[part] if part in _fragments() else text(file, part)

    return _PLACE.sub(filled, statement)
