"""Values of environment variables: what each kind may be, and all that is wrong with them told together.

Belongs here: a kind of value a method. Does not belong here: which variables there are, and what they mean
(``settings``); names that look like ours (``variables``).
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ecom_platform.objects import Location
from ecom_platform.variables import Strangers, strangers

log = logging.getLogger(__name__)

# Between two alert URLs; a comma inside one (two recipients of a mail, say) is not followed by a scheme.
_BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_SEARCH_PATH = re.compile(r"search[_-]path\s*=", re.IGNORECASE)
# A name that needs no quotes.
_PLAIN = re.compile(r"^[a-z_][a-z0-9_]*$")
_HOST = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?$")
_BUCKET_URL = re.compile(r"^s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>/[^?#]*)?$")
_MEMORY = re.compile(r"^[1-9][0-9]*[mg]$")
# Retired variables that this process has warned of.
_warned: set[str] = set()
# What becomes of a loaded object of a bucket.
MOVE, TAG, LEAVE = "move", "tag", "leave"


class VariableReader:
    """Reads variables and collects what is wrong with them, to be reported together."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []
        # Every name that was asked for: those are the known ones.
        self._known: set[str] = set()

    def strangers(self) -> Strangers:
        """Names that look like ours and that nobody has asked for. One like a known one is a problem: what
        was meant by it would silently not be so."""
        found = strangers((name for name, value in self._environ.items() if value.strip()), self._known)
        for name, like in found.mistyped.items():
            self.problems.append(f"{name} is not known; it looks like {like}: rename it, or unset it.")
        for name, instead in found.retired.items():
            if name not in _warned:
                _warned.add(name)
                log.warning("%s is no longer understood: %s", name, instead)
        return found

    def text(self, name: str) -> str | None:
        self._known.add(name)
        return self._environ.get(name, "").strip() or None

    def secret(self, name: str) -> str | None:
        """The value of ``name``, or the content of the file that ``name``_FILE names."""
        text, file = self.text(name), self.text(f"{name}_FILE")
        if file is None:
            return text
        if text is not None:
            self.problems.append(f"{name} and {name}_FILE are both set; unset one of them.")
            return text
        try:
            content = Path(file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            self.problems.append(f"{name}_FILE is {file!r}, which cannot be read: {reason}.")
            return None
        if not content:
            self.problems.append(f"{name}_FILE is {file!r}, which is empty.")
        return content or None

    def path(self, name: str, default: Path) -> Path:
        text = self.text(name)
        return Path(text).expanduser().absolute() if text else default

    def folder(self, name: str) -> Path | None:
        text = self.text(name)
        if text is None:
            return None
        path = Path(text).expanduser().absolute()
        if not path.is_dir():
            self.problems.append(f"{name} is {text!r}, which is no folder.")
        return path

    def integer(self, name: str, default: int | None, minimum: int) -> int | None:
        text = self.text(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or int(text) < minimum:
            self.problems.append(f"{name} is {text!r}; it must be a whole number of at least {minimum}.")
            return default
        return int(text)

    def seconds(self, name: str, default: float) -> float:
        return self._number(name, default, lambda value: 0 <= value < 10**7, "a number of seconds, 0 or more")

    def positive_seconds(self, name: str, default: float) -> float:
        value = self.seconds(name, default)
        if not value:
            self.problems.append(f"{name} is 0; it must be more than that.")
        return value or default

    def port(self, name: str) -> int | None:
        value = self.integer(name, None, 1)
        # Room for the port after it, and for those that a second run at the same time takes.
        if value is not None and value > 65_000:
            self.problems.append(f"{name} is {value}; it must be a port below 65000.")
        return value

    def postgres_url(self, name: str) -> str | None:
        text = self.secret(name)
        if text is None:
            return None
        try:
            scheme = urlsplit(text).scheme
        except ValueError:
            scheme = ""
        if scheme not in ("postgresql", "postgres"):
            # The value is not repeated: it may hold a password.
            self.problems.append(
                f"{name} is not a PostgreSQL URL; it must look like postgresql://user@host:5432/database."
            )
            return None
        place, _, _ = text.partition("://")[2].partition("?")
        if place.count("@") > 1 or "@" in place[len(re.split("[/#]", place, maxsplit=1)[0]) :]:
            # libpq would take a part of the password for the host's name, and everybody would show it.
            self.problems.append(
                f"{name} has a user or a password with @, / or # in it: write %40, %2F or %23 for them."
            )
            return None
        return text

    def switch(self, name: str) -> bool | None:
        text = self.text(name)
        if text is None:
            return None
        if text.lower() not in ("on", "off"):
            self.problems.append(f"{name} is {text!r}; it must be on or off.")
            return None
        return text.lower() == "on"

    def schema(self, name: str) -> str | None:
        text = self.text(name)
        if text is None:
            return None
        if len(text.encode()) > 63 or not text.isprintable():
            self.problems.append(f"{name} is {text!r}; it must be the name of a schema, 63 bytes at most.")
        elif text.startswith("pg_") or text in ("information_schema", "$user"):
            self.problems.append(
                f"{name} is {text!r}, which means something to PostgreSQL; choose another schema."
            )
        else:
            return text
        return None

    def share(self, name: str, default: float) -> float:
        wanted = "a share between 0 and 1, such as 0.05"
        return self._number(name, default, lambda value: 0 <= value <= 1, wanted)

    def _number(self, name: str, default: float, fits: Callable[[float], bool], wanted: str) -> float:
        text = self.text(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not fits(value):  # comparisons refuse NaN
            self.problems.append(f"{name} is {text!r}; it must be {wanted}.")
            return default
        return value

    def http_url(self, name: str, *, secret: bool = False) -> str | None:
        text = self.secret(name) if secret else self.text(name)
        if text is not None and not re.match(r"^https?://[^\s/]+", text):
            # The value is not repeated: it may hold a token.
            self.problems.append(f"{name} is not a URL; it must begin with http:// or https://.")
            return None
        return text

    def bucket(self, name: str, endpoint_name: str, done_name: str) -> Location | None:
        text, endpoint, done = self.text(name), self.http_url(endpoint_name), self.text(done_name)
        if endpoint is not None and "@" in endpoint:
            # Not repeated: what stands before it may be a password.
            self.problems.append(
                f"{endpoint_name} has a user in it; credentials belong in AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, in a profile, or in the machine's role."
            )
        if text is None:
            for other, value in ((endpoint_name, endpoint), (done_name, done)):
                if value is not None:
                    self.problems.append(f"{other} is set, but {name} is not: set it, or unset {other}.")
            return None
        if (done or MOVE) not in (MOVE, TAG, LEAVE):
            self.problems.append(
                f"{done_name} is {done!r}; it must be {MOVE}, which is what holds where it is not set, "
                f"{TAG}, where objects stay and get a tag, or {LEAVE}, for a bucket that may only be read."
            )
        found = _BUCKET_URL.match(text)
        if found is None or not text.isprintable():
            # Not repeated: a URL with credentials is one of those that do not match.
            self.problems.append(f"{name} is not a URL of a bucket; it must look like s3://bucket/prefix.")
            return None
        prefix = (found["prefix"] or "").strip("/")
        return Location(found["bucket"], f"{prefix}/" if prefix else "", endpoint and endpoint.rstrip("/"))

    def alert_urls(self, name: str) -> tuple[str, ...]:
        urls = tuple(part.strip(" \t\r\n,") for part in _BETWEEN_URLS.split(self.secret(name) or ""))
        urls = tuple(url for url in urls if url)
        for number, url in enumerate(urls, 1):
            if not re.match(r"^[A-Za-z][A-Za-z0-9+.-]*://\S+$", url):
                # The value is not repeated: most of these URLs are secrets.
                self.problems.append(
                    f"{name}: target {number} is not an Apprise URL such as slack://… or mailto://…."
                )
        return urls

    def with_password(self, url: str | None, password: str | None) -> str | None:
        """``url`` with ``password``, unless it has one of its own."""
        if url is None or password is None or urlsplit(url).password is not None:
            return url
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
        if not at:
            self.problems.append("ECOM_POSTGRES_PASSWORD is set, but ECOM_POSTGRES_URL names no user.")
            return url
        return urlunsplit(parts._replace(netloc=f"{user.rstrip(':')}:{quote(password, safe='')}@{host}"))

    def in_schema(self, url: str | None, schema: str | None) -> str | None:
        """``url`` with ``schema``, which must not be another than the one it names itself."""
        if url is None or schema is None:
            return url
        if _SEARCH_PATH.search(" ".join(_options(url))):
            self.problems.append(
                "ECOM_POSTGRES_SCHEMA is set, and a URL of PostgreSQL names a search_path in its options; "
                "take it out of the URL."
            )
            return url
        return with_schema(url, schema)

    def spark_master(self, name: str, default: str) -> str:
        text = self.text(name) or default
        if not re.match(r"^(local(\[(\*|[0-9]+)(,[0-9]+)?\])?|spark://.+|yarn|k8s://.+)$", text):
            self.problems.append(f"{name} is {text!r}; it must be local[*], local[N] or spark://host:port.")
        return text

    def hosts(self, name: str) -> tuple[str, ...]:
        hosts = tuple(part for part in re.split(r"[\s,]+", self.text(name) or "") if part)
        for host in hosts:
            if not _HOST.match(host):
                self.problems.append(f"{name} has {host!r}; it must be names such as ui.example.com:8443.")
        return hosts

    def memory(self, name: str, default: str) -> str:
        text = (self.text(name) or default).lower()
        if not _MEMORY.match(text):
            self.problems.append(f"{name} is {text!r}; it must be a size such as 1g or 768m.")
        return text


def with_schema(url: str, schema: str) -> str:
    """The URL of PostgreSQL with ``schema`` as the search path of its options, after those it has."""
    name = schema if _PLAIN.match(schema) else '"' + schema.replace('"', '""') + '"'
    escaped = re.sub(r"([\\\s])", r"\\\1", name)
    options = " ".join([*_options(url), f"-csearch_path={escaped}"])
    parts = urlsplit(url)
    # As it is written: libpq takes a plus for a plus.
    fields = [field for field in parts.query.split("&") if field and not field.startswith("options=")]
    return urlunsplit(parts._replace(query="&".join([*fields, f"options={quote(options, safe='')}"])))


def _options(url: str) -> list[str]:
    """The ``options`` of a URL of PostgreSQL."""
    fields = (field.partition("=") for field in urlsplit(url).query.split("&"))
    return [unquote(value) for name, _, value in fields if name == "options"]
