"""Who runs the embedded server: PostgreSQL refuses to be run by root.

Belongs here: choosing the user, and starting programs as that user. Does not belong here: what is
started (``data_folder``, ``keeper``).

Sources: capabilities(7) for ``no_setuid_fixup`` and the ambient set, setpriv(1) for its options,
``check_root`` in PostgreSQL's ``main.c`` for the refusal.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecom_platform.errors import PrerequisiteError
from ecom_platform.server.programs import ENVIRONMENT, binary


@dataclass(frozen=True, slots=True)
class Account:
    """The user that runs the server and owns its files.

    ``prefix`` is a command that becomes this user; ``switch`` has ``subprocess`` do so. An ordinary
    user needs neither.
    """

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()
    switch: bool = False

    def command(self, program: Path, *arguments: str) -> list[str]:
        """The command line that runs ``program`` as this user, given :attr:`options`."""
        return [*self.prefix, str(program), *arguments]

    @property
    def options(self) -> dict[str, Any]:
        """What ``subprocess`` has to be told besides the command."""
        options: dict[str, Any] = {"cwd": "/", "env": ENVIRONMENT}
        if self.switch:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    @property
    def outer_mode(self) -> int:
        """The mode of our own folders around the server's: a plain user has to pass through them."""
        return 0o711 if self.switch else 0o700

    def give(self, path: Path) -> None:
        """Make ``path``, and nothing below or above it, the server's."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account(directory: Path) -> Account:
    """As an ordinary user that user; as root ``nobody``, able to pass through closed folders if possible.

    With the capability the data folder may lie below root's 0700 home. It also lets the server read any
    file, which opens nothing: only root reaches its socket.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    uid, gid = _nobody()
    _refuse_weak_root(directory, uid, gid)
    capable = Account(uid, gid, setpriv(uid, gid))
    if capable.prefix and _can_run(capable, directory):
        return capable
    plain = Account(uid, gid, switch=True)
    directory.chmod(plain.outer_mode)  # ours; the folders above it are left alone
    if _can_run(plain, directory):
        return plain
    closed = closed_folder(directory) or closed_folder(binary("postgres"))
    raise PrerequisiteError(
        "PostgreSQL refuses to run as root, and the user nobody cannot run it: "
        + (f"{closed} is closed to it." if closed else f"it cannot use {directory}."),
        "Run as an ordinary user, or install setpriv (util-linux) and keep the capability DAC_OVERRIDE, or "
        "put ECOM_HOME and the environment where every user may pass, or set ECOM_POSTGRES_URL.",
    )


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise PrerequisiteError(
            "PostgreSQL refuses to run as root, and there is no user nobody to run it.",
            "Run as an ordinary user, add a user nobody, or set ECOM_POSTGRES_URL.",
        ) from None
    return entry.pw_uid, entry.pw_gid


def _refuse_weak_root(directory: Path, uid: int, gid: int) -> None:
    """Root in a container may lack the right to look into other users' folders, such as the server's."""
    probe = Path(tempfile.mkdtemp(prefix="probe-", dir=directory))
    try:
        os.chown(probe, uid, gid)
        any(probe.iterdir())
    except PermissionError:
        raise PrerequisiteError(
            "PostgreSQL refuses to run as root, and this root cannot look after files of the user nobody: "
            "it lacks the capability CHOWN or DAC_OVERRIDE.",
            "Run as an ordinary user, keep these capabilities, or set ECOM_POSTGRES_URL.",
        ) from None
    finally:
        probe.rmdir()


def setpriv(uid: int, gid: int) -> tuple[str, ...]:
    """The command that becomes a user with the one capability; empty where there is no setpriv."""
    program = shutil.which("setpriv", path=ENVIRONMENT["PATH"])
    if program is None:
        return ()
    identity = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
    # Without this bit access(2), by which initdb looks for its programs, would not count the capability.
    counted = "--securebits=+no_setuid_fixup"
    return (program, counted, *identity, "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--")


def _can_run(account: Account, directory: Path) -> bool:
    """Whether the account may enter the folder and execute the server."""
    script = 'cd -- "$1" && exec "$2" --version'
    command = account.command(Path("/bin/sh"), "-c", script, "sh", str(directory), str(binary("postgres")))
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **account.options,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return result.returncode == 0


def closed_folder(path: Path) -> Path | None:
    """The outermost folder above ``path`` that other users may not pass through."""
    closed = (folder for folder in reversed(path.parents) if not folder.stat().st_mode & stat.S_IXOTH)
    return next(closed, None)
