"""Connections that have done their work, for what this process asks next.

Belongs here: which connection may serve once more, and what it has to forget before. Does not belong here:
connecting, and what a session is told at its start (``connection``); ADBC's own sessions (``adbc``).

What is asked of PostgreSQL is asked in blocks, each on a connection of its own, so that none of them sees
what another has set or holds a lock longer than it should. To connect costs both sides more than most of
what is asked: a process of the server's, over a network the handshakes of TCP, TLS and the password too. So
the end of a block that ended well gives the session back as new, by PostgreSQL's own ``DISCARD ALL``.

A pool of psycopg's would connect in threads of its own, and tell of a server that refuses only that time ran
out.
"""

from __future__ import annotations

import atexit
import os
import select
import time
from collections.abc import Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

# One that lies idle longer may have been cut off on its way, by something that tells neither side.
MAX_IDLE_SECONDS = 5.0
# A backend remembers something of every table that it has seen.
MAX_USES = 1_000
# As many as one thing after another needs: where one is asked for while another is in use.
MAX_SPARE = 2


class SpareableConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that the end of its block keeps for the next one of the same ``purpose``.

    It is closed where the block fails, where it has no purpose, and by ``close``.
    """

    purpose: Hashable | None = None
    uses: int = 0

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if exc_type is not None or self.closed or self.purpose is None:
            super().__exit__(exc_type, exc_val, exc_tb)
            return
        try:
            self.commit()
            kept = self.uses < MAX_USES and _forget(self)
        except BaseException:
            self.close()
            raise
        if not (kept and _keep(self)):
            self.close()


@dataclass(frozen=True, slots=True)
class _Spare:
    connection: SpareableConnection
    owner: int
    idle_since: float


_spares: list[_Spare] = []
# Of a parent process: to close one would end the parent's session.
_inherited: list[_Spare] = []


def take(purpose: Hashable) -> SpareableConnection | None:
    """One that was opened for ``purpose``, idle and alive as far as can be told without asking; or none."""
    here, now = os.getpid(), time.monotonic()
    while (spare := _pop()) is not None:
        of_use = spare.owner == here and now - spare.idle_since <= MAX_IDLE_SECONDS
        if of_use and spare.connection.purpose == purpose and _is_quiet(spare.connection):
            spare.connection.uses += 1
            return spare.connection
        _drop(spare)
    return None


def close_spares() -> None:
    """Close what is kept, before the process ends."""
    while (spare := _pop()) is not None:
        _drop(spare)


def _pop() -> _Spare | None:
    try:
        return _spares.pop()
    except IndexError:
        return None


def _keep(connection: SpareableConnection) -> bool:
    if len(_spares) >= MAX_SPARE:
        return False
    _spares.append(_Spare(connection, os.getpid(), time.monotonic()))
    return True


def _drop(spare: _Spare) -> None:
    if spare.owner == os.getpid():
        spare.connection.close()
    else:
        _inherited.append(spare)


def _is_quiet(connection: SpareableConnection) -> bool:
    """Whether the server has said nothing since: what it says to who asked nothing is that it ends."""
    if connection.closed:
        return False
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return not waiting.poll(0)


def _forget(connection: SpareableConnection) -> bool:
    """Let the session be as new: its settings, its locks, its temporary tables; whether it could be done."""
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        return False
    connection.autocommit = True
    connection.isolation_level = connection.read_only = connection.deferrable = None
    try:
        # psycopg forgets what it has prepared when it sees this done, by a statement that is new to it.
        connection.execute(f"DISCARD ALL -- {connection.uses}".encode(), prepare=False)
    except psycopg.Error:
        return False
    return True


atexit.register(close_spares)
