"""The sign of life: once a minute, and it never waits or raises."""

from __future__ import annotations

import threading

import pytest

from ecom_platform.alerts.dead_mans_switch import DeadMansSwitch
from ecom_platform_tests.receivers import webhook
from ecom_platform_tests.waiting import wait_until


def http(url: str) -> str:
    return url.replace("json://", "http://")


def test_it_is_called_about_once_a_minute() -> None:
    heart = DeadMansSwitch()
    with webhook() as life:
        beats = [heart.beat(http(life.url), now=float(second)) for second in range(0, 181, 5)]
        assert sum(beats) == 4
        life.wait_for(lambda receiver: len(receiver.received) == 4)


def test_a_slow_one_holds_nobody_up() -> None:
    gate = threading.Event()
    with webhook(gate=gate) as life:
        assert DeadMansSwitch().beat(http(life.url))
        assert life.received == []
        gate.set()
        life.wait_for(lambda receiver: len(receiver.received) == 1)


def test_one_that_is_down_is_logged_without_its_url(caplog: pytest.LogCaptureFixture) -> None:
    DeadMansSwitch().beat("http://127.0.0.1:1/secret-token")
    wait_until(lambda: bool(caplog.records))
    assert "The heartbeat URL did not answer" in caplog.text
    assert "secret-token" not in caplog.text
