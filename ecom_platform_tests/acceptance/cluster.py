"""A standalone Spark cluster on this machine: a master and workers as processes of their own.

Started the way a real one is (``ecom_platform.streaming.standalone``), on 127.0.0.1, with a secret.
"""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ecom_platform_tests.acceptance.ui import clean_environment, free_port

HOST = "127.0.0.1"
WORKER_MEMORY = "600m"


@dataclass
class Cluster:
    """A master and its workers."""

    folder: Path
    port: int
    page: int
    secret: str
    # What workers have in their environment beside what everybody has, and a folder that they do not see.
    of_workers: dict[str, str] = field(default_factory=dict)
    hidden: Path | None = None
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def master(self) -> str:
        return f"spark://{HOST}:{self.port}"

    @property
    def workers(self) -> list[subprocess.Popen[bytes]]:
        return self.daemons[1:]

    def state(self) -> dict[str, Any]:
        """What the master's page says, as JSON."""
        with urllib.request.urlopen(f"http://{HOST}:{self.page}/json/", timeout=240) as answer:
            state: dict[str, Any] = json.load(answer)
        return state

    def alive(self) -> int:
        with suppress(OSError):
            return sum(worker["state"] == "ALIVE" for worker in self.state()["workers"])
        return 0

    def start(self, role: str, *arguments: str) -> None:
        environment = clean_environment() | (self.of_workers if role == "worker" else {})
        environment |= {
            "ECOM_HOME": str(self.folder),
            "ECOM_SPARK_SECRET": self.secret,
            "SPARK_DAEMON_MEMORY": "256m",
        }
        with (self.folder / f"{role}-{len(self.daemons)}.log").open("wb") as log:
            command = [sys.executable, "-m", "ecom_platform.streaming.standalone", role, *arguments]
            if role == "worker" and self.hidden is not None:
                command = without(self.hidden, command)
            process = subprocess.Popen(command, env=environment, cwd=self.folder, stdout=log, stderr=log)
        self.daemons.append(process)

    def sees(self, worker: subprocess.Popen[bytes], path: Path) -> bool:
        """Whether there is anything at ``path`` for this worker."""
        there = Path(f"/proc/{worker.pid}/root{path}")
        return there.exists() and (not there.is_dir() or any(there.iterdir()))

    def start_worker(self) -> None:
        work = self.folder / f"work-{len(self.daemons)}"
        resources = ["--cores", "1", "--memory", WORKER_MEMORY, "--work-dir", str(work)]
        address = ["--host", HOST, "--webui-port", str(free_port())]
        self.start("worker", self.master, *resources, *address)

    def wait_for_workers(self, count: int, seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while self.alive() != count:
            assert time.monotonic() < deadline, self.log()
            assert all(daemon.poll() is None for daemon in self.daemons), self.log()
            time.sleep(0.2)

    def lose(self, worker: subprocess.Popen[bytes]) -> None:
        """As if its machine had gone: the daemon, its executors and their Python at once."""
        family = [*psutil.Process(worker.pid).children(recursive=True), psutil.Process(worker.pid)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        worker.wait(240)
        psutil.wait_procs(family, 240)
        self.daemons.remove(worker)

    def log(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.log"))

    def close(self) -> None:
        for daemon in self.daemons:
            family = psutil.Process(daemon.pid).children(recursive=True) if daemon.poll() is None else []
            daemon.terminate()
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            daemon.kill()
            daemon.wait()


def without(folder: Path, command: list[str]) -> list[str]:
    """The command, run where ``folder`` is empty, as on another machine; it keeps the process's id."""
    script = f"mount -t tmpfs none {shlex.quote(str(folder))} && exec {shlex.join(command)}"
    return ["unshare", "--mount", "--", "sh", "-c", script]


def can_hide(folder: Path) -> bool:
    """Whether this machine lets us start a program that does not see a folder."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(without(folder, ["true"]), check=False, capture_output=True).returncode == 0


@contextmanager
def standalone_cluster(
    folder: Path, workers: int, of_workers: dict[str, str] | None = None, hidden: Path | None = None
) -> Iterator[Cluster]:
    """A cluster of so many workers of one core each."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(folder, free_port(), free_port(), secrets.token_urlsafe(24), of_workers or {}, hidden)
    try:
        address = ["--host", HOST, "--port", str(cluster.port), "--webui-port", str(cluster.page)]
        cluster.start("master", *address)
        for _ in range(workers):
            cluster.start_worker()
        cluster.wait_for_workers(workers)
        yield cluster
    finally:
        cluster.close()
