"""Who holds the ingest lock. Real PostgreSQL."""

from __future__ import annotations

import dataclasses

from psycopg.conninfo import make_conninfo

from ecom_platform.store.connection import Database
from ecom_platform.store.lock import LIVE_APPLICATION_NAME, holder, ingest_lock
from ecom_platform_tests.waiting import wait_until


def test_nobody(database: Database) -> None:
    with database.open(autocommit=True) as connection:
        assert holder(connection) is None


def test_a_bounded_ingest(database: Database) -> None:
    with ingest_lock(database, 0), database.open(autocommit=True) as connection:
        who = holder(connection)
        assert who is not None
        assert not who.live
        assert str(who).startswith(f"ecom_platform (backend {who.backend}, since ")


def test_the_live_mode(database: Database) -> None:
    live = dataclasses.replace(
        database, url=make_conninfo(database.url, application_name=LIVE_APPLICATION_NAME)
    )
    with ingest_lock(live, 0), database.open(autocommit=True) as connection:
        who = holder(connection)
        assert who is not None
        assert who.live
    with database.open(autocommit=True) as connection:
        wait_until(lambda: holder(connection) is None)  # PostgreSQL ends a backend in its own time


def test_the_live_mode_of_another_database(database: Database) -> None:
    elsewhere = dataclasses.replace(
        database, url=make_conninfo(database.url, dbname="postgres", application_name=LIVE_APPLICATION_NAME)
    )
    with ingest_lock(elsewhere, 0), database.open(autocommit=True) as connection:
        assert holder(connection) is None
