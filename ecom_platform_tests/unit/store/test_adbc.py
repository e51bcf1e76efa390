"""Connections that are kept from one session to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecom_platform.store import adbc
from ecom_platform.store.connection import Database
from ecom_platform.store.spare_connections import close_spares
from ecom_platform_tests.forked import holds_in_a_child
from ecom_platform_tests.waiting import wait_until

_OTHERS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'tests'
"""


@pytest.fixture(autouse=True)
def nothing_kept(database: Database) -> Iterator[None]:
    adbc.close_kept()
    close_spares()
    with database.open(autocommit=True) as connection:  # of tests before this one
        connection.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({_OTHERS}) AS others")
    yield
    adbc.close_kept()


def backend(database: Database) -> int:
    with adbc.open_session(database.url) as session:
        return int(session.rows("SELECT pg_backend_pid() AS pid")[0]["pid"])


def backends(database: Database) -> set[int]:
    with database.open() as connection:
        rows = connection.execute(_OTHERS).fetchall()
    return {row[0] for row in rows}


def test_the_next_session_has_the_same_connection(database: Database) -> None:
    assert backend(database) == backend(database)
    adbc.close_kept()
    wait_until(lambda: backends(database) == set())


def test_one_that_failed_is_not_kept(database: Database) -> None:
    before = backend(database)
    with pytest.raises(adbc.Error, match="no_such_table"), adbc.open_session(database.url) as session:
        session.run("BEGIN")
        session.run("SELECT * FROM no_such_table")
    assert backend(database) != before
    wait_until(lambda: before not in backends(database))


def test_sessions_at_the_same_time_have_their_own(database: Database) -> None:
    with adbc.open_session(database.url) as first, adbc.open_session(database.url) as second:
        pids = {session.rows("SELECT pg_backend_pid() AS pid")[0]["pid"] for session in (first, second)}
    assert len(pids) == 2
    wait_until(lambda: len(backends(database)) <= 1)
    assert len(backends(database)) == 1


def test_it_does_not_grow_old(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adbc, "MAX_USES", 2)
    pids = [backend(database) for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_one_that_the_server_closed_fails_once_and_is_replaced(database: Database) -> None:
    before = backend(database)
    with database.transaction() as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (before,))
    with pytest.raises(adbc.Error):
        backend(database)
    assert backend(database) != before


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_forked_child_leaves_its_parents_connection_alone(database: Database) -> None:
    before = backend(database)
    assert holds_in_a_child(lambda: backend(database) != before)
    assert backend(database) == before
