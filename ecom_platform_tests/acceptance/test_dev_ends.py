"""The whole of `ecom dev --live`, ended as no program wants to be: nothing of it is left."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ecom_platform_tests.acceptance import ui
from ecom_platform_tests.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("starts_dagster")]


class OnATerminal(ui.Dev):
    """``ecom dev --live`` in a window of its own."""

    def start(self) -> None:
        port = ui.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*ui.ECOM, "dev", "--port", str(port), "--live"],
            env={**ui.clean_environment(), "ECOM_HOME": str(self.home)},
            cwd=self.home,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=lambda: own_terminal(theirs),
        )
        os.close(theirs)
        threading.Thread(target=self._read, daemon=True).start()
        wait_until(lambda: self._answers() and self.jvms(), lambda: str(self.processes()))

    def _read(self) -> None:
        """As a window does, or who prints would wait."""
        with suppress(OSError):
            while os.read(self.terminal, 65_536):
                pass

    def log(self) -> str:
        return ""


def own_terminal(terminal: int) -> None:
    """In the new process: a session whose terminal it is."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def kill(dev: OnATerminal) -> None:
    """SIGKILL: it can say goodbye to nobody."""
    dev.process.kill()


def close_the_terminal(dev: OnATerminal) -> None:
    """The window is closed: SIGHUP, and nothing can be printed any more."""
    os.close(dev.terminal)


@pytest.mark.parametrize("end", [kill, close_the_terminal])
def test_nothing_is_left(tmp_path: Path, end: Callable[[OnATerminal], None]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    dev = OnATerminal(home, ui.ECOM, {})
    try:
        end(dev)
        dev.wait_until_gone()
    finally:
        dev.process.kill()
        dev.process.wait()
