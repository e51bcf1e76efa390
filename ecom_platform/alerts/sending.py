"""The process that talks to a target, so that no answer can hold up or fill up the one that watches.

Belongs here: taking requests from standard input, handing them to Apprise or calling a URL, and saying on
standard output what came of it, in words without secrets. Does not belong here: starting and ending this
process (``delivery``).

It ends at the deadline of a request, by a signal, whatever
it is doing; when nobody asks for a while; and when whoever started it is gone. Being alone in its process, it
may look on where others cannot: at the sockets beneath Apprise, which swallows why it failed.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import queue
import signal
import smtplib
import socket
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

IDLE_SECONDS = 30.0
_UNUSABLE = "Apprise cannot use this URL: check its scheme and its parts"
# An answer is read up to so many bytes and so long: of most, the status is all that matters.
_ANSWER_BYTES = 1 << 20
_ANSWER_SECONDS = 3.0
# A heartbeat's server may take so long between two pieces of its answer.
_CALL_SECONDS = 10.0
# HTTP statuses about the message, not about the server: all of 4xx but "too slow" and "too many".
_REFUSALS = frozenset(range(400, 500)) - {408, 425, 429}
_LOGINS = frozenset({401, 407})
# Services that are kept, so that each keeps its pace.
_MOST_SERVICES = 8
# Apprise leaves 5.5 s between two mails, since it knows no better; a mail server takes one a second.
_MAIL_PACE_SECONDS = 1.0


@dataclass(slots=True)
class _Witness:
    """What happened beneath Apprise since the request began."""

    fault: str | None = None
    refused: bool = False
    connected: bool = False
    status: int | None = None

    def begin(self) -> None:
        self.fault, self.refused, self.connected, self.status = None, False, False, None

    def answered(self, status: int) -> None:
        self.status, self.fault = status, None
        if not 200 <= status < 300:
            login = status in _LOGINS
            self.fault = f"it {'refused the login: it ' if login else ''}answered with HTTP status {status}"
            self.refused = status in _REFUSALS

    def why(self) -> str:
        if self.fault is not None:
            return self.fault
        if self.status is not None:
            return "it answered, and did not take the message"
        return "it took the connection and gave no whole answer" if self.connected else "it was not reached"


_witness = _Witness()


class _Enough(BaseException):
    """Raised by a signal in whatever is waiting. No :class:`Exception`: Apprise catches those."""


# -- the time that a request has -----------------------------------------------------------------

_deadline = 0.0


def _until(deadline: float) -> None:
    """End this process at ``deadline``, by the clock ``time.monotonic``; never where that is 0."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 0.001) if deadline else 0.0)


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Leave the block after ``seconds``, as if it had ended. In the main thread only, as signals are."""

    def enough(signum: int, frame: object) -> None:  # noqa: ARG001
        raise _Enough

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGALRM, enough)
    signal.setitimer(signal.ITIMER_REAL, min(seconds, max(_deadline - time.monotonic(), 0.001)))
    try:
        yield
    except _Enough:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        _until(_deadline)


# -- looking on ----------------------------------------------------------------------------------


def look_on() -> None:
    """Have the network's functions tell the witness what they meet, and bound what is read. For a process
    of its own only."""
    socket.getaddrinfo = _telling(socket.getaddrinfo, _unresolved)
    socket.socket.connect = _telling(socket.socket.connect, _unconnected, _connected)  # type: ignore[method-assign]
    for kind, names, failed in (
        (ssl.SSLSocket, ("do_handshake",), _untrusted),
        (ssl.SSLObject, ("do_handshake",), _untrusted),
        (smtplib.SMTP, ("connect", "starttls", "login", "sendmail"), _mail_refused),
    ):
        for name in names:
            setattr(kind, name, _telling(getattr(kind, name), failed))
    smtplib.SMTP.quit = _hurried(smtplib.SMTP.quit)  # type: ignore[method-assign]


def _telling(
    function: Any, failed: Callable[[BaseException], None], succeeded: Callable[[], None] = lambda: None
) -> Any:
    @wraps(function)
    def told(*arguments: Any, **options: Any) -> Any:
        try:
            result = function(*arguments, **options)
        except Exception as error:
            failed(error)
            raise
        succeeded()
        return result

    return told


def _unresolved(error: BaseException) -> None:
    if isinstance(error, socket.gaierror):
        _witness.fault = "the name of its host could not be resolved (DNS)"


def _connected() -> None:
    _witness.connected, _witness.fault = True, None


_CONNECTION = {
    errno.ECONNREFUSED: "the connection was refused: nothing listens at its host and port",
    errno.EHOSTUNREACH: "there is no way to its host (network)",
    errno.ENETUNREACH: "there is no way to its host (network)",
}


def _unconnected(error: BaseException) -> None:
    if isinstance(error, (BlockingIOError, InterruptedError)) or not isinstance(error, OSError):
        return
    if isinstance(error, TimeoutError):
        _witness.fault = "there was no connection in time: its host is down, or a firewall drops what is sent"
    else:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        _witness.fault = _CONNECTION.get(error.errno or 0, f"there was no connection: {reason}")


def _untrusted(error: BaseException) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        # What follows the comma names the host, which may be a secret in some URLs.
        said = str(error.verify_message).split(",")[0].strip(" .")
        _witness.fault = f"its certificate is not trusted (TLS): {said}"
    elif isinstance(error, (ssl.SSLWantReadError, ssl.SSLWantWriteError)):
        pass
    elif isinstance(error, ssl.SSLError):
        reason = (error.reason or "no reason given").lower().replace("_", " ")
        _witness.fault = f"there was no secure connection (TLS): {reason}"
    elif isinstance(error, TimeoutError):
        _witness.fault = "it took the connection, but no secure one came of it in time (TLS)"


def _mail_refused(error: BaseException) -> None:
    """SMTP's own words may quote addresses; its numbers are enough."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        _witness.fault = f"it refused the login: it answered with SMTP status {error.smtp_code}"
    elif isinstance(error, smtplib.SMTPNotSupportedError):
        _witness.fault = "it does not offer the login or the encryption (STARTTLS) that the URL asks for"
    elif isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in error.recipients.values()})
        _witness.fault = f"it refused the recipient: SMTP status {', '.join(str(code) for code in codes)}"
        _witness.refused = all(500 <= code < 600 for code in codes)
    elif isinstance(error, smtplib.SMTPResponseException):
        _witness.fault = f"it answered with SMTP status {error.smtp_code}"
        _witness.refused = isinstance(error, smtplib.SMTPDataError) and 500 <= error.smtp_code < 600
    elif isinstance(error, smtplib.SMTPServerDisconnected) and _witness.fault is None:
        _witness.fault = "it took the connection and gave no whole answer"


