"""Waiting for the embedded server: said after a while, named, and not for ever. Real processes and locks."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ecom_platform import waits
from ecom_platform.errors import DatabaseError, LockedError
from ecom_platform.server import EmbeddedServer, startup
from ecom_platform.server import server as module
from ecom_platform_tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("starts_programs")

LOCKER = """
import sys
from pathlib import Path
from ecom_platform.file_lock import FileLock

lock = FileLock(Path(sys.argv[1]))
lock.shared() if "shared" in sys.argv else lock.exclusive()
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(path: Path, *how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(path), *how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "SILENT_SECONDS", 0.05)


def test_one_that_starts_it_and_is_suspended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(startup, "READY_SECONDS", 1.0)
    folder = tmp_path / "pg"
    with holding(folder / "start.lock") as starter:
        starter.send_signal(signal.SIGSTOP)
        with pytest.raises(DatabaseError) as caught:
            EmbeddedServer(folder).acquire()
    named = f"(process {starter.pid}, suspended) is starting"
    assert named in caught.value.message
    assert "has not ended for 1 s" in caught.value.message
    assert "kill -CONT" in caught.value.remedy
    assert any(
        named in record.getMessage() and "1 s at most" in record.getMessage() for record in caplog.records
    )


def test_one_that_stops_it_and_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_STOPPED_SECONDS", 1.0)
    folder = tmp_path / "pg"
    with (
        holding(folder / "users.lock") as stopper,
        pytest.raises(DatabaseError, match=rf"process {stopper.pid}\) is stopping"),
    ):
        EmbeddedServer(folder).acquire()
    assert "is stopping; for 1 s at most." in caplog.text


def test_a_short_wait_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, waits.__name__)
    with waits.announced(lambda: "nothing", 1.0):
        pass
    assert caplog.records == []


def test_stop_names_who_uses_the_server_and_waits_for_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "pg"
    server = EmbeddedServer(folder)
    server.pin()
    stopped: list[bool] = []
    with holding(folder / "users.lock", "shared") as user:
        with pytest.raises(LockedError, match=rf"in use by `.*` \(process {user.pid}\)") as caught:
            server.stop_when_unused(0.5)
        assert "ecom stop --now" in caught.value.remedy
        assert server.status().running
        waiter = threading.Thread(target=lambda: stopped.append(server.stop_when_unused(60)))
        waiter.start()
        wait_until(lambda: caplog.text.count(f"(process {user.pid}) to end") == 2)
        assert server.status().running
    waiter.join()
    assert stopped == [True]
    assert not server.status().running


def test_stop_of_what_does_not_run(tmp_path: Path) -> None:
    assert not EmbeddedServer(tmp_path / "pg").stop_when_unused(60)
    assert list(tmp_path.iterdir()) == []
