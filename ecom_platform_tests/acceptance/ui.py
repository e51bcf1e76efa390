"""The Dagster UI in a real browser: starting it, driving it, ending it.

Shared by the acceptance test and by ``docs/images/make.py``, which takes the README's pictures.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

from ecom_platform_tests.waiting import COSTLY_LOOK_SECONDS, wait_until

ECOM = (sys.executable, "-m", "ecom_platform")
CHROMIUM = Path("/usr/bin/chromium")
_CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_RUNS = "{runsOrError{... on Runs{results{runId status jobName}}}}"


# Below those that the kernel gives to whoever connects or asks for any, so that nobody takes one between
# our look and its use; another test session begins elsewhere, by its process's number.
_ports = itertools.cycle(range(20_000, 32_000))
next(itertools.islice(_ports, (os.getpid() * 97) % 12_000, None))


def free_port() -> int:
    """A port of the loopback interface that nobody uses right now, another one at each call."""
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError


@contextmanager
def taken_port() -> Iterator[int]:
    """A port of the loopback interface that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def clean_environment() -> dict[str, str]:
    """The environment without anybody's settings of the platform or Dagster, or credentials of a bucket."""
    prefixes = ("ECOM_", "DAGSTER_", "AWS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


class Dev:
    """``ecom dev`` on a home, on a free port."""

    def __init__(self, home: Path, program: Sequence[str], variables: dict[str, str]) -> None:
        self.home, self._program, self._variables = home, program, variables
        self.start()

    def start(self) -> None:
        """Start it; returns when it answers."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with (self.home / "dev.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._program, "dev", "--port", str(port)],
                env={**clean_environment(), "ECOM_HOME": str(self.home), **self._variables},
                cwd=self.home,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(self._answers, self.log, COSTLY_LOOK_SECONDS)
        except BaseException:
            if self.process.poll() is None:
                self.stop()
            raise

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            self.runs()
        except (OSError, KeyError, TypeError, ValueError):
            return False
        return True

    def stop(self) -> None:
        """Interrupt it as Ctrl-C does; returns when it has ended."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(240)
        except subprocess.TimeoutExpired:
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise

    def runs(self) -> list[dict[str, str]]:
        """Every run, newest first."""
        runs: list[dict[str, str]] = self.graphql(_RUNS)["runsOrError"]["results"]
        return runs

    def graphql(self, query: str) -> Any:
        """The data that answers a query."""
        request = urllib.request.Request(  # noqa: S310 (loopback)
            f"{self.url}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=240) as answer:  # noqa: S310
            return json.load(answer)["data"]

    def assets(self) -> set[str]:
        """The names of the assets that the code location has; it answers only when it has loaded."""
        nodes = self.graphql("{assetNodes {assetKey {path}}}")["assetNodes"]
        return {"/".join(node["assetKey"]["path"]) for node in nodes}

    @contextmanager
    def new_run(self) -> Iterator[dict[str, str]]:
        """The run that the block launches, filled in at its end: the block's end waits for the run's."""
        known = {run["runId"] for run in self.runs()}
        ended: dict[str, str] = {}
        yield ended

        def has_ended() -> bool:
            for run in self.runs():
                if run["runId"] not in known and run["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                    ended.update(run)
            return bool(ended)

        wait_until(has_ended, lambda: f"{self.runs()}\n{self.log()}", COSTLY_LOOK_SECONDS)

    def log(self) -> str:
        """The end of what ``ecom dev`` printed."""
        return (self.home / "dev.log").read_text()[-4000:]

    def processes(self) -> dict[int, str]:
        """The processes that belong to this home, by command line or environment."""
        found = {}
        for process in psutil.process_iter(["cmdline", "environ"]):
            command = " ".join(process.info["cmdline"] or [])
            ours = (process.info["environ"] or {}).get("ECOM_HOME") == str(self.home)
            if (ours or str(self.home) in command) and process.pid != os.getpid():
                found[process.pid] = command
        return found

    def wait_until_gone(self) -> None:
        """Returns when nothing of this home runs any more."""
        wait_until(lambda: not self.processes(), lambda: str(self.processes()), COSTLY_LOOK_SECONDS)

    def jvms(self) -> dict[int, str]:
        """The Java processes among them."""
        return {pid: command for pid, command in self.processes().items() if "java" in command.split(" ")[0]}


@contextmanager
def ecom_dev(home: Path, program: Sequence[str] = ECOM, **variables: str) -> Iterator[Dev]:
    """``ecom dev`` with ``variables`` set, interrupted at the end as Ctrl-C does."""
    home.mkdir(parents=True, exist_ok=True)
    dev = Dev(home, program, variables)
    try:
        yield dev
    finally:
        dev.stop()


@contextmanager
def browser_page(width: int = 1400, height: int = 800) -> Iterator[Page]:
    """A page of Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=_CHROMIUM_OPTIONS, timeout=240_000
        )
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(240_000)
        yield page
        browser.close()


def open_page(dev: Dev, page: Page, path: str) -> None:
    """Go to a page of the UI; the caller waits for what it wants to see there."""
    page.goto(dev.url + path, wait_until="domcontentloaded")


def reload_code(dev: Dev, page: Page) -> None:
    """Press the button that loads the code location anew; the caller waits for what it then has."""
    open_page(dev, page, "/deployment/locations")
    page.get_by_role("button", name="Reload").first.click()


def materialize_all(dev: Dev, page: Page) -> dict[str, str]:
    """Press the button on the asset graph and wait for the run to end."""
    open_page(dev, page, "/asset-groups")
    page.get_by_text("user_events").first.wait_for()
    with dev.new_run() as run:
        page.get_by_role("button", name="Materialize all").click()
    return run


def run_checks(dev: Dev, page: Page, asset: str) -> dict[str, str]:
    """Press the button that runs every check of an asset, and wait for the run to end."""
    open_page(dev, page, f"/assets/{asset}?view=checks")
    with dev.new_run() as run:
        page.get_by_role("button", name="Execute all").click()
    return run


def open_plots(dev: Dev, page: Page, asset: str) -> None:
    """Go to an asset and switch its metadata from the table to plots over time."""
    open_page(dev, page, f"/assets/{asset}?view=overview")
    page.get_by_role("button", name="Plots").click()
    page.locator("canvas").first.wait_for()


def wait_for_run(dev: Dev, page: Page, run_id: str) -> None:
    """See a run among the others, and that it succeeded."""
    open_page(dev, page, f"/runs/{run_id}")
    page.get_by_text("Success").first.wait_for()


def open_check(dev: Dev, page: Page, asset: str, check: str) -> None:
    """Go to a check of an asset."""
    open_page(dev, page, f"/assets/{asset}?view=checks&checkDetail={check}")
    page.get_by_text("Latest execution").first.wait_for()
