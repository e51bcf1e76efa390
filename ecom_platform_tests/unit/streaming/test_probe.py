"""What is made of the executors' answers; that they are asked is in acceptance/test_cluster.py."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from ecom_platform.errors import ClusterError, DatabaseError
from ecom_platform.landing.sign import Sign
from ecom_platform.objects import Location
from ecom_platform.settings import Settings
from ecom_platform.store.connection import Database
from ecom_platform.streaming.probe import Answer, _judge, _look

VERSIONS = {name: importlib.metadata.version(name) for name in ("ecom_platform", "pyspark", "pyarrow")}
VERSIONS["Python"] = ".".join(platform.python_version_tuple()[:2])


def answer(reached: Database, **differing: object) -> Answer:
    good: dict[str, object] = {
        "host": "worker-1",
        "versions": VERSIONS,
        "landing": None,
        "database": None,
        "identity": reached.identity(),
    }
    return Answer(**(good | differing))  # type: ignore[arg-type]


def test_good_answers_are_not_judged(database: Database, settings: Settings) -> None:
    _judge([answer(database), answer(database)], settings)


@pytest.mark.parametrize(
    ("differing", "error", "named"),
    [
        ({"landing": "No such file or directory"}, ClusterError, "ECOM_LANDING_DIR"),
        ({"versions": VERSIONS | {"pyspark": "4.0.1"}}, ClusterError, "pyspark 4.0.1"),
        ({"versions": VERSIONS | {"Python": "3.9"}}, ClusterError, "ECOM_SPARK_PYTHON"),
        ({"database": "PostgreSQL cannot be used"}, DatabaseError, "ECOM_SPARK_POSTGRES_URL"),
        ({"identity": "1/another"}, DatabaseError, "another database"),
    ],
)
def test_each_lack_is_named_with_its_executor_and_its_setting(
    database: Database,
    settings: Settings,
    differing: dict[str, object],
    error: type[Exception],
    named: str,
) -> None:
    with pytest.raises(error) as caught:
        _judge([answer(database), answer(database, **differing)], settings)
    assert named in str(caught.value)
    assert "worker-1" in str(caught.value)


def test_of_a_bucket_the_credentials_of_executors_are_named(database: Database, settings: Settings) -> None:
    on_bucket = replace(settings, landing_bucket=Location("events", "here/", "http://127.0.0.1:1"))
    lacking = answer(database, landing="http://127.0.0.1:1 cannot be asked (NoCredentialsError).")
    with pytest.raises(ClusterError) as caught:
        _judge([lacking], on_bucket)
    assert "worker-1 does not see the landing zone s3://events/here/: " in caught.value.message
    assert "AWS_" in caught.value.remedy and "ECOM_LANDING_ENDPOINT" in caught.value.remedy
    assert caught.value.exit_code == 3


def test_an_executor_that_has_everything(database: Database, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    sign.write_text("sign")
    found = _look(Sign(str(tmp_path), "sign"), database.url)
    assert (found["landing"], found["database"]) == (None, None)
    assert found["identity"] == database.identity()
    assert found["versions"] == VERSIONS


def test_an_executor_without_a_database_says_so_without_its_password(tmp_path: Path) -> None:
    found = _look(Sign(str(tmp_path), "sign"), "postgresql://bob:hunter2@127.0.0.1:1/d")
    assert found["landing"] == "No such file or directory"
    assert "127.0.0.1:1" in str(found["database"])
    assert "hunter2" not in str(found)


def test_a_folder_of_the_same_name_is_not_the_landing_zone(tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    sign.write_text("of somebody else")
    assert Sign(str(tmp_path), "sign").unseen() == "it is another folder"
