"""The unit of work against a real PostgreSQL: what it stores, and what survives breaking it."""

from __future__ import annotations

import functools
import gzip
import hashlib
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import adbc_driver_manager
import psycopg.sql
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are
from ecom_platform.shop.event import COLUMN_NAMES, HEADER
from ecom_platform.store import adbc, sink
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.outcome import UnitFile
from ecom_platform.store.rejects import ReplayVerdict
from ecom_platform.store.spare_connections import close_spares
from ecom_platform_tests.dirt import SPOILERS, write_dirty_files
from ecom_platform_tests.events import in_chunks_of
from ecom_platform_tests.examples import examples
from ecom_platform_tests.landing import USER_EVENTS, Landing, counts, csv_file, line, stored_rows
from ecom_platform_tests.waiting import somebody_waits, wait_until
from ecom_platform_tests.wire import losing_commit

JOIN_SECONDS = 240
STEPS = ("locked", "copied", "rejected", "settled", "committed")


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    return Landing(database, zone)


def take_small_steps(patch: pytest.MonkeyPatch, buffer_rows: int, chunk_bytes: int = 4_000) -> None:
    """Let a small file go through many buffers, as a large one does."""
    patch.setattr(sink, "BUFFER_ROWS", buffer_rows)
    in_chunks_of(patch, chunk_bytes)


def fingerprint(landing: Landing, file_id: int) -> tuple[int, str]:
    """Size and SHA-256 of a file, by the ledger."""
    with landing.database.open() as connection:
        row = connection.execute(
            "SELECT size_bytes, sha256 FROM ingested_files WHERE file_id = %s", (file_id,)
        ).fetchone()
    assert row is not None
    return row


