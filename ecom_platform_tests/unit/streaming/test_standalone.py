"""Command and environment of a master and a worker; that they work is in acceptance/test_cluster.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ecom_platform.errors import UsageError
from ecom_platform.settings import load_settings
from ecom_platform.streaming.standalone import daemon_command, daemon_environment

SECRET = "s3cret-of-the-cluster"
URL = "postgresql://ecom:hunter2@db/shop"


def environment(role: str, home: Path, **variables: str) -> dict[str, str]:
    ours = {"ECOM_HOME": str(home), **variables}
    return daemon_environment(role, load_settings(ours), ours)


def test_arguments_are_passed_on() -> None:
    command = daemon_command("worker", ["spark://m:7077", "--cores", "2"])
    assert command[0].endswith("/bin/spark-class")
    assert command[1:] == ["org.apache.spark.deploy.worker.Worker", "spark://m:7077", "--cores", "2"]


@pytest.mark.parametrize("role", ["", "driver"])
def test_another_role_is_refused(role: str) -> None:
    with pytest.raises(UsageError, match="neither master nor worker"):
        daemon_command(role, [])


@pytest.mark.parametrize("role", ["master", "worker"])
def test_the_secret_is_in_one_variable_and_in_no_option(tmp_path: Path, role: str) -> None:
    found = environment(role, tmp_path, ECOM_SPARK_SECRET=SECRET, ECOM_POSTGRES_URL=URL)
    assert {name for name, value in found.items() if SECRET in value} == {"_SPARK_AUTH_SECRET"}
    assert "hunter2" not in str(found)
    assert "-Dspark.authenticate=true" in found["SPARK_DAEMON_JAVA_OPTS"]
    assert "-Dspark.network.crypto.enabled=true" in found["SPARK_DAEMON_JAVA_OPTS"]


def test_without_a_secret_nothing_is_asked_for(tmp_path: Path) -> None:
    found = environment("master", tmp_path)
    assert "_SPARK_AUTH_SECRET" not in found
    assert "authenticate" not in found["SPARK_DAEMON_JAVA_OPTS"]


def test_only_a_worker_cleans_up(tmp_path: Path) -> None:
    assert "cleanup" in environment("worker", tmp_path)["SPARK_DAEMON_JAVA_OPTS"]
    assert "cleanup" not in environment("master", tmp_path)["SPARK_DAEMON_JAVA_OPTS"]


def test_what_the_caller_set_stays(tmp_path: Path) -> None:
    found = environment("worker", tmp_path, SPARK_DAEMON_JAVA_OPTS="-Dx=y", SPARK_DAEMON_MEMORY="256m")
    assert "-Dx=y" in found["SPARK_DAEMON_JAVA_OPTS"]
    assert found["SPARK_DAEMON_MEMORY"] == "256m"
    assert found["PYSPARK_PYTHON"] == sys.executable


def test_a_master_takes_applications_in_one_way_alone(tmp_path: Path) -> None:
    assert "-Dspark.master.rest.enabled=false" in environment("master", tmp_path)["SPARK_DAEMON_JAVA_OPTS"]


def test_nothing_can_be_ended_from_the_masters_page(tmp_path: Path) -> None:
    """Its buttons ask nobody who they are, and any page of a browser can press them."""
    options = environment("master", tmp_path)["SPARK_DAEMON_JAVA_OPTS"]
    assert "-Dspark.ui.killEnabled=false" in options
    assert "-Dspark.master.ui.decommission.allow.mode=DENY" in options
