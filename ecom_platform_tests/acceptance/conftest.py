"""What acceptance tests share: one running `ecom dev` with a webhook that its alerts go to.

A test leaves it as it found it: nothing lost, no problem open. It says what it expects relative to what
is there when it begins.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecom_platform_tests.acceptance import ui
from ecom_platform_tests.acceptance.installed import Installed, install
from ecom_platform_tests.receivers import Receiver, webhook


@pytest.fixture(scope="session")
def hook() -> Iterator[Receiver]:
    """The webhook that the shared `ecom dev` tells what is wrong."""
    with webhook() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def dev(
    hook: Receiver, tmp_path_factory: pytest.TempPathFactory, starts_spark: None, starts_dagster: None
) -> Iterator[ui.Dev]:
    """The shared `ecom dev`; when it has been stopped, nothing of it is left."""
    with ui.ecom_dev(tmp_path_factory.mktemp("dev") / "home", ECOM_ALERT_URLS=hook.url) as running:
        yield running
    running.wait_until_gone()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment that has the wheel, for all tests of it."""
    return install(tmp_path_factory.mktemp("wheel"))


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The shared `ecom dev` ends with the last test that uses it: its daemon would tick beside all others."""
    if _uses_it(item) and not (nextitem and _uses_it(nextitem)) and isinstance(item, pytest.Function):
        running = item.funcargs.get("dev")
        if isinstance(running, ui.Dev):
            running.stop()


def _uses_it(item: pytest.Item) -> bool:
    return "dev" in getattr(item, "fixturenames", ())
