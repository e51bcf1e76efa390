"""Whether the cluster can do the work, asked of its executors before they are given any.

Belongs here: a small job with a time limit, in which every executor says whether it has the
platform, sees the landing zone (a folder, or a bucket) and reaches the database; and the sentence for
each way in which that can go wrong. Does not belong here: the session's configuration (``cluster``,
``session``).

Without this, an executor that cannot reach the driver would show as a run that waits for ever, and
one without the landing zone as a failure half-way.
"""

from __future__ import annotations

import importlib.metadata
import platform
import socket
import time
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any

from py4j.protocol import Py4JError
from pyspark import InheritableThread
from pyspark.sql import SparkSession

from ecom_platform.errors import ClusterError, DatabaseError, EcomError
from ecom_platform.landing.landing_zone import zone_of
from ecom_platform.landing.sign import Sign, sign_in
from ecom_platform.settings import Settings
from ecom_platform.store.connection import Database
from ecom_platform.streaming import spark_private
from ecom_platform.streaming.cluster import driver_address

_JOB_GROUP = "ecom_platform: can the executors do the work?"
_POLL_SECONDS = 0.1
# Executors of one application come up within moments of each other; those that come later join in.
_STEADY_SECONDS = 0.5
_PACKAGES = ("ecom_platform", "pyspark", "pyarrow")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one executor says. ``landing`` and ``database`` are what is wrong with them, if anything."""

    host: str
    versions: dict[str, str]
    landing: str | None
    database: str | None
    # Which server and database it reached.
    identity: str | None


def require_cluster(session: SparkSession, settings: Settings) -> list[Answer]:
    """One answer an executor; raises :class:`ClusterError` naming the setting that has to change."""
    deadline = time.monotonic() + settings.cluster.start_seconds
    try:
        _wait_for_executors(session, settings, deadline)
        with sign_in(zone_of(settings)) as sign:
            answers = _ask(session, settings, sign, deadline)
    except (Py4JError, ConnectionError) as error:
        raise _removed(settings) from error
    _judge(answers, settings)
    return answers


# -- executors that do not come ------------------------------------------------------------------


def _wait_for_executors(session: SparkSession, settings: Settings, deadline: float) -> None:
    """Until there are some, and no more come; so that work is cut for all of them."""
    count, since = 0, time.monotonic()
    while count == 0 or time.monotonic() - since < _STEADY_SECONDS:
        if spark_private.has_stopped(session):
            raise _removed(settings)
        # One of them is the driver's own.
        now = len(session.sparkContext.statusTracker().getExecutorInfos()) - 1
        if now != count:
            count, since = now, time.monotonic()
        if count == 0 and time.monotonic() > deadline:
            raise _none_came(settings)
        time.sleep(_POLL_SECONDS)


def _none_came(settings: Settings) -> ClusterError:
    cluster = settings.cluster
    return ClusterError(
        f"No executor of {settings.spark_master} has come up within {cluster.start_seconds:g} s. Either no "
        f"worker has a free core and {cluster.executor_memory} of memory, or executors cannot reach the "
        f"driver at {driver_address(settings)}.",
        "Look at the master's page for free workers (ECOM_SPARK_EXECUTOR_MEMORY and _CORES say what is asked "
        "for); set ECOM_SPARK_DRIVER_HOST, and ECOM_SPARK_DRIVER_PORT where only some ports are open.",
    )


def _removed(settings: Settings) -> ClusterError:
    return ClusterError(
        f"{settings.spark_master} started executors and they ended again and again: they cannot reach the "
        f"driver at {driver_address(settings)}, or cannot start at all.",
        "Set ECOM_SPARK_DRIVER_HOST (and ECOM_SPARK_DRIVER_PORT) to what the workers can reach; the "
        "executors' own words are in the work folder of the workers.",
    )


# -- executors that come, and what they say --------------------------------------------------------


def _ask(session: SparkSession, settings: Settings, sign: Sign | None, deadline: float) -> list[Answer]:
    """The job itself, in a thread that can be waited for with a limit."""
    context = session.sparkContext
    url = settings.spark_postgres_url or settings.postgres_url or ""
    result: Future[list[dict[str, Any]]] = Future()

    def run() -> None:
        try:
            context.setJobGroup(_JOB_GROUP, _JOB_GROUP, interruptOnCancel=True)
            tasks = context.parallelize(range(context.defaultParallelism), context.defaultParallelism)
            result.set_result(tasks.map(lambda _: _look(sign, url)).collect())
        except BaseException as error:
            result.set_exception(error)

    InheritableThread(target=run, name="cluster-probe", daemon=True).start()
    try:
        found = result.result(max(deadline - time.monotonic(), 1.0))
    except TimeoutError as error:
        context.cancelJobGroup(_JOB_GROUP)
        raise ClusterError(
            f"Executors of {settings.spark_master} have come up, but did not answer within "
            f"{settings.cluster.start_seconds:g} s.",
            "Raise ECOM_SPARK_START_SECONDS if they are slow; else see the work folder of the workers.",
        ) from error
    except Exception as error:
        raise _unable(settings, error) from error
    return list({answer["host"]: Answer(**answer) for answer in found}.values())


def _unable(settings: Settings, error: Exception) -> ClusterError:
    """The task did not even begin: another Python, or one without the platform."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "No module named" in line or "Cannot run program" in line]
    telling += [line for line in lines if "PYTHON_VERSION_MISMATCH" in line or "Error:" in line]
    said = (telling or lines or [type(error).__name__])[0][:300]
    python = settings.cluster.python or "the path of this one, since ECOM_SPARK_PYTHON is not set"
    return ClusterError(
        f"Executors of {settings.spark_master} cannot run the platform in their Python ({python}): {said}",
        "Set ECOM_SPARK_PYTHON to the Python, on the workers, of an environment with the same version of "
        "Python and of this package.",
    )


