"""Whether this user may do in the database what a run does.

Belongs here: the questions, asked without changing anything. Does not belong here: making or changing tables
(``schema``).
"""

from __future__ import annotations

from ecom_platform.errors import DatabaseError
from ecom_platform.postgres import schema
from ecom_platform.postgres.connection import Connection, Database
from ecom_platform.postgres.statements import queries


def require_rights(database: Database, connection: Connection) -> str:
    """What a run will find, in a few words; raises :class:`DatabaseError` for what it would fail at."""
    user, folder, read_only, may_create, may_load = queries("rights").rights(connection)
    where = database.description
    if read_only:
        raise DatabaseError(
            f"PostgreSQL at {where} is read-only: a replica, or a role or database that was made so.",
            "Point ECOM_POSTGRES_URL at the primary, with a role that may write.",
        )
    if folder is None:
        raise DatabaseError(
            f"PostgreSQL at {where} has no schema for the tables: none of the role's search_path exists.",
            "Make one (CREATE SCHEMA public), or correct the search_path of the role.",
        )
    if not may_load:
        raise DatabaseError(
            f"{user} may not read and write the tables in schema {folder} of PostgreSQL at {where}.",
            f"As the owner: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {folder} TO {user}.",
        )
    version = schema.current(connection)
    if version == schema.head():
        return f"tables in schema {folder}"
    if not may_create:
        raise DatabaseError(
            f"{user} may not make tables in schema {folder} of PostgreSQL at {where}.",
            f"Run `ecom migrate` as the owner, or: GRANT CREATE ON SCHEMA {folder} TO {user}.",
        )
    return f"tables {'will be made' if version is None else 'will be updated'} in schema {folder}"
