"""Databases of tests: cloned from a template once, and then made as new for each test.

Belongs here: making a used database as new, and the proof that it is. Does not belong here: the server
(``conftest``).

A clone for each test would be simpler and costs more than most tests: 24 ms to clone and drop it, and since
each new database has a new URL, no connection can be kept from one test to the next, of which ADBC's takes
65 ms of the client's side alone. Nothing is taken on trust: what the catalogs of the database say is
compared with what they said when it was cloned, and where that differs it is dropped and cloned anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.errors import ObjectInUse

from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.spare_connections import close_spares
from ecom_platform_tests.waiting import wait_until

_numbers = itertools.count(1)

# A connection that is told from what is tested by its name, and that no trigger sees.
_AS_WE_ARE = """
    SET application_name = 'tests';
    SET allow_system_table_mods = on;
    SET session_replication_role = replica;
    SET lock_timeout = '5s'
"""
# Sessions that a test left in the middle of something. Kept connections, which are idle, stay.
_END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity AS a
    WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND (state IS DISTINCT FROM 'idle'
            OR EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = a.pid AND l.locktype <> 'virtualxid'))
"""
# What a test has made, by the statement that removes it.
_MADE_SINCE = """
    SELECT format('DROP SCHEMA %%I CASCADE', nspname)
    FROM pg_namespace WHERE oid > %(last)s AND nspname !~ '^pg_'
    UNION ALL
    SELECT format('DROP %%s IF EXISTS %%I.%%I CASCADE',
        CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
            WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, nspname, relname)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE c.oid > %(last)s AND n.oid <= %(last)s AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        AND nspname !~ '^pg_'
    UNION ALL
    SELECT format('DROP ROUTINE IF EXISTS %%s CASCADE', p.oid::regprocedure)
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = pronamespace
    WHERE p.oid > %(last)s AND n.oid <= %(last)s AND nspname !~ '^pg_'
"""
# Sequences that were asked, and what statistics there are.
_COUNTED = """
    SELECT format('ALTER SEQUENCE %I.%I RESTART', schemaname, sequencename)
    FROM pg_sequences WHERE last_value IS NOT NULL
"""
_FORGET_STATISTICS = """
    DELETE FROM pg_statistic WHERE starelid >= 16384;
    DELETE FROM pg_statistic_ext_data;
"""
# Tables that a row was ever written to, whether it is still there or not.
_WRITTEN = """
    SELECT format('%I.%I', nspname, relname)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE c.oid >= 16384 AND relkind = 'r' AND relpersistence = 'p' AND nspname !~ '^pg_'
        AND pg_relation_size(c.oid) > 0
"""
# The catalogs that are compared, and where a row of theirs says what it belongs to. Each change leaves a row
# that is younger, or another number of rows.
_CATALOGS = {
    "pg_attribute": "attrelid",
    "pg_attrdef": "adrelid",
    "pg_constraint": "conrelid",
    "pg_default_acl": "oid",
    "pg_event_trigger": "oid",
    "pg_extension": "oid",
    "pg_foreign_server": "oid",
    "pg_index": "indrelid",
    "pg_namespace": "oid",
    "pg_policy": "polrelid",
    "pg_proc": "oid",
    "pg_publication": "oid",
    "pg_rewrite": "ev_class",
    "pg_statistic_ext": "stxrelid",
    "pg_trigger": "tgrelid",
}
_AGES = ", ".join(
    f"""(SELECT (count(*), max(xmin::text::bigint))::text FROM {catalog}
         WHERE {belongs} {">= 16384" if belongs == "oid" else "IN (SELECT oid FROM ours)"}
         {"AND nspname !~ '^pg_(toast_)?temp_'" if catalog == "pg_namespace" else ""})"""
    for catalog, belongs in _CATALOGS.items()
)
# TRUNCATE, and whoever counts rows, writes into the rows of pg_class: here what they leave alone is compared.
# Temporary tables, which sessions keep, do not count.
_DECLARED = f"""
    WITH ours AS MATERIALIZED (SELECT * FROM pg_class WHERE oid >= 16384 AND relpersistence <> 't')
    SELECT concat_ws(' ',
        {_AGES},
        (SELECT md5(string_agg((
                oid, relname, relnamespace, relowner, relkind, relpersistence, relacl, reloptions,
                relrowsecurity, relforcerowsecurity, relreplident, reltablespace
            )::text, '' ORDER BY oid)) FROM ours),
        (SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'),
        (SELECT (datdba, datacl, datallowconn, datconnlimit, (
                SELECT string_agg(s::text, '') FROM pg_db_role_setting AS s WHERE setdatabase = d.oid
            ))::text FROM pg_database AS d WHERE datname = current_database()))
"""
_LAST_OID = """
    SELECT max(oid)::bigint
    FROM (SELECT oid FROM pg_class UNION ALL SELECT oid FROM pg_proc UNION ALL SELECT oid FROM pg_namespace)
"""


