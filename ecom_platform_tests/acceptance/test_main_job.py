"""The main job as a person runs it: the command line, in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from ecom_platform.server import EmbeddedServer
from ecom_platform.store.connection import Connection, Database
from ecom_platform_tests.landing import rows_of
from ecom_platform_tests.waiting import COSTLY_LOOK_SECONDS, wait_until

pytestmark = pytest.mark.usefixtures("starts_spark")

ECOM = [sys.executable, "-m", "ecom_platform"]
EVENTS = 30_000


class Platform:
    """One ``ECOM_HOME`` and the command line on it."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        ours = {
            name: value for name, value in os.environ.items() if not name.startswith(("ECOM_", "DAGSTER_"))
        }
        self.environment = {**ours, "ECOM_HOME": str(home), **environment}

    def ecom(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*ECOM, *arguments],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def json(self, *arguments: str) -> dict[str, Any]:
        """The one object that ``--json`` prints; the command must have succeeded."""
        done = self.ecom(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def processor_seconds(self, *arguments: str) -> float:
        """What the kernel says that a command and every process it waited for used."""
        with (self.home / "command.log").open("wb") as log:
            process = subprocess.Popen(
                [*ECOM, *arguments], env=self.environment, cwd=self.home, stdout=log, stderr=log
            )
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        assert status == 0, (self.home / "command.log").read_text()
        return used.ru_utime + used.ru_stime

    def query(self, sql: str) -> str:
        done = self.ecom("psql", "-XAtc", sql)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextmanager
    def server(self) -> Iterator[Connection]:
        """The server for several questions; each `ecom psql` starts and stops it."""
        with EmbeddedServer(self.home / "postgres") as server, Database(server.url).open() as connection:
            yield connection

    def processes(self) -> list[str]:
        """Command lines of whatever still runs on this home."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or [])
            if str(self.home) in command:
                found.append(command)
        return found

    def wait_until_left_alone(self) -> None:
        """Returns when nothing runs on this home any more."""
        wait_until(lambda: not self.processes(), lambda: str(self.processes()), COSTLY_LOOK_SECONDS)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    home = tmp_path / "home"
    home.mkdir()
    yield Platform(home)
    EmbeddedServer(home / "postgres").stop()


def without_java_and_postgres(folder: Path) -> str:
    """A PATH with every program of this machine but Java and PostgreSQL."""
    folder.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for program in Path(directory).glob("*"):
            hidden = program.name.startswith(("java", "postgres", "psql", "pg_", "initdb"))
            if not hidden and not (folder / program.name).exists():
                (folder / program.name).symlink_to(program)
    return str(folder)


def test_two_runs_then_rows_deleted_behind_its_back_then_a_re_drop(platform: Platform) -> None:
    first = platform.json("run")
    assert first["success"] is True
    assert first["files"] == {
        "landed": 30,
        "loaded": 30,
        "quarantined": 0,
        "unsettled": 0,
        "waiting": {},
        "refused": {},
    }
    assert first["rows"] == rows_of(EVENTS, inserted=EVENTS, duplicate=0)
    assert first["checks"] == {"passed": 21, "failed": [], "warned": []}
    assert set(first["seconds"]) == {"generate", "stream", "total"}
    assert platform.query("SELECT count(*), count(DISTINCT event_id) FROM user_events") == "30000|30000"
    assert first["report"] == str(platform.home / "reports" / "report.html")
    archive = platform.home / "landing/.ecom/archive"
    earlier = set(archive.rglob("*.csv"))
    assert len(earlier) == 30

    began = time.monotonic()
    used = platform.processor_seconds("run")
    lasted = time.monotonic() - began
    last = (platform.home / "command.log").read_text().splitlines()[-1]
    assert last == f"Report: {platform.home / 'reports' / 'report.html'}"
    agree(platform, used, lasted)

    newest = "SELECT event_id FROM user_events WHERE file_id IN (SELECT max(file_id) FROM user_events)"
    with platform.server() as connection:
        assert connection.execute("SELECT count(*) FROM user_events").fetchone() == (60_000,)
        connection.execute(f"DELETE FROM user_events WHERE event_id IN ({newest} LIMIT 5)".encode())
    done = platform.ecom("ingest", "--json")
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert result["success"] is False
    assert set(result["checks"]["failed"]) == {
        "user_events:generated_events_stored_once",
        "user_events:table_matches_ledger",
    }
    assert "user_events_" in done.stderr

    for path in set(archive.rglob("*.csv")) - earlier:
        shutil.copy(path, platform.home / "landing" / path.name.partition("-")[2])
    again = platform.json("ingest")
    assert again["success"] is True
    assert again["rows"] == rows_of(EVENTS, inserted=5, duplicate=EVENTS - 5)
    copies = "SELECT count(*) FROM ingested_files WHERE same_bytes_as IS NOT NULL"
    assert platform.query(f"SELECT count(*), ({copies}) FROM user_events") == "60000|30"
    platform.wait_until_left_alone()


def agree(platform: Platform, used: float, lasted: float) -> None:
    """The figures of the last run beside what the kernel, the clock and the table of events say."""
    newest = "SELECT run_id FROM stream_batches ORDER BY batch_id DESC LIMIT 1"
    with platform.server() as connection:

        def asked(sql: str) -> tuple[Any, ...]:
            (row,) = connection.execute(sql.encode()).fetchall()
            return row

        def figure(name: str, parts: str = "''") -> float:
            (value,) = asked(
                f"SELECT sum(value) FROM performance_metrics WHERE run_id = ({newest})"
                f" AND name = '{name}' AND part IN ({parts})"
            )
            return float(value)

        assert 0 < figure("cpu_seconds", "'driver', 'JVM', 'Python workers'") <= used
        # Tasks wait for PostgreSQL more than they compute, on as many cores as there are.
        assert 0 < figure("executor_task_seconds") <= lasted * (os.cpu_count() or 1)
        assert figure("executor_failed_tasks") == 0
        # Each row is in the log, and its entry in the index.
        assert figure("postgres_wal_bytes") > 100 * EVENTS
        assert 0 < figure("sampler_cpu_seconds") < figure("sampled_seconds")
        # Of its transactions the table knows when they began, of its batches the ledger when they ended.
        rows, seconds = asked(
            "SELECT count(*), extract(epoch FROM max(f.finished_at) - min(e.ingested_at))"
            " FROM user_events AS e JOIN ingested_files AS f USING (file_id)"
            f" JOIN stream_batches AS b USING (batch_id) WHERE b.run_id = ({newest})"
        )
        assert figure("rows_read") == rows == EVENTS
        assert 0 < figure("rows_per_second") <= rows / float(seconds)
        (total,) = asked("SELECT pg_total_relation_size('user_events')")
        assert figure("table_bytes") + figure("index_bytes") == pytest.approx(total, rel=0.02)


def test_two_runs_at_once_on_a_machine_without_java_and_postgres(platform: Platform, tmp_path: Path) -> None:
    bare = Platform(platform.home, PATH=without_java_and_postgres(tmp_path / "bin"))
    bare.environment.pop("JAVA_HOME", None)
    assert "from wheel" in bare.ecom("doctor").stdout
    command = [*ECOM, "run", "--events", "2500", "--as-of", "2026-01-31T12:00:00Z", "--json"]
    pair = [
        subprocess.Popen(
            command, env=bare.environment, cwd=bare.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    results = [json.loads(process.communicate(timeout=600)[0]) for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    assert sum(result["rows"]["inserted"] for result in results) == 5_000
    assert sum(result["files"]["landed"] for result in results) == 6
    assert bare.query("SELECT count(*) FROM user_events") == "5000"
    bare.wait_until_left_alone()


@pytest.mark.long
def test_same_seed_and_time_again_inserts_nothing(platform: Platform) -> None:
    arguments = ("run", "--events", "1000", "--seed", "3", "--as-of", "2026-01-31T12:00:00Z")
    assert platform.json(*arguments)["rows"]["inserted"] == 1_000
    again = platform.json(*arguments)
    assert again["rows"] == rows_of(1_000, inserted=0, duplicate=1_000)
    assert again["success"] is True


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "error", "named"),
    [
        (["run", "--events", "0"], {}, 2, "usage", "'0'"),
        (["run", "--events", "-1"], {}, 2, "usage", "-1"),
        (["run", "--events", "many"], {}, 2, "usage", "'many'"),
        (["run", "--as-of", "soon"], {}, 2, "usage", "'soon'"),
        (["run"], {"ECOM_BATCH_FILES": "0"}, 2, "settings", "ECOM_BATCH_FILES"),
        (["run"], {"ECOM_SPARK_MASTER": "spark://h:7077"}, 2, "settings", "embedded"),
        (
            ["run"],
            {"ECOM_POSTGRES_URL": "postgresql://bob:s3cret@127.0.0.1:1/d"},
            3,
            "database",
            "127.0.0.1:1",
        ),
        (["ingest"], {"ECOM_LANDING_DIR": "/proc/landing"}, 3, "storage", "/proc/landing"),
        (["run"], {"JAVA_HOME": "/nowhere"}, 3, "java", "/nowhere"),
    ],
)
def test_what_is_wrong_is_named(
    platform: Platform,
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    error: str,
    named: str,
) -> None:
    done = Platform(platform.home, **environment).ecom(*arguments, "--json")
    assert done.returncode == code
    result = json.loads(done.stdout)
    assert result["success"] is False
    assert result["error"]["code"] == error
    assert named in result["error"]["message"]
    assert result["error"]["remedy"]
    assert "s3cret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_stop_always_works(platform: Platform) -> None:
    assert platform.ecom("stop").returncode == 0
    url = platform.ecom("url").stdout.strip()
    assert url.startswith("postgresql://")
    assert platform.processes() != []
    assert platform.ecom("stop").returncode == 0
    platform.wait_until_left_alone()
