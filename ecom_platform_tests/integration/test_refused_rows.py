"""One row that PostgreSQL refuses, one file that cannot be read: everything else of the unit loads."""

from __future__ import annotations

import errno
import gzip
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.catalog import Catalog, packaged
from ecom_platform.files.opening import EventFile
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are
from ecom_platform.store import audit, sink, unit_retries
from ecom_platform.store.connection import Database
from ecom_platform.store.outcome import FileOutcome, UnitFile
from ecom_platform.store.rejects import ReplayVerdict
from ecom_platform.tables.unload import unload_files
from ecom_platform_tests.events import in_chunks_of
from ecom_platform_tests.integration.test_feeds import Platform, declared
from ecom_platform_tests.landing import Landing, counts, csv_file, matches_ledger, stored_rows

TRIGGER = """
CREATE FUNCTION not_dear() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.price = 77 THEN RAISE 'secret %', NEW; END IF; RETURN NEW; END $$;
CREATE TRIGGER not_dear BEFORE INSERT ON user_events FOR EACH ROW EXECUTE FUNCTION not_dear()
"""
# What an owner may have done to the table, a row that it refuses, what the reject says.
REFUSALS = {
    "check": ("ADD CONSTRAINT cheap CHECK (price < 50)", {"price": "77.00"}, "SQLSTATE 23514, cheap"),
    "varchar": ("ALTER product_id TYPE varchar(8)", {"product": "PROD12345"}, "SQLSTATE 22001"),
    "narrower number": ("ALTER user_id TYPE integer", {"user": "5000000000"}, "SQLSTATE 22003"),
    "narrower price": ("ALTER price TYPE numeric(4, 2)", {"price": "777.00"}, "SQLSTATE 22003"),
    "unique": ("ADD CONSTRAINT one UNIQUE (price)", {"price": "1.00"}, "SQLSTATE 23505, one"),
    "unique, late": (
        "ADD CONSTRAINT one UNIQUE (price) DEFERRABLE INITIALLY DEFERRED",
        {"price": "1.00"},
        "SQLSTATE 23505, one",
    ),
    "trigger": (TRIGGER, {"price": "77.00"}, "SQLSTATE P0001"),
}


def row(price: str, event_id: str = "", user: str = "7", product: str = "PROD1000") -> bytes:
    values = (event_id or str(uuid.uuid4()), user, product, "purchase", "2026-01-02 03:04:05", price)
    return ",".join([*values, "Books", "Mobile", "DE"]).encode()


def test_columns_may_be_called_as_anything_of_ours(database: Database, zone: LandingZone) -> None:
    """Rows that are known, in conflict and refused; the columns have names that statements could use."""
    names = ("number", "copy", "place", "size", "last", "said", "verdict", "state", "landed", "e", "s", "t")
    columns = "".join(f"  {name}: integer\n" for name in names)
    platform = Platform(
        database, zone, declared(f"columns:\n{columns}primary_key: [number, verdict, e]\n", "odd")
    )
    platform.query_and_commit('ALTER TABLE odd ADD CHECK ("size" < 5)')

    def file(*sizes: int) -> bytes:
        rows = (",".join([str(at), "1", "1", str(size), *"11111111"]) for at, size in enumerate(sizes))
        return "\n".join([",".join(names), *rows, ""]).encode()

    assert platform.counts(a__csv=file(1, 2, 9)) == (3, 2, 0, 1)
    assert platform.counts(b__csv=file(1, 3, 9, 4)) == (4, 1, 1, 2)
    assert platform.checks() == []
    declared_now = Catalog({"odd": platform.feed, **packaged()})
    unload_files(database, platform.zone, declared_now, ["odd/a.csv"], 1.0)
    assert platform.query('SELECT number, "size" FROM odd ORDER BY 1') == [(0, 1), (1, 3), (3, 4)]
    assert platform.checks() == []


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    return Landing(database, zone)


def alter(landing: Landing, what: str) -> None:
    with landing.database.transaction() as connection:
        statement = what if what.lstrip().startswith("CREATE") else f"ALTER TABLE user_events {what}"
        connection.execute(statement)  # type: ignore[arg-type]


def messages(landing: Landing) -> list[tuple[str, int, str, str | None]]:
    with landing.database.open() as connection:
        return connection.execute(
            "SELECT file_name, line_number, reason, message FROM rejected_events ORDER BY 1, 2"
        ).fetchall()


