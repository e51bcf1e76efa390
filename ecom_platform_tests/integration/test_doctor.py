"""``ecom doctor`` finds out what a run would fail at, and leaves everything as it is."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from ecom_platform.cli.doctor import Prerequisite, examine, require
from ecom_platform.errors import PrerequisiteError
from ecom_platform.server import EmbeddedServer
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store.connection import Database


def examined(environment: dict[str, str]) -> dict[str, Prerequisite]:
    return {finding.name: finding for finding in examine(load_settings(environment))}


def test_nothing_is_made(tmp_path: Path) -> None:
    found = examined({"ECOM_HOME": str(tmp_path / "home"), "DAGSTER_HOME": str(tmp_path / "dagster")})
    assert [name for name, finding in found.items() if not finding.ok] == []
    assert list(tmp_path.iterdir()) == []
    assert found["State"].state.endswith("home, made when needed")
    assert found["Alerts"].state == "nobody is told: ECOM_ALERT_URLS is not set"


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    found = examined({"ECOM_HOME": str(tmp_path / "home")})
    assert not found["State"].ok
    assert "is no folder" in found["State"].state
    assert "ECOM_HOME" in found["State"].remedy


def test_too_few_open_files(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
    try:
        with pytest.raises(
            PrerequisiteError, match="may open 128 files at a time; Spark needs 512"
        ) as caught:
            require(settings, 0)
        assert "ulimit -n" in caught.value.remedy
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def role(server: EmbeddedServer, database: Database) -> Iterator[str]:
    """The URL of a role of no rights in a database of its own."""
    with database.open(autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN")
    parts = conninfo_to_dict(database.url)
    yield f"postgresql://guest@/{parts['dbname']}?host={parts['host']}"
    with database.open(autocommit=True) as connection:
        connection.execute("DROP OWNED BY guest")
        connection.execute("DROP ROLE guest")


def postgres_as(url: str, home: Path) -> Prerequisite:
    return examined({"ECOM_HOME": str(home), "ECOM_POSTGRES_URL": url})["PostgreSQL"]


def test_a_role_that_may_not_load(role: str, database: Database, tmp_path: Path) -> None:
    finding = postgres_as(role, tmp_path)
    assert not finding.ok
    assert "GRANT" in finding.remedy

    # The default of PostgreSQL 15 and newer: a schema in which only its owner may make something.
    with database.open(autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute("GRANT USAGE ON SCHEMA public TO guest")
    finding = postgres_as(role, tmp_path)
    assert not finding.ok
    assert "make tables in the schema public" in finding.state

    with database.open(autocommit=True) as connection:
        connection.execute("GRANT CREATE ON SCHEMA public TO guest")
    assert postgres_as(role, tmp_path).ok

    with database.open(autocommit=True) as connection:
        connection.execute("ALTER ROLE guest SET default_transaction_read_only = on")
    assert "only read" in postgres_as(role, tmp_path).state


def test_who_may_everything_is_fine(database: Database, tmp_path: Path) -> None:
    finding = postgres_as(database.url, tmp_path)
    assert finding.ok
