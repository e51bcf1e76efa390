"""Commands that are interrupted, or that nobody listens to, as a person meets them: real runs."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from ecom_platform.server import EmbeddedServer
from ecom_platform_tests.acceptance.test_main_job import ECOM, Platform

pytestmark = pytest.mark.usefixtures("starts_spark")

LINE = "Interrupted. What was committed stays; the rest is loaded by the next run."


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    home = tmp_path / "home"
    home.mkdir()
    yield Platform(home)
    EmbeddedServer(home / "postgres").stop()


def begin(platform: Platform, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*ECOM, *arguments],
        env=platform.environment,
        cwd=platform.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def states(platform: Platform) -> dict[str, str]:
    """The state of each run in Dagster's history."""
    history = platform.home / "dagster" / "history" / "runs.db"
    if not history.exists():
        return {}
    with closing(sqlite3.connect(history)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
            return {}
        return dict(connection.execute("SELECT run_id, status FROM runs"))


def test_an_interrupted_run_is_canceled_and_the_next_one_loads_the_rest(platform: Platform) -> None:
    assert platform.ecom("migrate").returncode == 0
    with EmbeddedServer(platform.home / "postgres") as server, psycopg.connect(server.url) as blocker:
        # It stays in the middle of its load, however fast or slow it gets there.
        blocker.execute("LOCK TABLE user_events IN ACCESS EXCLUSIVE MODE")
        process = begin(platform, "run", "--events", "2000", "--json")
        assert process.stderr is not None
        for line in process.stderr:
            if "streaming" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert err.splitlines()[-1] == LINE
    result = json.loads(out)
    assert result["error"]["code"] == "interrupted"
    assert states(platform) == {result["run_id"]: "CANCELED"}
    platform.wait_until_left_alone()

    # The load is not held up by who listens: nobody does, on either stream.
    silent = begin(platform, "ingest", "--json")
    assert silent.stdout is not None
    assert silent.stderr is not None
    silent.stdout.close()
    silent.stderr.close()
    assert silent.wait(timeout=240) == 0
    assert platform.query("SELECT count(*) FROM user_events") == "2000"


@pytest.mark.long
def test_at_every_moment(platform: Platform) -> None:
    began = time.monotonic()
    assert platform.ecom("run", "--events", "2000").returncode == 0
    moments = [0.1 + 0.05 * step for step in range(int((time.monotonic() - began) / 0.05))]
    for moment in moments:
        process = begin(platform, "run", "--events", "2000", "--json")
        time.sleep(moment)  # the moment is what is tried here
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=240)
        if process.returncode == 0:
            continue  # it was over before
        assert process.returncode == 130, (moment, err)
        assert "Traceback" not in err, (moment, err)
        assert json.loads(out)["success"] in (False, True)
    assert set(states(platform).values()) <= {"CANCELED", "SUCCESS"}
    assert platform.ecom("ingest").returncode == 0
    platform.wait_until_left_alone()


@pytest.mark.long
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_log_on_a_full_disk(platform: Platform) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*ECOM, "run", "--events", "2000"],
            env=platform.environment,
            cwd=platform.home,
            stdout=full,
            stderr=full,
            timeout=300,
        )
    assert done.returncode == 0
    assert platform.query("SELECT count(*) FROM user_events") == "2000"
