"""The sensor that watches the live mode, on a real database."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from ecom_platform.orchestration.resources import PostgresResource
from ecom_platform.orchestration.sensors.live_mode import live_mode
from ecom_platform.orchestration.workload import Workload
from ecom_platform.store import live_status
from ecom_platform.store.connection import Database
from ecom_platform.store.live_status import Pulse
from ecom_platform_tests.packaged_feeds import PACKAGED_FEEDS

pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")


class Tick:
    """What one tick of the sensor says."""

    def __init__(self, result: Any) -> None:
        self.skipped = isinstance(result, dg.SkipReason)
        self.cursor = None if self.skipped else result.cursor
        self.requests = [] if self.skipped else list(result.run_requests or ())
        events = [] if self.skipped else result.asset_events
        self.checks = [event for event in events if isinstance(event, dg.AssetCheckEvaluation)]
        self.materializations = [event for event in events if isinstance(event, dg.AssetMaterialization)]
        self.observations = [event for event in events if isinstance(event, dg.AssetObservation)]


@pytest.fixture
def tick(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    monkeypatch.setenv("ECOM_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_POSTGRES_URL", database.url)
    monkeypatch.chdir(tmp_path)

    def evaluate(cursor: str | None = None) -> Tick:
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_sensor_context(
                instance=instance,
                cursor=cursor,
                resources={
                    "ecom_postgres": PostgresResource(),
                    "ecom_workload": Workload(),
                    "ecom_declared": PACKAGED_FEEDS,
                },
            ) as context,
        ):
            return Tick(live_mode(context))

    return evaluate


def begin(database: Database) -> int:
    with database.transaction() as connection:
        return live_status.begin(connection, f"run-{datetime.now(UTC):%H%M%S%f}", "host", 1)


def execute(database: Database, sql: str) -> None:
    with database.transaction() as connection:
        connection.execute(sql)


def test_no_live_mode_is_nothing_to_watch(tick: Any) -> None:
    assert tick().skipped


def test_a_live_process_is_observed_and_found_alive(tick: Any, database: Database) -> None:
    live_id = begin(database)
    with database.transaction() as connection:
        live_status.beat(connection, live_id, Pulse(3, 1_000, 7, 700))
    seen = tick()
    (check,) = seen.checks
    (observation,) = seen.observations
    assert (check.check_name, check.passed, check.severity) == (
        "live_mode_is_alive",
        True,
        dg.AssetCheckSeverity.ERROR,
    )
    values = {name: value.value for name, value in observation.metadata.items()}
    assert (values["live_backlog_files"], values["live_rows"]) == (3, 0)
    assert "live_latency_p95_seconds" not in values


def test_one_that_fell_silent_fails_the_check(tick: Any, database: Database) -> None:
    begin(database)
    execute(database, "UPDATE live_status SET heartbeat_at = heartbeat_at - interval '5 minutes'")
    (check,) = tick().checks
    assert not check.passed
    ago = re.search(r"(\d+) s ago", check.description)
    assert ago is not None and int(ago[1]) >= 300, check.description


def test_one_that_cannot_load_fails_the_check_after_a_while(tick: Any, database: Database) -> None:
    live_id = begin(database)
    with database.transaction() as connection:
        live_status.beat(connection, live_id, Pulse(problem="The disk is full."))
    assert tick().checks[0].passed
    execute(database, "UPDATE live_status SET problem_since = problem_since - interval '5 minutes'")
    (check,) = tick().checks
    assert not check.passed
    assert "The disk is full." in check.description
    with database.transaction() as connection:
        live_status.beat(connection, live_id, Pulse())
    assert tick().checks[0].passed


def test_rows_that_were_loaded_are_looked_at_once(tick: Any, database: Database) -> None:
    """A materialization without a look at the checks would turn failed ones grey."""

    def beat(live_id: int, rows: int) -> None:
        with database.transaction() as connection:
            live_status.beat(connection, live_id, Pulse(rows=rows))

    live_id = begin(database)
    seen = tick()
    assert seen.requests == []
    beat(live_id, 700)
    seen = tick(seen.cursor)
    assert len(seen.requests) == 1
    seen = tick(seen.cursor)
    assert seen.requests == []
    beat(live_id, 900)
    seen = tick(seen.cursor)
    assert len(seen.requests) == 1
    beat(begin(database), 50)  # another process counts from its own beginning
    seen = tick(seen.cursor)
    assert len(seen.requests) == 1
    assert seen.materializations == []


def test_one_that_beats_and_does_not_get_on_fails_the_check(tick: Any, database: Database) -> None:
    """The heartbeat is a thread of its own, which a query that is stuck does not stop."""
    live_id = begin(database)
    for seconds, passed in ((200.0, True), (400.0, False), (0.0, True)):
        with database.transaction() as connection:
            live_status.beat(connection, live_id, Pulse(stuck_seconds=seconds))
        assert tick().checks[0].passed == passed
    assert "no micro-batch finished for" not in tick().checks[0].description


def test_one_that_dies_again_and_again_before_it_can_load_fails_the_check(
    tick: Any, database: Database
) -> None:
    """Each has a fresh row, so its silence is never long."""
    for passed in (True, True, False, False):
        live_id = begin(database)
        assert tick().checks[0].passed == passed
    with database.transaction() as connection:
        live_status.beat(connection, live_id, Pulse(ready=True))
    assert tick().checks[0].passed
    begin(database)
    assert tick().checks[0].passed


def test_one_that_never_had_the_lock_leaves_no_row(tick: Any, database: Database) -> None:
    begin(database)
    execute(database, "UPDATE live_status SET heartbeat_at = heartbeat_at - interval '5 minutes'")
    with database.transaction() as connection:
        live_status.withdraw(connection, live_status.begin(connection, "refused", "host", 1))
    assert not tick().checks[0].passed, "the first one is still the one that ought to be there"


def test_one_that_was_stopped_is_not_missed_and_an_old_failure_is_over(tick: Any, database: Database) -> None:
    live_id = begin(database)
    execute(database, "UPDATE live_status SET heartbeat_at = heartbeat_at - interval '5 minutes'")
    failed = tick()
    with database.transaction() as connection:
        live_status.end(connection, live_id)
    over = tick(failed.cursor)
    assert over.checks[0].passed and over.observations == []
    assert tick(over.cursor).skipped


def test_a_successor_counts_not_its_killed_forerunner(tick: Any, database: Database) -> None:
    begin(database)
    execute(database, "UPDATE live_status SET heartbeat_at = heartbeat_at - interval '5 minutes'")
    begin(database)
    assert tick().checks[0].passed


def test_recent_figures_weigh_latency_by_rows(database: Database) -> None:
    execute(
        database,
        "INSERT INTO stream_batches (query, query_batch_id, run_id, finished_at)"
        " VALUES ('q', 0, 'r', clock_timestamp()), ('q', 1, 'r', clock_timestamp() - interval '1 hour')",
    )
    execute(
        database,
        "INSERT INTO ingested_files (name, state, sha256, rows_read, batch_id, landed_at, finished_at)"
        " SELECT 'f', 'loaded', repeat('0', 64), f.rows, b.batch_id,"
        "        b.finished_at - make_interval(secs => f.seconds), b.finished_at"
        " FROM stream_batches AS b, (VALUES (98, 1.0), (1, 2.0), (1, 9.0)) AS f (rows, seconds)",
    )
    with database.transaction() as connection:
        figures = live_status.recent_figures(connection, 60)
    assert (figures.batches, figures.rows) == (1, 100)
    assert [round(value or 0, 3) for value in (figures.p50, figures.p95, figures.p99)] == [1.0, 1.0, 2.0]
