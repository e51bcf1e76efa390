"""What a connection URL comes to: the one schema, and what every driver is told when it connects.

Belongs here: the schema that a URL names, the parts that libpq gets, and which variables of the
environment it may see meanwhile. psycopg, ADBC and psql all take theirs from here. Does not belong here:
connecting (``connection``, ``adbc``, ``client``), what a session is told afterwards (``sql/session.sql``).

The URL says everything, since it is all that travels to a task on another machine: the schema is the
``search_path`` of its ``options``, and the embedded server's alone has an empty ``hostaddr``.

Source: libpq's chapters "Parameter Key Words" and "Environment Variables"; ``fe-protocol3.c`` for PGTZ,
PGDATESTYLE and PGGEQO, which no key word can overrule.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ecom_platform.errors import DatabaseError
from ecom_platform.settings import DEFAULT_SCHEMA

CONNECT_TIMEOUT_SECONDS = 10
APPLICATION_NAME = "ecom_platform"

# Variables that libpq reads whatever its key words say, for what the platform decides itself.
_OVERRULING = frozenset({"PGTZ", "PGDATESTYLE"})
# What the platform sets itself, whatever these say.
_PINNED = _OVERRULING | {"PGCLIENTENCODING", "PGAPPNAME"}
# That have no key word.
_BESIDE = frozenset({"PGSERVICEFILE", "PGSYSCONFDIR", "PGGEQO", "PGREQUIRESSL"})
# Any that a libpq may know, now or later.
_LIBPQ = re.compile(r"PG[A-Z_]+")
# A setting in `options`, in the three ways of writing it.
_SEARCH_PATH = re.compile(r"(?:-c\s*|--)search[_-]path=(.*)", re.IGNORECASE | re.DOTALL)
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*", re.IGNORECASE)
_LOWER = re.compile(r"[a-z_][a-z0-9_]*")

_environment = threading.Lock()


def parts_of(url: str) -> dict[str, Any]:
    """The key words of a URL, or of a connection string. Raises :class:`DatabaseError`."""
    try:
        return dict(conninfo_to_dict(url))
    except ProgrammingError:
        # Not chained: the text of the original quotes the URL.
        raise DatabaseError(
            "ECOM_POSTGRES_URL is not a valid PostgreSQL URL.",
            "It must look like postgresql://user:password@host:5432/database.",
        ) from None


def chosen_schema(url: str) -> str | None:
    """The schema that the URL names; ``None`` if it leaves that to the default."""
    return _divide_options(parts_of(url))[1]


def schema_of(url: str) -> str:
    """The schema that every table is in."""
    return chosen_schema(url) or DEFAULT_SCHEMA


def is_embedded(url: str) -> bool:
    """Whether this is the embedded server's URL, which alone says that it has no other address."""
    return parts_of(url).get("hostaddr") == ""


def conninfo(url: str) -> str:
    """``url`` with what the platform pins, for psycopg and ADBC alike.

    Without the search path: that is set in the session, where no variable and no default of a role or a
    database comes after it, and poolers refuse it here.
    """
    parts = parts_of(url)
    rest, _ = _divide_options(parts)
    parts.pop("options", None)
    if rest or is_embedded(url):
        parts["options"] = rest
    if is_embedded(url) or "PGCONNECT_TIMEOUT" not in os.environ:
        parts.setdefault("connect_timeout", CONNECT_TIMEOUT_SECONDS)
    parts.setdefault("application_name", APPLICATION_NAME)
    return make_conninfo(**{**parts, "client_encoding": "UTF8"})


def client_conninfo(url: str) -> str:
    """The same for a program of PostgreSQL's, which sets nothing afterwards; without the password."""
    parts = parts_of(url)
    rest, _ = _divide_options(parts)
    inherited = "" if is_embedded(url) else os.environ.get("PGOPTIONS", "")
    schema = schema_of(url)
    path = f"-c search_path={schema if _LOWER.fullmatch(schema) else _escaped(quoted(schema))}"
    parts["options"] = " ".join(filter(None, (rest or inherited, path)))
    parts.pop("password", None)
    return make_conninfo(**parts)


def client_environment(url: str) -> dict[str, str]:
    """The environment of such a program."""
    kept = {
        name: value for name, value in os.environ.items() if not (is_embedded(url) and _LIBPQ.fullmatch(name))
    }
    kept |= {"PGTZ": "UTC", "PGDATESTYLE": "ISO, MDY", "PGCLIENTENCODING": "UTF8"}
    password = parts_of(url).get("password")
    return kept if password is None else {**kept, "PGPASSWORD": str(password)}


def taken_over(url: str) -> list[str]:
    """The variables of libpq that complete ``url``, by name: those of the environment that count."""
    if is_embedded(url):
        return []
    named = {default.envvar.decode() for default in pq.Conninfo.get_defaults() if default.envvar}
    return sorted((named | _BESIDE) & os.environ.keys() - _PINNED)


def libpq_variables(url: str) -> tuple[tuple[str, str], ...]:
    """The variables that libpq may look at for ``url``, with their values, which may be secret."""
    if is_embedded(url):
        return ()
    return tuple(sorted((name, value) for name, value in os.environ.items() if _LIBPQ.fullmatch(name)))


@contextmanager
def libpq_environment(url: str) -> Iterator[None]:
    """While the block connects, libpq sees only the variables that may have a say.

    They are hidden from C alone, so ``os.environ`` stays as it is. Nothing happens where none is set.
    """
    embedded = is_embedded(url)
    hidden = {
        name: value
        for name, value in os.environ.items()
        if name in _OVERRULING or (embedded and _LIBPQ.fullmatch(name))
    }
    if not hidden:
        yield
        return
    with _environment:
        for name in hidden:
            os.unsetenv(name)
        try:
            yield
        finally:
            for name, value in hidden.items():
                os.putenv(name, value)


def quoted(name: str) -> str:
    """``name`` as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _divide_options(parts: dict[str, Any]) -> tuple[str, str | None]:
    """The ``options`` without their search path, and the schema that this path names."""
    rest: list[str] = []
    schema: str | None = None
    words = _words(str(parts.get("options") or ""))
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word = f"-c {words.pop(0)}"
        found = _SEARCH_PATH.fullmatch(word)
        if found:
            schema = _single(found[1])
        else:
            flag, space, setting = word.partition(" ") if word.startswith("-c ") else ("", "", word)
            rest.append(f"{flag}{space}{_escaped(setting)}")
    return " ".join(rest), schema


def _words(options: str) -> list[str]:
    """``options`` as the server splits it: at blanks, unless a backslash stands before them."""
    return [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\s\\])+", options)]


def _escaped(word: str) -> str:
    return re.sub(r"([\s\\])", r"\\\1", word)


def _single(path: str) -> str:
    """The one schema of a search path; all tables are in it, so there is no second."""
    path = path.strip()
    if _PLAIN.fullmatch(path):
        return path.lower()
    if re.fullmatch(r'"(?:[^"]|"")+"', path) and path != '"$user"':
        return path[1:-1].replace('""', '"')
    raise DatabaseError(
        f"The options of ECOM_POSTGRES_URL set search_path to {path!r}; the tables are in one schema.",
        "Name that one there, or set ECOM_POSTGRES_SCHEMA and leave it out of the URL.",
    )
