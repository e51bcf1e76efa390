"""What the platform needs from the machine, found out before anything is started.

Belongs here: one question a prerequisite, each answered with its state and its remedy; and
:func:`require`, which refuses to begin what cannot end. Does not belong here: repairing anything.
"""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.errors import DatabaseError, EcomError, PrerequisiteError, StorageError
from ecom_platform.landing.zone import LandingZone, make_writable
from ecom_platform.postgres.connection import Database
from ecom_platform.postgres.conninfo import taken_over
from ecom_platform.postgres.provision import embedded_server
from ecom_platform.postgres.schema import require_usable
from ecom_platform.settings import Settings
from ecom_platform.streaming.cluster import driver_host, master_address
from ecom_platform.streaming.java import find_java

# The embedded server's first WAL segments, Spark's scratch, a new Dagster instance.
MIN_FREE_BYTES = 300 * 1024**2
# A CSV row, its copy in the table and its index, its share of WAL until the next checkpoint.
_BYTES_AN_EVENT = 700


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """One thing that is needed and how it stands."""

    name: str
    ok: bool
    state: str
    remedy: str = ""

    def as_json(self) -> dict[str, str | bool]:
        return {"name": self.name, "ok": self.ok, "state": self.state, "remedy": self.remedy}


def examine(settings: Settings) -> list[Prerequisite]:
    """Every prerequisite, whether or not an earlier one is missing."""
    questions: list[tuple[str, Callable[[Settings], str]]] = [
        ("Python", _python),
        ("Java", _java),
        ("PostgreSQL", _postgres),
        ("Spark master", _spark_master),
        ("Landing zone", _landing),
        ("Disk", lambda s: _disk(s, 0)),
    ]
    findings = [_ask(name, question, settings) for name, question in questions]
    # Executors are asked last, and only if there is a chance that they answer.
    if settings.remote_spark and all(finding.ok for finding in findings):
        findings.append(_ask("Executors", _executors, settings))
    return findings


def require(settings: Settings, events: int) -> None:
    """Raise the first missing prerequisite that a run of ``events`` would only meet half-way."""
    _landing(settings)
    _disk(settings, events)
    _java(settings)
    _spark_master(settings)


def _ask(name: str, question: Callable[[Settings], str], settings: Settings) -> Prerequisite:
    try:
        return Prerequisite(name, True, question(settings))
    except EcomError as error:
        return Prerequisite(name, False, error.message, error.remedy)


def _python(settings: Settings) -> str:  # noqa: ARG001
    return f"{sys.version.split()[0]} ({sys.executable})"


def _java(settings: Settings) -> str:
    java = find_java(settings)
    return f"{java.version}, from {java.source} ({java.home})"


def _postgres(settings: Settings) -> str:
    if settings.postgres_url is None:
        status = embedded_server(settings).status()
        state = f"running, process {status.pid}" if status.running else "not running, started when needed"
        return f"embedded {status.version}, {state}, {status.data_bytes / 2**20:.0f} MiB"
    database = Database(settings.postgres_url)
    require_usable(database)
    with database.open() as connection:
        row = connection.execute("SHOW server_version").fetchone()
    if row is None:
        raise DatabaseError(f"PostgreSQL at {database.description} gave no version.")
    inherited = taken_over(settings.postgres_url)
    also = f"; with {', '.join(inherited)} of the environment" if inherited else ""
    return f"{row[0]} at {database.description}{also}"


def _spark_master(settings: Settings) -> str:
    address = master_address(settings)
    if address is None:
        return settings.spark_master
    driver_host(settings)
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError as error:
        raise PrerequisiteError(
            f"The Spark master {settings.spark_master} cannot be reached: {error.strerror or error}.",
            "Check that it runs and that ECOM_SPARK_MASTER is right, or unset it for local[*].",
        ) from error
    open_to_all = (
        "" if settings.cluster.secret else ", without ECOM_SPARK_SECRET: open to its network, unencrypted"
    )
    return settings.spark_master + open_to_all


def _executors(settings: Settings) -> str:
    """What only the executors know; asking takes as long as starting Spark."""
    from ecom_platform.streaming.probe import require_cluster
    from ecom_platform.streaming.session import close_session, open_session

    try:
        answers = require_cluster(open_session(settings), settings)
    finally:
        close_session()
    return f"{len(answers)} of them see the landing zone and the database: " + ", ".join(
        sorted(answer.host for answer in answers)
    )


def _landing(settings: Settings) -> str:
    LandingZone.of(settings).prepare()
    make_writable(settings.home)
    return f"{settings.landing_dir}, writable"


def _disk(settings: Settings, events: int) -> str:
    needed = MIN_FREE_BYTES + events * _BYTES_AN_EVENT
    frees = {}
    for folder in (settings.home, settings.landing_dir):
        free = shutil.disk_usage(_existing(folder)).free
        frees[folder] = free
        if free < needed:
            raise StorageError(
                f"The disk of {folder} has {free / 2**20:,.0f} MiB left, {needed / 2**20:,.0f} are needed.",
                "Make room, or set ECOM_HOME to a folder on another disk.",
            )
    return f"{min(frees.values()) / 2**30:,.1f} GiB free"


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
