"""`ecom dev` from the terminal: Dagster's services and, if asked for, the live mode, until it is told to end.

    ecom dev ─┬─ guardian ─ dagster code-server ─ dagster api grpc ─ runs
              ├─ guardian ─ the guarded webserver
              ├─ guardian ─ dagster-daemon
              └─ guardian ─ ecom stream (--live)

These are the programs that `dagster dev` (and `dg dev`) start, by their own commands: the webserver is the
guarded one (``orchestration.webserver``), and each has a guardian, so that nothing outlives this process.

Belongs here: which programs, in which order, and that there is one `ecom dev` at a time. Does not belong
here: how they end (``services``), arguments (``cli``).
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import yaml

from ecom_platform.errors import LockedError, PrerequisiteError
from ecom_platform.file_lock import FileLock, is_locked
from ecom_platform.processes.services import Services, on_signals
from ecom_platform.settings import Settings, load_settings

UI_HOST = "127.0.0.1"

_LOCK_NAME = "ecom-dev.lock"
# What an earlier `ecom dev` that was killed may leave behind ends within this time.
_LEFTOVERS_SECONDS = 90.0
_PERIOD_SECONDS = 0.1


def run_dev(port: int, live: bool) -> int:
    """The Dagster UI on ``port``, with daemon and sensors, until a signal; returns 0 after that.

    Raises :class:`EcomError` for what is found out before it begins, and when it cannot go on.
    """
    from ecom_platform.cli.doctor import require
    from ecom_platform.orchestration.instance import prepare_instance
    from ecom_platform.store.provision import provide

    settings = load_settings()
    refuse_second(settings)
    require_free(port)
    require(settings, 0)
    home = prepare_instance(settings)
    os.environ.setdefault("ECOM_UI_URL", f"http://{UI_HOST}:{port}")  # what alerts link to
    # As `dagster dev` does: errors of the code are shown without Dagster's own frames.
    os.environ |= {"DAGSTER_IS_DEV_CLI": "1", "DAGSTER_verbose": ""}
    with only_one(settings, port) as locks, provide(settings), tempfile.TemporaryDirectory() as scratch:
        _say(f"Dagster UI: http://{UI_HOST}:{port} (history in {home}; Ctrl-C ends it)")
        services = Services([lock.fileno() for lock in locks], [settings.home, home], _say)
        with on_signals(services.on_signal), services:
            if live:
                services.keep_running(
                    "`ecom stream`", [sys.executable, "-m", "ecom_platform", "stream"], "process"
                )
            _start_dagster(services, Path(scratch), port)
            services.watch()
    return 0


def _start_dagster(services: Services, scratch: Path, port: int) -> None:
    origin = _code_location()
    # A socket in a folder of this user alone, with a short path: the system allows about a hundred bytes.
    code_socket, workspace = scratch / "code", scratch / "workspace.yaml"
    served = {"socket": str(code_socket), "host": "localhost", "location_name": origin["location_name"]}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": served}]}))
    code_server = [*_module("dagster"), "code-server", "start", "--socket", str(code_socket)]
    code_server += ["--module-name", origin["module_name"], "--location-name", origin["location_name"]]
    code_server += ["--log-level", "warning", "--inject-env-vars-from-instance"]
    services.keep_running("The code location", code_server, "group")
    if not services.wait_until(code_socket.exists):
        return
    webserver = [*_module("ecom_platform.orchestration.webserver"), "--host", UI_HOST, "--port", str(port)]
    services.start("The webserver", [*webserver, "--workspace", str(workspace)])
    services.start("Dagster's daemon", [*_module("dagster._daemon"), "run", "--workspace", str(workspace)])


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _code_location() -> dict[str, Any]:
    """Module and name of the code location, from the file that plain `dagster dev` reads as well."""
    from ecom_platform.orchestration.instance import WORKSPACE_FILE

    (entry,) = yaml.safe_load(WORKSPACE_FILE.read_text(encoding="utf-8"))["load_from"]
    return dict(entry["python_module"])


def _say(text: str) -> None:
    """Print a line, unless nobody is there any more to read it."""
    try:
        click.echo(text, err=True)
    except OSError:
        # The terminal was closed: what is still to be printed, at the end as well, goes nowhere.
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (to the end of the process)


# -- one at a time -------------------------------------------------------------------------------


def _lock_files(settings: Settings) -> list[Path]:
    """One a folder that two daemons, or two sets of sensors, must not share."""
    return [folder / _LOCK_NAME for folder in dict.fromkeys((settings.home, settings.dagster_home))]


def refuse_second(settings: Settings) -> None:
    """Raise :class:`LockedError` where another `ecom dev` runs on this home; makes no folder."""
    for path in _lock_files(settings):
        if path.exists() and is_locked(path) and (first := _first(path)) is not None:
            raise _locked(path, first)


@contextmanager
def only_one(settings: Settings, port: int, patience: float = _LEFTOVERS_SECONDS) -> Iterator[list[FileLock]]:
    """Locks that no second `ecom dev` gets while anything of this one runs."""
    with ExitStack() as stack:
        locks = []
        for path in _lock_files(settings):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)
            _take(lock, path, patience)
            stack.callback(lock.close)  # whoever else holds it open keeps it
            os.truncate(lock.fileno(), 0)
            os.pwrite(lock.fileno(), json.dumps({"port": port, "pid": os.getpid()}).encode(), 0)
            locks.append(lock)
        yield locks


def _take(lock: FileLock, path: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    said = False
    while not lock.try_exclusive():
        first = _first(path)
        if first is None and not said:
            _say(f"Waiting for what a killed `ecom dev` has left behind to end ({patience:.0f} s at most).")
            said = True
        if first is not None or time.monotonic() > deadline:
            raise _locked(path, first)
        time.sleep(_PERIOD_SECONDS)


def _first(path: Path) -> dict[str, int] | None:
    """Port and process id of the `ecom dev` that holds the lock; ``None`` where that process is gone."""
    import psutil

    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        port, pid = int(written["port"]), int(written["pid"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return {"port": port, "pid": pid} if psutil.pid_exists(pid) else None


def _locked(path: Path, first: dict[str, int] | None) -> LockedError:
    who = f"http://{UI_HOST}:{first['port']} (process {first['pid']})" if first else "its services still run"
    return LockedError(
        f"`ecom dev` already runs on {path.parent}: {who}.",
        "Use that one, or end it. A second one beside it needs an ECOM_HOME of its own.",
    )


def require_free(port: int) -> None:
    """Raise :class:`PrerequisiteError` where the UI cannot have ``port``."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((UI_HOST, port))
        except OSError as error:
            raise PrerequisiteError(
                f"Port {port} on {UI_HOST} cannot be used for the Dagster UI: {error.strerror}.",
                f"End the program that uses it, or choose another: `make dev PORT={port + 1}`.",
            ) from error
