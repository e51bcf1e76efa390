"""Connections that a test asks again and again: connecting takes longer than most of what is asked.

The fixture ``database`` closes them with its database.
"""

from __future__ import annotations

from ecom_platform.store.connection import Connection, Database

_kept: list[Connection] = []


def kept_connection(database: Database) -> Connection:
    """One in autocommit mode, until the test ends."""
    connection = database.open(autocommit=True)
    _kept.append(connection)
    return connection


def close_kept() -> None:
    while _kept:
        _kept.pop().close()
