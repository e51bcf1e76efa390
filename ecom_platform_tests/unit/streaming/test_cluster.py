"""What a session on a cluster is configured with, and that its secret goes nowhere else."""

from __future__ import annotations

import socket

import pytest

from ecom_platform.errors import ClusterError
from ecom_platform.settings import Settings, load_settings
from ecom_platform.streaming.cluster import (
    cluster_config,
    driver_host,
    master_address,
    secret_config,
)
from ecom_platform.streaming.session import spark_config

SECRET = "s3cret-of-the-cluster"
PASSWORD = "hunter2-or-worse"


def settings(**variables: str) -> Settings:
    cluster = {
        "ECOM_SPARK_MASTER": "spark://127.0.0.1:7077",
        "ECOM_POSTGRES_URL": f"postgresql://ecom:{PASSWORD}@db/shop",
        "ECOM_SPARK_SECRET": SECRET,
    }
    return load_settings(cluster | variables)


def test_a_laptop_has_none_of_it() -> None:
    config = spark_config(load_settings({}))
    assert config["spark.driver.host"] == "127.0.0.1"
    # Tasks in the driver's own JVM are looked at by a property of the executors' name.
    theirs = [name for name in config if "executor" in name or "auth" in name]
    assert set(theirs) == {"spark.executor.metrics.pollingInterval", "spark.authenticate"}
    assert secret_config(load_settings({"ECOM_SPARK_SECRET": SECRET})) == {}


def test_each_setting_is_a_property() -> None:
    config = cluster_config(
        settings(
            ECOM_SPARK_DRIVER_HOST="driver.example",
            ECOM_SPARK_DRIVER_BIND_ADDRESS="0.0.0.0",  # noqa: S104
            ECOM_SPARK_DRIVER_PORT="40000",
            ECOM_SPARK_EXECUTOR_MEMORY="2g",
            ECOM_SPARK_EXECUTOR_CORES="2",
            ECOM_SPARK_CORES="8",
        )
    )
    expected = {
        "spark.driver.host": "driver.example",
        "spark.driver.bindAddress": "0.0.0.0",  # noqa: S104
        "spark.driver.port": "40000",
        "spark.driver.blockManager.port": "40001",
        "spark.executor.memory": "2g",
        "spark.executor.cores": "2",
        "spark.cores.max": "8",
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
    }
    assert config.items() >= expected.items()


def test_the_secret_is_only_where_the_jvm_gets_it() -> None:
    ours = settings()
    assert SECRET not in str(spark_config(ours))
    assert SECRET not in repr(ours)
    assert PASSWORD not in str(spark_config(ours)) + repr(ours)
    assert secret_config(ours) == {"spark.authenticate.secret": SECRET}


def test_the_driver_is_where_this_machine_faces_the_master() -> None:
    assert driver_host(settings()) == "127.0.0.1"


def test_an_address_that_only_this_machine_can_reach_is_refused() -> None:
    with pytest.raises(ClusterError, match=r"127\.0\.0\.1.*ECOM_SPARK_DRIVER_HOST"):
        driver_host(settings(ECOM_SPARK_MASTER="spark://m:7077", ECOM_SPARK_DRIVER_HOST="127.0.0.1"))


@pytest.mark.parametrize(
    ("master", "address"),
    [
        ("spark://host:7078", ("host", 7078)),
        ("spark://host", ("host", 7077)),
        ("spark://one:7077,two:7077", ("one", 7077)),
        ("yarn", None),
        ("k8s://https://host:6443", None),
    ],
)
def test_where_the_master_is(master: str, address: tuple[str, int] | None) -> None:
    assert master_address(settings(ECOM_SPARK_MASTER=master)) == address


def test_a_master_that_is_no_address_is_refused() -> None:
    with pytest.raises(ClusterError, match="ECOM_SPARK_MASTER"):
        master_address(settings(ECOM_SPARK_MASTER="spark://host:many"))


def test_without_a_standalone_master_this_machine_has_its_name() -> None:
    assert driver_host(settings(ECOM_SPARK_MASTER="yarn")) == socket.gethostname()
