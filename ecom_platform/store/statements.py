"""The package's ``.sql`` files as named statements.

Belongs here: loading them. Does not belong here: SQL text, running it, or what a feed's declaration fills in
(``feed_table``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import aiosql

_SQL = Path(__file__).parent / "sql"


@cache
def queries(name: str, folder: Path = _SQL) -> Any:
    """The statements of ``<name>.sql`` as functions that take a psycopg connection first."""
    return aiosql.from_path(folder / f"{name}.sql", "psycopg", mandatory_parameters=False)


def has_statement(file: str, name: str) -> bool:
    """Whether ``<file>.sql`` has a statement of this name."""
    return hasattr(queries(file), name)


@cache
def text(file: str, name: str) -> str:
    """One statement's text, without its semicolon; ``feed_table`` fills places such as ``{columns}``."""
    return str(getattr(queries(file), name).sql).removesuffix(";")
