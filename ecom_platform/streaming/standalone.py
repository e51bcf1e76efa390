"""A standalone Spark master or worker, from the PySpark that is installed.

    python -m ecom_platform.streaming.standalone master --host 10.0.0.5
    python -m ecom_platform.streaming.standalone worker spark://10.0.0.5:7077 --cores 2 --memory 1g

Belongs here: the command and the environment of such a daemon: the same Java, Spark and Python as
everything else, and the secret (``ECOM_SPARK_SECRET``) without which nobody is let in. Arguments are
Spark's own and passed on. Does not belong here: supervising it, which is Compose's or systemd's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import pyspark

from ecom_platform.errors import EcomError, UsageError
from ecom_platform.java.class_archive import java_options
from ecom_platform.java.discovery import find_java
from ecom_platform.settings import Settings, load_settings, read_environment
from ecom_platform.streaming.cluster import AUTHENTICATION, SECRET_VARIABLE

_CLASSES = {
    "master": "org.apache.spark.deploy.master.Master",
    "worker": "org.apache.spark.deploy.worker.Worker",
}
_SECRETS = ("ECOM_SPARK_SECRET", "ECOM_POSTGRES_URL", "ECOM_SPARK_POSTGRES_URL")
# A second way to submit applications, which knows no authentication, and the buttons of the master's page,
# which any other page in a browser could press.
_NO_BACK_DOOR = {
    "spark.master.rest.enabled": "false",
    "spark.ui.killEnabled": "false",
    "spark.master.ui.decommission.allow.mode": "DENY",
}
# A worker that runs for months would keep the folders of every application it ever had.
_CLEANING = {
    "spark.worker.cleanup.enabled": "true",
    "spark.worker.cleanup.interval": "3600",
    "spark.worker.cleanup.appDataTtl": "86400",
}


def daemon_command(role: str, arguments: list[str]) -> list[str]:
    """The command line of a ``master`` or ``worker``; raises :class:`UsageError` for anything else."""
    if role not in _CLASSES:
        raise UsageError(f"{role!r} is neither master nor worker.", "Say which of them to start.")
    return [str(_spark_home() / "bin" / "spark-class"), _CLASSES[role], *arguments]


def daemon_environment(role: str, settings: Settings, environ: dict[str, str]) -> dict[str, str]:
    """``environ`` for a daemon of that role; nothing secret in it but what Spark itself asks for."""
    java = find_java(settings)
    kept = {name: value for name, value in environ.items() if name not in _SECRETS}
    properties = dict(AUTHENTICATION) if settings.cluster.secret else {}
    properties |= _CLEANING if role == "worker" else _NO_BACK_DOOR
    options = " ".join(f"-D{name}={value}" for name, value in properties.items())
    kept |= {
        "JAVA_HOME": str(java.home),
        "SPARK_HOME": str(_spark_home()),
        # Not a role's own variable: those of both may be set by the caller.
        "SPARK_DAEMON_JAVA_OPTS": f"{options} {environ.get('SPARK_DAEMON_JAVA_OPTS', '')}".strip(),
        # Reaches the executors that a worker starts, too; the path is that of this machine.
        "JDK_JAVA_OPTIONS": f"{java_options(java)} {environ.get('JDK_JAVA_OPTIONS', '')}".strip(),
        "PYSPARK_PYTHON": sys.executable,
    }
    if settings.cluster.secret:
        kept[SECRET_VARIABLE] = settings.cluster.secret
    return kept


def _spark_home() -> Path:
    return Path(pyspark.__file__).parent


def become(arguments: list[str]) -> NoReturn:
    """Turn this process into the daemon, its process id kept."""
    role, *rest = arguments or [""]
    command = daemon_command(role, rest)
    environment = daemon_environment(role, load_settings(), read_environment())
    os.execve(command[0], command, environment)  # noqa: S606 (no shell is what is wanted)


if __name__ == "__main__":
    try:
        become(sys.argv[1:])
    except EcomError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
