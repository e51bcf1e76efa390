"""What of the caller's environment reaches Spark: only what is meant for this platform.

Belongs here: which variables Spark, Hadoop, Java and Spark's Python workers would listen to, and keeping
them from a session. Does not belong here: the session's own configuration (``session``, ``cluster``).
PySpark is not imported: some of it looks at the environment when it is.

A shell that was set up for another Spark (``PYSPARK_SUBMIT_ARGS``, ``SPARK_REMOTE``, ``SPARK_CONF_DIR``,
``JDK_JAVA_OPTIONS`` …) would have a session that does not start, or has another project's extensions in it.
What a person wants Spark to have goes into the ``spark-defaults.conf`` (and ``spark-env.sh``,
``log4j2.properties``) of a folder that ``ECOM_SPARK_CONF_DIR`` names.

Python workers find the modules that this process finds: ``PYTHONPATH`` stays, and the working folder, in
which a ``json.py`` may lie, is not looked into.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import ecom_platform
from ecom_platform.java.discovery import JVM_VARIABLES
from ecom_platform.settings import Settings

_PREFIXES = ("SPARK_", "_SPARK_", "PYSPARK_", "_PYSPARK_", "HADOOP_", "HDFS_", "YARN_", "HIVE_")
# The JVM's own; what YARN sets in its containers; and how Python workers begin and end.
_NAMES = JVM_VARIABLES | frozenset(
    {
        "CONTAINER_ID",
        "LOCAL_DIRS",
        "PYTHONSTARTUP",
        "PYTHONINSPECT",
        "PYTHONHOME",
        "PYTHONWARNINGS",
        "PYTHONOPTIMIZE",
        "PYTHONPROFILEIMPORTTIME",
        "PYTHONVERBOSE",
        "PYTHONDEBUG",
        "PYTHONBREAKPOINT",
        "PYTHONTRACEMALLOC",
    }
)
# By these a cluster is described where there is one, as its own tools expect.
_OF_A_CLUSTER = frozenset({"SPARK_CONF_DIR", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "HADOOP_USER_NAME"})
_PYTHON = "PYTHON"


def not_taken_over(environ: Mapping[str, str], settings: Settings) -> list[str]:
    """The names of what is set and kept from Spark, but for what concerns Python alone."""
    return [name for name in _foreign(environ, settings) if not name.startswith(_PYTHON)]


def isolate(settings: Settings, java_home: Path) -> None:
    """Make this process's environment what a session is to have; the JVM inherits it, and workers from it."""
    for name in _foreign(os.environ, settings):
        del os.environ[name]
    os.environ["JAVA_HOME"] = str(java_home)
    if settings.local_spark:
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    if settings.spark_conf_dir is not None:
        os.environ["SPARK_CONF_DIR"] = str(settings.spark_conf_dir)
    choose_python(settings)
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ["PYTHONPATH"] = _python_path(os.environ.get("PYTHONPATH", ""))


def choose_python(settings: Settings) -> None:
    """Otherwise workers take the first python3 of the PATH, which need not have our packages.

    PySpark looks at this for each session, also where the JVM is that of an earlier one.
    """
    elsewhere = settings.cluster.python if settings.remote_spark else None
    os.environ["PYSPARK_PYTHON"] = elsewhere or sys.executable
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable


def _foreign(environ: Mapping[str, str], settings: Settings) -> list[str]:
    meant = _OF_A_CLUSTER if settings.remote_spark else frozenset()
    return sorted(
        name for name in environ if (name.startswith(_PREFIXES) or name in _NAMES) and name not in meant
    )


def _python_path(found: str) -> str:
    """``PYTHONPATH`` as it holds in any folder, and where this package is if nothing else leads there."""
    folders = [str(Path(folder).absolute()) for folder in found.split(os.pathsep) if folder]
    ours = str(Path(ecom_platform.__file__).parents[1])
    # Python was started in the checkout (`python -m ecom_platform`), which is not installed.
    if ours not in folders and (sys.path[:1] == [""] or sys.path[:1] == [ours]):
        folders.append(ours)
    return os.pathsep.join(folders)
