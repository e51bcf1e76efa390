"""The Spark session: its configuration, its JVM, its end.

Belongs here: everything that has to be right before the JVM starts (Java, heap, folders, where
its output goes) and the rule that a process has one master. Does not belong here: what is
streamed (``query``). ``orchestration.resources`` hands the configuration to dagster-pyspark,
which builds the session from it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from ecom_platform.errors import ClusterError, JavaError, PrerequisiteError, SettingsError, StorageError
from ecom_platform.java import class_archive
from ecom_platform.java.discovery import find_java
from ecom_platform.settings import Settings
from ecom_platform.streaming import spark_private
from ecom_platform.streaming.cluster import AUTHENTICATION, cluster_config, secret_config
from ecom_platform.streaming.environment import choose_python, isolate
from ecom_platform.streaming.probe import require_cluster
from ecom_platform.waits import announced

APPLICATION_NAME = "ecom_platform"

# Micro-batches of which Spark's own account of its time is kept for the report.
PROGRESS_KEPT = 1_000

# Lines of a JVM that did not start which say why, and those that only say where.
_COMPLAINT = re.compile(r"error|exception|cannot|could not|unable|failed|not found|no such|too many", re.I)
_NO_COMPLAINT = ("at ", "...", "WARNING:", "WARN ", "Picked up ", "java.base/")

_open_lock = threading.Lock()
# When the cluster was last found unable, and why: for whoever waited for that answer.
_refused: tuple[float, PrerequisiteError] | None = None
# Generous, for a JVM that writes its class archive at the end (class_archive).
_JVM_EXIT_SECONDS = 120
# It takes three seconds, and on a machine that is very busy half a minute.
_JVM_START_SECONDS = 180


def spark_config(settings: Settings) -> dict[str, str]:
    """The session's configuration. Dagster shows it, so it holds no secret."""
    config = {
        "spark.app.name": APPLICATION_NAME,
        "spark.master": settings.spark_master,
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.local.dir": str(_local_dir(settings)),
        "spark.sql.warehouse.dir": str(settings.home / "spark" / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        # Dagster's UI is where people look; Spark's own takes a port and a second of start-up.
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.streaming.stopTimeout": "60s",
        # Offsets of this query fit in a few bytes; every kept batch is two more files to list.
        "spark.sql.streaming.minBatchesToRetain": "10",
        "spark.sql.streaming.numRecentProgressUpdates": str(PROGRESS_KEPT),
        # The checkpoint is scratch. Hadoop's careful way of writing it forks a process a file, for its
        # mode, and adds files of checksums: 0.1 s of every micro-batch.
        "spark.sql.streaming.checkpoint.fileChecksum.enabled": "false",
        "spark.sql.streaming.checkpointFileManagerClass": (
            "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
        ),
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        # What Spark remembers of finished work, for a UI that is off.
        "spark.ui.retainedJobs": "20",
        "spark.ui.retainedStages": "20",
        "spark.ui.retainedTasks": "100",
        "spark.sql.ui.retainedExecutions": "20",
        # The heap's peak comes with the end of each task, not with a heartbeat every ten seconds.
        "spark.executor.metrics.pollingInterval": "500ms",
        "spark.python.worker.reuse": "true",
        "spark.python.daemon.module": "ecom_platform.streaming.daemon",
        # Unit files are tiny; each is to be a task of its own.
        "spark.sql.files.openCostInBytes": "128m",
    }
    if settings.landing_bucket is not None:
        # Of more unit files than this Spark asks executors, who do not see the folder.
        config["spark.sql.sources.parallelPartitionDiscovery.threshold"] = str(2**31 - 1)
    if settings.local_spark:
        # Its ports are this machine's alone, but other users of the machine reach them as well: Spark makes
        # a secret of its own, which nobody is told.
        return (
            config
            | AUTHENTICATION
            | {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        )
    return config | cluster_config(settings)


def open_session(settings: Settings, *, java_options: str | None = None) -> SparkSession:
    """The process's session, made on the first call; safe to call from a thread ahead of time.

    ``java_options`` replaces the usual options of the driver's JVM.

    Raises :class:`JavaError` when there is no Java that Spark can run on, or it would not start,
    :class:`SettingsError` when the process already runs on another master, and
    :class:`ClusterError` or :class:`DatabaseError` when a cluster cannot do the work.
    """
    asked = time.monotonic()
    with _open_lock:
        check_master(settings)
        if _refused is not None and _refused[0] > asked:
            raise _refused[1]
        known = spark_private.active_context()
        _launch_jvm(settings, java_options)
        choose_python(settings)
        try:
            session = _build(settings)
        except (Py4JError, ConnectionError) as error:
            raise _not_opened(settings, error) from error
        if settings.remote_spark and known is None:
            _require_cluster(session, settings)
        return session


def _require_cluster(session: SparkSession, settings: Settings) -> None:
    global _refused
    try:
        require_cluster(session, settings)
    except PrerequisiteError as error:
        stop_session(session)
        _refused = time.monotonic(), error
        raise


def _not_opened(settings: Settings, error: Exception) -> PrerequisiteError:
    if settings.remote_spark and isinstance(error, Py4JJavaError):
        return ClusterError(
            f"The Spark cluster {settings.spark_master} was not joined: {_java_message(error)}",
            "Check ECOM_SPARK_MASTER, that ECOM_SPARK_SECRET is the cluster's (or unset, if it has none), "
            "and that ECOM_SPARK_DRIVER_HOST is an address of this machine; where it is not, as behind a "
            "container's port, set ECOM_SPARK_DRIVER_BIND_ADDRESS to 0.0.0.0.",
        )
    return JavaError(
        f"Spark's Java process ended while the session was opened: {error}",
        f"Its output is in {spark_log(settings)}; run the command again.",
    )


def _java_message(error: Py4JJavaError) -> str:
    """The first line of what Java said, without its trace."""
    if error.java_exception.getClass().getName() == "java.lang.IllegalStateException":
        # Spark gives up after a minute, whatever the reason, and says no more than that it has stopped.
        return "it did not let this application in; its secret may be another."
    return str(error.java_exception.toString()).splitlines()[0][:300]


def _build(settings: Settings) -> SparkSession:
    builder: Any = SparkSession.builder
    for key, value in (spark_config(settings) | secret_config(settings)).items():
        builder = builder.config(key, value)
    session: SparkSession = builder.getOrCreate()
    # Warnings of a healthy Spark are noise; its errors reach us as exceptions.
    session.sparkContext.setLogLevel("ERROR")
    if settings.landing_bucket is not None:
        spark_private.forget_credentials(session)
    return session


def stop_session(session: SparkSession | None = None) -> None:
    """End the session (default: the process's own); one whose JVM was killed has ended already."""
    context = session.sparkContext if session is not None else spark_private.active_context()
    if context is not None:
        with contextlib.suppress(Py4JError, ConnectionError):
            context.stop()


def close_session() -> None:
    """Stop the session, if there is one, and end its JVM; returns when the JVM is gone.

    Spark cannot be started again in this process.
    """
    with _open_lock:
        gateway, process = spark_private.gateway(), spark_private.jvm()
        if gateway is None or process is None:
            return
        stop_session()
        with contextlib.suppress(Py4JError, ConnectionError):
            gateway.shutdown()
        # The JVM ends when its standard input does. It is waited for: it may have something to
        # write, and a command must not return while a process of its own still runs.
        if process.stdin is not None:
            process.stdin.close()
        try:
            with announced(lambda: "Spark's Java process to end", _JVM_EXIT_SECONDS):
                process.wait(_JVM_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def jvm_has_ended() -> bool:
    """Whether this process had a JVM that is gone: it cannot have another one."""
    process = spark_private.jvm()
    return process is not None and process.poll() is not None


def when_jvm_ends(call: Callable[[], None]) -> None:
    """Have ``call`` called, in a thread of its own, once this process's JVM has ended, however it did."""
    process = spark_private.jvm()
    if process is None:
        return

    def wait() -> None:
        process.wait()
        call()

    threading.Thread(target=wait, name="jvm-watch", daemon=True).start()


def warm_up(settings: Settings) -> None:
    """Begin to open the session in the background; whoever asks for it first waits for the rest."""

    def attempt() -> None:
        # A failure is not lost: the same call fails again where somebody needs its result.
        with contextlib.suppress(Exception):
            session = open_session(settings)
            # The first task of a session starts the process that Python workers are forked from; on a
            # cluster that was the probe.
            session.sparkContext.parallelize([0], 1).map(abs).collect()

    threading.Thread(target=attempt, name="spark-warm-up", daemon=True).start()


def _launch_jvm(settings: Settings, options: str | None) -> None:
    if spark_private.gateway() is not None:
        return
    java = find_java(settings)
    isolate(settings, java.home)
    folder = _local_dir(settings)
    folder.mkdir(parents=True, exist_ok=True)
    log_path = spark_log(settings)
    conf = SparkConf(loadDefaults=False).setAll(list(spark_config(settings).items()))
    conf.set("spark.driver.extraJavaOptions", options or class_archive.java_options(java))
    with log_path.open("ab") as log:
        begin = log.tell()
        given_up = threading.Timer(_JVM_START_SECONDS, _kill_starting)
        given_up.daemon = True
        given_up.start()
        try:
            with announced(lambda: "Spark's Java process to start", _JVM_START_SECONDS):
                gateway = launch_gateway(  # type: ignore[no-untyped-call]
                    # The caller's working folder may be gone, or hold modules that workers would take.
                    conf,
                    popen_kwargs={"stdout": log, "stderr": log, "cwd": folder.parent},
                )
        except PySparkRuntimeError as error:
            raise JavaError(
                f"Spark's Java virtual machine did not start: {_complaint(log_path, begin)}",
                f"The whole output is in {log_path}; `ecom doctor` shows which Java is used.",
            ) from error
        finally:
            given_up.cancel()
    spark_private.use_gateway(gateway)


def _kill_starting() -> None:
    """End the Java processes of this one, of which PySpark would wait for a word for ever."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "org.apache.spark.deploy.SparkSubmit" in child.cmdline():
                child.kill()


def check_master(settings: Settings) -> None:
    """A second master in the same process would silently be ignored by Spark: refuse it."""
    active = spark_private.active_context()
    if active is not None and active.master != settings.spark_master:
        raise SettingsError(
            f"ECOM_SPARK_MASTER is {settings.spark_master!r}, but this process runs on {active.master!r}.",
            "Start a new process for another master.",
        )


def spark_log(settings: Settings) -> Path:
    """The file that takes what the JVM and its Python workers print."""
    path = settings.home / "logs" / "spark.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > 16 * 1024**2:
            path.replace(path.with_suffix(".log.1"))
        path.touch()
    except OSError as error:
        raise StorageError(
            f"The folder {path.parent} cannot be written: {error.strerror}.",
            "Make room, or set ECOM_HOME to a folder that can be written.",
        ) from error
    return path


def _local_dir(settings: Settings) -> Path:
    """This process's scratch folder; those of processes that are gone are removed."""
    parent = settings.home / "spark" / "local"
    for folder in parent.glob("[0-9]*"):
        if not psutil.pid_exists(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)
    return parent / str(os.getpid())


def _complaint(path: Path, begin: int) -> str:
    """What the JVM said of itself since ``begin``, in one line: what is wrong, not the trace behind it."""
    with path.open("rb") as log:
        log.seek(begin)
        lines = [line.strip() for line in log.read(1_000_000).decode("utf-8", "replace").splitlines()]
    said = [line for line in lines if line and not line.startswith(_NO_COMPLAINT)]
    telling = [line for line in said if _COMPLAINT.search(line)]
    return next(iter(telling or said[-1:]), "it printed nothing.")[:300]
