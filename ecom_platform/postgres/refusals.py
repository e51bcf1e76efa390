"""What PostgreSQL refuses while it works, in words that name a remedy.

Belongs here: an error of any of the drivers, known by its SQLSTATE, as an error a person can act on.
Does not belong here: connections that are not had (``connection``), what is tried again (``sink``).

Source: PostgreSQL's appendix "PostgreSQL Error Codes".
"""

from __future__ import annotations

from ecom_platform.errors import DatabaseError

_ANOTHER_ROLE = "or name another role in ECOM_POSTGRES_URL"
_REMEDIES = {
    # insufficient_privilege
    "42501": f"Have the owner of the tables GRANT it to this role, {_ANOTHER_ROLE}.",
    # read_only_sql_transaction
    "25006": (
        "This is a replica, or a role whose default_transaction_read_only is on: name the primary server "
        "(target_session_attrs=read-write finds it among several), or a role that may write."
    ),
    # invalid_schema_name
    "3F000": "Make the schema of ECOM_POSTGRES_SCHEMA (public, if it is not set), then run `ecom migrate`.",
    # undefined_table
    "42P01": "Tables of the platform are gone: `ecom migrate` makes them, a restore fills them.",
    # invalid_sql_statement_name, duplicate_prepared_statement
    "26000": "A connection pooler in transaction mode loses it: name the server itself in ECOM_POSTGRES_URL.",
    "42P05": "A connection pooler in transaction mode has it: name the server itself in ECOM_POSTGRES_URL.",
}


def refusal(error: BaseException, where: str = "") -> DatabaseError | None:
    """The error to show instead of a driver's; ``None`` where nothing better is known."""
    # SQLAlchemy wraps what psycopg raises.
    error = getattr(error, "orig", None) or error
    sqlstate = getattr(error, "sqlstate", None)
    remedy = _REMEDIES.get(str(sqlstate))
    if remedy is None:
        return None
    # The first line says it; others quote the statement.
    said = str(error).strip().splitlines()[0].removeprefix("[libpq] ").strip().rstrip(".")
    return DatabaseError(f"PostgreSQL{where and f' at {where}'} refuses: {said}.", remedy)
