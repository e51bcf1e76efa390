"""What the platform takes of PySpark that PySpark does not promise to keep, as seen in pyspark 4.3.0.

Belongs here: the JVM behind a session and its gateway. A test tells when one of them has moved, and that
nobody else reaches for any. Does not belong here: what is done with them (``session``, ``executors``,
``probe``).
"""

from __future__ import annotations

import subprocess
from typing import Any

from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession


def gateway() -> Any | None:
    """The Py4J gateway to this process's JVM; it stays when the JVM has ended, and there is no other."""
    return SparkContext._gateway


def jvm() -> subprocess.Popen[bytes] | None:
    """The process that PySpark has started for this one, running or not."""
    found = gateway()
    return None if found is None else found.proc


def use_gateway(launched: Any) -> None:
    """Have sessions use a gateway that was launched by hand."""
    SparkContext._ensure_initialized(gateway=launched)


def active_context() -> SparkContext | None:
    """The context of this process's session, if it has one, without making one."""
    return SparkContext._active_spark_context


def has_stopped(session: SparkSession) -> bool:
    """Whether the JVM's side of the session has stopped, for whatever reason."""
    return bool(session.sparkContext._jsc.sc().isStopped())


def forget_credentials(session: SparkSession) -> None:
    """Take out of Hadoop's configuration what Spark puts there by itself where the environment has
    credentials of Amazon's. Nothing here reads a bucket by way of Hadoop."""
    configuration = session.sparkContext._jsc.hadoopConfiguration()
    for scheme in ("s3", "s3n"):
        configuration.unset(f"fs.{scheme}.awsAccessKeyId")
        configuration.unset(f"fs.{scheme}.awsSecretAccessKey")
    for name in ("access.key", "secret.key", "session.token"):
        configuration.unset(f"fs.s3a.{name}")


def executors(session: SparkSession) -> list[Any]:
    """Spark's own account of each executor (``ExecutorSummary``), those that are gone included."""
    found = session.sparkContext._jsc.sc().statusStore().executorList(False)
    return [found.apply(at) for at in range(found.size())]


def file_paths(frame: DataFrame) -> list[str]:
    """The files that a micro-batch of a file source is about to read, as its partitions name them."""
    partitions = frame._jdf.queryExecution().toRdd().partitions()
    return [file.toPath().toUri().getPath() for partition in partitions for file in partition.files()]
