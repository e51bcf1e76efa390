"""The environment, read once, as one frozen and validated ``Settings``.

Belongs here: every variable the platform understands, its default, its check, and the folders
that follow from them. Nothing else in the package reads ``os.environ``. Does not belong here:
anything that opens a connection or creates a folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from ecom_platform.errors import SettingsError

DEFAULT_EVENTS = 30_000
DEFAULT_ROWS_PER_FILE = 1_000
DEFAULT_UI_URL = "http://127.0.0.1:3000"

_REMOTE_MASTERS = ("spark://", "yarn", "k8s://")
# Between two alert URLs; a comma inside one (two recipients of a mail, say) is not followed by a scheme.
_BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_MEMORY = re.compile(r"^[1-9][0-9]*[mg]$")


@dataclass(frozen=True, slots=True)
class AlertVariables:
    """The names of the variables that alerts are set up with; another project may choose its own.

    Names, not values: a URL in code or config would be a secret that is shown.
    """

    urls: str = "ECOM_ALERT_URLS"
    postgres_url: str = "ECOM_POSTGRES_URL"
    heartbeat_url: str = "ECOM_HEARTBEAT_URL"
    ui_url: str = "ECOM_UI_URL"
    run_seconds: str = "ECOM_ALERT_RUN_SECONDS"
    reject_share: str = "ECOM_ALERT_REJECT_SHARE"


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Whom to tell, where the outbox is, and what counts as too long or too much."""

    # None of these in a repr: each may be or hold a secret.
    urls: tuple[str, ...] = field(default=(), repr=False)
    postgres_url: str | None = field(default=None, repr=False)
    heartbeat_url: str | None = field(default=None, repr=False)
    # The embedded server's folder, used when there is no postgres_url.
    postgres_dir: Path = Path(".ecom/postgres")
    ui_url: str = DEFAULT_UI_URL
    run_seconds: float = 3600.0
    reject_share: float = 0.05


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
    trigger_seconds: float = 1.0
    settle_seconds: float = 1.0
    lock_wait_seconds: float = 600.0
    # Days that loaded files stay in the archive; None: for ever.
    archive_days: int | None = None
    # Days that replayed rejects, micro-batches and measured figures stay.
    history_days: int = 90
    rows_per_file: int = DEFAULT_ROWS_PER_FILE
    java_home: Path | None = None
    # DAGSTER_HOME, where somebody chose it.
    dagster_home_chosen: Path | None = None
    alerts: AlertSettings = field(default_factory=AlertSettings)

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
    def reports_dir(self) -> Path:
        return self.home / "reports"

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

    def share(self, name: str, default: float) -> float:
        text = self.text(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            self.problems.append(f"{name} is {text!r}; it must be a share between 0 and 1, such as 0.05.")
            return default
        return value

    def http_url(self, name: str) -> str | None:
        text = self.text(name)
        if text is not None and not re.match(r"^https?://[^\s/]+", text):
            # The value is not repeated: it may hold a token.
            self.problems.append(f"{name} is not a URL; it must begin with http:// or https://.")
            return None
        return text

    def alert_urls(self, name: str) -> tuple[str, ...]:
        urls = tuple(part.strip(" \t\r\n,") for part in _BETWEEN_URLS.split(self.text(name) or ""))
        urls = tuple(url for url in urls if url)
        for number, url in enumerate(urls, 1):
            if not re.match(r"^[A-Za-z][A-Za-z0-9+.-]*://\S+$", url):
                # The value is not repeated: most of these URLs are secrets.
                self.problems.append(
                    f"{name}: target {number} is not an Apprise URL such as slack://… or mailto://…."
                )
        return urls

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
        trigger_seconds=reader.seconds("ECOM_TRIGGER_SECONDS", 1.0),
        settle_seconds=reader.seconds("ECOM_SETTLE_SECONDS", 1.0),
        lock_wait_seconds=reader.seconds("ECOM_LOCK_WAIT_SECONDS", 600.0),
        archive_days=reader.integer("ECOM_ARCHIVE_DAYS", None, 1),
        history_days=reader.integer("ECOM_HISTORY_DAYS", 90, 1) or 90,
        rows_per_file=rows_per_file or DEFAULT_ROWS_PER_FILE,
        java_home=Path(java_home) if java_home else None,
        dagster_home_chosen=Path(dagster_home) if dagster_home else None,
        alerts=_alert_settings(reader, AlertVariables(), home),
    )
    if settings.embedded and settings.remote_spark:
        reader.problems.append(
            f"ECOM_SPARK_MASTER is {settings.spark_master!r} but ECOM_POSTGRES_URL is not set: executors on "
            "other machines cannot reach the embedded server. Set ECOM_POSTGRES_URL, or use local[*]."
        )
    if reader.problems:
        raise SettingsError(" ".join(reader.problems), "Correct the environment or .env and try again.")
    return settings


def load_alert_settings(
    variables: AlertVariables | None = None, environ: Mapping[str, str] | None = None
) -> AlertSettings:
    """What alerts alone need, from variables of the names in ``variables``; the others may be anything.

    Raises :class:`SettingsError` naming every variable that cannot be used.
    """
    names = variables or AlertVariables()
    for name in astuple(names):
        if not _NAME.match(name):
            # Not repeated: whoever puts a value here puts a secret here.
            raise SettingsError(
                "AlertVariables holds something that is not the name of an environment variable.",
                "Give the name, such as TEAM_ALERT_URLS, and set the variable to the value.",
            )
    reader = _Reader(read_environment() if environ is None else environ)
    settings = _alert_settings(reader, names, reader.path("ECOM_HOME", Path.cwd() / ".ecom"))
    if reader.problems:
        raise SettingsError(" ".join(reader.problems), "Correct the environment or .env and try again.")
    return settings


def _alert_settings(reader: _Reader, names: AlertVariables, home: Path) -> AlertSettings:
    return AlertSettings(
        urls=reader.alert_urls(names.urls),
        postgres_url=reader.postgres_url(names.postgres_url),
        heartbeat_url=reader.http_url(names.heartbeat_url),
        postgres_dir=home / "postgres",
        ui_url=(reader.http_url(names.ui_url) or DEFAULT_UI_URL).rstrip("/"),
        run_seconds=reader.seconds(names.run_seconds, 3600.0),
        reject_share=reader.share(names.reject_share, 0.05),
    )
