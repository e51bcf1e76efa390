"""Feeds whose later rows take the place of earlier ones: whatever comes first, the same rows are stored in
the end, each file's are accounted for, and what is brought back is no newer than it was."""

from __future__ import annotations

import csv
import io
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.catalog import Catalog, packaged
from ecom_platform.errors import FeedError, UsageError
from ecom_platform.landing.folder.claim import claim_files, finish
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are, replay_corrected
from ecom_platform.oncall.requeue import reconcile, reload_files
from ecom_platform.oncall.trace import trace
from ecom_platform.store import ledger, sink
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_tables import prepare_table
from ecom_platform.store.outcome import FileOutcome, UnitFile
from ecom_platform.store.rejects import ReplayVerdict
from ecom_platform.tables.rebuilding import rebuild
from ecom_platform.tables.unload import unload_files
from ecom_platform_tests.events import in_chunks_of
from ecom_platform_tests.examples import seeds
from ecom_platform_tests.integration.test_feeds import Platform, declared
from ecom_platform_tests.waiting import somebody_waits, wait_until

ORDERS = """
columns:
  number: {type: integer, max: 900}
  size: text
  status: text null
  changed: integer null
  more: jsonb null
primary_key: [number, size]
on_conflict: update
"""
VERSIONED = ORDERS + "version: changed\n"
HEADER = ("number", "size", "status", "changed", "more")
Row = tuple[int, str, str, str, str]


