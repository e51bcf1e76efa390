"""Apprise as we use it: what it answers, and that it reads and sends nothing else."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecom_platform.alerts.delivery import Courier
from ecom_platform.alerts.messages import Message
from ecom_platform.alerts.targets import targets
from ecom_platform_tests.receivers import webhook

pytestmark = pytest.mark.usefixtures("starts_programs")

MESSAGE = Message("[ERROR] title", "body\nof two lines", False, (1,), 1)
SECRET = "T0P5ECRET1234567"


def send(url: str, message: Message = MESSAGE) -> str | None:
    (target,) = targets([url])
    return Courier(target).send(message).error


@pytest.mark.parametrize(
    ("status", "error"),
    [(200, None), (500, "it answered with HTTP status 500"), (404, "it answered with HTTP status 404")],
)
def test_what_the_target_answered(status: int, error: str | None) -> None:
    with webhook(answer=lambda number: status) as hook:
        assert send(hook.url) == error


def test_a_target_that_is_not_there_and_one_that_cannot_be() -> None:
    assert send("json://127.0.0.1:1/x") == (
        "the connection was refused: nothing listens at its host and port"
    )
    for url in ("nonsense://x", "slack://short"):
        assert send(url) == "Apprise cannot use this URL: check its scheme and its parts"


def test_the_message_arrives_as_it_is() -> None:
    with webhook() as hook:
        send(hook.url)
        send(hook.url, Message("[RECOVERED] title", "body <b>", True, (1,), 1))
    assert [(m["title"], m["message"], m["type"]) for m in hook.received] == [
        ("[ERROR] title", "body\nof two lines", "failure"),
        ("[RECOVERED] title", "body <b>", "success"),
    ]


def test_a_long_message_is_split_not_cut() -> None:
    with webhook() as hook:
        assert send(hook.url, Message("title", "x" * 50_000, False, (1,), 1)) is None
    assert sum(len(m["message"]) for m in hook.received) == 50_000
    assert len(hook.received) > 1


def test_others_may_go_on_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), webhook(path=f"/{SECRET}") as hook:
        send(hook.url)
        logging.getLogger("apprise").warning("somebody else's words")
    assert "somebody else's words" in caplog.text
    assert SECRET not in caplog.text


def test_apprise_reads_no_configuration_and_no_plugins(tmp_path: Path) -> None:
    """Where Apprise's own command line would read both, in a process of its own."""
    with webhook() as wanted, webhook() as unwanted:
        for folder in (tmp_path, tmp_path / ".config"):
            (folder / "apprise" / "plugins").mkdir(parents=True)
            (folder / "apprise" / "apprise.conf").write_text(unwanted.url)
            (folder / "apprise" / "plugins" / "spy.py").write_text("raise SystemExit('a plugin was loaded')")
        (tmp_path / ".apprise").write_text(unwanted.url)
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("ECOM_", "DAGSTER_"))}
        home = {
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path / ".config"),
            "APPRISE_URLS": unwanted.url,
        }
        before = sorted(path for path in tmp_path.rglob("*"))
        done = subprocess.run(
            [sys.executable, "-m", "ecom_platform", "alerts", "test"],
            env={**environment, **home, "ECOM_HOME": str(tmp_path / "ecom"), "ECOM_ALERT_URLS": wanted.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        assert (len(wanted.received), len(unwanted.received)) == (1, 0)
        assert sorted(path for path in tmp_path.rglob("*")) == before
