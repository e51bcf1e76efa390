"""Bringing the tables to the version this code was written for.

Belongs here: running the Alembic migrations under a lock, quickly skipped when there is nothing
to do; and what a role must find and be allowed to. Does not belong here: the SQL of a version, which is
in ``migrations/versions/*.sql``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from psycopg.errors import LockNotAvailable

from ecom_platform.errors import DatabaseError
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.conninfo import chosen_schema, quoted
from ecom_platform.store.refusals import refusal
from ecom_platform.store.statements import queries
from ecom_platform.waits import announced, spoken

# The oldest that is still maintained has what the statements use.
MINIMUM_VERSION = 15
_MIGRATIONS = Path(__file__).parent / "migrations"
# Any constant of our own; it keeps two programs from migrating at the same moment.
MIGRATION_LOCK = 4_917_205_001
# For others that migrate; a migration of many rows takes minutes.
TURN_SECONDS = 600


def head() -> str:
    """The newest version among the migration files; they are numbered in order."""
    return max(_known_versions())


def current(connection: Connection) -> str | None:
    """The version the database is at, or ``None`` before the first migration."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def require_version(database: Database, connection: Connection) -> None:
    """Raises :class:`DatabaseError` if the server is older than :data:`MINIMUM_VERSION`."""
    version = connection.info.server_version
    if version < MINIMUM_VERSION * 10_000:
        raise DatabaseError(
            f"PostgreSQL at {database.description} is version {version // 10_000}.{version % 10_000}; "
            f"{MINIMUM_VERSION} or newer is needed.",
            "Point ECOM_POSTGRES_URL at a newer server, or unset it for the embedded one.",
        )


def migrate(database: Database) -> None:
    """Bring ``database`` to :func:`head`; safe to call from several processes at once."""
    with database.open() as connection:
        require_version(database, connection)
        standing = _standing(database, connection)
        version = current(connection) if standing.usable else None
        if version == head():
            return
        _require_ours(database, connection, version)
        _require_room(database, standing)
        # Of the whole database: two schemas of it are migrated one after the other.
        _take_turn(database, connection)
        try:
            make_schema(database, connection)
            connection.commit()
            _upgrade(database)
        except Exception as error:
            refused = _refused(database, error)
            if refused is None:
                raise
            raise refused from error


def _take_turn(database: Database, connection: Connection) -> None:
    """Hold :data:`MIGRATION_LOCK`, to the end of the connection."""

    def other() -> str:
        return f"another program, which brings the tables of {database.description} up to date"

    connection.execute(f"SET LOCAL lock_timeout = '{TURN_SECONDS}s'".encode())
    try:
        with announced(other, TURN_SECONDS):
            connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
    except LockNotAvailable as error:
        raise DatabaseError(
            f"Waited {spoken(TURN_SECONDS)} for {other()}.",
            "See what it does (`SELECT * FROM pg_stat_activity`), let it finish or end it, and try again.",
        ) from error
    connection.commit()


def make_schema(database: Database, connection: Connection) -> None:
    """Make the schema where it is missing, as the tables are. Only under :data:`MIGRATION_LOCK`.

    Raises :class:`DatabaseError` where this role could not make either.
    """
    standing = _standing(database, connection)
    _require_room(database, standing)
    if not standing.there:
        connection.execute(f"CREATE SCHEMA {quoted(database.schema)}".encode())


@dataclass(frozen=True, slots=True)
class _Standing:
    """What a role finds: the schema, whether it may look into it and make tables there (or make it)."""

    there: bool
    usable: bool
    extensible: bool
    replica: bool
    read_only: bool
    role: str


def _standing(database: Database, connection: Connection) -> _Standing:
    return _Standing(*queries("standing").standing(connection, schema=database.schema))


