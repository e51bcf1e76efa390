"""The databases of the rounds: made, put back to an earlier state, dropped.

Belongs here: what is done with a database as a whole. Does not belong here: its tables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ecom_platform.server import EmbeddedServer
from ecom_platform.store.connection import Database


def named(server: EmbeddedServer, name: str) -> Database:
    return Database(f"postgresql://ecom@/{name}?host={conninfo_to_dict(server.url)['host']}")


@contextlib.contextmanager
def state_before(server: EmbeddedServer, name: str) -> Iterator[None]:
    """A copy of the database as it is now; whatever it was for, at the end it is gone."""
    with named(server, "postgres").open(autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}_before TEMPLATE {name}")
        yield
        connection.execute(f"DROP DATABASE IF EXISTS {name}_before")


def go_back(server: EmbeddedServer, name: str) -> None:
    """To the state of :func:`state_before`; everybody is disconnected."""
    with named(server, "postgres").open(autocommit=True) as connection:
        for target, now in ((name, f"{name}_lost"), (f"{name}_before", name)):
            connection.execute(f"ALTER DATABASE {target} WITH ALLOW_CONNECTIONS false")
            while True:
                _end_backends(connection, target)
                with contextlib.suppress(psycopg.errors.ObjectInUse):
                    connection.execute(f"ALTER DATABASE {target} RENAME TO {now}")
                    break
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        connection.execute(f"DROP DATABASE {name}_lost")


def _end_backends(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
