"""Running ``psql``.

Belongs here: which psql, and how it is told where to connect without the password showing in the
list of processes. Does not belong here: SQL.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecom_platform.errors import PrerequisiteError
from ecom_platform.postgres.connection import Database
from ecom_platform.postgres.embedded import binary


def psql_command(database: Database) -> tuple[list[str], dict[str, str]]:
    """The command that opens ``database``, and its environment, which alone holds the password."""
    parts: dict[str, Any] = conninfo_to_dict(database.url)
    password = parts.pop("password", None)
    environment = dict(os.environ)
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    return [_psql(), make_conninfo(**parts)], environment


def _psql() -> str:
    try:
        return str(binary("psql"))
    except PrerequisiteError:
        found = shutil.which("psql")
        if found is None:
            raise
        return found
