"""What a session on a cluster is configured with, beyond what every session is.

Belongs here: how executors reach the driver, what they get, and who is let in; as Spark's own
properties. Does not belong here: whether the cluster can do the work (``probe``), or starting one
(``standalone``). Nothing here imports PySpark, so that ``ecom doctor`` answers at once.

Whatever else a cluster needs (YARN queues, container images, ``spark.executorEnv.*``) goes into the
``spark-defaults.conf`` of ``ECOM_SPARK_CONF_DIR`` or ``SPARK_CONF_DIR``, which Spark reads by itself; what
stands here wins over it.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from ecom_platform.errors import ClusterError
from ecom_platform.settings import Settings

DEFAULT_MASTER_PORT = 7077
# Rows never pass through an executor's JVM either: what is lean for the driver is for them.
_EXECUTOR_JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

# The same on master, workers, driver and executors, or they do not understand each other.
# GCM is authenticated; Spark's default, kept for old clusters, is not.
AUTHENTICATION = {
    "spark.authenticate": "true",
    "spark.network.crypto.enabled": "true",
    "spark.network.crypto.cipher": "AES/GCM/NoPadding",
}
# How Spark's own processes are told the secret: not by an argument, which `ps` would show.
SECRET_VARIABLE = "_SPARK_AUTH_SECRET"  # noqa: S105


def cluster_config(settings: Settings) -> dict[str, str]:
    """Properties of a session whose executors are other processes; holds no secret."""
    cluster = settings.cluster
    host = driver_host(settings)
    config = {
        "spark.executor.memory": cluster.executor_memory,
        "spark.executor.extraJavaOptions": _EXECUTOR_JAVA_OPTIONS,
        "spark.driver.host": host,
        "spark.driver.bindAddress": cluster.driver_bind_address or host,
    }
    if cluster.driver_port is not None:
        config["spark.driver.port"] = str(cluster.driver_port)
        config["spark.driver.blockManager.port"] = str(cluster.driver_port + 1)
    if cluster.executor_cores is not None:
        config["spark.executor.cores"] = str(cluster.executor_cores)
    if cluster.cores is not None:
        config["spark.cores.max"] = str(cluster.cores)
    if cluster.secret is not None:
        config |= AUTHENTICATION
    return config


def secret_config(settings: Settings) -> dict[str, str]:
    """The one property that is handed to the running JVM alone, never to a command line or a log."""
    if settings.local_spark or settings.cluster.secret is None:
        return {}
    return {"spark.authenticate.secret": settings.cluster.secret}


def driver_host(settings: Settings) -> str:
    """The address that executors connect to: the one that is set, else the one that faces the master.

    Raises :class:`ClusterError` for an address that no other machine can reach.
    """
    chosen = settings.cluster.driver_host or _facing(settings)
    if _loopback(chosen) and not _loopback(_master_host(settings)):
        raise ClusterError(
            f"Executors of {settings.spark_master} would have to reach the driver at {chosen}, which is "
            "this machine for whoever asks.",
            "Set ECOM_SPARK_DRIVER_HOST to an address of this machine that the workers can reach.",
        )
    return chosen


def driver_address(settings: Settings) -> str:
    """Where the driver is, as a sentence names it."""
    port = settings.cluster.driver_port
    return driver_host(settings) + (f", port {port}" if port else "")


def master_address(settings: Settings) -> tuple[str, int] | None:
    """Host and port of the (first) standalone master; ``None`` for other kinds of cluster."""
    if not settings.spark_master.startswith("spark://"):
        return None
    first = settings.spark_master.split(",")[0]
    try:
        parts = urlsplit(first)
        return parts.hostname or "", parts.port or DEFAULT_MASTER_PORT
    except ValueError as error:
        raise ClusterError(
            f"ECOM_SPARK_MASTER is {settings.spark_master!r}: {error}.", "It must be spark://host:port."
        ) from error


def _master_host(settings: Settings) -> str:
    address = master_address(settings)
    return address[0] if address else ""


def _facing(settings: Settings) -> str:
    """This machine's address towards the master; nothing is sent to find out."""
    address = master_address(settings)
    if address is not None:
        try:
            family, kind, _, _, target = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind) as probe:
                probe.connect(target)
                return str(probe.getsockname()[0])
        except OSError:
            pass  # whether the master can be reached is asked, and told, elsewhere
    return socket.gethostname()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
