"""Keeping secrets out of what is stored, logged and sent.

Belongs here: finding what looks like a secret, or is a known one, in a text. Does not belong here:
deciding what is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_MASK = "***"
# user:password@ of any URL; the user stays, since it says which account is meant.
_URL_PASSWORD = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)")
_NAMED = re.compile(
    r"(?P<before>(?:password|passwd|pwd|secret|token|api_?key|access_?key|authorization)['\"]?\s*[=:]\s*"
    r"(?:bearer\s+|basic\s+)?['\"]?)[^\s'\"&,;)}]+",
    re.IGNORECASE,
)
# Shorter ones would tear holes into ordinary words.
_SHORTEST_SECRET = 6
# Parts of a path that are shorter are names, such as "services" or "hooks".
_SHORTEST_TOKEN = 12


# Whatever a check finds, its alert must be storable: in size, and in what PostgreSQL takes as text.
_LONGEST_TEXT = 4_000


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without passwords of URLs, values of names that announce a secret, and ``secrets``; cut
    where it is longer than 4,000 characters, and without what PostgreSQL refuses in a text."""
    text = text[:_LONGEST_TEXT].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _MASK)
    text = _URL_PASSWORD.sub(rf"\g<before>{_MASK}", text)
    return _NAMED.sub(rf"\g<before>{_MASK}", text)


def secrets_of(urls: Iterable[str]) -> frozenset[str]:
    """What must not be shown of URLs: themselves, their passwords, and tokens in their paths."""
    found: set[str] = set()
    for url in urls:
        found.add(url)
        rest = url.split("://", 1)[-1].split("?", 1)[0]
        credentials, _, path = rest.rpartition("@")
        found.update(part for part in path.split("/")[1:] if len(part) >= _SHORTEST_TOKEN)
        if ":" in credentials:
            found.add(credentials.split(":", 1)[1])
    return frozenset(secret for secret in found if len(secret) >= _SHORTEST_SECRET)
