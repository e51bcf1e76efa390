"""Running ``psql``.

Belongs here: which psql, and how it is told where to connect without the password showing in the
list of processes. Does not belong here: SQL.
"""

from __future__ import annotations

import shutil

from ecom_platform.errors import PrerequisiteError
from ecom_platform.server import binary
from ecom_platform.store.connection import Database
from ecom_platform.store.conninfo import client_conninfo, client_environment


def psql_command(database: Database) -> tuple[list[str], dict[str, str]]:
    """The command that opens ``database``, and its environment, which alone holds the password."""
    return [_psql(), client_conninfo(database.url)], client_environment(database.url)


def _psql() -> str:
    try:
        return str(binary("psql"))
    except PrerequisiteError:
        found = shutil.which("psql")
        if found is None:
            raise
        return found
