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
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from dotenv import dotenv_values

from ecom_platform.errors import SettingsError, StorageError
from ecom_platform.objects import Location
from ecom_platform.variables import Strangers, strangers

log = logging.getLogger(__name__)

DEFAULT_EVENTS = 30_000
DEFAULT_ROWS_PER_FILE = 1_000
DEFAULT_SCHEMA = "public"
# A second for a million rows.
WHOLE_CHECK_ROWS = 5_000_000
# SQLite's limit of 512, less `/history/runs/`, the id of a run and what SQLite puts after it.
_LONGEST_DAGSTER_HOME = 448
DEFAULT_UI_URL = "http://127.0.0.1:3000"

_REMOTE_MASTERS = ("spark://", "yarn", "k8s://")
# Between two alert URLs; a comma inside one (two recipients of a mail, say) is not followed by a scheme.
_BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_SEARCH_PATH = re.compile(r"search[_-]path\s*=", re.IGNORECASE)
# A name that needs no quotes.
_PLAIN = re.compile(r"^[a-z_][a-z0-9_]*$")
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_HOST = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?$")
_BUCKET_URL = re.compile(r"^s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>/[^?#]*)?$")
_MEMORY = re.compile(r"^[1-9][0-9]*[mg]$")
# The folder of declarations where ECOM_FEEDS_DIR is not set, by :func:`usual_feeds_dir`.
_usual_feeds_dir = [Path("feeds")]
# Retired variables that this process has warned of.
_warned: set[str] = set()


# What becomes of a loaded object of a bucket.
MOVE, TAG, LEAVE = "move", "tag", "leave"


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


