"""Keeping secrets out of what is stored, logged and sent.

Belongs here: finding what looks like a secret, or is a known one, in a text. Does not belong here:
deciding what is said.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, unquote_plus

_MASK = "***"
# user:password@ of any URL; the user stays, since it says which account is meant. A password may hold what it
# should not, unescaped: all up to the last @ is taken for it.
_URL_PASSWORD = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^\s/:'\"]*:)[^\s'\"]+(?=@)")
_NAMED = re.compile(
    r"(?P<before>(?:password|passwd|pwd|secret|token|api_?key|access_?key|authorization)['\"]?\s*[=:]\s*"
    r"(?:bearer\s+|basic\s+)?['\"]?)[^\s'\"&,;)}]+",
    re.IGNORECASE,
)
# What PostgreSQL says of a row that it refuses: the row. Data is for whoever may see it, not for a chat.
_ROWS = (
    (re.compile(r"(Failing row contains) \(.*?\)\.?(?=\s|$)", re.DOTALL), r"\1 (…)"),
    (
        re.compile(r"(Key \([^)]*\)=)\(.*?\)(?= (?:already exists|conflicts|is not present|is still))"),
        r"\1(…)",
    ),
    (re.compile(r"(COPY \S+, line \d+(?:, column [^:]+)?:) \".*?\"(?=\s|$)", re.DOTALL), r"\1 (…)"),
    (re.compile(r"(invalid input syntax for type [a-z ]+:) \".*?\"(?=\s|$)", re.DOTALL), r"\1 (…)"),
)
# The name of a value of which nothing is shown.
_SECRET_NAME = re.compile(
    r"(?:pass|password|passwd|passphrase|pwd|secret|token|key|credential|authorization)s?$", re.IGNORECASE
)
# Shorter ones would tear holes into ordinary words.
_SHORTEST_SECRET = 6
# Parts of a path that are shorter are names, such as "services" or "hooks".
_SHORTEST_TOKEN = 12
# Whose place of the host really holds a host, and whose user is a person's name, not a key.
HOSTED_SCHEMES = (
    "json",
    "xml",
    "form",
    "mailto",
    "gotify",
    "mmost",
    "apprise",
    "http",
    "postgresql",
    "postgres",
)
# What a query says in the open: addresses and how a message is laid out.
_OPEN_NAMES = frozenset(
    {"to", "from", "cc", "bcc", "reply", "name", "smtp", "mode", "format", "overflow", "verify", "method"}
    | {"rto", "cto", "emojis", "image", "footer", "region", "priority", "options", "application_name"}
    | {"sslmode", "connect_timeout"}
)
# Whatever a check finds, its alert must be storable: in size, and in what PostgreSQL takes as text.
_LONGEST_TEXT = 4_000


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without passwords of URLs, values of names that announce a secret, and ``secrets``; then
    cut where it is longer than 4,000 characters, and without what PostgreSQL refuses in a text.

    Cut last: half a secret, or a password whose ``@`` is cut off, would not be known for what it is.
    """
    text = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _MASK)
    for row, shown in _ROWS:
        text = row.sub(shown, text)
    text = _URL_PASSWORD.sub(rf"\g<before>{_MASK}", text)
    return _NAMED.sub(rf"\g<before>{_MASK}", text)[:_LONGEST_TEXT]


def redact_value(name: str, value: object, secrets: Iterable[str] = ()) -> object:
    """``value`` as it may be kept under ``name``: nothing of it where the name announces a secret."""
    if _SECRET_NAME.search(name):
        return _MASK
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, (list, tuple)):
        return [redact_value("", item, secrets) for item in value]
    return value if isinstance(value, (int, float)) else redact(str(value), secrets)


def secrets_of(urls: Iterable[str]) -> frozenset[str]:
    """What must not be shown of URLs: themselves, and every part that may open a door, as it stands in
    the URL and decoded: passwords, tokens in the place of user, host or path, and values of the query."""
    found: set[str] = set()
    for url in urls:
        found.add(url)
        for part in _secret_parts(url):
            found.update((part, unquote(part), unquote_plus(part)))
    return frozenset(secret for secret in found if len(secret) >= _SHORTEST_SECRET)


def _secret_parts(url: str) -> Iterator[str]:
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    hosted = scheme in HOSTED_SCHEMES or scheme.removesuffix("s") in HOSTED_SCHEMES
    rest, _, query = rest.partition("?")
    # A password may hold a slash: up to the last @ it is credentials.
    credentials, _, place = rest.rpartition("@")
    host, *path = place.split("/")
    yield from (part for part in path if len(part) >= _SHORTEST_TOKEN)
    user, colon, password = credentials.partition(":")
    yield password
    if not hosted:
        yield from (user, host, *host.split(":")) if not _is_address(host) else (user,)
    elif not colon and not scheme.startswith(("postgres", "mailto")):
        yield user
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if unquote(name).lower().lstrip("+-:") not in _OPEN_NAMES:
            yield value


def _is_address(host: str) -> bool:
    """Whether it is a machine's address, which cannot be a token."""
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name == "localhost"
    return True
