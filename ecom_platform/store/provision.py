"""A database that is ready for use: reachable, and with its tables in place.

Belongs here: choosing between the embedded server and ``ECOM_POSTGRES_URL``. Does not belong
here: how either is done (``embedded``, ``connection``, ``schema``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ecom_platform.errors import StorageError
from ecom_platform.server import EmbeddedServer
from ecom_platform.settings import Settings
from ecom_platform.store.connection import Database
from ecom_platform.store.schema import migrate
from ecom_platform.variable_reader import with_schema


def embedded_server(settings: Settings) -> EmbeddedServer:
    """The server of this ``ECOM_HOME``; nothing is started yet."""
    try:
        settings.postgres_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The folder {settings.postgres_dir} cannot be written: {error.strerror}.",
            "Make it writable, or set ECOM_HOME to a folder that is.",
        ) from error
    return EmbeddedServer(settings.postgres_dir)


def server_process(settings: Settings) -> int | None:
    """The process id of the embedded server; ``None`` for one that is not ours to look at."""
    return embedded_server(settings).status().pid if settings.embedded else None


@contextmanager
def provide(settings: Settings) -> Iterator[Database]:
    """The database of ``settings``, migrated. The embedded server runs at least as long."""
    with provide_lasting(settings) as (database, _):
        yield database


@contextmanager
def provide_lasting(settings: Settings) -> Iterator[tuple[Database, Callable[[], None]]]:
    """The same for a process that runs for weeks, with a function that brings the embedded server back
    if it has ended meanwhile; somebody else's server is not ours to start."""
    if settings.postgres_url is not None:
        database = Database(settings.postgres_url, settings.spark_postgres_url)
        migrate(database)
        yield database, lambda: None
        return
    with embedded_server(settings) as server:
        schema = settings.postgres_schema
        database = Database(with_schema(server.url, schema) if schema else server.url)
        migrate(database)
        yield database, server.acquire
