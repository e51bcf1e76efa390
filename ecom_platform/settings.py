"""The environment, read once, as one frozen and validated ``Settings``.

Belongs here: every variable the platform understands, its default, its check, and the folders
that follow from them. Nothing else in the package reads ``os.environ``. Does not belong here:
anything that opens a connection or creates a folder.
"""

from __future__ import annotations

import glob
import io
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

from dotenv import dotenv_values

from ecom_platform.errors import SettingsError, StorageError
from ecom_platform.objects import Location
from ecom_platform.variable_reader import MOVE, VariableReader
from ecom_platform.variables import Strangers

log = logging.getLogger(__name__)

DEFAULT_EVENTS = 30_000
DEFAULT_ROWS_PER_FILE = 1_000
DEFAULT_SCHEMA = "public"
# A second for a million rows.
WHOLE_CHECK_ROWS = 5_000_000
# SQLite's limit of 512, less `/history/runs/`, the id of a run and what SQLite puts after it.
_LONGEST_DAGSTER_HOME = 448
DEFAULT_UI_URL = "http://127.0.0.1:3000"

# Of a variable.
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_REMOTE_MASTERS = ("spark://", "yarn", "k8s://")
# The folder of declarations where ECOM_FEEDS_DIR is not set, by :func:`usual_feeds_dir`.
_usual_feeds_dir = [Path("feeds")]


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
    postgres_schema: str = "ECOM_POSTGRES_SCHEMA"


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
    # The schema that was asked for; a postgres_url names it, too.
    postgres_schema: str | None = None


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """What only matters where executors are other processes: how they reach the driver, what they get."""

    # What every process of the cluster has to know to be let in. Never in a repr.
    secret: str | None = field(default=None, repr=False)
    # The address that executors connect to; None: the one by which this machine reaches the master.
    driver_host: str | None = None
    # The address that the driver listens on, where that is another one; None: the same.
    driver_bind_address: str | None = None
    # The driver's port, and the one after it for blocks; None: any free ones.
    driver_port: int | None = None
    executor_memory: str = "512m"
    # Cores of one executor; None: all that a worker has.
    executor_cores: int | None = None
    # Cores of all executors together; None: all that are free.
    cores: int | None = None
    # The Python of the executors, by its path there; None: the path of this one.
    python: str | None = None
    # How long executors may take to come up and to answer.
    start_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment asks for. Build it with :func:`load_settings`."""

    home: Path
    landing_dir: Path
    # Where files land in a bucket instead; it holds no credentials.
    landing_bucket: Location | None = field(default=None, kw_only=True)
    # What becomes of a loaded object of it: move, tag or leave.
    landing_done: str = field(default=MOVE, kw_only=True)
    # Never in a repr: it may hold a password.
    postgres_url: str | None = field(default=None, repr=False)
    # The same database as executors reach it, where that is another address.
    spark_postgres_url: str | None = field(default=None, repr=False)
    # The schema that was asked for; the two URLs name it, too.
    postgres_schema: str | None = None
    spark_master: str = "local[*]"
    spark_driver_memory: str = "1g"
    # A folder with spark-defaults.conf; what the platform itself sets wins over it.
    spark_conf_dir: Path | None = None
    cluster: ClusterSettings = field(default_factory=lambda: ClusterSettings())
    batch_files: int | None = None
    trigger_seconds: float = 0.2
    settle_seconds: float = 1.0
    lock_wait_seconds: float = 600.0
    # Days that loaded files stay in the archive; None: for ever.
    archive_days: int | None = None
    feeds_dir: Path = Path("feeds")
    # Days that replayed rejects, micro-batches and measured figures stay.
    history_days: int = 90
    # Rows up to which a run's checks read the whole table; of a larger one, what changed.
    whole_check_rows: int = WHOLE_CHECK_ROWS
    rows_per_file: int = DEFAULT_ROWS_PER_FILE
    # Whether the generator may write its invented events; None: by what is found (shop.generations).
    shop: bool | None = None
    java_home: Path | None = None
    # DAGSTER_HOME, where somebody chose it.
    dagster_home_chosen: Path | None = None
    alerts: AlertSettings = field(default_factory=AlertSettings)
    # Variables that look like ours, and are not understood.
    strangers: Strangers = field(default_factory=Strangers)
    # Names, beside that of ECOM_UI_URL and those of this machine, under which the UI may be asked for.
    ui_hosts: tuple[str, ...] = ()

    @property
    def landing_place(self) -> str:
        """Where files land, as people are told."""
        return str(self.landing_dir) if self.landing_bucket is None else self.landing_bucket.url

    @property
    def embedded(self) -> bool:
        """Whether PostgreSQL is the server this platform starts by itself."""
        return self.postgres_url is None

    @property
    def shop_open(self) -> bool:
        """Whether these settings alone let the generator write; else it depends on the database."""
        return self.embedded if self.shop is None else self.shop

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
    def corrections_dir(self) -> Path:
        """Where files of corrected rows lie that may be named in the UI."""
        return self.home / "corrections"

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


def read_environment(directory: Path | None = None) -> dict[str, str]:
    """The process environment with the ``.env`` of ``directory`` (default: the working one) laid over it.

    ``.env`` wins over variables that are already set, as it does in ``dagster dev``. libpq's own are put into
    the process environment, as they are there, since libpq reads them itself; where files land in a bucket,
    those of its client as well. Raises
    :class:`SettingsError` if there is one that cannot be read, :class:`StorageError` if the working
    folder is gone.
    """
    text = _text_of((directory or working_folder()) / ".env")
    values = dotenv_values(stream=io.StringIO(text)) if text else {}
    overrides = {name: value for name, value in values.items() if value is not None}
    everything = {**os.environ, **overrides}
    read_elsewhere = ("PG", "AWS_") if everything.get("ECOM_LANDING_URL", "").strip() else ("PG",)
    os.environ.update({name: value for name, value in overrides.items() if name.startswith(read_elsewhere)})
    return everything


def working_folder() -> Path:
    """Where the process was started; raises :class:`StorageError` where that is no more."""
    try:
        return Path.cwd()
    except OSError as error:
        raise StorageError(
            f"The working folder cannot be used: {error.strerror}. It may have been removed.",
            "Change to a folder that exists (`cd`), and try again.",
        ) from error


def _text_of(dotenv: Path) -> str | None:
    remedy = "Save it as UTF-8 where this user may read it, or remove it."
    try:
        return dotenv.read_bytes().decode("utf-8-sig") if dotenv.is_file() else None
    except OSError as error:
        raise SettingsError(f"{dotenv} cannot be read: {error.strerror}.", remedy) from error
    except UnicodeDecodeError as error:
        # Not the byte that it fell over, which may be a password's.
        raise SettingsError(f"{dotenv} is not UTF-8 text (from byte {error.start} on).", remedy) from None


def _cluster(reader: VariableReader) -> ClusterSettings:
    return ClusterSettings(
        secret=reader.secret("ECOM_SPARK_SECRET"),
        driver_host=reader.text("ECOM_SPARK_DRIVER_HOST"),
        driver_bind_address=reader.text("ECOM_SPARK_DRIVER_BIND_ADDRESS"),
        driver_port=reader.port("ECOM_SPARK_DRIVER_PORT"),
        executor_memory=reader.memory("ECOM_SPARK_EXECUTOR_MEMORY", "512m"),
        executor_cores=reader.integer("ECOM_SPARK_EXECUTOR_CORES", None, 1),
        cores=reader.integer("ECOM_SPARK_CORES", None, 1),
        python=reader.text("ECOM_SPARK_PYTHON"),
        start_seconds=reader.positive_seconds("ECOM_SPARK_START_SECONDS", 60.0),
    )


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from ``environ`` (default: the process environment and ``.env``).

    Raises :class:`SettingsError` naming every variable that cannot be used.
    """
    reader = VariableReader(read_environment() if environ is None else environ)
    home = reader.path("ECOM_HOME", working_folder() / ".ecom")
    java_home = reader.text("JAVA_HOME")
    dagster_home = reader.text("DAGSTER_HOME")
    password = reader.secret("ECOM_POSTGRES_PASSWORD")
    schema = reader.schema("ECOM_POSTGRES_SCHEMA")
    postgres_url = reader.in_schema(reader.postgres_url("ECOM_POSTGRES_URL"), schema)
    spark_postgres_url = reader.in_schema(reader.postgres_url("ECOM_SPARK_POSTGRES_URL"), schema)
    whole_check_rows = reader.integer("ECOM_WHOLE_CHECK_ROWS", WHOLE_CHECK_ROWS, 0)
    rows_per_file = reader.integer("ECOM_ROWS_PER_FILE", DEFAULT_ROWS_PER_FILE, 1)
    settings = Settings(
        home=home,
        landing_dir=reader.path("ECOM_LANDING_DIR", home / "landing"),
        landing_bucket=reader.bucket("ECOM_LANDING_URL", "ECOM_LANDING_ENDPOINT", "ECOM_LANDING_DONE"),
        landing_done=reader.text("ECOM_LANDING_DONE") or MOVE,
        feeds_dir=reader.path("ECOM_FEEDS_DIR", _usual_feeds_dir[0]),
        postgres_url=reader.with_password(postgres_url, password),
        spark_postgres_url=reader.with_password(spark_postgres_url, password),
        postgres_schema=schema,
        cluster=_cluster(reader),
        spark_master=reader.spark_master("ECOM_SPARK_MASTER", "local[*]"),
        spark_driver_memory=reader.memory("ECOM_SPARK_DRIVER_MEMORY", "1g"),
        spark_conf_dir=reader.folder("ECOM_SPARK_CONF_DIR"),
        batch_files=reader.integer("ECOM_BATCH_FILES", None, 1),
        trigger_seconds=reader.seconds("ECOM_TRIGGER_SECONDS", 0.2),
        settle_seconds=reader.seconds("ECOM_SETTLE_SECONDS", 1.0),
        lock_wait_seconds=reader.seconds("ECOM_LOCK_WAIT_SECONDS", 600.0),
        archive_days=reader.integer("ECOM_ARCHIVE_DAYS", None, 1),
        history_days=reader.integer("ECOM_HISTORY_DAYS", 90, 1) or 90,
        whole_check_rows=WHOLE_CHECK_ROWS if whole_check_rows is None else whole_check_rows,
        rows_per_file=rows_per_file or DEFAULT_ROWS_PER_FILE,
        shop=reader.switch("ECOM_SHOP"),
        java_home=Path(java_home) if java_home else None,
        dagster_home_chosen=Path(dagster_home).expanduser().absolute() if dagster_home else None,
        alerts=_alert_settings(reader, AlertVariables(), home),
        ui_hosts=reader.hosts("ECOM_UI_HOSTS"),
    )
    length = len(os.fsencode(settings.dagster_home))
    if length > _LONGEST_DAGSTER_HOME:
        name = "DAGSTER_HOME" if dagster_home else "ECOM_HOME"
        reader.problems.append(
            f"{name} is too long: Dagster's history would be in a folder whose path has {length} bytes, and "
            f"SQLite opens files below {_LONGEST_DAGSTER_HOME} at most. Choose a shorter one."
        )
    # When all that there is has been asked for.
    settings = replace(settings, strangers=reader.strangers())
    if glob.has_magic(str(home)):
        # Dagster looks for its dagster.yaml by a pattern: it would quietly run without it.
        reader.problems.append(
            f"ECOM_HOME is {str(home)!r}; Dagster cannot use a path with any of * ? [. Choose another one."
        )
    if settings.embedded and settings.remote_spark:
        reader.problems.append(
            f"ECOM_SPARK_MASTER is {settings.spark_master!r} but ECOM_POSTGRES_URL is not set: executors on "
            "other machines cannot reach the embedded server. Set ECOM_POSTGRES_URL, or use local[*]."
        )
    if settings.landing_bucket is not None and reader.text("ECOM_LANDING_DIR") is not None:
        reader.problems.append(
            "ECOM_LANDING_URL and ECOM_LANDING_DIR are both set; files land in one place: unset one of them."
        )
    if reader.problems:
        raise SettingsError(
            " ".join(dict.fromkeys(reader.problems)), "Correct the environment or .env and try again."
        )
    return settings


