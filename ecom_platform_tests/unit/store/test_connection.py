"""What is shown of a connection, and what is said when it fails."""

import re
import traceback
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from ecom_platform.errors import DatabaseError
from ecom_platform.store.connection import Database, describe
from ecom_platform.store.conninfo import client_conninfo, conninfo, schema_of
from ecom_platform.variable_reader import with_schema

SECRET = "postgresql://bob:s3cret@127.0.0.1:1/shop"


def test_the_description_holds_no_password() -> None:
    assert describe(SECRET) == "bob@127.0.0.1:1/shop"
    assert describe("postgresql://ecom@/ecommerce?host=/run/x") == "ecom@local socket/ecommerce"


def test_the_url_is_not_in_the_repr() -> None:
    assert "s3cret" not in repr(Database(SECRET))


@pytest.mark.parametrize(
    "url", [SECRET, "postgresql://bob:s3cret@127.0.0.1:99999/x", "postgresql://bob:s3cret@h:x/"]
)
def test_a_failure_names_the_setting_and_not_the_password(url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        Database(url).open()
    shown = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in shown
    assert "ECOM_POSTGRES_URL" in shown


@pytest.mark.parametrize(
    ("options", "rest", "schema"),
    [
        ("-c work_mem=8MB", "-c work_mem=8MB", "public"),
        ("-cwork_mem=8MB -csearch_path=Team", "-cwork_mem=8MB", "team"),
        (r'-c search_path="Team\ A" --geqo=off', "--geqo=off", "Team A"),
        (r"-c application_name=a\ \\b --search-path=b -d 1", r"-c application_name=a\ \\b -d 1", "b"),
    ],
)
def test_the_schema_comes_out_of_the_options(options: str, rest: str, schema: str) -> None:
    url = f"postgresql://h/d?sslcert=a+b&options={quote(options)}"
    assert schema_of(url) == schema
    assert conninfo_to_dict(conninfo(url))["options"] == rest
    assert conninfo_to_dict(conninfo(url))["sslcert"] == "a+b"
    assert "sslcert=a+b" in with_schema("postgresql://h/d?sslcert=a+b", schema)


@pytest.mark.parametrize("schema", ["team_a", "Team A", 'a"b', "back\\slash", "groß", "user", "a,b"])
def test_any_name_of_a_schema_comes_through(schema: str) -> None:
    url = with_schema("postgresql://bob:p%40ss@h:5433/d?sslmode=require&options=-cgeqo%3Doff", schema)
    assert schema_of(url) == schema
    parts = conninfo_to_dict(conninfo(url))
    assert (parts["password"], parts["sslmode"], parts["options"]) == ("p@ss", "require", "-cgeqo=off")
    assert describe(url) == f"bob@h:5433/d (schema {schema})"
    assert "p@ss" not in client_conninfo(url)


def test_tasks_get_the_address_that_is_for_them() -> None:
    assert Database("postgresql://here/d").task_url == "postgresql://here/d"
    database = Database("postgresql://u:s3cret@here/d", "postgresql://u:s3cret@there/d")
    assert database.task_url == "postgresql://u:s3cret@there/d"
    assert "s3cret" not in repr(database)


def test_a_database_is_the_same_by_whatever_address(database: Database) -> None:
    assert Database(f"{database.url}&application_name=other").identity() == database.identity()
    another = Database(re.sub(r"/test_\d+", "/postgres", database.url))
    assert another.identity() != database.identity()