def content(rows: Sequence[Row]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    return written.getvalue().encode()


def drawn(chance: random.Random, *, most: int = 12) -> list[Row]:
    """Rows of few keys, few versions and few contents."""
    return [
        (
            chance.randint(1, 3),
            chance.choice("SL"),
            chance.choice(["", "new", "paid", "sent"]),
            chance.choice(["", "1", "2"]),
            chance.choice(["", '{"a": 1}']),
        )
        for _ in range(chance.randint(0, most))
    ]


@dataclass(frozen=True)
class Landed:
    """A file as the model sees it: when it landed, and its rows."""

    order: tuple[Any, ...]
    rows: list[Row]


def newest(files: Sequence[Landed], *, versioned: bool) -> dict[tuple[int, str], Row]:
    """The row of each key that has to be stored, by nothing but the rows."""
    best: dict[tuple[int, str], tuple[Any, Row]] = {}
    for file in files:
        for line, row in enumerate(file.rows, 2):
            version = (int(row[3]) if row[3] else -1) if versioned else 0
            rank = (version, file.order, line)
            if row[:2] not in best or rank > best[row[:2]][0]:
                best[row[:2]] = (rank, row)
    return {key: row for key, (_, row) in best.items()}


class Orders(Platform):
    """The feed under test; files are claimed first and loaded in any order."""

    def claimed(self, *contents: bytes) -> list[UnitFile]:
        for number, one in enumerate(contents):
            (self.folder / f"{number:02}.csv").write_bytes(one)
        found = look(self.zone.landing, feeds=self.zone.feeds)
        files = sorted(found.files.values(), key=lambda file: file.name)
        return [
            UnitFile(
                file.file_id, file.name, str(self.zone.claimed_path(file.file_id, file.name)), file.size_bytes
            )
            for file in claim_files(self.database, self.zone, files).taken
        ]

    def load_unit(self, files: Sequence[UnitFile], hook: Any = lambda step: None) -> list[FileOutcome]:
        done = sink.load_unit(self.database.url, self.feed, files, self.batch_id, hook=hook)
        return done.outcomes

    def put_away(self) -> None:
        with self.database.open() as connection:
            ids = [file_id for (file_id,) in connection.execute("SELECT file_id FROM ingested_files")]
            for state in ledger.states(connection, ids).values():
                if self.zone.claimed_path(state.file_id, state.name).exists():
                    finish(self.zone, state)

    def stored(self) -> dict[tuple[int, str], Row]:
        rows = self.query(
            "SELECT number, size, coalesce(status, ''), coalesce(changed::text, ''), coalesce(more::text, '')"
            f" FROM {self.table.qualified}"
        )
        assert len({row[:2] for row in rows}) == len(rows)
        return {(row[0], row[1]): (row[0], row[1], row[2], row[3], row[4]) for row in rows}

    def order_of(self, file_id: int) -> tuple[Any, ...]:
        (row,) = self.query(
            "SELECT coalesce(ordered_at, landed_at), coalesce(ordered_as, file_id)"
            f" FROM ingested_files WHERE file_id = {file_id}"
        )
        return row

    def sums(self) -> dict[str, int]:
        names = ("read", "inserted", "updated", "stale", "duplicate", "rejected")
        (row,) = self.query(
            f"SELECT {', '.join(f'sum(rows_{name})::int' for name in names)}"
            f" FROM ingested_files WHERE feed = '{self.feed.name}'"
        )
        return dict(zip(names, row, strict=True))


def orders(database: Database, zone: LandingZone, text: str = ORDERS, name: str = "orders") -> Orders:
    return Orders(database, zone, declared(text, name))


@pytest.mark.parametrize("text", [ORDERS, VERSIONED], ids=["by landing", "by version"])
class TestAnyOrder:
    def test_of_files_units_kills_and_retries(self, database: Database, zone: LandingZone, text: str) -> None:
        for seed in seeds(16):
            chance = random.Random(seed)
            platform = orders(database, zone, text, f"orders_{seed}")
            rows = [drawn(chance) for _ in range(chance.randint(1, 5))]
            files = platform.claimed(*(content(one) for one in rows))
            units = cut(chance, files)
            for unit in units:
                if chance.random() < 0.3:
                    killed = pytest.raises(KeyboardInterrupt)
                    with killed:
                        platform.load_unit(unit, abort(chance.choice(["copied", "rejected", "settled"])))
                platform.load_unit(unit)
                if chance.random() < 0.3:
                    platform.load_unit(unit)  # whose answer was lost
            platform.put_away()
            landed = [
                Landed(platform.order_of(file.file_id), one) for file, one in zip(files, rows, strict=True)
            ]
            expected = newest(landed, versioned=text == VERSIONED)
            assert platform.stored() == expected, seed
            sums = platform.sums()
            assert sums["read"] == sum(len(one) for one in rows) == sum(sums.values()) - sums["read"], seed
            assert sums["inserted"] == len(expected), seed
            assert platform.checks() == [], seed

    def test_of_units_at_once(
        self, database: Database, zone: LandingZone, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_buffers_of_few_rows(monkeypatch)  # so that locks are held meanwhile
        for seed in seeds(3):
            chance = random.Random(seed)
            platform = orders(database, zone, text, f"orders_{seed}")
            rows = [drawn(chance, most=30) for _ in range(6)]
            files = platform.claimed(*(content(one) for one in rows))
            together = threading.Barrier(3)

            def load(unit: Sequence[UnitFile], platform: Orders = platform, together: Any = together) -> None:
                together.wait(60)
                platform.load_unit(unit)

            with ThreadPoolExecutor(3) as pool:
                list(pool.map(load, [files[:2], files[2:4], files[4:]]))
            platform.put_away()
            landed = [
                Landed(platform.order_of(file.file_id), one) for file, one in zip(files, rows, strict=True)
            ]
            assert platform.stored() == newest(landed, versioned=text == VERSIONED), seed
            assert platform.checks() == [], seed

    def test_where_the_database_refuses_rows(self, database: Database, zone: LandingZone, text: str) -> None:
        for seed in seeds(6):
            chance = random.Random(seed)
            platform = orders(database, zone, text, f"orders_{seed}")
            platform.query_and_commit(
                f"ALTER TABLE {platform.table.qualified} ADD CHECK (status IS DISTINCT FROM 'sent')"
            )
            rows = [drawn(chance) for _ in range(4)]
            files = platform.claimed(*(content(one) for one in rows))
            for unit in cut(chance, files):
                platform.load_unit(unit)
            platform.put_away()
            # A line that is refused stands where it stood.
            taken = [[row if row[2] != "sent" else None for row in one] for one in rows]
            landed = [
                Landed(platform.order_of(file.file_id), [row or (0, "", "", "", "") for row in one])
                for file, one in zip(files, taken, strict=True)
            ]
            expected = newest(landed, versioned=text == VERSIONED)
            expected.pop((0, ""), None)
            assert platform.stored() == expected, seed
            # Of a row that another one of its buffer replaces, the database hears nothing.
            refused = platform.query(f"SELECT reason FROM rejected_events WHERE feed = 'orders_{seed}'")
            assert {reason for (reason,) in refused} <= {"refused_by_database"}
            assert len(refused) <= sum(row is None for one in taken for row in one), seed
            assert platform.checks() == [], seed


def in_buffers_of_few_rows(patch: pytest.MonkeyPatch) -> None:
    in_chunks_of(patch, 40)
    patch.setattr(sink, "BUFFER_ROWS", 3)


def cut(chance: random.Random, files: Sequence[UnitFile]) -> list[list[UnitFile]]:
    """Units of these files, in any order."""
    shuffled = list(files)
    chance.shuffle(shuffled)
    units: list[list[UnitFile]] = []
    while shuffled:
        count = chance.randint(1, len(shuffled))
        units.append(shuffled[:count])
        shuffled = shuffled[count:]
    return units


def abort(at: str) -> Any:
    def hook(step: str) -> None:
        if step == at:
            raise KeyboardInterrupt

    return hook


A: Row = (1, "S", "new", "1", "")
B: Row = (1, "S", "paid", "2", "")
C: Row = (1, "S", "sent", "3", "")


class TestCounts:
    def test_a_row_is_inserted_updated_stale_or_a_duplicate(
        self, database: Database, zone: LandingZone
    ) -> None:
        platform = orders(database, zone)
        first, second, third = platform.claimed(
            content([A]), content([B, B, (2, "L", "", "", "")]), content([C])
        )
        (outcome,) = platform.load_unit([first])
        assert (outcome.rows_inserted, outcome.rows_updated) == (1, 0)
        (outcome,) = platform.load_unit([third])
        assert (outcome.rows_inserted, outcome.rows_updated) == (0, 1)
        (outcome,) = platform.load_unit([second])
        assert (outcome.rows_inserted, outcome.rows_updated, outcome.rows_stale) == (1, 0, 2)
        assert platform.stored()[1, "S"] == C
        assert platform.checks() == []

    @pytest.mark.parametrize("rows", [[B], [A, B]], ids=["alone", "with another of its key"])
    def test_a_row_that_landed_before_the_stored_one_is_stale(
        self, database: Database, zone: LandingZone, rows: list[Row]
    ) -> None:
        platform = orders(database, zone)
        first, second, third = platform.claimed(content([A]), content(rows), content([C]))
        platform.load_unit([first])
        platform.load_unit([third])
        (outcome,) = platform.load_unit([second])
        assert (outcome.rows_updated, outcome.rows_stale) == (0, len(rows))
        assert platform.stored() == {(1, "S"): C}
        assert platform.checks() == []

    def test_what_another_unit_stores_meanwhile_is_compared(
        self, database: Database, zone: LandingZone
    ) -> None:
        """Two first units of a table: the second has looked for the key before the first one commits."""
        platform = orders(database, zone)
        first, second = platform.claimed(content([A]), content([B, C]))
        stored, waits = threading.Event(), threading.Event()

        def hold(step: str) -> None:
            if step == "copied":
                stored.set()
                waits.wait(60)

        with ThreadPoolExecutor(2) as pool:
            holding = pool.submit(platform.load_unit, [first], hold)
            assert stored.wait(60)
            comparing = pool.submit(platform.load_unit, [second])
            wait_until(lambda: somebody_waits(database))
            waits.set()
            holding.result()
            (outcome,) = comparing.result()
        assert (outcome.rows_inserted, outcome.rows_updated) == (0, 2)
        assert platform.stored() == {(1, "S"): C}
        assert platform.checks() == []

    @pytest.mark.parametrize("rows", [[A], [C, A]], ids=["alone", "with another of its key"])
    def test_a_row_that_comes_again_unchanged_keeps_one_that_landed_in_between_out(
        self, database: Database, zone: LandingZone, rows: list[Row]
    ) -> None:
        """A, B, A: whoever is first, A is the last word."""
        platform = orders(database, zone)
        first, between, last = platform.claimed(content([A]), content([B]), content(rows))
        for file in (first, last, between):
            platform.load_unit([file])
        assert platform.stored()[1, "S"] == A
        assert platform.checks() == []

    def test_within_a_file_the_last_line_stays(self, database: Database, zone: LandingZone) -> None:
        platform = orders(database, zone)
        (outcome,) = platform.load(a__csv=content([A, B, A, A, C]))
        assert (outcome.rows_inserted, outcome.rows_updated, outcome.rows_duplicate) == (1, 3, 1)
        assert platform.query("SELECT status, line_number FROM orders") == [("sent", 6)]
        assert platform.checks() == []

    def test_in_several_buffers(
        self, database: Database, zone: LandingZone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_buffers_of_few_rows(monkeypatch)
        platform = orders(database, zone)
        platform.load(a__csv=content([(number, "S", "new", "", "") for number in range(20)]))
        (outcome,) = platform.load(
            b__csv=content([(number, "S", "paid", "", "") for number in range(20)] * 2)
        )
        assert (outcome.rows_updated, outcome.rows_duplicate) == (20, 20)
        assert platform.checks() == []

    def test_what_was_deleted_comes_back_with_its_file(self, database: Database, zone: LandingZone) -> None:
        platform = orders(database, zone)
        platform.load(a__csv=content([A, (2, "S", "new", "", "")]))
        platform.load(b__csv=content([B]))
        platform.query_and_commit("DELETE FROM orders WHERE number = 1")
        assert "1 rows are missing" in platform.checks()[0]
        reload_files(database, platform.zone, ["orders/b.csv"])
        (outcome,) = platform.load()
        assert outcome.rows_inserted == 1
        assert platform.stored()[1, "S"] == B
        assert platform.checks() == []

    def test_a_table_that_was_emptied_is_filled_by_its_files(
        self, database: Database, zone: LandingZone
    ) -> None:
        platform = orders(database, zone)
        platform.load(a__csv=content([A, (2, "S", "new", "", "")]))
        platform.load(b__csv=content([B]))
        platform.query_and_commit("TRUNCATE orders")
        reload_files(database, platform.zone, ["orders/a.csv", "orders/b.csv"])
        platform.load()
        assert platform.stored() == {(1, "S"): B, (2, "S"): (2, "S", "new", "", "")}
        assert platform.checks() == []


class TestBroughtBack:
    def test_an_old_file_changes_nothing_that_is_newer(self, database: Database, zone: LandingZone) -> None:
        platform = orders(database, zone)
        platform.load(a__csv=content([A, C, (2, "S", "new", "", "")]))
        platform.load(b__csv=content([B]))
        before = platform.query("SELECT *, xmin FROM orders ORDER BY number")
        reload_files(database, platform.zone, ["orders/a.csv"])
        (outcome,) = platform.load()
        assert (outcome.rows_stale, outcome.rows_duplicate) == (2, 1)
        assert platform.query("SELECT *, xmin FROM orders ORDER BY number") == before
        assert platform.checks() == []

    def test_a_file_that_is_dropped_again_is_a_new_word(self, database: Database, zone: LandingZone) -> None:
        platform = orders(database, zone)
        platform.load(a__csv=content([A]))
        platform.load(b__csv=content([B]))
        (outcome,) = platform.load(a__csv=content([A]))
        assert outcome.rows_updated == 1
        assert platform.stored()[1, "S"] == A
        assert platform.checks() == []

    def test_a_copy_that_somebody_has_changed_meanwhile_is_new(
        self, database: Database, zone: LandingZone
    ) -> None:
        platform = orders(database, zone)
        platform.load(a__csv=content([A]))
        platform.load(b__csv=content([B]))
        reload_files(database, platform.zone, ["orders/a.csv"])
        (platform.folder / "a.csv").write_bytes(content([C]))
        (outcome,) = platform.load()
        assert outcome.rows_updated == 1
        assert platform.stored()[1, "S"] == C

    def test_files_that_an_older_ledger_does_not_know_keep_their_order(
        self, database: Database, zone: LandingZone
    ) -> None:
        platform = orders(database, zone)
        for name, row in (("z", A), ("y", B), ("x", C)):
            platform.load(**{f"{name}__csv": content([row])})
        platform.query_and_commit("DELETE FROM orders")
        platform.query_and_commit("DELETE FROM lost_rows")
        platform.query_and_commit("DELETE FROM ingested_files")
        done = reconcile(database, platform.zone)
        assert len(done.requeued) == 3
        # They land again by their names: x, the newest, is claimed first.
        platform.load(w__csv=content([(2, "S", "new", "", "")]))
        assert platform.stored()[1, "S"] == C
        assert platform.checks() == []

    def test_a_line_that_is_valid_by_now_is_behind_those_above_it(
        self, database: Database, zone: LandingZone
    ) -> None:
        """The file that is brought back has the line of each row to say which is the newer."""
        narrow = ORDERS.replace("status: text null", "status: {type: text null, in: [new, sent]}")
        platform = orders(database, zone, narrow)
        assert platform.counts(a__csv=content([A, B])) == (2, 1, 0, 1)
        platform.feed = declared(ORDERS, "orders")
        reload_files(database, platform.zone, ["orders/a.csv"])
        (outcome,) = platform.load()
        assert (outcome.rows_updated, outcome.rows_duplicate) == (1, 1)
        assert platform.stored()[1, "S"] == B


class TestReplay:
    NARROW = ORDERS.replace("status: text null", "status: {type: text null, in: [new, sent]}")

    def replayed(self, platform: Orders, feed_text: str = ORDERS) -> dict[ReplayVerdict, int]:
        feed = declared(feed_text, "orders")
        return dict(replay_as_they_are(platform.database, platform.zone, {"orders": feed}).verdicts)

    def test_it_takes_the_place_of_what_came_before_it_alone(
        self, database: Database, zone: LandingZone
    ) -> None:
        platform = orders(database, zone, self.NARROW)
        other = (2, "S", "paid", "", "")
        assert platform.counts(a__csv=content([A, B, other, (2, "S", "new", "", "")])) == (4, 2, 0, 2)
        assert self.replayed(platform) == {ReplayVerdict.UPDATED: 1, ReplayVerdict.STALE: 1}
        assert platform.stored() == {(1, "S"): B, (2, "S"): (2, "S", "new", "", "")}
        assert platform.sums() == {
            "read": 4, "inserted": 2, "updated": 1, "stale": 1, "duplicate": 0, "rejected": 0
        }  # fmt: skip
        assert platform.checks() == []

    def test_a_row_of_a_later_file_stays(self, database: Database, zone: LandingZone) -> None:
        platform = orders(database, zone, self.NARROW)
        platform.load(a__csv=content([B]))
        platform.load(b__csv=content([A]))
        assert self.replayed(platform) == {ReplayVerdict.STALE: 1}
        assert platform.stored()[1, "S"] == A
        assert platform.checks() == []

    def test_a_row_of_an_earlier_file_is_replaced(self, database: Database, zone: LandingZone) -> None:
        platform = orders(database, zone, self.NARROW)
        platform.load(a__csv=content([A]))
        platform.load(b__csv=content([B]))
        assert self.replayed(platform) == {ReplayVerdict.UPDATED: 1}
        assert platform.stored()[1, "S"] == B
        assert platform.checks() == []

    def test_by_the_version(self, database: Database, zone: LandingZone) -> None:
        platform = orders(database, zone, self.NARROW + "version: changed\n")
        platform.load(a__csv=content([(1, "S", "paid", "9", "")]))
        platform.load(b__csv=content([A]))
        assert self.replayed(platform, VERSIONED) == {ReplayVerdict.UPDATED: 1}
        assert platform.stored()[1, "S"] == (1, "S", "paid", "9", "")
        assert platform.checks() == []

    def test_a_corrected_row(self, database: Database, zone: LandingZone, tmp_path: Path) -> None:
        platform = orders(database, zone, self.NARROW)
        platform.load(a__csv=content([A, B]))
        fixed = tmp_path / "fixed.csv"
        fixed.write_bytes(content([(1, "S", "sent", "2", "")]))
        done = replay_corrected(database, fixed, platform.feed, platform.zone)
        assert done.verdicts == {ReplayVerdict.UPDATED: 1}
        assert platform.stored()[1, "S"] == (1, "S", "sent", "2", "")
        assert platform.checks() == []


class TestTable:
    def test_made_anew_it_is_the_same(self, database: Database, zone: LandingZone) -> None:
        platform = orders(database, zone)
        chance = random.Random(7)
        for number in range(4):
            platform.load(**{f"f{number}__csv": content(drawn(chance))})
        before = platform.query("SELECT number, size, status, line_number, file_id FROM orders ORDER BY 1, 2")
        done = rebuild(database, platform.zone, platform.feed, 1.0).rebuilt
        assert before == platform.query(
            "SELECT number, size, status, line_number, file_id FROM orders ORDER BY 1, 2"
        )
        assert done.read == done.inserted + done.updated + done.stale + done.duplicate + done.rejected
        assert platform.checks() == []

    def test_without_a_file_it_is_made_anew(self, database: Database, zone: LandingZone) -> None:
        platform = orders(database, zone)
        platform.load(a__csv=content([A]))
        platform.load(b__csv=content([B]))
        declared_now = Catalog({"orders": platform.feed, **packaged()})
        with pytest.raises(UsageError, match="--without 2"):
            unload_files(database, platform.zone, declared_now, ["orders/b.csv"], 1.0)
        rebuild(database, platform.zone, platform.feed, 1.0, without=["orders/b.csv"])
        assert platform.stored()[1, "S"] == A
        assert platform.checks() == []

    def test_to_update_from_now_on_is_another_table(self, database: Database, zone: LandingZone) -> None:
        platform = orders(database, zone, ORDERS.replace("on_conflict: update\n", ""))
        platform.load(a__csv=content([A]))
        platform.load(b__csv=content([B]))
        updating = declared(ORDERS, "orders")
        with pytest.raises(FeedError, match="on_conflict"):
            prepare_table(database, updating)
        rebuild(database, platform.zone, updating, 1.0)
        assert platform.stored()[1, "S"] == B


def test_a_line_says_what_became_of_it(database: Database, zone: LandingZone) -> None:
    platform = orders(database, zone)
    platform.load(a__csv=content([A, B]))
    platform.load(b__csv=content([C]))
    with database.open() as connection:

        def verdict(wanted: str) -> str:
            return trace(connection, platform.zone, wanted, {"orders": platform.feed}).verdict

        assert "newer row of its key is from orders/b.csv (file 2)" in verdict("orders/a.csv:3")
        assert "is stored in" in verdict("orders/b.csv:2")
        assert "2 rows read, 1 inserted, 1 updated, 0 duplicate, 0 rejected" in verdict("orders/a.csv")