def _look(sign: Sign | None, url: str) -> dict[str, Any]:
    """Runs on an executor."""
    identity = database = None
    try:
        identity = Database(url).identity()
    except EcomError as error:
        database = error.message
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    versions["Python"] = ".".join(platform.python_version_tuple()[:2])
    landing = None if sign is None else sign.unseen()
    return asdict(Answer(socket.gethostname(), versions, landing, database, identity))


def _judge(answers: list[Answer], settings: Settings) -> None:
    """Raise the first thing that is wrong with any of them."""
    ours = {name: importlib.metadata.version(name) for name in _PACKAGES}
    ours["Python"] = ".".join(platform.python_version_tuple()[:2])
    here = Database(settings.postgres_url or "").identity()
    for answer in answers:
        differing = [f"{name} {have}" for name, have in answer.versions.items() if have != ours[name]]
        if differing:
            wanted = ", ".join(f"{name} {ours[name]}" for name in (text.split()[0] for text in differing))
            raise ClusterError(
                f"The executor on {answer.host} has {', '.join(differing)}; the driver has {wanted}.",
                "Install the same locked environment on both, and set ECOM_SPARK_PYTHON to it.",
            )
        if answer.landing and settings.landing_bucket is not None:
            raise ClusterError(
                f"The executor on {answer.host} does not see the landing zone {settings.landing_place}: "
                f"{answer.landing.rstrip('.')}.",
                "Executors read objects with credentials of their own environment (AWS_* of the workers, a "
                "profile, or their machine's role), which must be allowed to get objects below "
                "ECOM_LANDING_URL; and ECOM_LANDING_ENDPOINT must be an address that they reach as well.",
            )
        if answer.landing:
            raise ClusterError(
                f"The executor on {answer.host} does not see the landing zone {settings.landing_dir}: "
                f"{answer.landing}.",
                "Set ECOM_LANDING_DIR to a folder that is shared, under one path, by the driver and every "
                "worker, and readable by both.",
            )
        if answer.database:
            raise DatabaseError(
                f"Seen from the executor on {answer.host}: {answer.database}",
                "Set ECOM_POSTGRES_URL to an address that executors reach too, or ECOM_SPARK_POSTGRES_URL "
                "to the one that is for them.",
            )
        if answer.identity != here:
            raise DatabaseError(
                f"The executor on {answer.host} reaches another database than the driver.",
                "Correct ECOM_SPARK_POSTGRES_URL: it must lead to the database of ECOM_POSTGRES_URL.",
            )
