"""The targets of ``ECOM_ALERT_URLS``, and the names they may be shown by.

Belongs here: a target's name without its secrets. Does not belong here: sending (``delivery``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# Where the place of the host really holds a host. Elsewhere it is a token, a key or a topic.
_HOSTED = ("json", "xml", "form", "mailto", "gotify", "mmost", "apprise")


@dataclass(frozen=True, slots=True)
class Target:
    """One Apprise URL, and the name it is shown and kept under."""

    name: str
    url: str = field(repr=False)


def targets(urls: Iterable[str]) -> list[Target]:
    """Targets in the order of ``urls``. Those of one scheme and host are numbered from the second on;
    a URL that is given twice is one target."""
    seen: Counter[str] = Counter()
    found = []
    for url in dict.fromkeys(urls):
        name = _shown(url)
        seen[name] += 1
        found.append(Target(name if seen[name] == 1 else f"{name} #{seen[name]}", url))
    return found


def _shown(url: str) -> str:
    scheme = url.split("://", 1)[0].lower()
    if scheme in _HOSTED or scheme.removesuffix("s") in _HOSTED:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            host = None
        # A bare token without a dot is no host that we would want to show.
        if host and ("." in host or ":" in host or host == "localhost"):
            return f"{scheme}://{host}"
    return f"{scheme}://"