def _require_ours(database: Database, connection: Connection, version: str | None) -> None:
    """Raises :class:`DatabaseError` where the tables are newer, another program's, or elsewhere."""
    if version is not None and version not in _known_versions():
        if not re.fullmatch(r"[0-9]{4}", version):
            raise DatabaseError(
                f"The schema {database.schema} of PostgreSQL at {database.description} has tables of another "
                "program, which counts their versions in alembic_version as well.",
                "Set ECOM_POSTGRES_SCHEMA to a schema of its own for this one.",
            )
        raise DatabaseError(
            f"PostgreSQL at {database.description} has schema version {version}, newer than {head()}, "
            "the newest that this program knows.",
            "Update the program, or point ECOM_POSTGRES_URL at another database.",
        )
    if version is None and chosen_schema(database.url) is None:
        connection.execute("SET LOCAL search_path TO DEFAULT")
        elsewhere = queries("standing").default_home(connection, schema=database.schema)
        connection.rollback()
        if elsewhere is not None:
            raise DatabaseError(
                f"PostgreSQL at {database.description} has the tables in the schema {elsewhere}, to which "
                "this role's search_path leads, and ECOM_POSTGRES_SCHEMA is not set.",
                f"Set ECOM_POSTGRES_SCHEMA={elsewhere}; or {database.schema}, for new tables there.",
            )


def _require_room(database: Database, standing: _Standing) -> None:
    """Raises :class:`DatabaseError` where this role could not make the tables."""
    role, schema = quoted(standing.role), quoted(database.schema)
    where = f"PostgreSQL at {database.description}"
    _require_primary(where, standing)
    if standing.there and not (standing.usable and standing.extensible):
        raise DatabaseError(
            f"{where} does not let the role {standing.role} make tables in the schema {database.schema}.",
            f"As its owner: GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}; or run `ecom migrate` as the "
            "role that owns it; or set ECOM_POSTGRES_SCHEMA to a schema of the role's own.",
        )
    if not standing.there and not standing.extensible:
        raise DatabaseError(
            f"{where} has no schema {database.schema}, and the role {standing.role} may not make one.",
            f"As the owner of the database: CREATE SCHEMA {schema} AUTHORIZATION {role}; or correct "
            "ECOM_POSTGRES_SCHEMA.",
        )


def _require_primary(where: str, standing: _Standing) -> None:
    if standing.replica:
        raise DatabaseError(
            f"{where} is a replica, which can only be read.",
            "Name the primary server in ECOM_POSTGRES_URL; among several, target_session_attrs=read-write "
            "finds it.",
        )
    if standing.read_only:
        raise DatabaseError(
            f"{where} lets the role {standing.role} only read: default_transaction_read_only is on.",
            f"Name a role that may write in ECOM_POSTGRES_URL, or ALTER ROLE {quoted(standing.role)} SET "
            "default_transaction_read_only = off.",
        )


def require_writable(database: Database) -> None:
    """Raises :class:`DatabaseError` where a load would be refused half-way, if the tables are there."""
    with database.open() as connection:
        standing = _standing(database, connection)
        where = f"PostgreSQL at {database.description}"
        _require_primary(where, standing)
        missing = [
            name
            for (name,) in queries("standing").missing_privileges(
                connection, schema=database.schema, feed=TOP_FEED
            )
        ]
    if missing:
        raise DatabaseError(
            f"{where} does not let the role {standing.role} load: it lacks {', '.join(missing)}.",
            f"As the owner of the tables, GRANT them to {quoted(standing.role)}, or name the role that has "
            "them in ECOM_POSTGRES_URL.",
        )


def require_usable(database: Database) -> None:
    """Everything that :func:`migrate` and a load would ask for, with nothing changed."""
    with database.open() as connection:
        require_version(database, connection)
        standing = _standing(database, connection)
        version = current(connection) if standing.usable else None
        if version != head():
            _require_ours(database, connection, version)
            _require_room(database, standing)
    require_writable(database)


def _refused(database: Database, error: Exception) -> DatabaseError | None:
    """An error of a migration in words; a table that is there already is somebody else's."""
    cause = getattr(error, "orig", None) or error
    if getattr(cause, "sqlstate", None) in ("42P07", "42710", "42723"):
        return DatabaseError(
            f"The schema {database.schema} of PostgreSQL at {database.description} has a table or function "
            f"of another program: {str(cause).splitlines()[0]}.",
            "Set ECOM_POSTGRES_SCHEMA to a schema of its own for this one.",
        )
    return refusal(cause, database.description)


def _known_versions() -> set[str]:
    return {path.stem.split("_")[0] for path in (_MIGRATIONS / "versions").glob("*.sql")}


def _upgrade(database: Database) -> None:
    # Imported here: most starts find the schema in place and need neither library.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    engine = create_engine("postgresql+psycopg://", creator=database.open, poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