def all_is_well(landing: Landing) -> None:
    with landing.database.open() as connection:
        assert audit.counts_reconcile(connection).passed
    assert matches_ledger(landing.database).passed


class TestRows:
    @pytest.mark.parametrize("kind", REFUSALS)
    def test_the_others_of_its_unit_are_loaded(self, landing: Landing, kind: str) -> None:
        change, values, message = REFUSALS[kind]
        alter(landing, change)
        bad = row(**{"price": "9.00", **values})
        known = row("3.00")
        landing.load(landing.drop(known__csv=csv_file(known)))
        files = landing.drop(
            a__csv=csv_file(row("1.00"), bad, row("2.00"), known), b__csv=csv_file(row("4.00"))
        )
        first, second = landing.load(files)
        assert counts(first) == (4, 2, 1, 1)
        assert counts(second) == (1, 1, 0, 0)
        (said,) = messages(landing)
        assert said == (*said[:2], "refused_by_database", message)
        # Of a unique index the first of two rows in the order of their ids is stored.
        assert landing.rejects()[0][3] in (
            [bad] if "unique" not in kind else (bad, *_priced(landing, "1.00"))
        )
        all_is_well(landing)

    def test_of_a_columns_other_type_the_bytes_are_not_taken_for_a_number(self, landing: Landing) -> None:
        alter(landing, "ALTER user_id TYPE double precision")
        (outcome,) = landing.load(landing.drop(a__csv=csv_file(row("1.00", user="41"), row("2.00"))))
        assert counts(outcome) == (2, 2, 0, 0)
        with landing.database.open() as connection:
            rows = connection.execute("SELECT user_id FROM user_events ORDER BY 1").fetchall()
        assert rows == [(7.0,), (41.0,)]

    def test_of_two_copies_the_one_that_is_not_refused(self, landing: Landing) -> None:
        alter(landing, "ADD CONSTRAINT cheap CHECK (price < 50)")
        key = str(uuid.uuid4())
        content = csv_file(row("77.00", key), row("1.00", key), row("1.00", key), row("2.00", key))
        (outcome,) = landing.load(landing.drop(a__csv=content))
        assert counts(outcome) == (4, 1, 1, 2)
        assert [(line, reason) for _, line, reason, _ in messages(landing)] == [
            (2, "refused_by_database"),
            (5, "id_conflict"),
        ]
        all_is_well(landing)

    def test_many_among_many_through_many_buffers(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sink, "BUFFER_ROWS", 1_500)
        alter(landing, "ADD CONSTRAINT cheap CHECK (price < 50)")
        refused = {7, 8, 900, 2_999}
        content = csv_file(*(row("77.00" if number in refused else "1.00") for number in range(3_000)))
        (outcome,) = landing.load(landing.drop(a__csv=content))
        assert counts(outcome) == (3_000, 2_996, 0, 4)
        assert {line - 2 for _, line, _, _ in messages(landing)} == refused
        all_is_well(landing)

    def test_all_of_them(self, landing: Landing) -> None:
        alter(landing, "ADD CONSTRAINT cheap CHECK (price < 0)")
        (outcome,) = landing.load(landing.drop(a__csv=csv_file(*(row("1.00") for _ in range(500)))))
        assert (outcome.state, *counts(outcome)) == ("loaded", 500, 0, 0, 500)

    def test_replayed_when_the_owner_has_thought_better_of_it(self, landing: Landing) -> None:
        alter(landing, "ADD CONSTRAINT cheap CHECK (price < 50)")
        landing.load(landing.drop(a__csv=csv_file(row("1.00"), row("77.00"))))
        verdicts = replay_as_they_are(landing.database, landing.zone).verdicts
        assert dict(verdicts) == {ReplayVerdict.STILL_REJECTED: 1}
        alter(landing, "DROP CONSTRAINT cheap")
        verdicts = replay_as_they_are(landing.database, landing.zone).verdicts
        assert dict(verdicts) == {ReplayVerdict.INSERTED: 1}
        all_is_well(landing)


def _priced(landing: Landing, price: str) -> list[bytes]:
    """The lines of ``a.csv`` with this price."""
    (path,) = landing.zone.claimed.glob("*-a.csv")
    return [found for found in path.read_bytes().splitlines() if f",{price},".encode() in found]


