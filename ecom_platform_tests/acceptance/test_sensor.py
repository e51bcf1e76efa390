"""The sensor in a running `ecom dev`: it loads what lands, also after its processes were killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from ecom_platform.store.connection import Database
from ecom_platform_tests.acceptance import ui
from ecom_platform_tests.landing import csv_file, line
from ecom_platform_tests.waiting import COSTLY_LOOK_SECONDS, wait_until

URL = (
    "from ecom_platform.settings import load_settings; "
    "from ecom_platform.store.provision import embedded_server; "
    "print(embedded_server(load_settings()).url)"
)


def database_of(home: Path) -> Database:
    """The embedded server of a running ``ecom dev``."""
    url = subprocess.run(
        [sys.executable, "-c", URL],
        env={**ui.clean_environment(), "ECOM_HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    return Database(url.stdout.strip())


def loaded(database: Database) -> list[str]:
    with database.open() as connection:
        rows = connection.execute("SELECT name FROM ingested_files WHERE state = 'loaded' ORDER BY name")
        return [name for (name,) in rows]


def wait_for(what: Callable[[], object], dev: ui.Dev) -> None:
    wait_until(what, lambda: f"{dev.runs()}\n{dev.log()}", COSTLY_LOOK_SECONDS)


def drop(home: Path, name: str) -> None:
    hidden = home / "landing" / f"_{name}"
    hidden.write_bytes(csv_file(line(), line()))
    hidden.rename(hidden.with_name(name))


def claimed(home: Path) -> bool:
    return any((home / "landing" / ".ecom" / "claimed").glob("*.csv"))


def kill_code_server(dev: ui.Dev) -> None:
    """SIGKILL, to the code server and to the run that it started; nobody can say goodbye."""
    servers = [pid for pid, command in dev.processes().items() if " api grpc " in command]
    assert servers, dev.processes()
    family = [process for pid in servers for process in psutil.Process(pid).children(recursive=True)]
    for process in [*(psutil.Process(pid) for pid in servers), *family]:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def terminate(dev: ui.Dev, run_id: str) -> None:
    """What the button *Terminate* of a run does."""
    query = 'mutation{terminateRun(runId:"%s"){__typename}}' % run_id  # noqa: UP031 (braces)
    request = urllib.request.Request(  # noqa: S310 (loopback)
        f"{dev.url}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=240) as answer:  # noqa: S310
        assert json.load(answer)["data"]["terminateRun"]["__typename"] == "TerminateRunSuccess"


def test_what_lands_is_loaded_also_after_a_kill_and_a_cancellation(dev: ui.Dev) -> None:
    home, database = dev.home, database_of(dev.home)
    known = len(dev.runs())

    def statuses() -> list[str]:
        """Of the runs of this test, newest first."""
        runs = dev.runs()
        return [run["status"] for run in runs[: len(runs) - known]]

    with database.open() as blocker:
        # The run begins, claims its file, and stays in the middle of loading it.
        blocker.execute("LOCK TABLE user_events IN ACCESS EXCLUSIVE MODE")
        drop(home, "a.csv")
        wait_for(lambda: claimed(home), dev)
        assert statuses() == ["STARTED"]
        kill_code_server(dev)
    processes = dev.processes()
    assert len(processes) >= 5, processes
    dev.stop()
    dev.wait_until_gone()
    # The next start finds the run as it was left, in the state STARTED and with the pool taken.
    dev.start()
    database = database_of(home)
    wait_for(lambda: "a.csv" in loaded(database), dev)
    wait_for(lambda: statuses() == ["SUCCESS", "FAILURE"], dev)
    with database.open() as blocker:
        blocker.execute("LOCK TABLE user_events IN ACCESS EXCLUSIVE MODE")
        drop(home, "b.csv")
        wait_for(lambda: claimed(home), dev)
        terminate(dev, dev.runs()[0]["runId"])
        wait_for(lambda: statuses() == ["CANCELED", "SUCCESS", "FAILURE"], dev)
    wait_for(lambda: "b.csv" in loaded(database), dev)
    wait_for(lambda: statuses() == ["SUCCESS", "CANCELED", "SUCCESS", "FAILURE"], dev)
