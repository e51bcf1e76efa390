"""The Dagster UI in a real browser: starting it, driving it, ending it.

Shared by the acceptance test and by ``docs/images/make.py``, which takes the README's pictures.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
_CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_RUNS = "{runsOrError{... on Runs{results{runId status jobName}}}}"


def free_port() -> int:
    """A port of the loopback interface that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Dev:
    """A running ``ecom dev``."""

    def __init__(self, home: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        self.process = process

    def runs(self) -> list[dict[str, str]]:
        """Every run, newest first."""
        body = json.dumps({"query": _RUNS}).encode()
        request = urllib.request.Request(  # noqa: S310 (loopback)
            f"{self.url}/graphql", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            runs: list[dict[str, str]] = json.load(answer)["data"]["runsOrError"]["results"]
        return runs

    def wait_for_run(self, seconds: float = 180) -> dict[str, str]:
        """The newest run, once it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            runs = self.runs()
            if runs and runs[0]["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                return runs[0]
            time.sleep(0.5)
        raise AssertionError(f"no run ended within {seconds} s: {self.runs()}")

    def processes(self) -> list[int]:
        """The processes that belong to this home, by their command line or their parent."""
        found = set()
        for process in psutil.process_iter(["cmdline", "environ"]):
            command = " ".join(process.info["cmdline"] or [])
            ours = (process.info["environ"] or {}).get("ECOM_HOME") == str(self.home)
            if (ours or str(self.home) in command) and process.pid != os.getpid():
                found.add(process.pid)
        return sorted(found)


@contextmanager
def ecom_dev(home: Path) -> Iterator[Dev]:
    """``ecom dev`` on a free port, interrupted at the end as Ctrl-C does."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("ECOM_", "DAGSTER_"))
    }
    with (home / "dev.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ecom_platform", "dev", "--port", str(port)],
            env={**inherited, "ECOM_HOME": str(home)},
            cwd=home,
            stdout=log,
            stderr=log,
        )
    dev = Dev(home, port, process)
    try:
        _wait_until_it_answers(dev)
        yield dev
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _wait_until_it_answers(dev: Dev, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            dev.runs()
        except (OSError, KeyError, TypeError, ValueError):
            assert dev.process.poll() is None, (dev.home / "dev.log").read_text()
            time.sleep(0.5)
        else:
            return
    raise AssertionError((dev.home / "dev.log").read_text())


@contextmanager
def browser_page(width: int = 1400, height: int = 800) -> Iterator[Page]:
    """A page of Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=_CHROMIUM_OPTIONS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def open_page(dev: Dev, page: Page, path: str) -> None:
    """Go to a page of the UI; the caller waits for what it wants to see there."""
    page.goto(dev.url + path, wait_until="domcontentloaded")


def materialize_all(dev: Dev, page: Page) -> dict[str, Any]:
    """Press the button on the asset graph and wait for the run to end."""
    open_page(dev, page, "/asset-groups")
    page.get_by_text("user_events").first.wait_for()
    page.get_by_role("button", name="Materialize all").click()
    return dev.wait_for_run()