def usual_feeds_dir(folder: Path) -> None:
    """From now on, in this process, declarations are in ``folder`` where ``ECOM_FEEDS_DIR`` is not set: for a
    code location that has them among its own definitions."""
    _usual_feeds_dir[0] = folder


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
    reader = VariableReader(read_environment() if environ is None else environ)
    settings = _alert_settings(reader, names, reader.path("ECOM_HOME", working_folder() / ".ecom"))
    if reader.problems:
        raise SettingsError(
            " ".join(dict.fromkeys(reader.problems)), "Correct the environment or .env and try again."
        )
    return settings


def _alert_settings(reader: VariableReader, names: AlertVariables, home: Path) -> AlertSettings:
    usual = AlertVariables()
    # The platform's schema is no affair of a project that has a database of its own.
    apart = names.postgres_url != usual.postgres_url and names.postgres_schema == usual.postgres_schema
    schema = None if apart else reader.schema(names.postgres_schema)
    return AlertSettings(
        urls=reader.alert_urls(names.urls),
        postgres_url=reader.in_schema(reader.postgres_url(names.postgres_url), schema),
        postgres_schema=schema,
        heartbeat_url=reader.http_url(names.heartbeat_url, secret=True),
        postgres_dir=home / "postgres",
        ui_url=(reader.http_url(names.ui_url) or DEFAULT_UI_URL).rstrip("/"),
        run_seconds=reader.seconds(names.run_seconds, 3600.0),
        reject_share=reader.share(names.reject_share, 0.05),
    )
