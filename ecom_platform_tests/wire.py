"""A way to a database that breaks at the worst moment: while a COMMIT is on it.

Belongs here: passing bytes between a client and PostgreSQL's socket, and cutting them off once.
"""

from __future__ import annotations

import contextlib
import select
import socket
import tempfile
import threading
from collections.abc import Iterator

from psycopg.conninfo import conninfo_to_dict

from ecom_platform.store import adbc

# Where a COMMIT shows: in the client's statement, and as the tag of the server's answer to it.
_STATEMENT = b"COMMIT"
_TAG = b"COMMIT\x00"


@contextlib.contextmanager
def losing_commit(url: str, lost: str) -> Iterator[tuple[str, list[str]]]:
    """Lose the first ``request`` to commit, or the server's ``answer`` to it, with its connection.

    Gives the URL to use instead of ``url``, and a list that is empty until the loss.
    """
    parts = conninfo_to_dict(url)
    cut: list[str] = []
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/.s.PGSQL.5432")
        listener.listen()
        arguments = (listener, f"{parts['host']}/.s.PGSQL.5432", lost, cut)
        thread = threading.Thread(target=_serve, args=arguments)
        thread.start()
        try:
            yield f"postgresql://{parts['user']}@/{parts['dbname']}?host={folder}", cut
        finally:
            adbc.close_kept()  # or its connection would be passed on for ever
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, server: str, lost: str, cut: list[str]) -> None:
    """One connection after the other, as a unit of work makes them."""
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, socket.socket(socket.AF_UNIX) as upstream:
                upstream.connect(server)
                _pass_on(client, upstream, lost, cut)


def _pass_on(client: socket.socket, upstream: socket.socket, lost: str, cut: list[str]) -> None:
    other = {client: upstream, upstream: client}
    mark = {client: _STATEMENT if lost == "request" else None, upstream: _TAG if lost == "answer" else None}
    while True:
        readable, _, _ = select.select([client, upstream], [], [])
        for source in readable:
            data = source.recv(65_536)
            if not data:
                return
            sought = mark[source]
            if sought and sought in data and not cut:
                cut.append(lost)
                return
            other[source].sendall(data)