class _Reader:
    """Reads variables and collects what is wrong with them, to be reported together."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []
        # Every name that was asked for: those are the known ones.
        self._known: set[str] = set()

    def strangers(self) -> Strangers:
        """Names that look like ours and that nobody has asked for. One like a known one is a problem: what
        was meant by it would silently not be so."""
        found = strangers((name for name, value in self._environ.items() if value.strip()), self._known)
        for name, like in found.mistyped.items():
            self.problems.append(f"{name} is not known; it looks like {like}: rename it, or unset it.")
        for name, instead in found.retired.items():
            if name not in _warned:
                _warned.add(name)
                log.warning("%s is no longer understood: %s", name, instead)
        return found

    def text(self, name: str) -> str | None:
        self._known.add(name)
        return self._environ.get(name, "").strip() or None

    def secret(self, name: str) -> str | None:
        """The value of ``name``, or the content of the file that ``name``_FILE names."""
        text, file = self.text(name), self.text(f"{name}_FILE")
        if file is None:
            return text
        if text is not None:
            self.problems.append(f"{name} and {name}_FILE are both set; unset one of them.")
            return text
        try:
            content = Path(file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            self.problems.append(f"{name}_FILE is {file!r}, which cannot be read: {reason}.")
            return None
        if not content:
            self.problems.append(f"{name}_FILE is {file!r}, which is empty.")
        return content or None

    def path(self, name: str, default: Path) -> Path:
        text = self.text(name)
        return Path(text).expanduser().absolute() if text else default

    def folder(self, name: str) -> Path | None:
        text = self.text(name)
        if text is None:
            return None
        path = Path(text).expanduser().absolute()
        if not path.is_dir():
            self.problems.append(f"{name} is {text!r}, which is no folder.")
        return path

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

    def positive_seconds(self, name: str, default: float) -> float:
        value = self.seconds(name, default)
        if not value:
            self.problems.append(f"{name} is 0; it must be more than that.")
        return value or default

    def port(self, name: str) -> int | None:
        value = self.integer(name, None, 1)
        # Room for the port after it, and for those that a second run at the same time takes.
        if value is not None and value > 65_000:
            self.problems.append(f"{name} is {value}; it must be a port below 65000.")
        return value

    def postgres_url(self, name: str) -> str | None:
        text = self.secret(name)
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
        place, _, _ = text.partition("://")[2].partition("?")
        if place.count("@") > 1 or "@" in place[len(re.split("[/#]", place, maxsplit=1)[0]) :]:
            # libpq would take a part of the password for the host's name, and everybody would show it.
            self.problems.append(
                f"{name} has a user or a password with @, / or # in it: write %40, %2F or %23 for them."
            )
            return None
        return text

    def switch(self, name: str) -> bool | None:
        text = self.text(name)
        if text is None:
            return None
        if text.lower() not in ("on", "off"):
            self.problems.append(f"{name} is {text!r}; it must be on or off.")
            return None
        return text.lower() == "on"

    def schema(self, name: str) -> str | None:
        text = self.text(name)
        if text is None:
            return None
        if len(text.encode()) > 63 or not text.isprintable():
            self.problems.append(f"{name} is {text!r}; it must be the name of a schema, 63 bytes at most.")
        elif text.startswith("pg_") or text in ("information_schema", "$user"):
            self.problems.append(
                f"{name} is {text!r}, which means something to PostgreSQL; choose another schema."
            )
        else:
            return text
        return None

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

    def http_url(self, name: str, *, secret: bool = False) -> str | None:
        text = self.secret(name) if secret else self.text(name)
        if text is not None and not re.match(r"^https?://[^\s/]+", text):
            # The value is not repeated: it may hold a token.
            self.problems.append(f"{name} is not a URL; it must begin with http:// or https://.")
            return None
        return text

    def bucket(self, name: str, endpoint_name: str, done_name: str) -> Location | None:
        text, endpoint, done = self.text(name), self.http_url(endpoint_name), self.text(done_name)
        if endpoint is not None and "@" in endpoint:
            # Not repeated: what stands before it may be a password.
            self.problems.append(
                f"{endpoint_name} has a user in it; credentials belong in AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, in a profile, or in the machine's role."
            )
        if text is None:
            for other, value in ((endpoint_name, endpoint), (done_name, done)):
                if value is not None:
                    self.problems.append(f"{other} is set, but {name} is not: set it, or unset {other}.")
            return None
        if (done or MOVE) not in (MOVE, TAG, LEAVE):
            self.problems.append(
                f"{done_name} is {done!r}; it must be {MOVE}, which is what holds where it is not set, "
                f"{TAG}, where objects stay and get a tag, or {LEAVE}, for a bucket that may only be read."
            )
        found = _BUCKET_URL.match(text)
        if found is None or not text.isprintable():
            # Not repeated: a URL with credentials is one of those that do not match.
            self.problems.append(f"{name} is not a URL of a bucket; it must look like s3://bucket/prefix.")
            return None
        prefix = (found["prefix"] or "").strip("/")
        return Location(found["bucket"], f"{prefix}/" if prefix else "", endpoint and endpoint.rstrip("/"))

    def alert_urls(self, name: str) -> tuple[str, ...]:
        urls = tuple(part.strip(" \t\r\n,") for part in _BETWEEN_URLS.split(self.secret(name) or ""))
        urls = tuple(url for url in urls if url)
        for number, url in enumerate(urls, 1):
            if not re.match(r"^[A-Za-z][A-Za-z0-9+.-]*://\S+$", url):
                # The value is not repeated: most of these URLs are secrets.
                self.problems.append(
                    f"{name}: target {number} is not an Apprise URL such as slack://… or mailto://…."
                )
        return urls

    def with_password(self, url: str | None, password: str | None) -> str | None:
        """``url`` with ``password``, unless it has one of its own."""
        if url is None or password is None or urlsplit(url).password is not None:
            return url
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
        if not at:
            self.problems.append("ECOM_POSTGRES_PASSWORD is set, but ECOM_POSTGRES_URL names no user.")
            return url
        return urlunsplit(parts._replace(netloc=f"{user.rstrip(':')}:{quote(password, safe='')}@{host}"))

    def in_schema(self, url: str | None, schema: str | None) -> str | None:
        """``url`` with ``schema``, which must not be another than the one it names itself."""
        if url is None or schema is None:
            return url
        if _SEARCH_PATH.search(" ".join(_options(url))):
            self.problems.append(
                "ECOM_POSTGRES_SCHEMA is set, and a URL of PostgreSQL names a search_path in its options; "
                "take it out of the URL."
            )
            return url
        return with_schema(url, schema)

    def spark_master(self, name: str, default: str) -> str:
        text = self.text(name) or default
        if not re.match(r"^(local(\[(\*|[0-9]+)(,[0-9]+)?\])?|spark://.+|yarn|k8s://.+)$", text):
            self.problems.append(f"{name} is {text!r}; it must be local[*], local[N] or spark://host:port.")
        return text

    def hosts(self, name: str) -> tuple[str, ...]:
        hosts = tuple(part for part in re.split(r"[\s,]+", self.text(name) or "") if part)
        for host in hosts:
            if not _HOST.match(host):
                self.problems.append(f"{name} has {host!r}; it must be names such as ui.example.com:8443.")
        return hosts

    def memory(self, name: str, default: str) -> str:
        text = (self.text(name) or default).lower()
        if not _MEMORY.match(text):
            self.problems.append(f"{name} is {text!r}; it must be a size such as 1g or 768m.")
        return text


def with_schema(url: str, schema: str) -> str:
    """The URL of PostgreSQL with ``schema`` as the search path of its options, after those it has."""
    name = schema if _PLAIN.match(schema) else '"' + schema.replace('"', '""') + '"'
    escaped = re.sub(r"([\\\s])", r"\\\1", name)
    options = " ".join([*_options(url), f"-csearch_path={escaped}"])
    parts = urlsplit(url)
    # As it is written: libpq takes a plus for a plus.
    fields = [field for field in parts.query.split("&") if field and not field.startswith("options=")]
    return urlunsplit(parts._replace(query="&".join([*fields, f"options={quote(options, safe='')}"])))


def _options(url: str) -> list[str]:
    """The ``options`` of a URL of PostgreSQL."""
    fields = (field.partition("=") for field in urlsplit(url).query.split("&"))
    return [unquote(value) for name, _, value in fields if name == "options"]


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


def _cluster(reader: _Reader) -> ClusterSettings:
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
    reader = _Reader(read_environment() if environ is None else environ)
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
    reader = _Reader(read_environment() if environ is None else environ)
    settings = _alert_settings(reader, names, reader.path("ECOM_HOME", working_folder() / ".ecom"))
    if reader.problems:
        raise SettingsError(
            " ".join(dict.fromkeys(reader.problems)), "Correct the environment or .env and try again."
        )
    return settings


def _alert_settings(reader: _Reader, names: AlertVariables, home: Path) -> AlertSettings:
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
