"""A connection pooler in transaction mode, in front of a real PostgreSQL.

Belongs here: as much of PgBouncer's behaviour as shows to a client. Each transaction goes to the server's
session that became free last, whoever had it before; the client is told a number that is no backend's.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator

from psycopg.conninfo import conninfo_to_dict

_LOGIN = b"R" + struct.pack("!ii", 8, 0)
_KEY = b"K" + struct.pack("!iii", 12, 1_234_567_890, 0)
_READY = b"Z" + struct.pack("!ic", 5, b"I")


@contextlib.contextmanager
def transaction_pooler(url: str) -> Iterator[str]:
    """Gives the URL to use instead of ``url``."""
    parts = conninfo_to_dict(url)
    server = (f"{parts['host']}/.s.PGSQL.5432", str(parts["user"]), str(parts["dbname"]))
    free: list[socket.socket] = []
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/.s.PGSQL.5432")
        listener.listen()
        thread = threading.Thread(target=_accept, args=(listener, server, free))
        thread.start()
        try:
            yield f"postgresql://{parts['user']}@/{parts['dbname']}?host={folder}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for session in free:
                session.close()


def _accept(listener: socket.socket, server: tuple[str, str, str], free: list[socket.socket]) -> None:
    threads: list[threading.Thread] = []
    clients: list[socket.socket] = []
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            clients.append(client)
            threads.append(threading.Thread(target=_serve, args=(client, server, free)))
            threads[-1].start()
    # A client that a failed test has left open would be waited for, and the failure not be told.
    for client in clients:
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()


def _serve(client: socket.socket, server: tuple[str, str, str], free: list[socket.socket]) -> None:
    with client, contextlib.suppress(ConnectionError):
        _exactly(client, struct.unpack("!i", _exactly(client, 4))[0] - 4)
        client.sendall(_LOGIN + _KEY + _READY)
        session: socket.socket | None = None
        while (message := _message(client))[:1] != b"X":
            session = session or (free.pop() if free else _connect(*server))
            session.sendall(message)
            if message[:1] not in b"QS":  # nothing is answered for sure before these
                continue
            answer = b""
            while answer[:1] != b"Z":
                answer = _message(session)
                # Free before the client hears of it, who may ask at once through another session.
                if answer == _READY:
                    free.append(session)
                client.sendall(answer)
            if answer == _READY:
                session = None


def _connect(path: str, user: str, database: str) -> socket.socket:
    session = socket.socket(socket.AF_UNIX)
    session.connect(path)
    fields = b"\0".join(text.encode() for text in ("user", user, "database", database)) + b"\0\0"
    session.sendall(struct.pack("!ii", 8 + len(fields), 3 << 16) + fields)
    while _message(session)[:1] != b"Z":
        pass
    return session


def _message(source: socket.socket) -> bytes:
    head = _exactly(source, 5)
    return head + _exactly(source, struct.unpack("!i", head[1:])[0] - 4)


def _exactly(source: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = source.recv(size - len(found))
        if not part:
            raise ConnectionError("the other side is gone")
        found += part
    return found
