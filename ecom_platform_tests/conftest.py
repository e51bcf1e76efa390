"""What tests share: a real PostgreSQL, a database of their own, a landing zone, a Spark session.

Nothing here stands in for anything: the server is the one that is shipped.

What a test uses decides when it runs. Tests that use one of ``HEAVY`` start Spark, Dagster's services, a
browser or programs of their own; all others are marked ``quick`` (`make test-quick`). A test that takes
minutes is marked ``long`` by hand (`make test-long`). `make test` runs all but the long ones, in a process a
core.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from psycopg.conninfo import conninfo_to_dict
from pyspark import SparkContext
from pyspark.sql import SparkSession

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.server import EmbeddedServer
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store.connection import Database
from ecom_platform.store.schema import migrate
from ecom_platform.streaming.session import close_session, open_session
from ecom_platform_tests.databases import FreshDatabases
from ecom_platform_tests.kept import close_kept

if TYPE_CHECKING:  # it brings the client of buckets, half a second of every process
    from ecom_platform_tests.s3_server import S3Server

# Until the tests are collected: what is imported by then stays, a million objects.
gc.disable()

# Fixtures whose tests start a JVM, in this process or in one of their own, Dagster's services or a browser.
# Or programs and servers of their own and whole Dagster runs, which take a second each.
HEAVY = {"spark_settings", "starts_spark", "starts_dagster", "starts_programs"}
# What is made once and used by tests of several modules: they run in one process.
SHARED = ("spark_settings", "dev", "installed")

# What whoever started the tests ignores (`nohup`, a background job of a shell), programs would inherit as
# ignored; a handler they do not inherit.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda signum, frame: None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, lambda signum, frame: None)

# How long an example takes is the machine's affair.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
# `make test-quick` tries fewer examples (--hypothesis-profile quick); all other runs, CI's too, try all.
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("patient"), max_examples=20)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)  # before the options -m and -n look at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is quick, keep together what shares one JVM, and begin with what takes longest."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if not fixtures & HEAVY and not item.get_closest_marker("long"):
            item.add_marker("quick")
        shared = next((name for name in SHARED if name in fixtures), None)
        if shared:
            item.add_marker(pytest.mark.xdist_group(shared))
        elif fixtures & HEAVY and _shares_with_its_module(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=_turn)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that are no text do not name a test: compressed ones have the time in them, and the processes
    that run the tests beside each other must find the same names."""
    if isinstance(val, bytes) and not (val.isascii() and val.decode().isprintable()):
        return argname
    return None


def _turn(item: pytest.Item) -> int:
    """What waits longest goes first, so that others work beside it; quick tests fill the end."""
    if item.get_closest_marker("quick"):
        return 2
    return 0 if "dev" in getattr(item, "fixturenames", ()) else 1


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail where groups would be silently ignored, as by pytest-xdist 3.8 with pytest 9.2."""
    gc.freeze()  # what was imported and collected stays, and need not be looked through again and again
    gc.enable()
    if session.config.getoption("loadgroup", default=False):
        for item in session.items:
            if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
                raise pytest.UsageError("pytest-xdist does not group tests: is pytest older than 9.2?")


def _shares_with_its_module(item: pytest.Item) -> bool:
    """Whether the test uses something that is made once for its module, such as a running `ecom dev`."""
    definitions = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    return any(fixture.scope == "module" for found in definitions.values() for fixture in found)


@pytest.fixture(autouse=True)
def _quick_tests_start_no_spark(request: pytest.FixtureRequest) -> Iterator[None]:
    """Holds the marker to its word: a session that a quick test opens in this process fails it."""
    had_one = SparkContext._gateway is not None
    yield
    if request.node.get_closest_marker("quick") and not had_one:
        assert SparkContext._gateway is None, "this test starts Spark: let it use the fixture spark_settings"


@pytest.fixture(scope="session")
def starts_spark() -> None:
    """For fixtures and tests that start a program that starts Spark."""


@pytest.fixture(scope="session")
def starts_dagster() -> None:
    """For fixtures and tests that start Dagster's webserver or daemon."""


