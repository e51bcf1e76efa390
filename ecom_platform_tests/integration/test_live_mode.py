"""`ecom stream` as a person runs it: a process of its own, files dropped while it runs, faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from ecom_platform.landing.folder.archive_check import archive_matches_ledger
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.server import EmbeddedServer
from ecom_platform.settings import load_settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.lock import LIVE_APPLICATION_NAME, IngestLock
from ecom_platform.store.schema import migrate
from ecom_platform_tests.acceptance.ui import free_port
from ecom_platform_tests.dirt import write_dirty_files
from ecom_platform_tests.landing import csv_file, line, rows_of
from ecom_platform_tests.reference import compare
from ecom_platform_tests.waiting import wait_until, wait_until_it_has_looked

PATIENCE_SECONDS = 240

pytestmark = pytest.mark.usefixtures("starts_spark")

# A file of no feed.
WAITING = "wrong.csv"


class Stream:
    """One `ecom stream`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def said(self) -> str:
        return self.log.read_text()

    def wait_until_it_says(self, text: str) -> None:
        wait_until(lambda: text in self.said() or self.process.poll() is not None, self.said)
        assert text in self.said(), self.said()

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it with a signal; returns its exit code."""
        self.process.send_signal(signum)
        return self.process.wait(PATIENCE_SECONDS)

    def kill_java(self) -> None:
        """SIGKILL the JVM, and whatever it is just starting; returns when it is gone."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        machines = [child for child in children if name_of(child) == "java"]
        assert machines, children
        for machine in machines:
            with suppress(psutil.NoSuchProcess):
                machine.kill()
        _, alive = psutil.wait_procs(machines, 240)
        assert alive == [], "a killed JVM is still there"


def name_of(process: psutil.Process) -> str:
    """Its name; none if it has ended."""
    with suppress(psutil.NoSuchProcess):
        return process.name()
    return ""


class Platform:
    """A server, a database and a home of their own: these tests restart PostgreSQL."""

    def __init__(self, home: Path, server: EmbeddedServer) -> None:
        self.home, self.server, self.database = home, server, Database(server.url)
        migrate(self.database)
        ours = {n: v for n, v in os.environ.items() if not n.startswith(("ECOM_", "DAGSTER_"))}
        self.environment = {
            **ours,
            "ECOM_HOME": str(home),
            "ECOM_POSTGRES_URL": server.url,
            "ECOM_SETTLE_SECONDS": "0",
            "ECOM_TRIGGER_SECONDS": "0.1",
        }
        self.zone = LandingZone.of(load_settings(self.environment))
        self.zone.prepare()
        self.streams: list[Stream] = []

    def command(self, *arguments: str) -> dict[str, Any]:
        return {
            "args": [sys.executable, "-m", "ecom_platform", *arguments],
            "env": self.environment,
            "cwd": self.home,
        }

    def stream(self) -> Stream:
        log = self.home / f"stream-{len(self.streams) + 1}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(**self.command("stream"), stdout=output, stderr=output)
        self.streams.append(Stream(process, log))
        return self.streams[-1]

    def drop(self, name: str, content: bytes) -> None:
        """Land a finished file."""
        hidden = self.zone.landing / f".{name}"
        hidden.write_bytes(content)
        hidden.rename(self.zone.landing / name)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.database.open() as connection:
            return connection.execute(sql).fetchall()

    def has_stored(self, rows: int) -> bool:
        return self.query("SELECT count(*) FROM user_events") == [(rows,)]

    def unfinished(self) -> int:
        claimed = self.query("SELECT count(*) FROM ingested_files WHERE state = 'claimed'")[0][0]
        return int(claimed) + len(self.landed())

    def landed(self) -> set[str]:
        """What lies in the landing folder, but for the file that waits for a feed."""
        return look(self.zone.landing).files.keys() - {WAITING}

    def ended(self) -> int:
        """How many files have an end."""
        return int(self.query("SELECT count(*) FROM ingested_files WHERE state <> 'claimed'")[0][0])

    def wait_until_loaded(self, files: int) -> None:
        wait_until(
            lambda: self.ended() >= files,
            lambda: (
                f"{self.query('SELECT state, count(*) FROM ingested_files GROUP BY 1')}\n"
                + "\n".join(stream.said() for stream in self.streams)
            ),
        )

    def check(self) -> None:
        """Every row of every table against the reference, and every file where it belongs."""
        with self.database.open() as connection:
            loaded = connection.execute(
                "SELECT file_id FROM ingested_files WHERE state = 'loaded'"
            ).fetchall()
            states = ledger.states(connection, [row[0] for row in loaded])
        result = compare(self.database, {key: self.zone.path_of(state) for key, state in states.items()})
        assert (result.lost, result.doubled, result.differences) == (0, 0, [])
        assert list(self.zone.claimed.iterdir()) == []

    def scratch(self) -> list[Path]:
        folders = (self.zone.units, self.home / "checkpoints")
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    home = tmp_path / "home"
    home.mkdir()
    with EmbeddedServer(tmp_path / "postgres") as server:
        platform = Platform(home, server)
        yield platform
        for stream in platform.streams:
            if stream.process.poll() is None:
                stream.process.kill()
                stream.process.wait()


