"""The report on a real PostgreSQL: its figures beside independent ones, and what it says when staged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.reporting.report import Report, write_report
from ecom_platform.reporting.sampler import Point, Usage, sampling
from ecom_platform.reporting.verdict import Cause, Verdict
from ecom_platform.store import ledger, live_status, metrics, retention, upkeep
from ecom_platform.store.connection import Database
from ecom_platform.store.loads import last_loads
from ecom_platform.store.lock import LIVE_APPLICATION_NAME, IngestLock
from ecom_platform.store.metrics import Activity, Metric, activity
from ecom_platform.store.sink import load_unit
from ecom_platform.streaming.executors import ExecutorUse, executor_metrics
from ecom_platform.streaming.query import batch_figures
from ecom_platform_tests.landing import USER_EVENTS, Landing, csv_file, line
from ecom_platform_tests.waiting import wait_until, wait_until_counted


class Run(Landing):
    """A run of micro-batches without Spark: the sink, and the account of it as the query writes it."""

    def __init__(self, database: Database, zone: LandingZone, run_id: str = "run") -> None:
        super().__init__(database, zone)
        self.run_id = run_id
        self.batches = 0
        # Of a bounded run, which has none.
        self.trigger_ms = 0.0

    def batch(
        self, *contents: bytes, pause: float = 0.0, hook: Callable[[str], None] = lambda step: None
    ) -> None:
        for number, content in enumerate(contents):
            name = f"{self.run_id}-{self.batches}-{number}.csv"
            (self.zone.landing / name).write_bytes(content)
        files = self.take()
        time.sleep(pause)
        started = time.perf_counter()
        batch_id = self.begin()
        unit = load_unit(self.database.url, USER_EVENTS, files, batch_id, hook=hook)
        figures = batch_figures([unit], time.perf_counter() - started, 1, self.trigger_ms)
        with self.database.transaction() as connection:
            ledger.finish_batch(connection, batch_id, len(unit.outcomes), figures)
        self.batches += 1

    def begin(self) -> int:
        with self.database.transaction() as connection:
            return ledger.start_batch(connection, "test", self.batches, self.run_id)

    def interrupted_batch(self, *contents: bytes) -> None:
        """One that is killed after its COMMIT, before its end is written down."""
        for number, content in enumerate(contents):
            (self.zone.landing / f"{self.run_id}-killed-{number}.csv").write_bytes(content)
        files = self.take()
        batch_id = self.begin()
        if files:
            load_unit(self.database.url, USER_EVENTS, files, batch_id)
        self.batches += 1

    def record(self, *rows: Metric) -> None:
        with self.database.transaction() as connection:
            metrics.record(connection, self.run_id, rows)

    def report(self, folder: Path) -> Report:
        return write_report(self.database, folder, self.run_id)

    def cause(self, folder: Path) -> Cause:
        verdict = self.report(folder).verdict
        assert verdict is not None
        return verdict.cause


@pytest.fixture
def run(database: Database, zone: LandingZone) -> Run:
    return Run(database, zone)


def execute(database: Database, sql: str) -> None:
    with database.transaction() as connection:
        connection.execute(sql)


def ask(database: Database, sql: str) -> Any:
    with database.open() as connection:
        row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def parts(run: Run) -> dict[str, float]:
    """Seconds by part, as they are stored."""
    with run.database.open() as connection:
        stored = metrics.of_run(connection, run.run_id)
    return {row.part: row.value for row in stored if row.name == "part_seconds"}


def slow_commit(database: Database) -> Callable[[str], None]:
    """A hook for the sink: from its last step before COMMIT on, the server's commits wait for 1.5 s."""

    def alter(setting: str) -> None:
        with database.open(autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM {setting}")
            connection.execute("SELECT pg_reload_conf()")

    def release() -> None:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        wait_until(lambda: ask(database, waiting))
        time.sleep(1.5)  # what is staged
        alter("RESET synchronous_standby_names")

    def hook(step: str) -> None:
        if step == "durable":
            alter("SET synchronous_standby_names = 'nobody'")
            shown = "SHOW synchronous_standby_names"
            wait_until(lambda: ask(database, shown) == "nobody")
            releasing.start()

    releasing = threading.Thread(target=release, daemon=True)
    return hook


@contextmanager
def busy_stranger() -> Iterator[psutil.Process]:
    """A program that wants a core and does not descend from this one: what is running beside a load."""
    script = f"{sys.executable} -c 'while True: pass' >/dev/null 2>&1 & echo $!"
    said = subprocess.run(["sh", "-c", script], check=True, stdout=subprocess.PIPE, text=True).stdout
    stranger = psutil.Process(int(said))
    try:
        yield stranger
    finally:
        stranger.kill()


def processor_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def staged(run: Run, folder: Path, cause: Cause, stage: Callable[[Run], object]) -> tuple[Run, Verdict]:
    """A run of what is staged, with its verdict, which has to be ``cause``.

    A machine that stalls can outweigh what is staged, but not every time: it is staged up to three times.
    """
    for attempt in range(3):
        attempted = Run(run.database, run.zone, f"run-{attempt}")
        stage(attempted)
        verdict = attempted.report(folder).verdict
        assert verdict is not None
        if verdict.cause is cause:
            return attempted, verdict
    raise AssertionError(verdict)


@pytest.mark.usefixtures("starts_programs")
class TestStaged:
    def test_slow_trigger(self, run: Run, tmp_path: Path) -> None:
        def stage(run: Run) -> None:
            run.trigger_ms = 2_000
            for _ in range(3):
                run.batch(csv_file(line()), pause=1.0)

        attempted, _ = staged(run, tmp_path, Cause.TRIGGER, stage)
        assert 1.9 < parts(attempted)["waiting"] <= 4.0

    def test_pauses_of_a_run_that_has_no_trigger(self, run: Run, tmp_path: Path) -> None:
        def stage(run: Run) -> None:
            for _ in range(3):
                run.batch(csv_file(line()), pause=0.5)

        attempted, _ = staged(run, tmp_path, Cause.START, stage)
        assert parts(attempted)["waiting"] == 0
        assert parts(attempted)["bookkeeping"] > 0.9

    def test_a_live_mode_with_nothing_to_do(self, run: Run, tmp_path: Path) -> None:
        """A pause of which the trigger explains a tenth is mostly nobody's time."""
        run.trigger_ms = 100
        run.batch(csv_file(line()))
        run.batch(csv_file(line()), pause=1.0)
        run.report(tmp_path)
        assert parts(run)["waiting"] == pytest.approx(0.1)
        assert parts(run)["bookkeeping"] == 0

    def test_starved_worker(self, run: Run, tmp_path: Path) -> None:
        """A busy program of somebody else, and the sampler at its work. That all processors are busy is said
        by recorded figures: a machine may have many, and may get less of them than it has."""
        with busy_stranger() as stranger, sampling() as usage:
            before = processor_seconds(stranger)
            run.batch(csv_file(*(line() for _ in range(2_000))))
            ours = time.process_time()
            wait_until(lambda: processor_seconds(stranger) - before > 3.0 + 2 * (time.process_time() - ours))
            used = processor_seconds(stranger) - before
        # But for time that the machine takes away: of a process it may be counted, of the machine not.
        assert usage.host_cpu_seconds > 0.7 * used
        run.record(*usage.metrics())
        run.record(Metric("sampled_seconds", usage.host_cpu_seconds / usage.cores, "s"))
        verdict = run.report(tmp_path).verdict
        assert verdict is not None
        assert verdict.cause is Cause.PROCESSORS
        assert "100% busy" in verdict.sentence

    def test_worker_short_of_memory(self, run: Run, tmp_path: Path) -> None:
        """By recorded figures: a machine whose memory is really used up ends other programs first."""
        run.batch(csv_file(line()))
        run.record(
            Metric("memory_total_bytes", 2**30, "bytes"), Metric("memory_available_bytes", 2**25, "bytes")
        )
        assert run.cause(tmp_path) is Cause.MEMORY

    def test_slow_disk(self, run: Run, tmp_path: Path) -> None:
        """COMMIT waits for a standby that does not come, as it would for a slow disk."""
        attempted, _ = staged(
            run, tmp_path, Cause.DISK, lambda run: run.batch(csv_file(line()), hook=slow_commit(run.database))
        )
        assert parts(attempted)["commit"] >= 1.5

    def test_slow_postgres(self, run: Run, tmp_path: Path) -> None:
        execute(
            run.database,
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END';"
            "CREATE TRIGGER slow AFTER INSERT ON user_events FOR EACH STATEMENT EXECUTE FUNCTION slow()",
        )

        def stage(run: Run) -> None:
            run.batch(csv_file(line()))
            run.record(Metric("cpu_seconds", 0.1, "s", "PostgreSQL"))

        attempted, verdict = staged(run, tmp_path, Cause.POSTGRES, stage)
        assert "waited for something" in verdict.sentence
        assert parts(attempted)["copy"] >= 1.5

    def test_reject_storm(self, run: Run, tmp_path: Path) -> None:
        bad = [line().replace(b"19.99", b"NaN") for _ in range(30)]
        run.batch(csv_file(*bad, *(line() for _ in range(70))))
        report = run.report(tmp_path)
        assert report.verdict is not None
        assert report.verdict.cause is Cause.REJECTS
        assert (
            report.verdict.sentence == "30% of the rows were refused (30 of 100), all of them as not_finite."
        )


def test_figures_agree_with_independent_ones(run: Run, tmp_path: Path) -> None:
    twice = line()
    started = time.perf_counter()
    for number in range(3):
        lines = [line() for _ in range(2_000)]
        run.batch(csv_file(*lines, twice), csv_file(*lines[:10], b"bad", b"worse"), pause=0.2 * number)
    elapsed = time.perf_counter() - started
    report = run.report(tmp_path)
    seen = report.run
    assert seen is not None
    with run.database.open() as connection:
        stored = {(m.name, m.part): m.value for m in metrics.of_run(connection, "run")}
    # Rows and seconds by the table of events, which knows when each transaction began: the run began before
    # the first and ended after the last. And by our own clock, which ran before and after both.
    rows, first, last = ask(
        run.database, "SELECT count(*), min(ingested_at), max(ingested_at) FROM user_events"
    )
    assert stored["rows_inserted", ""] == rows == 6_001
    read = ask(run.database, "SELECT sum(rows_read)::bigint FROM ingested_files")
    assert read == 3 * (2_001 + 12)
    assert read / elapsed < stored["rows_per_second", ""] < read / (last - first).total_seconds()
    # The terminal and the asset's metadata show the same.
    with run.database.open() as connection:
        shown = ledger.run_progress(connection, "run")
    assert (shown.rows, shown.rows_per_second) == (read, pytest.approx(stored["rows_per_second", ""]))
    assert (last - first).total_seconds() < stored["stream_seconds", ""] < elapsed
    # Sizes by another of PostgreSQL's functions, and by the files themselves.
    total = ask(run.database, "SELECT pg_total_relation_size('user_events')")
    assert stored["table_bytes", "user_events"] + stored["index_bytes", "user_events"] == total
    archived = sum(path.stat().st_size for path in run.zone.claimed.glob("*.csv"))
    assert stored["csv_bytes", ""] == archived > 0
    # Duplicates and rejects by counting what was dropped.
    assert stored["duplicates", "across files"] == 3 * 10 + 2
    assert stored["duplicates", "within a file"] == 0
    assert stored["rejects", "missing_fields"] == 3 * 2
    # Parts of the time are no more than the whole, and most of them took some.
    assert sum(parts(run).values()) < 1.2 * stored["stream_seconds", ""] + 0.2
    assert sum(parts(run).values()) > 0.6
    # No process uses more than all of the processors.
    assert 0 < stored["processor_seconds", ""] < (os.cpu_count() or 1) * elapsed


def test_files_of_a_batch_that_failed_half_way_are_not_rows_per_second(run: Run, tmp_path: Path) -> None:
    run.batch(csv_file(line(), b"bad"))
    run.interrupted_batch(csv_file(*(line() for _ in range(500)), b"bad", b"worse"))
    seen = run.report(tmp_path).run
    assert seen is not None
    assert (seen.files.loaded, seen.files.rows_read) == (1, 2)
    assert seen.rows_per_second == pytest.approx(2 / seen.seconds)
    assert seen.rejects == [("missing_fields", 1)]


def test_rejects_that_were_replayed_are_none_any_more(run: Run, tmp_path: Path) -> None:
    run.batch(csv_file(line(), b"bad", b"worse"))
    replay = (
        "UPDATE rejected_events SET replayed_at = now() WHERE line_number = 3;"
        "UPDATE ingested_files SET rows_rejected = 1, rows_inserted = 2 WHERE rows_rejected = 2"
    )
    stored = "SELECT count(*), sum(value) FROM performance_metrics WHERE name = 'rejects'"
    run.report(tmp_path)
    assert ask(run.database, stored) == (1, 2)
    execute(run.database, replay)
    run.report(tmp_path)
    assert ask(run.database, stored) == (1, 1)
    execute(run.database, "UPDATE rejected_events SET replayed_at = now()")
    run.report(tmp_path)
    assert ask(run.database, stored) == (0, None)


class TestLastLoads:
    def states(self, run: Run, folder: Path) -> dict[str, tuple[bool, bool]]:
        run.report(folder)
        with run.database.open() as connection:
            loads = last_loads(connection).last
        return {load.run_id: (load.interrupted, load.loading) for load in loads}

    def test_a_run_that_was_killed_is_interrupted(self, run: Run, zone: LandingZone, tmp_path: Path) -> None:
        run.batch(csv_file(line()))
        killed = Run(run.database, zone, "killed")
        killed.batch(csv_file(line()))
        killed.interrupted_batch()
        early = Run(run.database, zone, "killed before its first COMMIT")
        early.interrupted_batch()
        states = self.states(run, tmp_path)
        assert states["run"] == (False, False)
        assert states["killed"] == states["killed before its first COMMIT"] == (True, False)
        page = (tmp_path / "report.html").read_text()
        # With the one that the landing zone of each of these three has begun.
        assert page.count('<span class="state warn">interrupted</span>') == 3
        assert page.count('<span class="state">complete</span>') == 1

    def test_the_live_run_in_progress_is_loading(self, run: Run, tmp_path: Path) -> None:
        run.batch(csv_file(line()))
        with run.database.transaction() as connection:
            live_status.begin(connection, "run", "host", 1)
        with IngestLock(run.database, LIVE_APPLICATION_NAME) as lock:
            assert lock.try_take()
            run.interrupted_batch(csv_file(line()))
            assert self.states(run, tmp_path)["run"] == (False, True)
            assert '<span class="state">loading</span>' in (tmp_path / "report.html").read_text()
        assert self.states(run, tmp_path)["run"] == (True, False)

    def test_the_bounded_run_in_progress_is_loading(self, run: Run, tmp_path: Path) -> None:
        run.batch(csv_file(line()))
        with IngestLock(run.database) as lock:
            assert lock.try_take()
            run.interrupted_batch(csv_file(line()))
            assert self.states(run, tmp_path)["run"] == (False, True)


def test_the_page_names_only_processes_that_were_seen(run: Run, tmp_path: Path) -> None:
    """A driver and a JVM were sampled here; the workers only say of themselves how much they used."""
    run.batch(csv_file(line()))
    started = datetime(2026, 1, 1, tzinfo=UTC)
    usage = Usage(started)
    for number in range(3):
        usage.add(Point(float(number), {"driver": 1.0, "JVM": 2.0}, {"driver": 2**20, "JVM": 2**21}))
    run.record(*usage.metrics())
    text = run.report(tmp_path).path.read_text()
    assert "<b>3 MiB</b><span>driver, JVM</span>" in text
    assert "<span>driver, JVM, Python workers</span>" in text
    assert "PostgreSQL</span>" not in text
    assert text.count("</i>Python workers</span>") == 0
    assert text.count("</i>JVM</span>") == 2


def test_what_spark_and_postgresql_say_of_themselves(run: Run, tmp_path: Path) -> None:
    run.batch(csv_file(line()))
    text = run.report(tmp_path).path.read_text()
    assert "by their own account" not in text
    assert "by its own statistics" not in text
    use = ExecutorUse("3", "<b>10.0.0.1", 8, 1, 12.0, 0.6, 200 * 2**20)
    run.record(*executor_metrics([use]), *Activity(3.0 * 2**20, 120, 10, 990, 0, 2).metrics())
    text = run.report(tmp_path).path.read_text()
    row = [r"3 on &lt;b&gt;10\.0\.0\.1", "8, 1 failed", "12 s", r"5\.0%", "200 MiB"]
    assert re.search("</td><td[^>]*>".join(row), text)
    for figure in ("3.0 MiB|3 MiB", "120", "2", r"99\.0%", "0 B|0 bytes"):
        assert re.search(f'<td class="n">({figure})</td>', text), figure


def test_the_log_is_as_long_as_the_server_says(run: Run) -> None:
    """Statistics beside the log's own positions."""
    with run.database.open(autocommit=True) as connection:

        def position() -> float:
            row = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
            assert row is not None
            return float(row[0])

        connection.execute("CHECKPOINT")
        before, at = activity(connection), position()
        run.batch(csv_file(*(line() for _ in range(20_000))))
        found, written = activity(connection).since(before), position() - at
    # But for what others wrote and have yet to hand in.
    assert found.wal_bytes == pytest.approx(written, rel=0.2)
    assert found.full_pages > 0
    assert found.blocks_hit > 0


@pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")
@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars` is deprecated")
def test_the_ui_gets_figures_by_process_cause_and_table(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.batch(csv_file(line(), b"bad"))
    run.record(Metric("memory_peak_bytes", 7.0, "bytes", "JVM"), Metric("cpu_seconds", 1.5, "s", "JVM"))
    monkeypatch.setenv("ECOM_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_POSTGRES_URL", run.database.url)
    monkeypatch.chdir(tmp_path)  # no .env of this machine
    from ecom_platform.definitions import defs  # Dagster warns while it loads: within the filter

    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("report").execute_in_process(instance=instance)
    (seen,) = result.asset_materializations_for_node("performance_report")
    values = {name: entry.value for name, entry in seen.metadata.items()}
    assert values["memory_peak_bytes_jvm"] == 7
    assert values["cpu_seconds_jvm"] == 1.5
    assert values["cpu_seconds_python_workers"] > 0
    assert values["rejects_missing_fields"] == 1
    assert values["duplicates_within_a_file"] == 0
    assert values["table_bytes_user_events"] == values["table_bytes"] > 0


def test_what_is_compared_with_the_last_runs(run: Run, zone: LandingZone, tmp_path: Path) -> None:
    before = Run(run.database, zone, "before")
    for each in (before, run):
        each.batch(csv_file(*(line() for _ in range(10 if each is run else 5))))
        each.record(
            Metric("latency_mean_seconds", 2.0 if each is run else 3.0, "s"),
            Metric("memory_peak_bytes", 2**30, "bytes"),
        )
        text = each.report(tmp_path).path.read_text()
    table = text.split("This run and the last ones")[1].split("</table>")[0]
    rows = {
        cells[0]: cells[1:4]
        for cells in (re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table.split("<tr>")[2:])
    }
    assert rows["Latency, mean"] == ["2 s", "3 s", "better than 1 of 1"]
    assert rows["Memory, at the most"] == ["1 GiB", "1 GiB", "as always"]
    assert rows["CSV files"][2] == "more than 1 of 1"
    assert rows["CSV files"][0].endswith(" B") or rows["CSV files"][0].endswith(" KiB")
    assert "Processor time" in rows


def test_history_is_of_the_last_runs_without_this_one(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(40):
            metrics.record(connection, f"run-{number}", [Metric("rows_per_second", number, "rows/s")])
        metrics.record(connection, "run-39", [Metric("rows_per_second", 1_000, "rows/s")])
        found = metrics.history(connection, ["rows_per_second", "unknown"], "run-39")
    assert found == {"rows_per_second": list(range(9, 39)), "unknown": []}


def test_a_run_that_loaded_nothing_reports_the_last_one_that_did(run: Run, tmp_path: Path) -> None:
    run.batch(csv_file(line()))
    run.report(tmp_path)
    report = write_report(run.database, tmp_path, "another")
    assert report.run is not None
    assert report.run.run_id == "run"
    assert ask(run.database, "SELECT count(*) FROM performance_metrics WHERE run_id = 'another'") == 0


def test_writing_it_again_changes_no_figure(run: Run, tmp_path: Path) -> None:
    run.batch(csv_file(line(), line()))
    run.record(Metric("cpu_cores", 1.5, "cores", "JVM", datetime.now(UTC)))
    figures = "SELECT count(*), sum(value) FROM performance_metrics WHERE name NOT LIKE '%bytes'"
    run.report(tmp_path)
    before = ask(run.database, figures)
    run.report(tmp_path)
    assert ask(run.database, figures) == before
    assert [path.name for path in tmp_path.glob("report*")] == ["report.html"]


def test_what_is_past_its_time_goes_and_the_rest_stays(run: Run) -> None:
    run.batch(csv_file(line(), b"bad", b"worse"))
    newest = Run(run.database, run.zone, "newest")
    newest.batch(csv_file(line()))
    run.record(Metric("rows_per_second", 1.0, "rows/s"))
    for key in ("over", "told", "open"):
        execute(
            run.database,
            "INSERT INTO alerts"
            " (source, key, kind, severity, title, expected, found, occurred_at, last_event_at)"
            f" VALUES ('ecom', '{key}', 'check_failed', 'ERROR', 'x', '1', '2', now(), now())",
        )
    execute(run.database, "UPDATE alerts SET resolved_at = now(), resolution = 'passed' WHERE key <> 'open'")
    execute(
        run.database,
        "INSERT INTO alert_deliveries (alert_id, target, notice)"
        " SELECT alert_id, 'somewhere', 'recovered' FROM alerts WHERE key = 'told'",
    )
    execute(run.database, "UPDATE rejected_events SET replayed_at = now() WHERE line_number = 3")
    with run.database.transaction() as connection:
        early = retention.expire(connection, datetime.now(UTC) - timedelta(days=1))
    assert (early.replayed_rejects, early.batches, early.metrics, early.alerts) == (0, 0, 0, 0)
    for expected in (1, 0):
        with run.database.transaction() as connection:
            done = retention.expire(connection, datetime.now(UTC) + timedelta(days=1))
        assert done.replayed_rejects == done.metrics == done.alerts == expected
    # One that is open stays, and one of which somebody has yet to be told that it is over.
    assert ask(run.database, "SELECT string_agg(key, ' ' ORDER BY key) FROM alerts") == "open told"
    assert ask(run.database, "SELECT count(*) FROM rejected_events") == 1
    assert ask(run.database, "SELECT count(*) FROM user_events") == 2
    assert ask(run.database, "SELECT count(*) FROM ingested_files WHERE batch_id IS NULL") == 1
    # The newest run is still there to be reported.
    assert ask(run.database, "SELECT string_agg(DISTINCT run_id, ' ') FROM stream_batches") == "newest"


@pytest.mark.usefixtures("statistics_from_zero")
def test_a_table_gets_what_it_wants_once(run: Run) -> None:
    run.batch(csv_file(*(line() for _ in range(3_000))))
    wait_until_counted(run.database)
    assert upkeep.tend(run.database)["user_events"] is upkeep.Hint.ANALYZE
    execute(run.database, "UPDATE user_events SET user_id = user_id + 1 WHERE user_id = 7")
    wait_until_counted(run.database)
    assert upkeep.tend(run.database)["user_events"] is upkeep.Hint.VACUUM
    wait_until_counted(run.database)
    assert upkeep.tend(run.database) == {}


@pytest.mark.parametrize(
    ("live", "dead", "changed", "analyzed", "expected"),
    [
        (0, 0, 0, False, None),
        (50, 40, 90, True, None),
        (100_000, 9_000, 9_000, True, None),
        (100_000, 12_000, 12_000, True, upkeep.Hint.VACUUM),
        (100_000, 0, 12_000, True, upkeep.Hint.ANALYZE),
        (100_000, 0, 2_000, False, upkeep.Hint.ANALYZE),
    ],
)
def test_what_a_table_wants(
    live: int, dead: int, changed: int, analyzed: bool, expected: upkeep.Hint | None
) -> None:
    assert upkeep.hint(upkeep.TableState("t", live, dead, changed, analyzed)) is expected