class TestWhatIsStored:
    def test_a_clean_file(self, landing: Landing) -> None:
        (outcome,) = landing.load(landing.drop(a__csv=csv_file(line(), line(), line())))
        assert (outcome.state, *counts(outcome)) == ("loaded", 3, 3, 0, 0)
        landing.check()

    def test_a_row_twice_in_one_file(self, landing: Landing) -> None:
        twice = line()
        (outcome,) = landing.load(landing.drop(a__csv=csv_file(twice, line(), twice, twice)))
        assert counts(outcome) == (4, 2, 2, 0)
        landing.check()

    def test_the_same_row_in_two_files_of_a_unit(self, landing: Landing) -> None:
        shared = line()
        outcomes = landing.load(landing.drop(a__csv=csv_file(shared), b__csv=csv_file(shared, line())))
        assert [counts(outcome) for outcome in outcomes] == [(1, 1, 0, 0), (2, 1, 1, 0)]
        landing.check()

    def test_duplicates_across_buffers(self, landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
        take_small_steps(monkeypatch, 2, 100)
        first, second = line(), line()
        outcomes = landing.load(
            landing.drop(a__csv=csv_file(first, second), b__csv=csv_file(second, line(), first))
        )
        assert [counts(outcome) for outcome in outcomes] == [(2, 2, 0, 0), (3, 1, 2, 0)]
        landing.check()

    def test_duplicates_and_conflicts_across_buffers_of_a_file(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take_small_steps(monkeypatch, 2, 100)
        key = str(uuid.uuid4())
        first, other, twice = line(key), line(key).replace(b"Books", b"Toys"), line()
        between = [line() for _ in range(5)]
        content = csv_file(first, twice, *between, other, twice, *between, first)
        (outcome,) = landing.load(landing.drop(a__csv=content))
        assert counts(outcome) == (15, 7, 7, 1)
        assert landing.rejects() == [(9, "id_conflict", "event_id", other)]
        landing.check()

    def test_rows_so_wide_that_their_bytes_fill_a_buffer(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sink, "BUFFER_BYTES", 1)
        in_chunks_of(monkeypatch, 100)
        twice = line()
        (outcome,) = landing.load(landing.drop(a__csv=csv_file(twice, line(), line(), twice)))
        assert counts(outcome) == (4, 3, 1, 0)
        landing.check()

    def test_more_conflicts_than_rejects_are_kept_in_memory(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sink, "REJECT_BUFFER_ROWS", 7)
        stored = [line() for _ in range(40)]
        landing.load(landing.drop(a__csv=csv_file(*stored)))
        other = [row.replace(b"19.99", b"20.00") for row in stored]
        (outcome,) = landing.load(landing.drop(b__csv=csv_file(*other)))
        assert counts(outcome) == (40, 0, 0, 40)
        assert [row[0] for row in landing.rejects()] == [*range(2, 42)]
        landing.check()

    def test_a_file_dropped_again(self, landing: Landing) -> None:
        content = csv_file(line(), line())
        (first,) = landing.load(landing.drop(a__csv=content))
        (again,) = landing.load(landing.drop(b__csv=content))
        assert counts(again) == (2, 0, 2, 0)
        with landing.database.open() as connection:
            row = connection.execute(
                "SELECT same_bytes_as, rows_duplicate_within FROM ingested_files WHERE file_id = %s",
                (again.file_id,),
            ).fetchone()
        assert row == (first.file_id, 0)
        landing.check()

    def test_deleted_rows_come_back(self, landing: Landing) -> None:
        content = csv_file(line(), line())
        landing.load(landing.drop(a__csv=content))
        with landing.database.transaction() as connection:
            connection.execute(
                "DELETE FROM user_events WHERE event_id = (SELECT min(event_id::text)::uuid FROM user_events)"
            )
        (again,) = landing.load(landing.drop(b__csv=content))
        assert counts(again) == (2, 1, 1, 0)

    def test_same_id_with_other_content(self, landing: Landing) -> None:
        key = str(uuid.uuid4())
        stored, other = line(key), line(key).replace(b"19.99", b"20.00")
        outcomes = landing.load(landing.drop(a__csv=csv_file(stored, other), b__csv=csv_file(other, stored)))
        assert [counts(outcome) for outcome in outcomes] == [(2, 1, 0, 1), (2, 0, 1, 1)]
        assert landing.rejects() == [
            (3, "id_conflict", "event_id", other),
            (2, "id_conflict", "event_id", other),
        ]
        landing.check()

    def test_upper_case_is_the_same_id(self, landing: Landing) -> None:
        key = str(uuid.uuid4())
        (outcome,) = landing.load(landing.drop(a__csv=csv_file(line(key), line(key.upper()))))
        assert counts(outcome) == (2, 1, 1, 0)

    @pytest.mark.parametrize(("reason", "what"), SPOILERS)
    def test_a_bad_row_among_good_ones(self, landing: Landing, reason: str, what: str) -> None:
        bad = SPOILERS[reason, what](line())
        (outcome,) = landing.load(landing.drop(a__csv=csv_file(line(), bad, line())))
        assert counts(outcome) == (3, 2, 0, 1)
        ((number, code, _, raw),) = landing.rejects()
        assert (number, code, raw) == (3, reason, bad)
        landing.check()

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "empty_file"),
            (b"a,b\n1,2\n", "wrong_header"),
            (b"\x00,\x1b[2J\n", "wrong_header"),
            (b"\xff\xfe\n", "not_utf8_header"),
        ],
    )
    def test_a_file_that_cannot_be_read(self, landing: Landing, content: bytes, reason: str) -> None:
        bad, good = landing.load(landing.drop(a__csv=content, b__csv=csv_file(line())))
        assert bad.state == "quarantined"
        assert (bad.reason or "").startswith(reason)
        assert (bad.reason or "").isprintable()
        assert (good.state, good.rows_inserted) == ("loaded", 1)
        assert fingerprint(landing, bad.file_id) == (len(content), hashlib.sha256(content).hexdigest())

    def test_a_header_alone_is_no_rows(self, landing: Landing) -> None:
        (outcome,) = landing.load(landing.drop(a__csv=HEADER.encode()))
        assert (outcome.state, *counts(outcome)) == ("loaded", 0, 0, 0, 0)

    def test_gzip(self, landing: Landing) -> None:
        content = csv_file(line(), line())
        (outcome,) = landing.load(landing.drop(a__csv__gz=gzip.compress(content)))
        assert counts(outcome) == (2, 2, 0, 0)

    def test_all_kinds_of_files_in_one_unit(self, landing: Landing) -> None:
        shared, key = line(), str(uuid.uuid4())
        stored, other = line(key), line(key).replace(b"Books", b"Toys")
        bad = SPOILERS["not_finite", "NaN"](line())
        files = landing.drop(
            a__csv=csv_file(shared, stored),
            b__csv__gz=gzip.compress(csv_file(other, bad, shared, line())),
            c__csv=b"not,our,header\n",
            d__csv=csv_file(),
            e__csv__gz=b"not packed",
            f__csv=csv_file(other, line(), line()),
        )
        outcomes = landing.load(files)
        assert [(outcome.state, *counts(outcome)) for outcome in outcomes] == [
            ("loaded", 2, 2, 0, 0),
            ("loaded", 4, 1, 1, 2),
            ("quarantined", 0, 0, 0, 0),
            ("loaded", 0, 0, 0, 0),
            ("quarantined", 0, 0, 0, 0),
            ("loaded", 3, 2, 0, 1),
        ]
        packed = b"not packed"
        assert fingerprint(landing, outcomes[4].file_id) == (len(packed), hashlib.sha256(packed).hexdigest())
        assert landing.rejects() == [
            (2, "id_conflict", "event_id", other),
            (3, "not_finite", "price", bad),
            (2, "id_conflict", "event_id", other),
        ]
        landing.check()

    def test_gzip_that_breaks_off_after_rows_were_sent(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take_small_steps(monkeypatch, 100)
        packed = gzip.compress(csv_file(*(line() for _ in range(2_000))))
        files = landing.drop(a__csv__gz=packed[: len(packed) // 2], b__csv=csv_file(line()))
        attempts: list[str] = []
        broken, good = landing.load(files, lambda step: attempts.append(step) if step == "locked" else None)
        assert len(attempts) == 2
        assert (broken.state, broken.rows_read) == ("quarantined", 0)
        assert (broken.reason or "").startswith("corrupt_gzip")
        assert (good.state, good.rows_inserted) == ("loaded", 1)
        with landing.database.open() as connection:
            assert stored_rows(connection) == 1


class AbortError(Exception):
    """Raised by a test in the middle of a unit of work."""


def dirty(landing: Landing, seed: int = 1, events: int = 600) -> list[UnitFile]:
    write_dirty_files(landing.zone.landing, seed, events, rows_per_file=200)
    return landing.take()


@pytest.mark.usefixtures("starts_programs")
class TestBreakingIt:
    @pytest.fixture(autouse=True)
    def small_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        take_small_steps(monkeypatch, 50)

    @pytest.mark.parametrize("step", STEPS)
    def test_aborted_after_a_step(self, landing: Landing, step: str) -> None:
        files = dirty(landing)

        def abort(now: str) -> None:
            if now == step:
                raise AbortError

        with pytest.raises(AbortError):
            landing.load(files, abort)
        landing.load(files)
        landing.check()

    @pytest.mark.parametrize("step", STEPS)
    def test_the_connection_is_cut_after_a_step(self, landing: Landing, step: str) -> None:
        files = dirty(landing)
        cut: list[str] = []

        def cut_once(now: str) -> None:
            if now == step and not cut:
                cut.append(now)
                with landing.database.open(autocommit=True) as connection:
                    connection.execute(
                        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )

        outcomes = landing.load(files, cut_once)
        assert cut == [step]
        assert {outcome.state for outcome in outcomes} == {"loaded"}
        landing.check()

    @pytest.mark.parametrize("step", STEPS)
    def test_the_process_is_killed_after_a_step(self, landing: Landing, step: str) -> None:
        files = dirty(landing)
        process = start_load(landing, files, kill_at=step)
        process.communicate(b"go\n", timeout=240)
        assert process.returncode == -signal.SIGKILL
        landing.load(files)
        landing.check()

    def test_the_same_unit_again(self, landing: Landing) -> None:
        files = dirty(landing)
        first = landing.load(files)
        again = landing.load(files)
        assert [counts(outcome) for outcome in again] == [counts(outcome) for outcome in first]
        landing.check()

    def test_the_same_unit_twice_at_once(self, landing: Landing) -> None:
        files = dirty(landing)
        in_parallel([files, files], landing.load)
        landing.check()

    def test_units_that_share_ids_in_opposite_order(self, landing: Landing) -> None:
        leave_deadlocks(landing.database)
        lines = [line() for _ in range(1_000)]
        files = landing.drop(
            a__csv=csv_file(*lines),
            b__csv=csv_file(*reversed(lines)),
            c__csv=csv_file(*lines[500:], *lines[:500]),
        )
        together = threading.Barrier(len(files))
        in_parallel([[file] for file in files], lambda unit: landing.load(unit, first_time(together.wait)))
        with landing.database.open() as connection:
            assert stored_rows(connection) == 1_000
        landing.check()

    def test_processes_that_share_ids_in_opposite_order(self, landing: Landing) -> None:
        leave_deadlocks(landing.database)
        lines = [line() for _ in range(3_000)]
        units = [
            landing.drop(**{f"{name}__csv": csv_file(*order)})
            for name, order in (("a", lines), ("b", lines[::-1]), ("c", lines[1_500:] + lines[:1_500]))
        ]
        running = [start_load(landing, unit) for unit in units]
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.flush()
        try:
            for process in running:
                process.communicate(timeout=JOIN_SECONDS)
        finally:
            for process in running:
                process.kill()
        assert [process.returncode for process in running] == [0, 0, 0]
        landing.check()

    @pytest.mark.parametrize("lost", ["request", "answer"])
    def test_the_connection_breaks_during_commit(self, landing: Landing, lost: str) -> None:
        files = dirty(landing)
        attempts: list[str] = []
        with losing_commit(landing.database.url, lost) as (url, cut):
            sink.load_unit(
                url,
                USER_EVENTS,
                files,
                landing.batch_id,
                hook=lambda step: attempts.append(step) if step == "locked" else None,
            )
            assert cut == [lost]
        assert len(attempts) == 2
        landing.check()

    def test_a_zombie_that_still_holds_the_ledger_rows(self, landing: Landing) -> None:
        files = dirty(landing)
        held = threading.Event()

        def zombie() -> None:
            def hold(step: str) -> None:
                if step == "copied":
                    held.set()
                    wait_until(lambda: somebody_waits(landing.database))

            landing.load(files, hold)

        thread = threading.Thread(target=zombie)
        thread.start()
        assert held.wait(240)
        outcomes = landing.load(files)
        thread.join()
        assert {outcome.state for outcome in outcomes} == {"loaded"}
        landing.check()

    def test_a_file_that_is_still_being_written_is_left_out(self, landing: Landing) -> None:
        files = landing.drop(a__csv=csv_file(line()), b__csv=csv_file(line()))

        def append() -> None:
            with Path(files[0].path).open("ab") as file:
                file.write(line() + b"\n")

        hook = first_time(append, "copied")
        result = sink.load_unit(landing.database.url, USER_EVENTS, files, landing.batch_id, hook=hook)
        assert result.changed == [files[0].file_id]
        assert [outcome.name for outcome in result.outcomes] == ["b.csv"]
        with landing.database.open() as connection:
            assert stored_rows(connection) == 1
        (outcome, _) = landing.load(files)
        assert outcome.rows_inserted == 2
        landing.check()

    def test_a_cut_off_file_whose_rest_comes_while_it_is_judged(self, landing: Landing) -> None:
        whole = gzip.compress(csv_file(*(line() for _ in range(50))))
        files = landing.drop(a__csv__gz=whole[: len(whole) // 2])

        def complete() -> None:
            Path(files[0].path).write_bytes(whole)

        assert landing.load(files, first_time(complete, "copied")) == []
        (outcome,) = landing.load(files)
        assert (outcome.state, *counts(outcome)) == ("loaded", 50, 50, 0, 0)
        landing.check()

    @pytest.mark.parametrize("content", ["same", "other", "gone"])
    def test_an_id_that_another_unit_stores_between_look_up_and_insert(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch, content: str
    ) -> None:
        key, twice = str(uuid.uuid4()), line()
        raced = line(key)
        (theirs,) = landing.drop(theirs__csv=csv_file(line()))
        landing.load([theirs])

        def store() -> None:
            price = "20.00" if content == "other" else "19.99"
            with landing.database.transaction() as connection:
                connection.execute(
                    "INSERT INTO user_events SELECT %s, user_id, product_id, event_type, event_time, %s,"
                    " category, user_device, user_location, file_id FROM user_events WHERE file_id = %s",
                    (key, price, theirs.file_id),
                )

        def delete() -> None:
            with landing.database.transaction() as connection:
                connection.execute("DELETE FROM user_events WHERE event_id = %s", (key,))

        before_statement(monkeypatch, "insert_unseen", store)
        if content == "gone":
            before_statement(monkeypatch, "classify_unseen", delete)
        (ours,) = landing.load(landing.drop(ours__csv=csv_file(twice, twice, raced)))
        assert counts(ours) == {"same": (3, 1, 2, 0), "other": (3, 1, 1, 1), "gone": (3, 2, 1, 0)}[content]
        with landing.database.open() as connection:
            assert stored_rows(connection) == 3

    def test_other_errors_are_not_retried(self, landing: Landing) -> None:
        with landing.database.transaction() as connection:
            connection.execute("ALTER TABLE ingested_files RENAME COLUMN rows_conflicting TO other")
        with pytest.raises(adbc_driver_manager.Error) as caught:
            landing.load(landing.drop(a__csv=csv_file(line())))
        assert caught.value.sqlstate == "42703"


LOAD = """
import os, signal, sys
import pytest
from ecom_platform_tests.events import in_chunks_of
from ecom_platform.store.outcome import UnitFile
from ecom_platform.store.rejects import ReplayVerdict
from ecom_platform.store.statements import text
from ecom_platform.store import sink
from ecom_platform_tests.landing import USER_EVENTS
sink.BUFFER_ROWS = 50
in_chunks_of(pytest.MonkeyPatch(), 4_000)
url, batch_id, kill_at, *files = sys.argv[1:]
def hook(step):
    if step == kill_at: os.kill(os.getpid(), signal.SIGKILL)
print("ready", flush=True)
sys.stdin.readline()
files = [UnitFile(int(i), n, p) for i, n, p in (file.split("|") for file in files)]
sink.load_unit(url, USER_EVENTS, files, int(batch_id), hook=hook)
"""


def start_load(landing: Landing, files: list[UnitFile], kill_at: str = "") -> subprocess.Popen[bytes]:
    """A process that loads ``files`` when it is told to, and kills itself after a step if it is to."""
    arguments = [f"{file.file_id}|{file.name}|{file.path}" for file in files]
    return subprocess.Popen(
        [sys.executable, "-c", LOAD, landing.database.url, str(landing.batch_id), kill_at, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def leave_deadlocks(database: Database) -> None:
    """Let PostgreSQL not break a deadlock of this database: who is in one stays there, and is seen to."""
    adbc.close_kept()
    with database.open(autocommit=True) as connection:
        name = psycopg.sql.Identifier(connection.info.dbname)
        connection.execute(psycopg.sql.SQL("ALTER DATABASE {} SET deadlock_timeout = '1h'").format(name))
    close_spares()
    with database.open() as connection:
        assert connection.execute("SHOW deadlock_timeout").fetchone() == ("1h",)


def before_statement(patch: pytest.MonkeyPatch, name: str, act: Callable[[], object]) -> None:
    """Act once, when a statement of ``sink.sql`` is about to be sent for the first time."""
    done: list[str] = []

    def acting(method: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(method)
        def call(session: adbc.Session, sql: str, *parameters: object) -> object:
            if sql == FeedTable(USER_EVENTS).sql(name) and not done:
                done.append(name)
                act()
            return method(session, sql, *parameters)

        return call

    for method in ("run", "rows"):
        patch.setattr(adbc.Session, method, acting(getattr(adbc.Session, method)))


def first_time(act: Callable[[], object], at: str = "locked") -> Callable[[str], None]:
    """A hook that acts once, by default before the first row is sent."""
    done: list[str] = []

    def hook(step: str) -> None:
        if step == at and not done:
            done.append(step)
            act()

    return hook


def in_parallel(units: list[list[UnitFile]], load: Callable[[list[UnitFile]], object]) -> None:
    failures: list[BaseException] = []

    def attempt(unit: list[UnitFile]) -> None:
        try:
            load(unit)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=attempt, args=(unit,), daemon=True) for unit in units]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []


KNOWN = line()
PIECES = st.sampled_from(
    [
        b",",
        b"\n",
        b'"',
        b"\r\n",
        b"\x00",
        b"\xff",
        b"view",
        b"19.99",
        b"2026-01-02 03:04:05",
        b"Books",
        KNOWN,
        KNOWN + b"\n",
        KNOWN.replace(b"Books", b"Toys") + b"\n",
        HEADER.encode(),
        b"",
    ]
)
ANY_BYTES = st.lists(st.one_of(PIECES, st.binary(max_size=20)), max_size=30).map(b"".join)


@st.composite
def any_file(draw: st.DrawFn) -> tuple[str, bytes]:
    """A name ending and bytes: mostly with the right header; packed, packed and cut off, or plain."""
    content = draw(ANY_BYTES)
    if draw(st.integers(0, 4)):
        content = HEADER.encode() + draw(st.sampled_from([b"\n", b"\r\n"])) + content
    if draw(st.integers(0, 3)):
        return "csv", content
    packed = gzip.compress(content)
    return "csv__gz", packed[: draw(st.sampled_from([len(packed), len(packed) // 2, 5]))]


# Everything about files that were loaded before: nothing of it may change.
SNAPSHOT = """
    SELECT
        (SELECT md5(string_agg(e::text, '' ORDER BY event_id)) FROM user_events AS e WHERE file_id <= %(id)s),
        (SELECT md5(string_agg(f::text, '' ORDER BY file_id)) FROM ingested_files AS f
            WHERE file_id <= %(id)s),
        (SELECT md5(string_agg(r::text, '' ORDER BY reject_id)) FROM rejected_events AS r
            WHERE file_id <= %(id)s)
"""


@examples(100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(any_file(), min_size=1, max_size=3), st.sampled_from([1, 50, 10_000]))
def test_any_bytes_end_in_exactly_one_place(
    landing: Landing, files: list[tuple[str, bytes]], chunk_bytes: int
) -> None:
    with landing.database.open() as connection:
        last = connection.execute("SELECT coalesce(max(file_id), 0) FROM ingested_files").fetchone()
        assert last is not None
        before = connection.execute(SNAPSHOT, {"id": last[0]}).fetchone()
    with pytest.MonkeyPatch.context() as patch:
        take_small_steps(patch, 1, chunk_bytes)
        outcomes = landing.load(
            landing.drop(**{f"x{i}__{kind}": data for i, (kind, data) in enumerate(files)})
        )
    assert len(outcomes) == len(files)
    with landing.database.open() as connection:
        for outcome in outcomes:
            read, inserted, duplicate, rejected = counts(outcome)
            assert read == inserted + duplicate + rejected
            assert outcome.state == "loaded" or (read == 0 and outcome.reason)
            kept = connection.execute(
                "SELECT (SELECT count(*) FROM user_events WHERE file_id = %(id)s),"
                " count(*), count(DISTINCT line_number) FROM rejected_events WHERE file_id = %(id)s",
                {"id": outcome.file_id},
            ).fetchone()
            assert kept == (inserted, rejected, rejected)
        assert connection.execute(SNAPSHOT, {"id": last[0]}).fetchone() == before


# One other value of each column; the row with it is as valid.
OTHER_VALUES = {
    "user_id": (b",7,", b",8,"),
    "product_id": (b"PROD1000", b"PROD1001"),
    "event_type": (b"purchase", b"add_to_cart"),
    "event_time": (b"03:04:05", b"03:04:05.000001"),
    "price": (b"19.99", b"19.98"),
    "category": (b"Books", b"Toys"),
    "user_device": (b"Mobile", b"Tablet"),
    "user_location": (b"DE", b"AT"),
}


@pytest.mark.parametrize("at_once", [False, True])
def test_a_row_that_differs_in_any_one_column_is_in_conflict(landing: Landing, at_once: bool) -> None:
    """Whether the first was stored before or is of the same unit; and for a replay as well."""
    assert ["event_id", *OTHER_VALUES] == list(COLUMN_NAMES)
    stored = [line(str(uuid.UUID(int=number))) for number in range(len(OTHER_VALUES))]
    changed = [row.replace(*values) for row, values in zip(stored, OTHER_VALUES.values(), strict=True)]
    files = landing.drop(a__csv=csv_file(*stored), b__csv=csv_file(*changed))
    outcomes = landing.load(files) if at_once else [*landing.load(files[:1]), *landing.load(files[1:])]
    assert [counts(outcome) for outcome in outcomes] == [(8, 8, 0, 0), (8, 0, 0, 8)]
    assert [raw for _, _, _, raw in landing.rejects()] == changed
    assert replay_as_they_are(landing.database, landing.zone).verdicts == {ReplayVerdict.STILL_CONFLICTS: 8}
    landing.check()
