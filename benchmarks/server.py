"""The PostgreSQL that every path loads into: the product's own, opened to loopback.

Belongs here: one server, and a fresh database for each run. Does not belong here: its settings,
which are the product's.

The embedded server is reached by a socket alone, which JDBC cannot use. Here it listens on
127.0.0.1 as well, with a password of this run, and every path goes through that one door.
"""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from ecom_platform.server import USER, EmbeddedServer
from ecom_platform.store.connection import Database
from ecom_platform.store.schema import migrate

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    """Where one database is, in the parts that the different tools want."""

    name: str
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{self.name}"

    @property
    def jdbc_url(self) -> str:
        return f"jdbc:postgresql://{HOST}:{self.port}/{self.name}"

    @property
    def user(self) -> str:
        return USER


class Server:
    """A server for the length of the benchmark."""

    def __init__(self, embedded: EmbeddedServer, port: int, password: str) -> None:
        self._embedded, self._port, self._password = embedded, port, password

    def _address(self, name: str) -> Address:
        return Address(name, self._port, self._password)

    @contextmanager
    def database(self, name: str, *, tables: bool = True) -> Iterator[Address]:
        """A new database, with the product's tables, its files and the checkpoint out of the way before."""
        address = self._address(name)
        with psycopg.connect(self._address("postgres").url, autocommit=True) as connection:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(drop)
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            if tables:
                migrate(Database(address.url))
            connection.execute("CHECKPOINT")
            try:
                yield address
            finally:
                connection.execute(drop)

    def process_ids(self) -> set[int]:
        """The postmaster."""
        pid = self._embedded.status().pid
        return set() if pid is None else {pid}


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """The product's server, new in ``folder``, listening on a free port of 127.0.0.1 too."""
    password = secrets.token_urlsafe(16)
    shutil.rmtree(folder, ignore_errors=True)
    embedded = EmbeddedServer(folder)
    try:
        embedded.acquire()
        port = free_port()
        with psycopg.connect(embedded.url, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(USER), password))
            connection.execute(sql.SQL("ALTER SYSTEM SET listen_addresses = {}").format(HOST))
            connection.execute(sql.SQL("ALTER SYSTEM SET port = {}").format(port))
        access = folder / "data" / "pg_hba.conf"
        access.write_text(f"local all all trust\nhost all all {HOST}/32 scram-sha-256\n")
        embedded.stop()
        embedded.acquire()
        yield Server(embedded, port, password)
    finally:
        embedded.stop()
        embedded.release()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