def _hurried(function: Any) -> Any:
    """What is said after the mail was taken must not undo that it was taken."""

    @wraps(function)
    def hurried(*arguments: Any, **options: Any) -> None:
        with _at_most(_ANSWER_SECONDS):
            function(*arguments, **options)

    return hurried


def _bound_answers() -> None:
    """Read the answers of web servers to a bound, in bytes and in time; the status comes before them."""
    from requests import adapters

    send = adapters.HTTPAdapter.send

    @wraps(send)
    def bounded(self: Any, *arguments: Any, **options: Any) -> Any:
        response = send(self, *arguments, **options)
        _witness.answered(response.status_code)
        pieces: list[bytes] = []
        with _at_most(_ANSWER_SECONDS):
            for piece in response.iter_content(1 << 14):
                pieces.append(piece)
                if sum(map(len, pieces)) > _ANSWER_BYTES:
                    break
        response.close()
        response._content = b"".join(pieces)[:_ANSWER_BYTES]
        response._content_consumed = True
        return response

    adapters.HTTPAdapter.send = bounded  # type: ignore[method-assign]


# -- what is asked for ---------------------------------------------------------------------------


@dataclass(slots=True)
class Sender:
    """Answers requests: about a target's URL, to send a message to it, to call a URL."""

    _services: dict[str, Any] = field(default_factory=dict)
    _bounded: bool = False

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What came of one request; never raises."""
        _witness.begin()
        try:
            if request["do"] == "call":
                return self._call(request["url"])
            service = self._service(request["url"])
            if service is None:
                return {"error": _UNUSABLE, "refused": False}
            if request["do"] == "describe":
                return {"error": None, "longest": int(getattr(service, "body_maxlen", 0) or 0)}
            return self._send(service, request)
        except Exception as error:
            # Its text may quote the URL.
            return {"error": f"Apprise failed with {type(error).__name__}", "refused": False}

    def _send(self, service: Any, request: dict[str, Any]) -> dict[str, Any]:
        from apprise import NotifyFormat, NotifyType

        kind = NotifyType.SUCCESS if request["recovered"] else NotifyType.FAILURE
        taken = service.notify(
            title=request["title"], body=request["body"], notify_type=kind, body_format=NotifyFormat.TEXT
        )
        return {"error": None if taken else _witness.why(), "refused": not taken and _witness.refused}

    def _call(self, url: str) -> dict[str, Any]:
        try:
            # Nothing of the answer is read but its status.
            with urllib.request.urlopen(url, timeout=_CALL_SECONDS):  # noqa: S310 (http or https: settings)
                return {"error": None}
        except urllib.error.HTTPError as error:
            _witness.answered(error.code)
        except (OSError, ValueError):
            pass
        return {"error": _witness.why()}

    def _service(self, url: str) -> Any:
        from apprise import Apprise, AppriseAsset, OverflowMode, PersistentStoreMode

        if url in self._services:
            return self._services[url]
        if not self._bounded:
            self._bounded = True
            _bound_answers()
        asset = AppriseAsset(
            app_id="ecom_platform",
            app_desc="Alerts of ecom_platform",
            app_url="",
            # Nothing from disk, nothing to disk.
            plugin_paths=[],
            storage_path=None,
            storage_mode=PersistentStoreMode.MEMORY,
            pgp_autogen=False,
            pem_autogen=False,
            # No pictures of another site in a message.
            image_url_mask="",
            image_url_logo="",
            # A redirected POST would be sent elsewhere, or arrive as a GET without its message.
            http_redirects=False,
        )
        service = Apprise.instantiate(url, asset=asset)
        if service is not None and "overflow=" not in url:
            service.overflow_mode = OverflowMode.SPLIT
        if service is not None and url.lower().startswith("mailto"):
            service.request_rate_per_sec = _MAIL_PACE_SECONDS
        if len(self._services) >= _MOST_SERVICES:
            self._services.clear()
        self._services[url] = service
        return service


def main() -> None:
    """Answer requests, a line of JSON each, until there are no more."""
    global _deadline
    # Ctrl-C is for whoever started this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a plugin prints is no answer
    logging.disable(logging.CRITICAL)  # Apprise's log has URLs and payloads in it
    look_on()
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            requests.put(line)
        os._exit(0)  # whoever asks is gone, and with it whoever would want to know

    threading.Thread(target=read, daemon=True).start()
    sender = Sender()
    while True:
        try:
            request = json.loads(requests.get(timeout=IDLE_SECONDS))
        except queue.Empty:
            os._exit(0)
        _deadline = time.monotonic() + float(request["seconds"])
        _until(_deadline)
        answer = sender.answer(request)
        _until(0.0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
