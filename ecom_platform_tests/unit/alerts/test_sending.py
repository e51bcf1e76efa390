"""Targets that never end, and what is left of them; those that do not take a message, and what is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from ecom_platform.alerts import dead_mans_switch as heartbeat
from ecom_platform.alerts import delivery
from ecom_platform.alerts.dead_mans_switch import DeadMansSwitch
from ecom_platform.alerts.delivery import Courier, Outcome
from ecom_platform.alerts.messages import Message
from ecom_platform.alerts.targets import targets
from ecom_platform_tests.receivers import mailbox, talker, webhook
from ecom_platform_tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("starts_programs")

MESSAGE = Message("[ERROR] title", "body", False, (1,), 1)
MAIL = "mailto://127.0.0.1:{port}?from=a@example.org&to=b@example.org&mode=insecure&cto=60&rto=60"
HOOK = "json://127.0.0.1:{port}/x?cto=60&rto=60"


def send(url: str, seconds: float | None = None) -> Outcome:
    courier = Courier(targets([url])[0], seconds)
    try:
        return courier.send(MESSAGE)
    finally:
        courier.close()


class TestEndless:
    @pytest.mark.parametrize(
        ("url", "begin"),
        [(HOOK, b"HTTP/1.1 200 OK\r\nX-Endless: "), (HOOK, b""), (MAIL, b"220-"), (MAIL, b"220 ok\r\n250-")],
    )
    def test_nothing_is_left_after_the_deadline(self, url: str, begin: bytes) -> None:
        """Neither a thread nor a process nor a connection, and the next message is sent."""
        with talker(begin, b"x", pause=0.02) as endless:
            courier = Courier(targets([url.format(port=endless.port)])[0])
            assert courier.longest_body > 1_000  # a process is there
            courier.deadline_seconds = 0.5
            process = courier._process
            assert process is not None
            threads = set(threading.enumerate())
            assert courier.send(MESSAGE).error == "its answer did not end within 0.5 s"
            assert process._process.wait() == -signal.SIGALRM
            assert set(threading.enumerate()) <= threads | {
                t for t in threading.enumerate() if "talk" in t.name
            }
            wait_until(lambda: endless.listeners == 0)
        with webhook() as hook:
            assert send(hook.url).error is None

    @pytest.mark.parametrize("pause", [0.0, 0.02])
    def test_a_message_that_was_taken_is_delivered_however_long_the_answer(self, pause: float) -> None:
        """Sending it again and again would not make it shorter."""
        with talker(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4_096, pause) as endless:
            assert send(HOOK.format(port=endless.port)).error is None
            wait_until(lambda: endless.listeners == 0)
            assert endless.said < 64 << 20

    def test_heartbeats_leave_no_thread(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(heartbeat, "_DEADLINE_SECONDS", 0.5)
        heart = DeadMansSwitch()
        with talker(b"HTTP/1.1 200 OK\r\nX-Endless: ", b"x", pause=0.02) as endless:
            for minute in range(3):
                assert heart.beat(f"http://127.0.0.1:{endless.port}/", now=60.0 * minute)
            wait_until(lambda: not any(thread.name == "heartbeat" for thread in threading.enumerate()))
            wait_until(lambda: endless.listeners == 0)
        assert caplog.text.count("its answer did not begin within") == 3

    def test_each_target_is_printed_when_it_has_answered(self, tmp_path: Path) -> None:
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("ECOM_", "DAGSTER_"))}
        with webhook() as hook, talker(b"", b"x", pause=0.1) as endless:
            urls = f"{HOOK.format(port=endless.port)} {hook.url}"
            process = subprocess.Popen(
                [sys.executable, "-m", "ecom_platform", "alerts", "test"],
                env={**environment, "ECOM_HOME": str(tmp_path), "ECOM_ALERT_URLS": urls},
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            said = process.stdout.readline()  # while the other one goes on
            assert process.poll() is None
            process.kill()
            process.communicate()
            assert said.startswith(f"{targets([hook.url])[0].name}  delivered")
            wait_until(lambda: endless.listeners == 0)  # what sent is gone with the one it sent for

    def test_a_process_that_ended_before_it_was_asked_is_replaced(self) -> None:
        with webhook() as hook:
            courier = Courier(targets([hook.url])[0])
            assert courier.send(MESSAGE).error is None
            assert courier._process is not None
            courier._process._process.kill()
            courier._process._process.wait()
            assert courier.send(MESSAGE).error is None
            courier.close()
        taken = delivery._processes.take()
        assert taken.usable
        delivery._processes.give_back(taken)


# -- why a message was not taken -----------------------------------------------------------------


@contextmanager
def secured(folder: Path) -> Iterator[int]:
    """A web server with a certificate of its own making."""
    import ssl
    from http.server import BaseHTTPRequestHandler, HTTPServer

    certificate = folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        + ["-subj", "/CN=localhost", "-keyout", certificate, "-out", folder / "public.pem"],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "public.pem", certificate)
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def locked_mailbox() -> Iterator[int]:
    with mailbox() as probe:
        port = int(probe.url.split(":")[2].split("?")[0])
    controller = Controller(
        object(),
        hostname="127.0.0.1",
        port=port,
        ready_timeout=240,
        auth_require_tls=False,
        auth_required=True,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_why_a_message_was_not_taken_is_said_as_what_it_is(tmp_path: Path) -> None:
    with ExitStack() as stack:
        hook = stack.enter_context(webhook(answer=lambda number: 401))
        port = hook.url.split(":")[2].split("/")[0]
        shut = stack.enter_context(talker(b"HTTP/1.1 200 OK\r\nContent-Length: none\r\n", b""))
        login = stack.enter_context(locked_mailbox())
        tls = stack.enter_context(secured(tmp_path))
        said = {
            url: send(url).error
            for url in (
                "json://127.0.0.1:1/x",
                "mailto://127.0.0.1:1?from=a@x.org&to=b@x.org&mode=insecure",
                "json://nowhere.invalid/x",
                "mailto://nowhere.invalid?from=a@x.org&to=b@x.org&mode=insecure",
                f"jsons://127.0.0.1:{tls}/x?cto=60&rto=60",
                f"jsons://127.0.0.1:{port}/x?cto=60&rto=60",
                hook.url,
                f"mailto://bob:hunter22@127.0.0.1:{login}?from=a@x.org&to=b@x.org&mode=insecure",
            )
        }
        assert shut.said == 0
    refused = "the connection was refused: nothing listens at its host and port"
    unknown = "the name of its host could not be resolved (DNS)"
    assert list(said.values()) == [
        refused,
        refused,
        unknown,
        unknown,
        "its certificate is not trusted (TLS): self-signed certificate",
        "there was no secure connection (TLS): wrong version number",
        "it refused the login: it answered with HTTP status 401",
        "it refused the login: it answered with SMTP status 535",
    ]
