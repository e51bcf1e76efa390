"""What is shown of a connection, and what is said when it fails."""

import re
import traceback

import pytest

from ecom_platform.errors import DatabaseError
from ecom_platform.postgres.connection import Database, conninfo, describe

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


def test_times_are_utc_whatever_the_url_says() -> None:
    assert "-c timezone=UTC -c work_mem=8MB" in conninfo("postgresql://h/d?options=-c%20work_mem%3D8MB")


def test_tasks_get_the_address_that_is_for_them() -> None:
    assert Database("postgresql://here/d").task_url == "postgresql://here/d"
    database = Database("postgresql://u:s3cret@here/d", "postgresql://u:s3cret@there/d")
    assert database.task_url == "postgresql://u:s3cret@there/d"
    assert "s3cret" not in repr(database)


def test_a_database_is_the_same_by_whatever_address(database: Database) -> None:
    assert Database(f"{database.url}&application_name=other").identity() == database.identity()
    another = Database(re.sub(r"/test_\d+", "/postgres", database.url))
    assert another.identity() != database.identity()


def test_a_client_that_vanishes_is_noticed() -> None:
    assert "tcp_keepalives_idle=30" in conninfo("postgresql://h/d")