@dataclass(frozen=True)
class _Clone:
    """A database, with a connection of ours, and what its catalogs said when it was new."""

    database: Database
    connection: Connection
    last_oid: int
    declared: str


class FreshDatabases:
    """Databases of ``maintenance``'s server, one at a time, each as the one called ``template`` is.

    ``named`` gives the database of a name.
    """

    def __init__(self, maintenance: Database, template: str, named: Callable[[str], Database]) -> None:
        self._maintenance = maintenance.open(autocommit=True)
        self._template = template
        self._named = named
        self._clone: _Clone | None = None
        with named(template).open() as connection:
            self._filled = {table: _rows(connection, table) for table in _column(connection, _WRITTEN)}

    def fresh(self) -> Database:
        """A migrated database that nobody has used, or that cannot be told from one."""
        if self._clone is None or not self._made_as_new(self._clone):
            self.drop()
            self._clone = self._cloned()
        return self._clone.database

    def drop(self) -> None:
        """Drop the database, if there is one; the next one is another."""
        clone, self._clone = self._clone, None
        if clone is not None:
            name = clone.connection.info.dbname
            clone.connection.close()
            wait_until(lambda: self._dropped(name))

    def close(self) -> None:
        self.drop()
        self._maintenance.close()

    def _cloned(self) -> _Clone:
        name = f"test_{next(_numbers)}"
        close_spares()  # PostgreSQL copies no database that somebody is connected to
        self._maintenance.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY file_copy")
        database = self._named(name)
        connection = database.open(autocommit=True)
        connection.execute(_AS_WE_ARE)
        (last,) = _column(connection, _LAST_OID)
        return _Clone(database, connection, int(last), _declared(connection))

    def _made_as_new(self, clone: _Clone) -> bool:
        connection = clone.connection
        try:
            connection.execute(_END_OTHERS)
            for statement in _column(connection, _MADE_SINCE, {"last": clone.last_oid}):
                connection.execute(statement)
            written = [table for table in _column(connection, _WRITTEN) if table not in self._filled]
            if written:
                connection.execute(f"TRUNCATE {', '.join(written)} CASCADE")
            for statement in _column(connection, _COUNTED):
                connection.execute(statement)
            connection.execute(_FORGET_STATISTICS)
            return _declared(connection) == clone.declared and all(
                _rows(connection, table) == rows for table, rows in self._filled.items()
            )
        except psycopg.Error:
            return False

    def _dropped(self, name: str) -> bool:
        """Whether its backends, which are told to end, ended within five seconds."""
        try:
            self._maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")
        except ObjectInUse:
            return False
        return True


def _column(connection: Connection, query: str, parameters: dict[str, Any] | None = None) -> list[str]:
    return [str(value) for (value,) in connection.execute(query, parameters).fetchall()]


def _rows(connection: Connection, table: str) -> list[str]:
    return sorted(_column(connection, f"SELECT t::text FROM {table} AS t"))


def _declared(connection: Connection) -> str:
    (declared,) = _column(connection, _DECLARED)
    return declared
