"""Dagster's own state: where it is kept.

Belongs here: making the folder of the instance under ``ECOM_HOME``, and the lock for its first
use. Does not belong here: any import of Dagster, so that ``ecom dev`` can do this before it
starts it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ecom_platform
from ecom_platform.errors import StorageError
from ecom_platform.settings import Settings

_PACKAGE = Path(ecom_platform.__file__).parent
# In an installed package the files are inside it, in a checkout above it, where plain `dagster dev`
# reads them as well: the code location has one name however it is started.
_HERE = _PACKAGE if (_PACKAGE / "workspace.yaml").is_file() else _PACKAGE.parent
_INSTANCE_FILE = _HERE / "dagster.yaml"
WORKSPACE_FILE = _HERE / "workspace.yaml"


@contextmanager
def first_use(home: Path) -> Iterator[None]:
    """Keeps two programs from making Dagster's SQLite tables at the same moment, which fails."""
    with (home / ".first-use").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
            "Make it writable, or set ECOM_HOME to a folder that is.",
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home
