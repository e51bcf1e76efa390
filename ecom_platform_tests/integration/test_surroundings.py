"""What surrounds a connection changes nothing: the shell, the defaults of role and database, other tables.

And where it cannot work, one error says so, with what to do. Real PostgreSQL.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from ecom_platform.cli.doctor import examine
from ecom_platform.errors import DatabaseError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.server import EmbeddedServer, binary
from ecom_platform.server.account import server_account
from ecom_platform.settings import load_settings
from ecom_platform.store import adbc
from ecom_platform.store.alerts import make_tables
from ecom_platform.store.client import psql_command
from ecom_platform.store.connection import Database
from ecom_platform.store.conninfo import taken_over
from ecom_platform.store.lock import ingest_lock
from ecom_platform.store.refusals import refusal
from ecom_platform.store.schema import migrate, require_usable, require_writable
from ecom_platform.store.sink import load_unit
from ecom_platform.store.statements import queries, text
from ecom_platform.variable_reader import with_schema
from ecom_platform_tests.landing import USER_EVENTS, Landing, counts, csv_file
from ecom_platform_tests.pooler import transaction_pooler
from ecom_platform_tests.waiting import wait_until

_numbers = itertools.count(1)

CAFE = "1a6c4afb-e008-4339-8e26-aa2bc85ddd8a,7,Café №5,view,2026-01-02 03:04:05,,Books,Mobile,DE"
NAME = "Café.csv"

# What a session must be, however it came about.
EXPECTED = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "search_path": "public",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "read committed",
    "array_nulls": "on",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "synchronous_commit": "on",
    "application_name": "ecom_platform",
}
HOSTILE_DEFAULTS = {
    "client_encoding": "LATIN1",
    "TimeZone": "Asia/Kathmandu",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "search_path": "pg_catalog",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "default_transaction_isolation": "serializable",
    "array_nulls": "off",
    "statement_timeout": "10min",
    "lock_timeout": "10min",
    "idle_session_timeout": "10min",
    "idle_in_transaction_session_timeout": "10min",
    "synchronous_commit": "off",
}
# Of each variable of libpq a value that breaks a connection, bends it, or leads it elsewhere.
HOSTILE = {
    "PGHOST": "127.0.0.1",
    "PGHOSTADDR": "127.0.0.1",
    "PGPORT": "1",
    "PGDATABASE": "no_such_database",
    "PGUSER": "nobody_of_that_name",
    "PGSERVICE": "no_such_service",
    "PGSERVICEFILE": "/nonexistent",
    "PGSYSCONFDIR": "/nonexistent",
    "PGOPTIONS": "-c search_path=pg_catalog -c no_such_setting=1",
    "PGAPPNAME": "somebody else",
    "PGCLIENTENCODING": "LATIN1",
    "PGTZ": "Not/A_Zone",
    "PGDATESTYLE": "nonsense",
    "PGGEQO": "nonsense",
    "PGSSLMODE": "verify-full",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLROOTCERT": "system",
    "PGSSLMINPROTOCOLVERSION": "nonsense",
    "PGGSSENCMODE": "require",
    "PGREQUIREPEER": "nobody_of_that_name",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGLOADBALANCEHOSTS": "nonsense",
    "PGCONNECT_TIMEOUT": "nonsense",
    "PGMINPROTOCOLVERSION": "nonsense",
    "PGPASSFILE": "/nonexistent",
    "PGPASSWORD": "nonsense",
}


def settings_of(database: Database) -> dict[str, str]:
    with database.open() as connection:
        rows = connection.execute(
            "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", (list(EXPECTED),)
        ).fetchall()
    return dict(rows)


def arrow_settings_of(database: Database) -> dict[str, str]:
    names = ", ".join(f"current_setting('{name}') AS \"{name}\"" for name in EXPECTED)
    try:
        with adbc.open_session(database.url) as session:
            (row,) = session.rows(f"SELECT {names}")
    finally:
        adbc.close_kept()
    return row


def name_of(database: Database) -> str:
    return str(conninfo_to_dict(database.url)["dbname"])


ADVISORY_LOCKS = """
SELECT classid, objid FROM pg_locks JOIN pg_database AS d ON d.oid = database AND datname = current_database()
WHERE locktype = 'advisory'
"""


def ask(database: Database, statement: str) -> list[tuple[object, ...]]:
    with database.open(autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def execute(database: Database, *statements: str) -> None:
    with database.open(autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    """A role of its own, which can log in and owns nothing."""
    name = f"role_{next(_numbers)}"
    execute(database, f"CREATE ROLE {name} LOGIN")
    yield name
    execute(database, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def as_role(database: Database, role: str) -> Database:
    return Database(database.url.replace("//ecom@", f"//{role}@"))


def answers(database: Database) -> bool:
    try:
        database.open().close()
    except DatabaseError:
        return False
    return True


def empty(database: Database) -> None:
    """Take the tables out of a database, as if it had never been the platform's."""
    execute(database, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


class TestDefaults:
    """Of a role and of a database, which a person may have set long ago."""

    @pytest.mark.parametrize("of", ["database", "role"])
    def test_every_driver_sets_its_own(self, database: Database, role: str, of: str) -> None:
        name = name_of(database)
        for setting, value in HOSTILE_DEFAULTS.items():
            whose = f"DATABASE {name}" if of == "database" else f"ROLE {role}"
            value = value if setting in ("search_path", "DateStyle") else f"'{value}'"
            execute(database, f"ALTER {whose} SET {setting} = {value}")
        ours = as_role(database, role)
        assert settings_of(ours) == EXPECTED
        assert arrow_settings_of(ours) == EXPECTED
        command, environment = psql_command(ours)
        shown = subprocess.run(
            [
                *command,
                "-XAtc",
                "SELECT concat_ws('|', current_setting('client_encoding'), "
                "current_setting('TimeZone'), current_setting('DateStyle'), current_setting('search_path'))",
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout == "UTF8|UTC|ISO, MDY|public\n"

    def test_a_text_is_stored_as_it_was_written(self, database: Database, zone: LandingZone) -> None:
        name = name_of(database)
        execute(database, f"ALTER DATABASE {name} SET client_encoding = 'LATIN1'")
        landing = Landing(database, zone)
        for file in (NAME, "again.csv"):
            (zone.landing / file).write_bytes(csv_file(CAFE.encode(), b"refused: \xc3\xa9"))
            (outcome,) = landing.ingest()
            assert counts(outcome) == ((2, 1, 0, 1) if file == NAME else (2, 0, 1, 1))
        assert ask(database, "SELECT product_id FROM user_events") == [("Café №5",)]
        assert ("Café.csv",) in ask(database, "SELECT file_name FROM rejected_events")
        landing.check()

    @pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
    def test_a_database_of_another_encoding_is_refused_by_name(
        self, database: Database, encoding: str
    ) -> None:
        name = f"other_{next(_numbers)}"
        kind = f"ENCODING '{encoding}' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"
        execute(database, f"CREATE DATABASE {name} {kind}")
        other = Database(database.url.replace(f"/{name_of(database)}?", f"/{name}?"))
        try:
            with pytest.raises(DatabaseError, match=f"{name} has the encoding {encoding}; UTF8 is needed"):
                migrate(other)
            with pytest.raises(DatabaseError, match=encoding), adbc.open_session(other.url):
                pass
        finally:
            execute(database, f"DROP DATABASE {name} WITH (FORCE)")


class TestShell:
    """Variables that libpq reads."""

    def test_every_variable_of_this_libpq_is_tried(self) -> None:
        known = {default.envvar.decode() for default in pq.Conninfo.get_defaults() if default.envvar}
        harmless = {"PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY", "PGSSLCERTMODE", "PGSSLCRL", "PGSSLCRLDIR"}
        harmless |= {"PGSSLSNI", "PGSSLMAXPROTOCOLVERSION", "PGMAXPROTOCOLVERSION"}
        harmless |= {"PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION"}
        assert known - set(HOSTILE) <= harmless

    @pytest.mark.parametrize("name", sorted(HOSTILE))
    def test_none_reaches_the_embedded_server(
        self, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        database = Database(server.url)
        before = dict(os.environ)
        monkeypatch.setenv(name, HOSTILE[name])
        assert settings_of(database) == EXPECTED
        assert arrow_settings_of(database) == EXPECTED
        with database.open() as connection:
            assert (connection.info.dbname, connection.info.user) == ("ecommerce", "ecom")
        # Hidden from libpq alone, and only while it connects.
        assert os.environ == {**before, name: HOSTILE[name]}
        shown = subprocess.run(["printenv", name], capture_output=True, text=True, check=True)
        assert shown.stdout.rstrip("\n") == HOSTILE[name]
        assert taken_over(server.url) == []

    def test_none_reaches_psql_on_the_embedded_server(
        self, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in HOSTILE.items():
            monkeypatch.setenv(name, value)
        command, environment = psql_command(Database(server.url))
        done = subprocess.run(
            [*command, "-XAtc", "SELECT current_user, current_database(), current_setting('search_path')"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert (done.stdout, done.stderr) == ("ecom|ecommerce|public\n", "")

    def test_those_of_a_server_of_ones_own_are_named(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """They complete its URL, as libpq's manual has it; what the platform sets itself stays."""
        monkeypatch.setenv("PGHOST", str(conninfo_to_dict(database.url)["host"]))
        monkeypatch.setenv("PGUSER", "ecom")
        monkeypatch.setenv("PGPASSWORD", "s3cret")
        monkeypatch.setenv("PGDATA", "/of/a/server")
        monkeypatch.setenv("PGTZ", "Asia/Kathmandu")
        monkeypatch.setenv("PGDATESTYLE", "SQL")
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
        monkeypatch.setenv("PGOPTIONS", "-c work_mem=8MB -c search_path=pg_catalog -c lock_timeout=7s")
        url = f"postgresql:///{name_of(database)}"
        asked_for = {**EXPECTED, "lock_timeout": "7s"}
        assert settings_of(Database(url)) == asked_for
        assert arrow_settings_of(Database(url)) == asked_for
        assert ask(Database(url), "SHOW work_mem") == [("8MB",)]
        settings = load_settings(
            {"ECOM_HOME": str(tmp_path), "ECOM_POSTGRES_URL": url, "PATH": os.environ["PATH"]}
        )
        finding = next(found for found in examine(settings) if found.name == "PostgreSQL")
        assert finding.ok
        assert "ecom@local socket/" in finding.state
        assert "with PGHOST, PGOPTIONS, PGPASSWORD, PGUSER of the environment" in finding.state
        assert "s3cret" not in finding.state


class TestOneSchema:
    def test_rows_go_where_they_are_looked_for(
        self, database: Database, zone: LandingZone, role: str
    ) -> None:
        """Other schemas, the role's own among them, come first on every search path, with the same tables."""
        execute(
            database,
            *(
                statement
                for decoy in (role, "decoy", "ecom")
                for statement in (
                    f"CREATE SCHEMA {decoy}",
                    f"CREATE TABLE {decoy}.user_events (LIKE public.user_events INCLUDING ALL)",
                    f"CREATE TABLE {decoy}.ingested_files (LIKE public.ingested_files INCLUDING ALL)",
                    f"CREATE TABLE {decoy}.pending_files (LIKE public.pending_files INCLUDING ALL)",
                )
            ),
            f'ALTER ROLE {role} SET search_path = "$user", decoy, public',
            f"GRANT USAGE ON SCHEMA public, {role}, decoy TO {role}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public, {role}, decoy TO {role}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public, {role}, decoy TO {role}",
        )
        landing = Landing(as_role(database, role), zone)
        for name in ("a.csv", "b.csv"):  # the quick way, and the careful one
            (zone.landing / name).write_bytes(
                csv_file(CAFE.encode(), CAFE.replace("1a6c", name[0] * 4).encode())
            )
            landing.ingest()
        tables = ("user_events", "ingested_files", "pending_files")
        found = {
            (schema, table): ask(database, f"SELECT count(*) FROM {schema}.{table}")[0][0]
            for schema in ("public", "decoy", "ecom", role)
            for table in tables
        }
        expected = {
            ("public", "user_events"): 3,
            ("public", "ingested_files"): 2,
            ("public", "pending_files"): 4,
        }
        assert {key: count for key, count in found.items() if count} == expected
        landing.check()

    def test_two_platforms_in_one_database(self, database: Database, tmp_path: Path) -> None:
        """Each in a schema of its own, one of them with a name that needs quotes."""
        places = []
        for number, schema in enumerate(("public", "team_a", 'Team "B"')):
            environment = {"ECOM_HOME": str(tmp_path / str(number)), "ECOM_POSTGRES_URL": database.url}
            settings = load_settings({**environment, "ECOM_POSTGRES_SCHEMA": schema})
            ours = Database(settings.postgres_url or "")
            assert ours.schema == schema
            migrate(ours)
            zone = LandingZone.of(settings)
            zone.prepare()
            places.append(Landing(ours, zone))
        for landing in places:
            # Nobody waits for another platform.
            with ingest_lock(landing.database, 0):
                for other in places:
                    if other is not landing:
                        with ingest_lock(other.database, 0):
                            pass
        for number, landing in enumerate(places):
            rows = [CAFE.replace("1a6c", f"{row:04}") for row in range(number + 1)]
            (landing.zone.landing / NAME).write_bytes(csv_file(*(row.encode() for row in rows)))
            (outcome,) = landing.ingest()
            assert (outcome.file_id, counts(outcome)) == (1, (number + 1, number + 1, 0, 0))
        for number, landing in enumerate(places):
            assert ask(landing.database, "SELECT count(*) FROM user_events") == [(number + 1,)]
            landing.check()
        execute(database, "DROP SCHEMA team_a CASCADE")
        for landing in (places[0], places[2]):
            landing.check()

    def test_a_transaction_of_one_platform_holds_up_no_other(self, database: Database) -> None:
        """The locks of claims, units and checks are a schema's own, too."""
        other = Database(with_schema(database.url, "team_a"))
        migrate(other)
        held = []
        for ours in (database, other):
            with adbc.open_session(ours.url) as session:
                session.run("BEGIN")
                session.run(text("sink", "lock_exclusive"), 7)
                with ours.open() as connection:
                    queries("scope").lock_check(connection, check="a")
                    queries("lock").take_claims(connection, key=9)
                    held.append(set(connection.execute(ADVISORY_LOCKS).fetchall()))
                session.run("ROLLBACK")
        assert [len(locks) for locks in held] == [3, 3]
        assert not held[0] & held[1]

    def test_a_url_may_name_the_schema_itself(self, database: Database) -> None:
        url = f"{database.url}&options=-c%20search_path%3Dmonitoring%20-cwork_mem%3D8MB"
        ours = Database(url)
        assert ours.schema == "monitoring"
        migrate(ours)
        assert ask(ours, "SELECT current_schema(), current_setting('work_mem')") == [("monitoring", "8MB")]
        with pytest.raises(DatabaseError, match="the tables are in one schema"):
            Database(f"{database.url}&options=-csearch_path%3Da,b").open()
        # Executors reach the same one, whatever their URL says.
        assert Database(Database(url, database.url).task_url).schema == "monitoring"

    def test_tables_that_the_role_had_elsewhere_are_not_made_again(
        self, database: Database, role: str
    ) -> None:
        """As an older version did it, which followed the search path of the role."""
        execute(database, f"CREATE SCHEMA {role} AUTHORIZATION {role}", f"GRANT {role} TO ecom")
        migrate(Database(with_schema(as_role(database, role).url, role)))
        empty(database)
        with pytest.raises(DatabaseError, match=f"tables in the schema {role}") as caught:
            migrate(as_role(database, role))
        assert f"ECOM_POSTGRES_SCHEMA={role}" in caught.value.remedy
        migrate(Database(with_schema(as_role(database, role).url, role)))

    @pytest.mark.parametrize(
        ("theirs", "told"),
        [
            ("CREATE TABLE alembic_version AS SELECT '3f2a9c11d0aa' AS version_num", "of another program"),
            ("CREATE TABLE user_events (id int)", "user_events"),
        ],
    )
    def test_tables_of_another_program_are_left_alone(
        self, database: Database, theirs: str, told: str
    ) -> None:
        empty(database)
        execute(database, theirs)
        with pytest.raises(DatabaseError, match=told) as caught:
            migrate(database)
        assert "ECOM_POSTGRES_SCHEMA" in caught.value.remedy


class TestRefusals:
    """Each is one error, with its remedy, and no trace."""

    @pytest.mark.long
    def test_a_replica(self, tmp_path: Path) -> None:
        """Which may be looked at, but not loaded into."""
        with EmbeddedServer(tmp_path / "postgres") as server:
            migrate(Database(server.url))
        data = tmp_path / "postgres" / "data"
        account = server_account(tmp_path / "postgres")
        (data / "standby.signal").touch()
        account.give(data / "standby.signal")
        standby = subprocess.Popen(
            account.command(binary("postgres"), "-D", str(data)), stderr=subprocess.DEVNULL, **account.options
        )
        try:
            database = Database(server.url)
            wait_until(lambda: answers(database))
            migrate(database)
            assert ask(database, "SELECT count(*) FROM user_events") == [(0,)]
            for look in (require_writable, require_usable):
                with pytest.raises(DatabaseError, match="is a replica") as caught:
                    look(database)
                assert "target_session_attrs=read-write" in caught.value.remedy
            with pytest.raises(DatabaseError, match="is a replica"):
                migrate(Database(with_schema(server.url, "nowhere")))
        finally:
            standby.send_signal(signal.SIGINT)
            standby.wait()

    def test_no_right_to_make_tables(self, database: Database, role: str) -> None:
        empty(database)
        theirs = as_role(database, role)
        for look in (migrate, require_usable, make_tables):
            with pytest.raises(
                DatabaseError, match=f"role {role} make tables in the schema public"
            ) as caught:
                look(theirs)
            assert f'GRANT USAGE, CREATE ON SCHEMA "public" TO "{role}"' in caught.value.remedy
        execute(database, caught.value.remedy.split("owner: ")[1].split(";")[0])
        migrate(theirs)

    def test_a_schema_that_is_missing(self, database: Database, role: str) -> None:
        theirs = Database(with_schema(as_role(database, role).url, "nowhere"))
        with pytest.raises(DatabaseError, match="has no schema nowhere") as caught:
            migrate(theirs)
        assert f'CREATE SCHEMA "nowhere" AUTHORIZATION "{role}"' in caught.value.remedy
        execute(database, caught.value.remedy.split("database: ")[1].split(";")[0])
        migrate(theirs)
        require_writable(theirs)

    def test_a_schema_that_may_be_made_is_made(self, database: Database) -> None:
        execute(database, "DROP SCHEMA public CASCADE")
        migrate(database)
        require_writable(database)

    def test_a_role_that_only_reads(self, database: Database, role: str) -> None:
        execute(
            database,
            f"GRANT USAGE ON SCHEMA public TO {role}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        )
        theirs = as_role(database, role)
        migrate(theirs)  # there is nothing to do: whoever only looks may
        with pytest.raises(DatabaseError, match=r"lacks .*INSERT on user_events") as caught:
            require_writable(theirs)
        assert "GRANT" in caught.value.remedy
        execute(database, f"ALTER ROLE {role} SET default_transaction_read_only = on")
        with pytest.raises(DatabaseError, match="default_transaction_read_only is on"):
            require_usable(theirs)
        with theirs.open() as connection, pytest.raises(psycopg.Error) as driver:
            connection.execute("DELETE FROM user_events")
        refused = refusal(driver.value)
        assert refused is not None
        assert "name the primary server" in refused.remedy

    def test_what_is_refused_in_a_task(self, database: Database, zone: LandingZone, role: str) -> None:
        """The driver's error of a task is the same in words as one of the driver process."""
        execute(
            database,
            f"GRANT USAGE ON SCHEMA public TO {role}",
            f"GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}",
        )
        files = Landing(database, zone).drop(a__csv=csv_file(CAFE.encode()))
        with pytest.raises(DatabaseError, match="permission denied for table user_events") as caught:
            load_unit(as_role(database, role).url, USER_EVENTS, files, 1)
        assert "GRANT" in caught.value.remedy

    def test_on_the_command_line(self, database: Database, role: str, tmp_path: Path) -> None:
        empty(database)
        done = subprocess.run(
            [sys.executable, "-m", "ecom_platform", "rejects", "list", "--json"],
            env={
                "PATH": os.environ["PATH"],
                "ECOM_HOME": str(tmp_path),
                "ECOM_POSTGRES_URL": as_role(database, role).url,
            },
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 3
        assert json.loads(done.stdout)["error"]["code"] == "database"
        assert "Traceback" not in done.stderr
        assert "GRANT USAGE, CREATE" in done.stderr

    def test_a_connection_that_is_ended(self, database: Database) -> None:
        with database.open() as connection, pytest.raises(psycopg.OperationalError) as caught:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        refused = refusal(caught.value, database.description)
        assert refused is not None
        assert "ended the connection" in refused.message
        assert refusal(ValueError("none of PostgreSQL's")) is None

    def test_a_pooler_in_transaction_mode(self, database: Database) -> None:
        with transaction_pooler(database.url) as url:
            with pytest.raises(DatabaseError, match="connection pooler in transaction mode") as caught:
                Database(url).open()
            assert "session mode" in caught.value.remedy

    def test_threads_that_connect_at_the_same_time(
        self, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Variables are hidden from all of them, and none is lost."""
        monkeypatch.setenv("PGHOSTADDR", HOSTILE["PGHOSTADDR"])
        monkeypatch.setenv("PGTZ", HOSTILE["PGTZ"])
        found: list[dict[str, str]] = []
        threads = [
            threading.Thread(target=lambda: found.append(settings_of(Database(server.url)))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [EXPECTED] * 8
        shown = subprocess.run(["printenv", "PGTZ"], capture_output=True, text=True, check=True)
        assert shown.stdout == f"{HOSTILE['PGTZ']}\n"
