"""What PostgreSQL refuses while it works, in words that name a remedy.

Belongs here: an error of any of the drivers, known by its SQLSTATE, as an error a person can act on.
Does not belong here: connections that are not had (``connection``), what is tried again (``sink``).

Source: PostgreSQL's appendix "PostgreSQL Error Codes".
"""

from __future__ import annotations

from ecom_platform.errors import DatabaseError

_LOST = ("08", "57P")
_DRIVERS = ("psycopg", "adbc_driver_manager")
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
    # disk_full
    "53100": "Free space on the server's disk; what was not committed is not stored.",
    # too_many_connections
    "53300": "End other programs' connections, or raise max_connections of the server.",
}


def refusal(error: BaseException, where: str = "") -> DatabaseError | None:
    """The error to show instead of a driver's; ``None`` where nothing better is known."""
    # SQLAlchemy wraps what psycopg raises.
    error = getattr(error, "orig", None) or error
    sqlstate = getattr(error, "sqlstate", None)
    named = f"PostgreSQL{where and f' at {where}'}"
    # The first line says it; others quote the statement.
    said = (str(error).strip().splitlines() or [""])[0].removeprefix("[libpq] ").strip().rstrip(".")
    remedy = _REMEDIES.get(str(sqlstate))
    if remedy is not None:
        return DatabaseError(f"{named} refuses: {said}.", remedy)
    if _is_lost(error, sqlstate):
        return DatabaseError(
            f"{named} ended the connection: {said}.",
            "What was committed stays. Try again; `ecom doctor` says whether the server can be reached.",
        )
    return None


def _is_lost(error: BaseException, sqlstate: object) -> bool:
    """Whether the connection broke, which drivers report as an OperationalError without a SQLSTATE."""
    if sqlstate is not None:
        return str(sqlstate).startswith(_LOST)
    kind = type(error)
    return kind.__name__ == "OperationalError" and kind.__module__.partition(".")[0] in _DRIVERS
