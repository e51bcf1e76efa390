"""The tables agree with the one declaration of the event."""

import threading

import pytest

from ecom_platform import waits
from ecom_platform.errors import DatabaseError
from ecom_platform.shop.event import FEED
from ecom_platform.store import schema
from ecom_platform.store.connection import Database
from ecom_platform.store.schema import current, head, migrate
from ecom_platform_tests.schema_file import FILE, dumped

_TYPES = {
    "uuid": "uuid",
    "bigint": "bigint",
    "text": "text",
    "timestamp with time zone": "timestamptz",
    "numeric": "numeric(10,2)",
}


def test_user_events_has_the_declared_columns(database: Database) -> None:
    with database.open() as connection:
        rows = connection.execute(
            "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns"
            " WHERE table_name = 'user_events' ORDER BY ordinal_position"
        ).fetchall()
    declared = [(column.name, column.type, column.nullable) for column in FEED.columns]
    assert [(name, _TYPES[kind], nullable) for name, kind, nullable in rows[: len(declared)]] == declared
    assert [name for name, _, _ in rows[len(declared) :]] == ["file_id", "ingested_at"]


def test_the_file_for_people_is_what_the_migrations_make(database: Database) -> None:
    assert FILE.read_text("utf-8") == dumped(database.url), "`make schema` writes it anew"


def test_a_migrated_database_is_at_head(database: Database) -> None:
    migrate(database)
    with database.open() as connection:
        assert current(connection) == head()


def test_programs_that_migrate_at_the_same_moment(database: Database) -> None:
    with database.open(autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            migrate(database)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.open() as connection:
        assert current(connection) == head()


def test_a_server_that_is_too_old_is_refused_with_its_version(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "MINIMUM_VERSION", 99)
    with pytest.raises(DatabaseError, match=r"is version 18\.\d+; 99 or newer is needed") as raised:
        migrate(database)
    assert "ECOM_POSTGRES_URL" in raised.value.remedy


def test_another_that_migrates_is_named_and_waited_for_only_so_long(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(schema, "TURN_SECONDS", 1)
    monkeypatch.setattr(waits, "SILENT_SECONDS", 0.1)
    with database.open() as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    with database.open(autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (schema.MIGRATION_LOCK,))
        with pytest.raises(DatabaseError, match="Waited 1 s for another program, which brings the tables"):
            migrate(database)
    assert "Waiting for another program, which brings the tables" in caplog.text
    assert "for 1 s at most" in caplog.text
