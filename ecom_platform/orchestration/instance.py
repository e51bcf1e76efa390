"""Dagster's own state: where it is kept.

Belongs here: making the folder of the instance under ``ECOM_HOME``, and the lock for its first
use. Does not belong here: any import of Dagster, so that ``ecom dev`` can do this before it
starts it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ecom_platform
from ecom_platform.errors import LockedError, StorageError
from ecom_platform.settings import Settings
from ecom_platform.waits import announced, spoken

FIRST_USE_SECONDS = 120.0

_PACKAGE = Path(ecom_platform.__file__).parent
# In an installed package the files are inside it, in a checkout above it, where plain `dagster dev`
# reads them as well: the code location has one name however it is started.
_HERE = _PACKAGE if (_PACKAGE / "workspace.yaml").is_file() else _PACKAGE.parent
_INSTANCE_FILE = _HERE / "dagster.yaml"
WORKSPACE_FILE = _HERE / "workspace.yaml"
# The name that it gives; the stack's own file gives the same.
CODE_LOCATION = "ecom_platform"


@contextmanager
def first_use(home: Path) -> Iterator[None]:
    """Keeps two programs from making Dagster's SQLite tables at the same moment, which fails."""
    with (home / ".first-use").open("w") as lock:
        with announced(lambda: f"another program that makes Dagster's tables in {home}", FIRST_USE_SECONDS):
            _lock(lock.fileno(), home)
        yield


def _lock(descriptor: int, home: Path) -> None:
    deadline = time.monotonic() + FIRST_USE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LockedError(
                    f"Another program makes Dagster's tables in {home} for {spoken(FIRST_USE_SECONDS)}.",
                    "Let it go on, or end it, if it is suspended; then try again.",
                ) from None
            time.sleep(0.02)
        else:
            return


def prepare_instance(settings: Settings) -> Path:
    """The instance's folder, ``DAGSTER_HOME`` from now on: the one that is set, else under ``ECOM_HOME``."""
    home = settings.dagster_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        if settings.dagster_home_chosen is None:
            shutil.copyfile(_INSTANCE_FILE, home / "dagster.yaml")
    except OSError as error:
        raise StorageError(
            f"The folder {home} cannot be written: {error.strerror}.",
            f"Make it writable, or set {_variable(settings)} to a folder that is.",
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _variable(settings: Settings) -> str:
    return "ECOM_HOME" if settings.dagster_home_chosen is None else "DAGSTER_HOME"
