"""Real targets of alerts on the loopback interface: an HTTP server and an SMTP server that remember.

Belongs here: what they answer, and when, and what they were sent. Does not belong here: any test.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

# Apprise gives up after four seconds, which a stalled machine may need to answer.
_PATIENT = "cto=60&rto=60"


@dataclass
class Receiver:
    """What a target was sent: when, and each message as it stood in the request or the mail."""

    url: str
    received: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0

    @property
    def texts(self) -> list[str]:
        return [f"{message['title']}\n{message['message']}" for message in self.received]

    def wait_for(self, enough: Callable[[Receiver], bool], seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while not enough(self):
            assert time.monotonic() < deadline, f"{self.url} got {self.texts} and refused {self.refused}"
            time.sleep(0.02)


@contextmanager
def webhook(
    answer: Callable[[int], int] = lambda number: 200,
    gate: threading.Event | None = None,
    path: str = "/hook",
    poison: tuple[str, int] | None = None,
) -> Iterator[Receiver]:
    """An HTTP server that takes Apprise's ``json://``. ``answer`` gives the status of the n-th request;
    ``poison`` is a text, and the status that every request with it in it is answered with. Nothing is
    answered before ``gate`` is set."""
    lock = threading.Lock()
    requests = 0

    def wait() -> None:
        if gate is not None:
            gate.wait()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal requests
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                requests += 1
                status = answer(requests)
            if poison is not None and poison[0] in body.decode():
                status = poison[1]
            wait()
            if status == 200:
                receiver.received.append({**json.loads(body), "at": time.time(), "path": self.path})
            else:
                receiver.refused += 1
            self._answer(status)

        def do_GET(self) -> None:
            wait()
            receiver.received.append({"title": "GET", "message": self.path, "at": time.time()})
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"json://127.0.0.1:{server.server_port}{path}?{_PATIENT}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def mailbox(
    answer: Callable[[int], str] = lambda number: "250 OK",
    gate: threading.Event | None = None,
    port: int = 0,
) -> Iterator[Receiver]:
    """An SMTP server that takes Apprise's ``mailto://``. ``answer`` gives what it says to the n-th mail,
    once ``gate`` is set."""
    mails = 0

    class Handler:
        async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
            nonlocal mails
            mails += 1
            said = answer(mails)
            while gate is not None and not gate.is_set():
                await asyncio.sleep(0.02)
            if not said.startswith("250"):
                receiver.refused += 1
                return said
            mail = message_from_bytes(bytes(envelope.content or b""), policy=policy.default)
            part = mail.get_body(("plain", "html"))
            text = part.get_content() if part is not None else ""
            receiver.received.append({"title": str(mail["Subject"]), "message": text, "at": time.time()})
            return said

    if not port:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
    controller = Controller(Handler(), hostname="127.0.0.1", port=port, ready_timeout=240)
    controller.start()
    try:
        receiver = Receiver(
            f"mailto://127.0.0.1:{port}?from=platform@example.org&to=oncall@example.org&mode=insecure"
            f"&{_PATIENT}"
        )
        yield receiver
    finally:
        controller.stop()


@dataclass
class Talker:
    """A target that goes on and on: where it is, how much it has said, how many it talks to."""

    port: int
    said: int = 0
    listeners: int = 0


@contextmanager
def talker(begin: bytes, piece: bytes, pause: float = 0.0) -> Iterator[Talker]:
    """A server that answers whatever it is sent, or that it is called at all, with ``begin`` and then with
    ``piece`` after ``piece`` for as long as somebody listens."""
    server = socket.create_server(("127.0.0.1", 0))
    receiver = Talker(server.getsockname()[1])
    ending = threading.Event()

    def talk(connection: socket.socket) -> None:
        receiver.listeners += 1
        with connection, suppress(OSError):
            if begin.startswith(b"HTTP"):
                connection.recv(1 << 16)
            connection.sendall(begin)
            while not ending.wait(pause):
                connection.sendall(piece)
                receiver.said += len(piece)
        receiver.listeners -= 1

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield receiver
    finally:
        ending.set()
        server.close()