@contextmanager
def held_back(database: Database) -> Iterator[None]:
    """No unit can commit while the block lasts: somebody else has the table."""
    with database.open() as connection:
        connection.execute("LOCK TABLE rejected_events, user_events IN EXCLUSIVE MODE")
        yield
        connection.rollback()


def test_files_are_loaded_as_they_land_and_what_fails_is_a_pause(platform: Platform) -> None:
    """One `ecom stream` through its day: files, an ingest beside it, a restart of PostgreSQL, a table that
    somebody has altered, and at last the end of its Java process."""
    stream = platform.stream()
    stream.wait_until_it_says("waiting for files")
    write_dirty_files(platform.zone.landing, seed=3, events=2_000, rows_per_file=200)
    (platform.zone.landing / "empty.csv").touch()
    (platform.zone.landing / WAITING).write_text("a,b\n1,2\n")
    wait_until(lambda: platform.unfinished() == 0, stream.said)
    for number in range(40):
        platform.drop(f"small-{number}.csv", csv_file(line(), line()))
        wait_until(lambda: not platform.landed(), stream.said)  # one by one
    wait_until(lambda: platform.unfinished() == 0, stream.said)
    with IngestLock(platform.database) as lock:
        holder = lock.holder()
        assert holder is not None and holder.application_name == LIVE_APPLICATION_NAME
    an_ingest_beside_it_waits_for_its_own(platform, stream)
    assert (platform.zone.landing / WAITING).is_file()
    assert f"{WAITING} in the landing folder waits for a feed: its first line has 2 fields" in stream.said()
    assert len(platform.scratch()) < 150
    assert platform.query(
        "SELECT count(*) FROM stream_batches WHERE latency_p95_ms IS NULL AND rows > 0"
    ) == [(0,)]
    assert platform.query("SELECT DISTINCT trigger_ms FROM stream_batches WHERE finished_at IS NOT NULL") == [
        (100,)
    ]
    a_restart_of_postgresql_and_a_failing_micro_batch_are_pauses(platform, stream)

    # What was committed is put away a moment later; without a JVM nobody does it.
    wait_until(lambda: list(platform.zone.claimed.iterdir()) == [], stream.said)
    stream.kill_java()
    assert stream.process.wait(PATIENCE_SECONDS) == 1
    # PySpark's own threads print what they lost, too; the last word is ours.
    assert "Error: Spark's Java process cannot be reached any more" in stream.said()
    platform.check()


