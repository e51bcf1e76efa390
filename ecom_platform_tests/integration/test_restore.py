"""A restore by the steps of the runbook, in a database that others use as well. Real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.requeue import reconcile
from ecom_platform.store.connection import Database
from ecom_platform.store.schema import migrate
from ecom_platform.variable_reader import with_schema
from ecom_platform_tests import runbook
from ecom_platform_tests.landing import Landing, csv_file, line, stored_rows

pytestmark = pytest.mark.usefixtures("starts_programs")

BACKUP, DROP, RESTORE = "pg_dump -Fc -n", "cat > drop.sql", "-f restore.sql ecom.dump"


def ask(database: Database, statement: str) -> list[tuple[object, ...]]:
    with database.open(autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def run(database: Database, *statements: str) -> None:
    with database.open(autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def drop(landing: Landing, name: str, *lines: bytes) -> None:
    (landing.zone.landing / name).write_bytes(csv_file(*lines))
    landing.ingest()


def stored(database: Database) -> int:
    with database.open() as connection:
        return stored_rows(connection)


@pytest.fixture(params=["public", "team_a"])
def landing(request: pytest.FixtureRequest, database: Database, zone: LandingZone) -> Landing:
    """A platform beside tables of somebody else's."""
    ours = Database(with_schema(database.url, request.param))
    migrate(ours)
    run(
        ours,
        "CREATE TABLE customers (name text PRIMARY KEY)",
        "INSERT INTO customers VALUES ('of another program')",
    )
    return Landing(ours, zone)


def step(part: str, schema: str) -> str:
    return runbook.block(part).replace("schema=public ", f"schema={schema} ")


def test_nothing_of_others_is_touched(landing: Landing, tmp_path: Path) -> None:
    database, schema = landing.database, landing.database.schema
    drop(landing, "old.csv", line(), line())
    backup = step(BACKUP, schema).replace("-f ecom.dump", f'-T "{schema}.customers" -f ecom.dump')
    done = runbook.execute(backup, tmp_path, database)
    assert done.returncode == 0, done.stderr
    drop(landing, "new.csv", line())
    run(database, "INSERT INTO customers VALUES ('since then')")

    done = runbook.execute(step(DROP, schema) + step(RESTORE, schema), tmp_path, database)
    assert done.returncode == 0, done.stderr
    assert ask(database, "SELECT name FROM customers ORDER BY 1") == [
        ("of another program",),
        ("since then",),
    ]
    assert stored(database) == 2
    # What the old tables had beside rows is there again: triggers, and the schema they look into.
    assert ask(
        database, "SELECT DISTINCT proconfig FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
    ) == [([f"search_path={schema}, pg_temp"],)]
    migrate(database)
    assert reconcile(database, landing.zone).requeued == ("new.csv",)
    landing = Landing(database, landing.zone)
    landing.ingest()
    assert stored(database) == 3
    landing.check()


def test_where_others_depend_on_the_tables_nothing_is_done(landing: Landing, tmp_path: Path) -> None:
    database, schema = landing.database, landing.database.schema
    drop(landing, "old.csv", line(), line())
    assert runbook.execute(step(BACKUP, schema), tmp_path, database).returncode == 0
    drop(landing, "new.csv", line())

    # Their table is in the dump and still there.
    done = runbook.execute(step(DROP, schema) + step(RESTORE, schema), tmp_path, database)
    assert done.returncode != 0
    assert 'relation "customers" already exists' in done.stderr
    assert stored(database) == 3
    # A view of theirs reads our table.
    run(database, "CREATE VIEW sold AS SELECT product_id FROM user_events")
    done = runbook.execute(step(DROP, schema) + step(RESTORE, schema), tmp_path, database)
    assert done.returncode != 0
    assert "view sold depends on table user_events" in done.stderr
    assert stored(database) == 3
    landing.check()


def test_every_table_of_ours_is_named(database: Database, tmp_path: Path) -> None:
    everything = """
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
    """
    assert len(ask(database, everything)) > 50
    dropping = 'psql "$(ecom url)" -v ON_ERROR_STOP=1 -v schema=public -1 -f drop.sql'
    done = runbook.execute(runbook.block(DROP) + dropping, tmp_path, database)
    assert done.returncode == 0, done.stderr
    assert ask(database, everything) == []
