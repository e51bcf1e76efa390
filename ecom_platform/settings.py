"""The environment, read once, as one frozen and validated ``Settings``.

Belongs here: every variable the platform understands, its default, its check, and the folders
that follow from them. Nothing else in the package reads ``os.environ``. Does not belong here:
anything that opens a connection or creates a folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from ecom_platform.errors import SettingsError

DEFAULT_EVENTS = 30_000
DEFAULT_ROWS_PER_FILE = 1_000

_REMOTE_MASTERS = ("spark://", "yarn", "k8s://")
_MEMORY = re.compile(r"^[1-9][0-9]*[mg]$")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment asks for. Build it with :func:`load_settings`."""

    home: Path
    landing_dir: Path
    # Never in a repr: it may hold a password.
    postgres_url: str | None = field(default=None, repr=False)
    spark_master: str = "local[*]"
    spark_driver_memory: str = "1g"
    batch_files: int | None = None
    trigger_seconds: float = 0.2
    settle_seconds: float = 1.0
    lock_wait_seconds: float = 600.0
    # Days that loaded files stay in the archive; None: for ever.
    archive_days: int | None = None
    rows_per_file: int = DEFAULT_ROWS_PER_FILE
    java_home: Path | None = None
    # DAGSTER_HOME, where somebody chose it.
    dagster_home_chosen: Path | None = None

    @property
    def embedded(self) -> bool:
        """Whether PostgreSQL is the server this platform starts by itself."""
        return self.postgres_url is None

    @property
    def postgres_dir(self) -> Path:
        return self.home / "postgres"

    @property
    def checkpoint_dir(self) -> Path:
        return self.home / "checkpoints"

    @property
    def dagster_home(self) -> Path:
        return self.dagster_home_chosen or self.home / "dagster"

    @property
    def remote_spark(self) -> bool:
        """Whether executors may run on other machines."""
        return self.spark_master.startswith(_REMOTE_MASTERS)

    @property
    def local_spark(self) -> bool:
        """Whether executors run inside the driver's own process."""
        return self.spark_master.startswith("local")


class _Reader:
    """Reads variables and collects what is wrong with them, to be reported together."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def path(self, name: str, default: Path) -> Path:
        text = self.text(name)
        return Path(text).expanduser().absolute() if text else default

    def integer(self, name: str, default: int | None, minimum: int) -> int | None:
        text = self.text(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or int(text) < minimum:
            self.problems.append(f"{name} is {text!r}; it must be a whole number of at least {minimum}.")
            return default
        return int(text)

    def seconds(self, name: str, default: float) -> float:
        text = self.text(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < 10**7:  # also refuses NaN and infinity
            self.problems.append(f"{name} is {text!r}; it must be a number of seconds, 0 or more.")
            return default
        return value

    def postgres_url(self, name: str) -> str | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            scheme = urlsplit(text).scheme
        except ValueError:
            scheme = ""
        if scheme not in ("postgresql", "postgres"):
            # The value is not repeated: it may hold a password.
            self.problems.append(
                f"{name} is not a PostgreSQL URL; it must look like postgresql://user@host:5432/database."
            )
            return None
        return text

    def spark_master(self, name: str, default: str) -> str:
        text = self.text(name) or default
        if not re.match(r"^(local(\[(\*|[0-9]+)(,[0-9]+)?\])?|spark://.+|yarn|k8s://.+)$", text):
            self.problems.append(f"{name} is {text!r}; it must be local[*], local[N] or spark://host:port.")
        return text

    def memory(self, name: str, default: str) -> str:
        text = (self.text(name) or default).lower()
        if not _MEMORY.match(text):
            self.problems.append(f"{name} is {text!r}; it must be a size such as 1g or 768m.")
        return text


def read_environment(directory: Path | None = None) -> dict[str, str]:
    """The process environment with the ``.env`` of ``directory`` (default: the working one) laid over it.

    ``.env`` wins over variables that are already set, as it does in ``dagster dev``.
    """
    dotenv = (directory or Path.cwd()) / ".env"
    overrides = dotenv_values(dotenv) if dotenv.is_file() else {}
    return {**os.environ, **{name: value for name, value in overrides.items() if value is not None}}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from ``environ`` (default: the process environment and ``.env``).

    Raises :class:`SettingsError` naming every variable that cannot be used.
    """
    reader = _Reader(read_environment() if environ is None else environ)
    home = reader.path("ECOM_HOME", Path.cwd() / ".ecom")
    java_home = reader.text("JAVA_HOME")
    dagster_home = reader.text("DAGSTER_HOME")
    rows_per_file = reader.integer("ECOM_ROWS_PER_FILE", DEFAULT_ROWS_PER_FILE, 1)
    settings = Settings(
        home=home,
        landing_dir=reader.path("ECOM_LANDING_DIR", home / "landing"),
        postgres_url=reader.postgres_url("ECOM_POSTGRES_URL"),
        spark_master=reader.spark_master("ECOM_SPARK_MASTER", "local[*]"),
        spark_driver_memory=reader.memory("ECOM_SPARK_DRIVER_MEMORY", "1g"),
        batch_files=reader.integer("ECOM_BATCH_FILES", None, 1),
        trigger_seconds=reader.seconds("ECOM_TRIGGER_SECONDS", 0.2),
        settle_seconds=reader.seconds("ECOM_SETTLE_SECONDS", 1.0),
        lock_wait_seconds=reader.seconds("ECOM_LOCK_WAIT_SECONDS", 600.0),
        archive_days=reader.integer("ECOM_ARCHIVE_DAYS", None, 1),
        rows_per_file=rows_per_file or DEFAULT_ROWS_PER_FILE,
        java_home=Path(java_home) if java_home else None,
        dagster_home_chosen=Path(dagster_home) if dagster_home else None,
    )
    if settings.embedded and settings.remote_spark:
        reader.problems.append(
            f"ECOM_SPARK_MASTER is {settings.spark_master!r} but ECOM_POSTGRES_URL is not set: executors on "
            "other machines cannot reach the embedded server. Set ECOM_POSTGRES_URL, or use local[*]."
        )
    if reader.problems:
        raise SettingsError(" ".join(reader.problems), "Correct the environment or .env and try again.")
    return settings
