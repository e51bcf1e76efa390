"""What is told where no daemon runs, and when the outbox itself cannot be reached."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from ecom_platform.alerts import outage, unbegun
from ecom_platform.alerts.unbegun import NOBODY, tell_of_error
from ecom_platform.errors import DatabaseError, SettingsError, StorageError
from ecom_platform.orchestration.alerting import ended
from ecom_platform.orchestration.alerting.ended import LOCATION, tell_of_run
from ecom_platform.orchestration.alerting.position import Position
from ecom_platform.orchestration.alerting.sensor import AlertWatch
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store.connection import Database
from ecom_platform_tests.receivers import Receiver, webhook
from ecom_platform_tests.waiting import wait_until

pytestmark = [
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated"),
    pytest.mark.usefixtures("starts_programs"),
]

DOWN = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of a test waits until everything is delivered, however busy the machine is."""
    for module in (ended, unbegun):
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 240.0)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with webhook() as hook:
        yield hook


@pytest.fixture
def environment(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Settings]:
    """The environment of a home, with the database of the test unless another is given."""

    def environment(*urls: str, postgres_url: str = database.url) -> Settings:
        monkeypatch.chdir(tmp_path)  # no .env of this machine
        monkeypatch.setenv("ECOM_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("ECOM_POSTGRES_URL", postgres_url)
        monkeypatch.setenv("ECOM_ALERT_URLS", " ".join(urls))
        return load_settings()

    return environment


class Shop:
    """A code location with one check, and an instance to run it on."""

    def __init__(self, home: Path) -> None:
        self.good = False
        (home / "dagster").mkdir(parents=True)
        (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")

        @dg.asset
        def orders() -> None:
            pass

        @dg.asset_check(asset=orders, description="Orders add up. If it fails, count again.")
        def sums() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=self.good, metadata={"expected": "3", "found": "2"})

        job = dg.define_asset_job("ingest")
        self.defs = dg.Definitions([orders], asset_checks=[sums], jobs=[job])

    def run(self, settings: Settings) -> str:
        """As a command does; returns what it says of who was told."""
        began = datetime.now(UTC)
        with dg.DagsterInstance.get() as instance:
            job = self.defs.resolve_job_def("ingest")
            run_id = job.execute_in_process(instance=instance, raise_on_error=False).run_id
        return tell_of_run(settings, self.defs, "ingest", run_id, began)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    return Shop(tmp_path / "home")


def titles(hook: Receiver) -> list[str]:
    return [str(message["title"]) for message in hook.received]


class TestCommands:
    def test_a_run_tells_what_came_of_it_and_a_daemon_does_not_tell_it_again(
        self, environment: Callable[..., Settings], shop: Shop, hook: Receiver
    ) -> None:
        settings = environment(hook.url)
        with dg.DagsterInstance.get() as instance:
            cursor = Position.beginning(datetime.now(UTC), 0).dump()
            assert shop.run(settings).startswith("Told: json://127.0.0.1 #")
            assert shop.run(settings).startswith("Told: json://127.0.0.1 #")  # the same problem
            assert titles(hook) == ["[ERROR] orders: check sums failed"]
            assert "what to do: If it fails, count again." in hook.texts[0]
            AlertWatch().tick(instance, cursor, LOCATION)
            assert len(hook.received) == 1
        shop.good = True
        assert shop.run(settings) == ""
        assert titles(hook)[1:] == ["[RECOVERED] orders: check sums failed"]

    def test_it_says_who_was_not_told(self, environment: Callable[..., Settings], shop: Shop) -> None:
        assert shop.run(environment()) == f"{NOBODY} The table `alerts` has it."
        shop.good = True
        assert shop.run(environment()) == ""
        shop.good = False
        said = shop.run(environment("json://127.0.0.1:1/x"))
        assert said.startswith("Nobody was told yet. Not yet: json://127.0.0.1 #")

    def test_one_that_cannot_begin_tells_it_and_that_it_could_again(
        self, environment: Callable[..., Settings], shop: Shop, hook: Receiver, tmp_path: Path
    ) -> None:
        settings = environment(hook.url)
        blocked = tmp_path / "blocked"
        blocked.write_text("a file where the landing folder should be")
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-m", "ecom_platform", "ingest", "--json"],
                env={**os.environ, "ECOM_LANDING_DIR": str(blocked)},
                capture_output=True,
                text=True,
                timeout=240,
            )
            assert done.returncode == 3, done.stderr
            # A machine that stands still may take longer than a command waits.
            assert "Told: json://127.0.0.1 #" in done.stderr or "Not yet: json://" in done.stderr
        assert titles(hook) == ["[ERROR] the job ingest could not begin"]
        assert str(blocked) in hook.texts[0]
        shop.good = True
        shop.run(settings)
        assert titles(hook)[1:] == ["[RECOVERED] the job ingest could not begin"]

    def test_mistakes_in_the_command_are_for_whoever_made_them(
        self, environment: Callable[..., Settings], hook: Receiver
    ) -> None:
        assert tell_of_error(environment(hook.url), "ingest", SettingsError("no")) == ""
        assert tell_of_error(environment(), "ingest", StorageError("no")) == NOBODY
        assert hook.received == []


class TestOutage:
    """PostgreSQL is down, and with it the outbox."""

    def test_it_is_told_once_and_once_when_it_is_over(
        self, environment: Callable[..., Settings], hook: Receiver, shop: Shop
    ) -> None:
        shop.good = True
        for _ in range(2):
            settings = environment(hook.url, postgres_url=DOWN)
            error = DatabaseError("PostgreSQL at db:5432 cannot be used: refused.", "Start it.")
            for _ in range(2):
                assert tell_of_error(settings, "ingest", error).startswith("Told: json://127.0.0.1 #")
            shop.run(environment(hook.url))
        assert (
            titles(hook) == ["[ERROR] PostgreSQL cannot be used", "[RECOVERED] PostgreSQL cannot be used"] * 2
        )
        assert "found: PostgreSQL at db:5432 cannot be used: refused." in hook.texts[0]
        assert "what to do: Start it." in hook.texts[0]

    @pytest.mark.usefixtures("shop")
    def test_the_sensor_tells_it(
        self,
        environment: Callable[..., Settings],
        hook: Receiver,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        cursor = Position.beginning(datetime.now(UTC), 0).dump()
        environment(hook.url, postgres_url=DOWN)
        watch = AlertWatch()
        with dg.DagsterInstance.get() as instance:
            with pytest.raises(DatabaseError):
                watch.tick(instance, cursor, LOCATION)
            assert hook.received == []  # it may be a restart
            monkeypatch.setattr(outage, "PATIENCE_SECONDS", 0.0)
            for _ in range(2):
                with pytest.raises(DatabaseError):
                    watch.tick(instance, cursor, LOCATION)
                hook.wait_for(lambda hook: len(hook.received) == 1)
            environment(hook.url)
            wait_until(lambda: not _telling(watch))
            watch.tick(instance, cursor, LOCATION)
            hook.wait_for(lambda hook: len(hook.received) == 2)
            wait_until(lambda: not _telling(watch))
            watch.tick(instance, cursor, LOCATION)
        assert titles(hook) == ["[ERROR] PostgreSQL cannot be used", "[RECOVERED] PostgreSQL cannot be used"]


def _telling(watch: AlertWatch) -> bool:
    thread = watch._outage._thread
    return thread is not None and thread.is_alive()