@pytest.fixture(scope="session")
def starts_programs() -> None:
    """For tests that start a PostgreSQL server, a process that sends, another Python or a Dagster run."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A PostgreSQL server for the whole test session, small and made for many databases.

    It does not wait for the disk (tests kill processes, never the machine) and lies in memory where there is
    room: a database is hundreds of files, and ext4 is slow to make files where many have just been deleted.
    Shared buffers are few because each ``CREATE`` and ``DROP DATABASE`` looks at all of them. Autovacuum is
    off: it reads and locks tables when it comes by.
    """
    with _memory_or(tmp_path_factory.getbasetemp()) as directory:
        begun = EmbeddedServer(directory)
        with begun, _named(begun, "postgres").open(autocommit=True) as connection:
            for setting in (
                "fsync = off",
                "shared_buffers = '16MB'",
                "max_wal_size = '256MB'",
                "autovacuum = off",
            ):
                connection.execute(f"ALTER SYSTEM SET {setting}")
        begun.stop()
        with EmbeddedServer(directory) as running:
            yield running


@contextmanager
def _memory_or(folder: Path) -> Iterator[Path]:
    """A folder of its own in the machine's memory, or in ``folder`` where that has too little room."""
    memory = Path("/dev/shm")  # noqa: S108 (a folder of its own is made in it); a container's is 64 MB
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 1024**3
    with tempfile.TemporaryDirectory(
        prefix="ecom-tests-", dir=memory if roomy else folder, ignore_cleanup_errors=True
    ) as made:
        yield Path(made) / "postgres"


def _named(server: EmbeddedServer, name: str) -> Database:
    folder = conninfo_to_dict(server.url)["host"]
    return Database(f"postgresql://ecom@/{name}?host={folder}")


@pytest.fixture(scope="session")
def template(server: EmbeddedServer) -> str:
    """A migrated database that the tests' own are cloned from, which takes 30 ms instead of 500."""
    with _named(server, "postgres").open(autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_ecom")
    migrate(_named(server, "template_ecom"))
    return "template_ecom"


@pytest.fixture(scope="session")
def _databases(server: EmbeddedServer, template: str) -> Iterator[FreshDatabases]:
    databases = FreshDatabases(_named(server, "postgres"), template, lambda name: _named(server, name))
    yield databases
    databases.close()


@pytest.fixture
def statistics_from_zero(_databases: FreshDatabases) -> None:
    """For tests that read PostgreSQL's statistics of a table: its database is one that no test had before."""
    _databases.drop()


@pytest.fixture
def database(_databases: FreshDatabases) -> Iterator[Database]:
    """A fresh, migrated database."""
    yield _databases.fresh()
    close_kept()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory, starts_programs: None) -> Iterator[S3Server]:
    """A store of objects for the whole test session; each test has a prefix of its own in its bucket."""
    from ecom_platform_tests.s3_server import s3_server

    with s3_server(tmp_path_factory.mktemp("s3") / "data") as running:
        yield running


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    """Settings of an empty home on ``database``; files count as settled at once."""
    return load_settings(
        {
            **{name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ},
            "ECOM_HOME": str(tmp_path / "home"),
            "ECOM_POSTGRES_URL": database.url,
            "ECOM_SETTLE_SECONDS": "0",
        }
    )


@pytest.fixture
def zone(settings: Settings) -> LandingZone:
    """The landing zone of ``settings``, its folders made."""
    prepared = LandingZone.of(settings)
    prepared.prepare()
    return prepared


@pytest.fixture(scope="session")
def spark_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of the test session's one JVM, which ends with it."""
    environment = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    from ecom_platform_tests.s3_server import CREDENTIALS

    with pytest.MonkeyPatch.context() as patch:
        # Whichever test starts the JVM: Python workers inherit from it what they read a bucket with.
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        yield load_settings({**environment, "ECOM_HOME": str(tmp_path_factory.mktemp("spark"))})
        close_session()


@pytest.fixture
def spark(spark_settings: Settings) -> SparkSession:
    """The Spark session of the tests, opened again where a run has stopped it."""
    return open_session(spark_settings)
