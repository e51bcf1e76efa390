"""What the platform needs from the machine, found out before anything is started.

Belongs here: one question a prerequisite, each answered with its state and its remedy; and
:func:`require`, which refuses to begin what cannot end. Examining writes nothing and makes no folder.
Does not belong here: repairing anything.
"""

from __future__ import annotations

import resource
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

from ecom_platform.alerts.targets import targets
from ecom_platform.catalog import catalog, packaged
from ecom_platform.errors import DatabaseError, EcomError, FeedError, PrerequisiteError, StorageError
from ecom_platform.java.discovery import Java, find_java, look_for_java
from ecom_platform.landing.inspection import inspection
from ecom_platform.landing.landing_zone import prepare, zone_of
from ecom_platform.server import EmbeddedServer
from ecom_platform.settings import Settings, read_environment
from ecom_platform.store.connection import Database
from ecom_platform.store.conninfo import taken_over
from ecom_platform.store.refusals import refusal
from ecom_platform.store.schema import require_usable
from ecom_platform.streaming.cluster import driver_host, master_address
from ecom_platform.streaming.environment import not_taken_over
from ecom_platform.writable import existing, make_writable, may_be_written

# The embedded server's first WAL segments, Spark's scratch, a new Dagster instance.
MIN_FREE_BYTES = 300 * 1024**2
# The jars of Spark, each open once, and what a run opens besides.
MIN_OPEN_FILES = 512
# Whose requirements have to hold, and what is worth knowing of them.
_BOUND = ("ecom_platform", "dagster-webserver", "dagster-pyspark", "dagster-postgres")
_SHOWN = ("dagster", "pyspark")
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
        ("Packages", _packages),
        ("Open files", _open_files),
        ("Java", lambda s: _described(look_for_java(s))),
        ("PostgreSQL", _postgres),
        ("Spark master", _spark_master),
        ("State", lambda s: may_be_written(s.home, "ECOM_HOME")),
        ("Landing zone", lambda settings: inspection(settings).usable()),
        ("Feeds", _feeds),
        ("Dagster", _dagster),
        ("Disk", lambda s: _disk(s, 0)),
        ("Alerts", _alerts),
        ("Variables", _variables),
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
    _open_files(settings)
    _described(find_java(settings))
    _spark_master(settings)


def _ask(name: str, question: Callable[[Settings], str], settings: Settings) -> Prerequisite:
    try:
        return Prerequisite(name, True, question(settings))
    except EcomError as error:
        return Prerequisite(name, False, error.message, error.remedy)
    except Exception as error:
        refused = refusal(error)
        if refused is None:
            raise
        return Prerequisite(name, False, refused.message, refused.remedy)


def _python(settings: Settings) -> str:  # noqa: ARG001
    return f"{sys.version.split()[0]} ({sys.executable})"


def _feeds(settings: Settings) -> str:
    """Declarations that cannot be used, with every mistake; else how many there are."""
    declared = catalog(settings)
    if declared.problems:
        first, *others = declared.problems.values()
        raise FeedError(first.message, "\n".join([first.remedy, *map(str, others)]))
    own = len(declared.feeds) - len(packaged())
    return f"{own} declared in {settings.feeds_dir}, beside {', '.join(packaged())}"


def _variables(settings: Settings) -> str:
    """Not what is missing, but what is set in vain. A name like a known one was refused before this."""
    retired = [f"{name} ({instead})" for name, instead in settings.strangers.retired.items()]
    parts = [
        *([f"no longer understood: {', '.join(retired)}"] if retired else []),
        *([f"not known: {', '.join(settings.strangers.unknown)}"] if settings.strangers.unknown else []),
    ]
    return "; ".join(parts) or "every ECOM_ variable that is set is known"


def _packages(settings: Settings) -> str:  # noqa: ARG001
    """Whether what is installed fits together: a resolver of somebody else's may have chosen."""
    wrong = [sentence for name in _BOUND for sentence in _unmet(name)]
    if wrong:
        raise PrerequisiteError(
            f"The installed packages do not fit together: {'; '.join(wrong)}.",
            "Install what requirements.lock names: `make clean setup`.",
        )
    return ", ".join(f"{name} {metadata.version(name)}" for name in _SHOWN)


def _unmet(name: str) -> Iterator[str]:
    try:
        requirements = [Requirement(text) for text in metadata.requires(name) or []]
    except metadata.PackageNotFoundError:
        return  # run from a folder, without having been installed
    for requirement in requirements:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield f"{name} needs {requirement}, which is not installed"
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{name} needs {requirement}, and {found} is installed"


def _open_files(settings: Settings) -> str:  # noqa: ARG001
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return "any number at a time"
    if limit < MIN_OPEN_FILES:
        raise PrerequisiteError(
            f"This process may open {limit} files at a time; Spark needs {MIN_OPEN_FILES}.",
            f"Allow more: `ulimit -n {4 * MIN_OPEN_FILES}`, or the limit of the service that starts it.",
        )
    return f"{limit:,} at a time"


def _described(java: Java) -> str:
    return f"{java.version}, from {java.source} ({java.home})"


def _postgres(settings: Settings) -> str:
    if settings.postgres_url is None:
        status = EmbeddedServer(settings.postgres_dir).status()
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
        return settings.spark_master + _ignored(settings)
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
    return settings.spark_master + open_to_all + _ignored(settings)


def _ignored(settings: Settings) -> str:
    names = not_taken_over(read_environment(), settings)
    if not names:
        return ""
    return f"; not taken over: {', '.join(names)} (ECOM_SPARK_CONF_DIR is for settings of Spark)"


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


def _landing(settings: Settings) -> None:
    if settings.landing_bucket is None:
        prepare(zone_of(settings))
    make_writable(settings.home)


def _dagster(settings: Settings) -> str:
    chosen = settings.dagster_home_chosen
    if chosen is None:
        return f"{settings.dagster_home}, below ECOM_HOME"
    ours = "" if (chosen / "dagster.yaml").is_file() else ", without a dagster.yaml: Dagster's defaults"
    return may_be_written(chosen, "DAGSTER_HOME") + ours


def _alerts(settings: Settings) -> str:
    names = [target.name for target in targets(settings.alerts.urls)]
    return ", ".join(names) if names else "nobody is told: ECOM_ALERT_URLS is not set"


def _disk(settings: Settings, events: int) -> str:
    needed = MIN_FREE_BYTES + events * _BYTES_AN_EVENT
    frees = {}
    folders = (settings.home, *([settings.landing_dir] if settings.landing_bucket is None else []))
    for folder in folders:
        free = shutil.disk_usage(existing(folder)).free
        frees[folder] = free
        if free < needed:
            raise StorageError(
                f"The disk of {folder} has {free / 2**20:,.0f} MiB left, {needed / 2**20:,.0f} are needed.",
                "Make room, or set ECOM_HOME to a folder on another disk.",
            )
    return f"{min(frees.values()) / 2**30:,.1f} GiB free"
