"""Bringing the tables to the version this code was written for.

Belongs here: running the Alembic migrations under a lock, quickly skipped when there is nothing
to do. Does not belong here: the SQL of a version, which is in ``migrations/versions/*.sql``.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

from ecom_platform.errors import DatabaseError
from ecom_platform.postgres.connection import Connection, Database

# The oldest that is still maintained has what the statements use.
MINIMUM_VERSION = 15
_MIGRATIONS = Path(__file__).parent / "migrations"
# Any constant of our own; it keeps two programs from migrating at the same moment.
MIGRATION_LOCK = 4_917_205_001


def head() -> str:
    """The newest version among the migration files; they are numbered in order."""
    return max(path.stem.split("_")[0] for path in (_MIGRATIONS / "versions").glob("*.sql"))


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
        version = current(connection)
        if version == head():
            return
        if version is not None and version > head():
            raise DatabaseError(
                f"PostgreSQL at {database.description} has schema version {version}, newer than {head()}, "
                "the newest that this program knows.",
                "Update the program, or point ECOM_POSTGRES_URL at another database.",
            )
        connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        connection.commit()
        try:
            _upgrade(database)
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseError(
                f"PostgreSQL at {database.description} does not let this user make tables: {error}.",
                "Run `ecom migrate` as the owner of the database, or grant this user CREATE on the schema.",
            ) from error


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