def an_ingest_beside_it_waits_for_its_own(platform: Platform, stream: Stream) -> None:
    with held_back(platform.database):
        platform.drop("own.csv", csv_file(line(), line(), line()))
        ingest = subprocess.Popen(
            **platform.command("ingest", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        asked_at: set[object] = set()
        wait_until(lambda: _asked_for_the_lock(platform, ingest, asked_at))
        platform.drop("later.csv", csv_file(line()))  # not its business
        wait_until(lambda: not platform.landed(), stream.said)
        wait_until_it_has_looked(psutil.Process(ingest.pid))
        assert ingest.poll() is None
    output, errors = ingest.communicate(timeout=PATIENCE_SECONDS)
    assert ingest.returncode == 0, errors.decode()
    summary = json.loads(output)
    assert summary["files"].pop("waiting").keys() == {WAITING}
    assert summary["files"] == {"landed": 1, "loaded": 1, "quarantined": 0, "unsettled": 0, "refused": {}}
    assert summary["rows"] == rows_of(3, inserted=3, duplicate=0)
    wait_until(lambda: platform.unfinished() == 0, stream.said)


def _asked_for_the_lock(platform: Platform, ingest: subprocess.Popen[bytes], asked_at: set[object]) -> bool:
    """Whether the bounded run has asked who holds it twice: in between it looks for what is its own."""
    assert ingest.poll() is None
    asking = "SELECT query_start FROM pg_stat_activity WHERE query LIKE '%pg_locks AS l%LEFT JOIN%'"
    asked_at.update(moment for (moment,) in platform.query(asking + " AND pid <> pg_backend_pid()"))
    return len(asked_at) > 1


def a_restart_of_postgresql_and_a_failing_micro_batch_are_pauses(platform: Platform, stream: Stream) -> None:
    before = platform.ended()
    platform.server.stop()
    platform.drop("during.csv", csv_file(line(), line()))
    stream.wait_until_it_says("Trying again in")
    platform.server.acquire()
    platform.wait_until_loaded(before + 1)
    platform.drop("after.csv", csv_file(line()))
    platform.wait_until_loaded(before + 2)

    # No row's fault: a row that the database refuses would be a reject.
    with platform.database.transaction() as connection:
        connection.execute("ALTER TABLE user_events RENAME COLUMN user_device TO somewhere_else")
    pauses = stream.said().count("Trying again in")
    platform.drop(f"refused-{uuid.uuid4()}.csv", csv_file(line(), line()))
    stream.wait_until_it_says("user_device")
    wait_until(lambda: stream.said().count("Trying again in") > pauses, stream.said)
    with platform.database.transaction() as connection:
        connection.execute("ALTER TABLE user_events RENAME COLUMN somewhere_else TO user_device")
    platform.wait_until_loaded(before + 3)


def test_a_signal_waits_for_the_batch_and_dev_starts_a_killed_one_again(platform: Platform) -> None:
    first = platform.stream()
    first.wait_until_it_says("waiting for files")
    with held_back(platform.database):
        platform.drop("in-hand.csv", csv_file(*(line() for _ in range(100))))
        wait_until(lambda: platform.query("SELECT count(*) FROM stream_batches")[0][0] == 1, first.said)
        first.process.send_signal(signal.SIGINT)
        first.wait_until_it_says("stopping after the micro-batch in hand")
        platform.drop("too-late.csv", csv_file(line()))
        assert first.process.poll() is None
    assert first.process.wait(PATIENCE_SECONDS) == 0, first.said()
    assert "stopped" in first.said()
    assert platform.scratch() == []
    assert platform.query("SELECT count(*) FROM user_events") == [(100,)]
    assert platform.query("SELECT count(*) FROM live_status WHERE stopped_at IS NOT NULL") == [(1,)]

    log = platform.home / "dev.log"
    lives = "SELECT pid FROM live_status ORDER BY live_id DESC"
    with log.open("wb") as output:
        command = platform.command("dev", "--live", "--port", str(free_port()))
        dev = subprocess.Popen(**command, stdout=output, stderr=output)
    try:
        platform.wait_until_loaded(2)
        with held_back(platform.database):
            platform.drop("killed.csv", csv_file(*(line() for _ in range(50))))
            batches = "SELECT count(*) FROM stream_batches WHERE finished_at IS NULL"
            wait_until(lambda: platform.query(batches)[0][0] == 1, log.read_text)
            os.kill(int(platform.query(lives)[0][0]), signal.SIGKILL)
        wait_until(lambda: len(platform.query(lives)) == 3, log.read_text)
        assert "stream` ended with SIGKILL; starting it again in 1 s" in log.read_text()
        platform.wait_until_loaded(3)
        wait_until(lambda: list(platform.zone.claimed.iterdir()) == [], log.read_text)
        assert platform.query("SELECT count(*) FROM live_status WHERE stopped_at IS NULL") == [(2,)]
        platform.check()
        platform.drop("last.csv", csv_file(line()))
        platform.wait_until_loaded(4)
        dev.send_signal(signal.SIGTERM)
        assert dev.wait(PATIENCE_SECONDS) == 0, log.read_text()
    finally:
        if dev.poll() is None:
            dev.send_signal(signal.SIGTERM)
            dev.wait(PATIENCE_SECONDS)
    newest = "SELECT stopped_at IS NOT NULL FROM live_status ORDER BY live_id DESC LIMIT 1"
    assert platform.query(newest) == [(True,)]
    platform.check()


@pytest.mark.long
def test_five_minutes_at_a_thousand_events_a_second(platform: Platform, tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    write_dirty_files(staging, seed=5, events=300_000, rows_per_file=1_000)
    files = sorted(staging.iterdir())
    stream = platform.stream()
    stream.wait_until_it_says("waiting for files")
    begun = time.monotonic()
    for number, file in enumerate(files):
        time.sleep(max(begun + number - time.monotonic(), 0))  # a producer's pace, not a wait
        file.rename(platform.zone.landing / file.name)
        assert stream.process.poll() is None, stream.said()
    platform.wait_until_loaded(len(files))
    assert stream.stop() == 0, stream.said()
    platform.check()


@pytest.mark.long
def test_a_writer_that_pauses_longer_than_a_file_has_to_rest(platform: Platform) -> None:
    """Each pause lets its file be loaded, and what comes after it is loaded as well."""
    stream = platform.stream()
    stream.wait_until_it_says("waiting for files")
    rows = [line() for _ in range(3)]
    with (platform.zone.landing / "a.csv").open("wb", buffering=0) as writer:
        writer.write(csv_file(rows[0])[:-20])
        platform.wait_until_loaded(1)
        writer.write(csv_file(rows[0])[-20:])
        for number, row in enumerate(rows[1:], 1):
            wait_until(partial(platform.has_stored, number), stream.said)
            writer.write(row + b"\n")
    wait_until(partial(platform.has_stored, 3), stream.said)
    wait_until(lambda: platform.unfinished() == 0, stream.said)
    assert stream.stop() == 0
    platform.check()
    with platform.database.open() as connection:
        assert archive_matches_ledger(connection, platform.zone, whole=True).passed
