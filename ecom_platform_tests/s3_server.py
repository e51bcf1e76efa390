"""An S3 server on loopback, and a way to it that breaks where a test says so.

Belongs here: starting and stopping a real server, and a proxy that forwards requests or faults them. Nothing
here answers in the server's place, but for the faults.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ecom_platform_tests.waiting import wait_until

# The server takes any.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "kept-to-itself"}


class S3Server:
    """A server whose data are in ``folder``, and a client for what a test puts there and finds."""

    def __init__(self, folder: Path, bucket: str = "landing") -> None:
        names = [
            f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")
        ]
        self._folder, self.bucket = folder, bucket
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"
        self.client = _client(self.endpoint)

    def start(self) -> None:
        """Start it, with what it had when it was killed; returns when it takes objects."""
        log = self._folder / "server.log"
        with log.open("ab") as output:
            server = self._process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("weed")),
                    f"-logdir={self._folder}",
                    "server",
                    f"-dir={self._folder}",
                    "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1",
                    "-filer",
                    "-s3",
                    "-volume.max=40",
                    "-master.telemetry=false",
                    "-s3.port.iceberg=0",
                    "-s3.port.lance=0",
                    *(f"-{name}={port}" for name, port in self._ports.items()),
                ],
                # Of credentials in its environment it makes those that it asks for.
                env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: server.poll() is not None or _answers(self), lambda: _end_of(log))
        assert server.poll() is None, _end_of(log)

    def kill(self) -> None:
        """Its graceful end takes 20 s; what it has answered it keeps."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for port in self._ports.values():
            for left in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def put(self, bucket: str, **contents: bytes) -> None:
        for key, content in contents.items():
            self.client.put_object(Bucket=bucket, Key=key, Body=content)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def get(self, bucket: str, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content


def _client(endpoint: str) -> Any:
    return boto3.session.Session(
        aws_access_key_id="somebody", aws_secret_access_key="else", region_name="us-east-1"
    ).client("s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}))


def _free_ports(count: int) -> list[int]:
    # Below those that the system gives away, and those ten thousand below: the server listens on them as
    # well.
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A server whose data are in ``folder``; it ends with the block."""
    folder.mkdir(parents=True)
    server = S3Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _answers(server: S3Server) -> bool:
    """Whether it takes objects; the bucket may be there from a look before."""
    with suppress(ClientError, BotoCoreError):
        server.client.create_bucket(Bucket=server.bucket)
    with suppress(ClientError, BotoCoreError):
        server.client.put_object(Bucket=server.bucket, Key="is-there", Body=b"")
        return True
    return False


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


@dataclass(frozen=True)
class Request:
    """What a fault may go by; ``number`` counts those that came before."""

    method: str
    path: str
    headers: dict[str, str]
    number: int


# What a proxy does with a request: nothing of these, a status and code instead of asking, the answer dropped
# after the server has done as it was asked, or the answer's body cut off after so many bytes.
Fault = tuple[int, str] | str | int | None
DROPPED = "dropped"


class FirstAnswers:
    """A fault: of each path the first answer to a request of one of ``methods`` is as ``fault`` says."""

    def __init__(self, methods: Collection[str], fault: Callable[[], Fault]) -> None:
        self._methods, self._fault = methods, fault
        self.met: set[tuple[str, str]] = set()

    def __call__(self, request: Request) -> Fault:
        asked = (request.method, request.path)
        if request.method not in self._methods or asked in self.met:
            return None
        self.met.add(asked)
        return self._fault()


class FirstAnswersLost(FirstAnswers):
    """A fault: of each path the first answer to a request of ``method`` is lost."""

    def __init__(self, method: str) -> None:
        super().__init__({method}, lambda: DROPPED)

    @property
    def dropped(self) -> bool:
        """Whether any was."""
        return bool(self.met)


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    upstream: tuple[str, int]
    fault: Callable[[Request], Fault]
    seen: list[Request]
    without: set[str]

    def handle_error(self, *_: object) -> None:
        """A client that goes away is what is wanted here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, dict(self.headers), len(self.server.seen))
        self.server.seen.append(request)
        fault = self.server.fault(request)
        if isinstance(fault, tuple):
            status, code = fault
            self._answer(status, {}, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())
            return
        upstream = http.client.HTTPConnection(*self.server.upstream)
        try:
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in self.server.without
            }
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        if fault == DROPPED:
            self.close_connection = True
            return
        if isinstance(fault, int):
            self._answer(answer.status, dict(answer.headers), content, fault)
            self.close_connection = True
            return
        self._answer(answer.status, dict(answer.headers), content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        length = headers.get("Content-Length", len(content)) if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if cut is None else content[:cut])

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""


@contextmanager
def faulty_way(
    server: S3Server, fault: Callable[[Request], Fault], without: Collection[str] = ()
) -> Iterator[tuple[str, list[Request]]]:
    """An endpoint that leads to ``server`` but for what ``fault`` says of a request; and the requests so far.

    Headers named in ``without`` do not arrive.
    """
    host, _, port = server.endpoint.removeprefix("http://").partition(":")
    proxy = _Proxy(("127.0.0.1", 0), _Handler)
    proxy.upstream, proxy.fault, proxy.seen = (host, int(port)), fault, []
    proxy.without = {"expect", *(name.lower() for name in without)}
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}", proxy.seen
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
