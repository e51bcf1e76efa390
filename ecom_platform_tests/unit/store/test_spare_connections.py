"""Connections that serve what a process asks next."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from ecom_platform.errors import DatabaseError
from ecom_platform.store import spare_connections
from ecom_platform.store.connection import Connection, Database
from ecom_platform.variable_reader import with_schema
from ecom_platform_tests.forked import holds_in_a_child


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    spare_connections.close_spares()
    yield
    spare_connections.close_spares()


def backend(database: Database, ask: Callable[[Connection], object] = lambda connection: None) -> int:
    with database.open() as connection:
        ask(connection)
        return connection.info.backend_pid


def ended(database: Database, pid: int) -> None:
    with database.open() as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def value(connection: Connection, query: str) -> object:
    ((found,),) = connection.execute(query).fetchall()
    return found


def test_the_next_block_has_the_same_session(database: Database) -> None:
    assert backend(database) == backend(database)


def test_it_begins_as_a_new_one(database: Database) -> None:
    def use(connection: Connection) -> None:
        connection.execute("SET statement_timeout = 5; SET timezone = 'Asia/Tokyo'; SET work_mem = '65kB'")
        connection.execute("CREATE TEMPORARY TABLE left_behind (a int)")
        connection.execute("SELECT pg_advisory_lock(42)")
        connection.execute("LISTEN somebody")
        for _ in range(8):  # prepared by then
            connection.execute("SELECT %s::int", (1,))
        connection.commit()
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        connection.read_only = True

    # The first prepares nothing: psycopg has seen the session given back before it has anything to forget.
    (before,) = {backend(database), *(backend(database, use) for _ in range(3))}
    with database.open() as connection:
        assert connection.info.backend_pid == before
        assert (connection.isolation_level, connection.read_only, connection.deferrable) == (None, None, None)
        assert value(connection, "SHOW statement_timeout") == "0"
        assert value(connection, "SHOW timezone") == "UTC"
        assert value(connection, "SHOW work_mem") != "65kB"
        assert value(connection, "SELECT to_regclass('left_behind')") is None
        assert value(connection, "SELECT count(*) FROM pg_listening_channels()") == 0
        assert value(connection, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
        assert [value(connection, "SELECT 1") for _ in range(8)] == [1] * 8


def test_what_a_block_did_is_committed(database: Database) -> None:
    before = backend(database, lambda connection: connection.execute("CREATE TABLE made (a int)"))
    with database.open(autocommit=True) as connection:
        assert connection.info.backend_pid == before
        assert connection.autocommit
        assert value(connection, "SELECT count(*) FROM made") == 0


def test_a_block_that_fails_ends_its_session_and_nothing_of_it_stays(database: Database) -> None:
    pids = []

    def fail(connection: Connection) -> None:
        pids.append(connection.info.backend_pid)
        connection.execute("CREATE TABLE made (a int)")
        raise KeyError

    with pytest.raises(KeyError):
        backend(database, fail)
    with database.open() as connection:
        assert connection.info.backend_pid != pids[0]
        assert value(connection, "SELECT to_regclass('made')") is None


def test_a_commit_that_fails_is_told_and_ends_the_session(database: Database) -> None:
    pids = []

    def fail(connection: Connection) -> None:
        pids.append(connection.info.backend_pid)
        connection.execute("CREATE TABLE made (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        connection.execute("INSERT INTO made VALUES (1), (1)")

    with pytest.raises(psycopg.errors.UniqueViolation):
        backend(database, fail)
    assert backend(database) != pids[0]


def test_blocks_within_each_other_have_sessions_of_their_own(database: Database) -> None:
    with database.open() as first, database.open() as second, database.open() as third:
        pids = {connection.info.backend_pid for connection in (first, second, third)}
    assert len(pids) == 3
    with database.open() as first, database.open() as second, database.open() as third:
        again = {connection.info.backend_pid for connection in (first, second, third)}
    assert len(again & pids) == spare_connections.MAX_SPARE


def test_one_that_was_closed_by_hand_is_gone(database: Database) -> None:
    pids = []
    with database.open() as connection:
        pids.append(connection.info.backend_pid)
        connection.close()
    connection = database.open()
    pids.append(connection.info.backend_pid)
    connection.close()
    assert len({*pids, backend(database)}) == 3


def test_it_does_not_grow_old(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare_connections, "MAX_USES", 1)
    pids = [backend(database) for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_one_that_lay_idle_for_long_is_not_taken(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before = backend(database)
    monkeypatch.setattr(spare_connections, "MAX_IDLE_SECONDS", -1.0)
    assert backend(database) != before


def test_one_that_the_server_ended_meanwhile_is_replaced(database: Database) -> None:
    before = backend(database)
    with database.open() as first, database.open() as other:
        assert first.info.backend_pid == before
        ending = other.info.backend_pid
    ended(database, ending)
    with database.open() as first, database.open() as other:
        assert ending not in {first.info.backend_pid, other.info.backend_pid}


def test_one_that_ends_when_it_is_asked_is_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a network cut it off and says so only then."""
    before = backend(database)
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (before,))
    monkeypatch.setattr(spare_connections, "_is_quiet", lambda connection: True)
    assert backend(database) != before


def test_another_database_role_or_variable_has_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = backend(database)
    with pytest.raises(DatabaseError, match="nobody_of_this_name"):
        Database(f"{database.url}&user=nobody_of_this_name").open()
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=65kB")
    with database.open() as connection:
        assert connection.info.backend_pid != before
        assert value(connection, "SHOW work_mem") == "65kB"


def test_another_schema_is_the_same_session_and_looks_there(database: Database) -> None:
    with database.open() as connection:
        connection.execute("CREATE SCHEMA elsewhere")
        before = connection.info.backend_pid
    with Database(with_schema(database.url, "elsewhere")).open() as connection:
        assert connection.info.backend_pid == before
        assert value(connection, "SELECT current_schema()") == "elsewhere"
    with database.open() as connection:
        assert value(connection, "SELECT current_schema()") == "public"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_forked_child_leaves_its_parents_session_alone(database: Database) -> None:
    before = backend(database)

    def has_its_own() -> bool:
        own = backend(database)
        spare_connections.close_spares()
        return own != before

    assert holds_in_a_child(has_its_own)
    assert backend(database) == before