class Attempts:
    """Counts the attempts at a unit, and acts at the beginning of the second."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.made, self._act = 0, act

    def __call__(self, step: str) -> None:
        if step == "locked":
            self.made += 1
            if self.made == 2:
                self._act()


def states(outcomes: list[FileOutcome]) -> list[tuple[str, str, str | None]]:
    return [(found.name, found.state, (found.reason or "").partition(":")[0] or None) for found in outcomes]


LARGE = csv_file(*(row("1.00") for _ in range(3_000)))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a file are sent before its end is known."""
    in_chunks_of(monkeypatch, 4_000)
    monkeypatch.setattr(sink, "BUFFER_ROWS", 100)


@pytest.mark.usefixtures("small_chunks")
class TestFiles:
    def broken(self, landing: Landing) -> list[UnitFile]:
        packed = gzip.compress(LARGE)
        cut = {f"{name}__csv__gz": packed[: len(packed) - 5_000] for name in "abc"}
        return landing.drop(**cut, d__csv=csv_file(row("2.00")))

    def test_damaged_ones_cost_one_more_attempt_however_many_they_are(self, landing: Landing) -> None:
        attempts = Attempts()
        outcomes = landing.load(self.broken(landing), attempts)
        assert attempts.made == 2
        damaged = [(f"{name}.csv.gz", "quarantined", "corrupt_gzip") for name in "abc"]
        assert states(outcomes) == [*damaged, ("d.csv", "loaded", None)]
        all_is_well(landing)

    def test_one_that_is_complete_at_the_second_look_is_loaded(self, landing: Landing) -> None:
        files = self.broken(landing)
        attempts = Attempts(lambda: Path(files[1].path).write_bytes(gzip.compress(LARGE)))
        outcomes = landing.load(files, attempts)
        assert attempts.made == 2
        assert [state for _, state, _ in states(outcomes)] == [
            "quarantined",
            "loaded",
            "quarantined",
            "loaded",
        ]
        assert counts(outcomes[1]) == (3_000, 3_000, 0, 0)
        all_is_well(landing)

    @pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
    @pytest.mark.parametrize("after", [0, 100_000])
    def test_one_that_cannot_be_read_is_set_aside(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch, code: int, after: int
    ) -> None:
        files = landing.drop(a__csv=LARGE, b__csv=csv_file(row("2.00")))
        failing(monkeypatch, Path(files[0].path), code, after)
        attempts = Attempts()
        outcomes = landing.load(files, attempts)
        assert attempts.made == 2
        assert states(outcomes) == [("a.csv", "quarantined", "read_error"), ("b.csv", "loaded", None)]
        all_is_well(landing)

    def test_one_that_can_be_read_when_asked_again_is_loaded(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = landing.drop(a__csv=LARGE, b__csv=csv_file(row("2.00")))
        failing(monkeypatch, Path(files[0].path), errno.ESTALE, 100_000)
        outcomes = landing.load(files, Attempts(monkeypatch.undo))
        assert [state for _, state, _ in states(outcomes)] == ["loaded", "loaded"]
        all_is_well(landing)


def failing(patch: pytest.MonkeyPatch, path: Path, code: int, after: int) -> None:
    """Let reads of ``path`` fail after so many bytes, as those of a bad disk do."""
    real = sink.open_events

    class Failing:
        def __init__(self, stream: Any) -> None:
            self._stream, self._left = stream, after

        def _take(self, data: bytes) -> bytes:
            self._left -= len(data)
            if self._left < 0:
                raise OSError(code, os.strerror(code))
            return data

        def read(self, size: int) -> bytes:
            return self._take(self._stream.read(size))

        def readline(self, size: int) -> bytes:
            return self._take(self._stream.readline(size))

    @contextmanager
    def opening(wanted: Path) -> Iterator[EventFile]:
        with real(wanted) as source:
            if wanted == path:
                source.stream = Failing(source.stream)  # type: ignore[assignment]
            yield source

    patch.setattr(sink, "open_events", opening)


def test_a_connection_that_is_lost_again_and_again_is_retried_from_when_it_last_worked(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restarts may lie apart by more than one is waited for, while one unit is loaded."""
    monkeypatch.setattr(unit_retries, "CONNECTION_RETRY_SECONDS", 0.0)
    cuts = 0

    def cut(step: str) -> None:
        nonlocal cuts
        if step == "copied" and cuts < 3:
            cuts += 1
            with landing.database.open(autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    (outcome,) = landing.load(landing.drop(a__csv=csv_file(row("1.00"))), cut)
    assert (cuts, counts(outcome)) == (3, (1, 1, 0, 0))
    with landing.database.open() as connection:
        assert stored_rows(connection) == 1
