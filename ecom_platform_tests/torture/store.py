"""The S3 server of the rounds in a bucket, and the way to it that faults spoil.

Belongs here: one server and one proxy for all rounds, killed, started and spoiled as a fault says. Does not
belong here: when (``faults``), or what a round has in its bucket (``landings``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ecom_platform_tests.s3_server import Fault, Request, S3Server, faulty_way, s3_server


class Store:
    """A server that programs reach by ``endpoint`` alone; ``server`` is for who puts objects and looks."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.endpoint = server.endpoint
        self._fault: Callable[[Request], Fault] | None = None

    @contextmanager
    def spoiled(self, fault: Callable[[Request], Fault]) -> Iterator[list[Request]]:
        """While the block lasts answers are as ``fault`` says; the requests that it has met."""
        met: list[Request] = []

        def spoil(request: Request) -> Fault:
            if (answer := fault(request)) is not None:
                met.append(request)
            return answer

        self._fault = spoil
        try:
            yield met
        finally:
            self._fault = None

    def fault_of(self, request: Request) -> Fault:
        return None if self._fault is None else self._fault(request)


@contextmanager
def running_store(folder: Path) -> Iterator[Store]:
    with s3_server(folder) as server:
        store = Store(server)
        with faulty_way(server, store.fault_of) as (store.endpoint, _):
            yield store
