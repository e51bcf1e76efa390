"""The targets of ``ECOM_ALERT_URLS``, and the names they may be shown by.

Belongs here: a target's name without its secrets. Does not belong here: sending (``delivery``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from ecom_platform.alerts.redaction import HOSTED_SCHEMES

# Names of notices that wait are kept in the table: many rounds, and few digits, so that guessing what
# stands in a URL by its name is slow and never certain.
_ROUNDS = 20_000
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Target:
    """One Apprise URL, and the name it is shown and kept under."""

    name: str
    url: str = field(repr=False)


def targets(urls: Iterable[str]) -> list[Target]:
    """Targets in the order of ``urls``; a URL that is given twice is one target.

    A name follows from its own URL alone: what waits for a target is still its own when others of its
    kind come and go.
    """
    return [Target(f"{_shown(url)} #{_fingerprint(url)}", url) for url in dict.fromkeys(urls)]


@lru_cache(maxsize=1_000)
def _fingerprint(url: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", url.encode(), b"alert target", _ROUNDS).hex()[:_DIGITS]


def _shown(url: str) -> str:
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if rest.partition("?")[0].count("@") > 1:
        # Which of them ends the password is anybody's guess: what follows may be a part of it.
        return f"{scheme}://"
    if "@" in rest.partition("?")[0] and "@" not in re.split("[/?#]", rest, maxsplit=1)[0]:
        return f"{scheme}://"  # as above: the first / may stand in the password
    if scheme in HOSTED_SCHEMES or scheme.removesuffix("s") in HOSTED_SCHEMES:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            host = None
        # A bare token without a dot is no host that we would want to show.
        if host and ("." in host or ":" in host or host == "localhost"):
            return f"{scheme}://{host}"
    return f"{scheme}://"
