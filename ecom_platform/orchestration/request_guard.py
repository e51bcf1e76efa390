"""What the Dagster UI answers: itself, and nobody else's web page.

Dagster's webserver has no log-in and looks neither at ``Host`` nor at ``Origin``: any page that a browser
on this machine has open could launch runs and delete what is recorded. Whoever reaches the port with a
program of their own can still do everything, as with any server without a log-in; a *page* cannot.

Belongs here: the verdict on a request by its head, and the headers of answers, as ASGI around any
application. Does not belong here: Dagster (``webserver``), passwords (a proxy, docs/deployment.md).

The rules, each against one way in:

- a ``Host`` that is not ours: a foreign name that was made to resolve to this machine (DNS rebinding);
- an ``Origin`` that is not the page's own, also on a WebSocket, which no browser guards;
- what a browser says to come from another site (``Sec-Fetch-Site``), unless a person follows a link;
- a body that is not ``application/json``: forms and simple requests, which are sent without asking first;
- GraphQL by GET, which an image's address is enough for; only the playground's page is given out there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
GRAPHQL = "/graphql"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NETLOC = re.compile(r"^(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?$")
_POLICY_VIOLATION = 1008

# Beside the policy that Dagster gives its main page: a browser obeys both.
_EVERYWHERE = "frame-ancestors 'none'; form-action 'self'; base-uri 'none'; object-src 'none'"
# For what Dagster gives none: the playground, which has its script in its page, downloads, plain answers.
_WITHOUT_ONE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws: wss:; " + _EVERYWHERE
)
_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Host and port, as ``Host`` and ``Origin`` name them; no port: the scheme's own."""

    host: str
    port: int | None = None

    def at(self, scheme: str) -> tuple[str, int]:
        return self.host, self.port or _DEFAULT_PORTS[scheme]


def _place(text: str) -> _Place | None:
    found = _NETLOC.match(text.strip().lower())
    if found is None:
        return None
    port = found["port"]
    return _Place(found["host"].removesuffix("."), int(port) if port else None)


class Guard:
    """An ASGI application around ``app`` that refuses what is not its own page's, or a program's."""

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        """``names``: hosts (``name`` or ``name:port``) that a proxy serves the UI under, beside loopback."""
        self._app = app
        self._served = [place for name in names if (place := _place(name)) and place.host not in LOOPBACK]
        self._hosts = LOOPBACK | {place.host for place in self._served}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if self._websocket(Headers(scope=scope)) is not None:
                # Before it is accepted: the browser gets 403 and no connection.
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
                return
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._http(scope["method"], scope["path"], Headers(scope=scope))
            app = self._app if refusal is None else _refused(refusal)
            await app(scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, send)

    def _http(self, method: str, path: str, headers: Headers) -> Refusal | None:
        if method not in ("GET", "HEAD", "POST"):
            return Refusal(405, f"{method} is not answered here.")
        return (
            self._host(headers)
            or self._origin(headers)
            or _site(method, headers)
            or (_body(headers) if method == "POST" else _reading(method, path, headers))
        )

    def _websocket(self, headers: Headers) -> Refusal | None:
        if "origin" not in headers:
            return Refusal(403, "A WebSocket is opened by the UI's own page, which names itself in Origin.")
        return self._host(headers) or self._origin(headers)

    def _host(self, headers: Headers) -> Refusal | None:
        given = headers.getlist("host")
        place = _place(given[0]) if len(given) == 1 else None
        if place is None or place.host not in self._hosts:
            return Refusal(
                403,
                "The UI does not answer under the name that this request has in Host. Behind a proxy, set "
                "ECOM_UI_URL or ECOM_UI_HOSTS to the name that people use.",
            )
        return None

    def _origin(self, headers: Headers) -> Refusal | None:
        given = headers.getlist("origin")
        if not given or (len(given) == 1 and self._own(given[0], headers["host"])):
            return None
        return Refusal(403, "This request comes from the page of another site (Origin).")

    def _own(self, origin: str, host: str) -> bool:
        scheme, _, rest = origin.partition("://")
        place = _place(rest)
        if scheme not in _DEFAULT_PORTS or place is None:
            return False  # also "null", which is what a sandboxed page or a file says
        # A proxy may pass on a Host of its own, but the browser's Origin.
        own = [known for known in (_place(host), *self._served) if known is not None]
        return place.at(scheme) in [known.at(scheme) for known in own]


def host_of(url: str) -> str:
    """``name`` or ``name:port`` of a URL."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _site(method: str, headers: Headers) -> Refusal | None:
    """A link to the UI in a chat or a mail is followed; nothing else of another site is answered."""
    site = headers.get("sec-fetch-site", "none")
    followed = (
        method == "GET"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
    )
    if site in ("same-origin", "none") or followed:
        return None
    return Refusal(403, "This request comes from the page of another site (Sec-Fetch-Site).")


def _body(headers: Headers) -> Refusal | None:
    given = headers.getlist("content-type")
    kind = given[0].partition(";")[0].strip().lower() if len(given) == 1 else ""
    if kind == "application/json":
        return None
    return Refusal(415, "A POST has the Content-Type application/json here.")


def _reading(method: str, path: str, headers: Headers) -> Refusal | None:
    """Dagster executes what a GET of ``/graphql`` asks for; who takes HTML gets the playground."""
    if path.rstrip("/") != GRAPHQL or (method == "GET" and "text/html" in headers.get("accept", "")):
        return None
    return Refusal(405, "GraphQL is answered by POST, with the Content-Type application/json.")


def _refused(refusal: Refusal) -> ASGIApp:
    return PlainTextResponse(refusal.reason + "\n", refusal.status, {"Cache-Control": "no-store"})


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            policy = _EVERYWHERE if "content-security-policy" in headers else _WITHOUT_ONE
            headers.append("Content-Security-Policy", policy)
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return answer
