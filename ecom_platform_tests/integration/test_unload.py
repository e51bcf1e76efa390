"""A file taken out: table, ledger and rejects are what the other files alone make."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.catalog import Catalog, packaged
from ecom_platform.errors import FeedError, UsageError
from ecom_platform.landing.folder import taking_out
from ecom_platform.landing.folder.claim import recover
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_corrected
from ecom_platform.oncall.requeue import reconcile, reload_files
from ecom_platform.store.connection import Database
from ecom_platform.tables.unload import TakenOut, unload_files
from ecom_platform_tests.examples import seeds
from ecom_platform_tests.integration.test_feeds import Platform, declared

COLUMNS = "columns: {day: date, item: text, pieces: {type: integer, max: 5}, more: jsonb null}\n"
KEYS = {
    "key": "primary_key: [day, item]\n",
    "ignore": "primary_key: [day, item]\non_conflict: ignore\n",
    "numbered": "primary_key: [day, item]\nnumbered: true\n",
    "content": "identity: content\nroles: {time: day}\n",
    "position": "identity: position\n",
}
HEADER = b"day,item,pieces,more\n"


def files(seed: int) -> dict[str, bytes]:
    """Five files of few different rows, so that they have many in common, and many in conflict."""
    chance = random.Random(seed)

    def row() -> bytes:
        more = chance.choice(["", '"{""a"": 1}"'])
        return (
            f"2026-01-0{chance.randint(1, 3)},{chance.choice('ab')},{chance.randint(3, 6)},{more}\n".encode()
        )

    found = {f"{name}__csv": HEADER + b"".join(row() for _ in range(chance.randint(1, 8))) for name in "abcd"}
    return {**found, "e__csv": found["a__csv"]}


def taken_out(platform: Platform, *names: str, **options: Any) -> TakenOut:
    declared_now = Catalog({platform.feed.name: platform.feed, **packaged()})
    (done,) = unload_files(platform.database, platform.zone, declared_now, names, 1.0, **options)
    return done


def facts(platform: Platform) -> list[list[tuple[Any, ...]]]:
    """All that is known of the feed, by names of files and not by their numbers."""
    feed, base = platform.feed.name, r"regexp_replace(f.name, '.*/', '')"
    columns = ", ".join(f't."{column}"' for column in platform.table.types)
    joined = f"{platform.table.qualified} AS t JOIN ingested_files AS f USING (file_id)"
    return [
        platform.query(f"SELECT {base}, {columns} FROM {joined} ORDER BY t::text"),
        platform.query(
            f"SELECT {base}, state, rows_read, rows_inserted, rows_duplicate, rows_rejected,"
            " rows_duplicate_within, rows_conflicting, same_bytes_as IS NULL"
            f" FROM ingested_files AS f WHERE feed = '{feed}' ORDER BY 1"
        ),
        platform.query(
            f"SELECT {base}, line_number, r.reason, column_name, convert_from(raw, 'UTF8')"
            f" FROM rejected_events AS r JOIN ingested_files AS f USING (file_id) WHERE r.feed = '{feed}'"
            " ORDER BY 1, 2"
        ),
    ]


@pytest.mark.parametrize("identity", KEYS)
def test_it_is_as_if_the_file_had_never_come(database: Database, zone: LandingZone, identity: str) -> None:
    text = COLUMNS + KEYS[identity]
    for seed in seeds(6):
        contents = files(seed)
        platform = Platform(database, zone, declared(text, f"sales_{seed}"))
        other = Platform(database, zone, declared(text, f"other_{seed}"))
        gone = sorted(contents)[seed % 5]
        for name, content in contents.items():
            platform.load(**{name: content})
            if name != gone:
                other.load(**{name: content})
        done = taken_out(platform, f"sales_{seed}/{gone.replace('__', '.')}")
        found, wanted = facts(platform), facts(other)
        found[0].sort(key=str)
        wanted[0].sort(key=str)
        assert found == wanted, (seed, gone)
        assert platform.checks() == []
        assert done.places[0] is not None
        assert Path(done.places[0]).read_bytes() == contents[gone]
        # And it stays out, until somebody drops it again: then it is the last file that came.
        assert recover(database, platform.zone).unknown == ()
        assert platform.load() == []
        if identity != "position":
            platform.load(**{gone: contents[gone]})
            other.load(**{gone: contents[gone]})
            assert [facts(platform)[1], facts(platform)[2]] == [facts(other)[1], facts(other)[2]]
            assert platform.checks() == []


@pytest.fixture
def sales(database: Database, zone: LandingZone) -> Platform:
    platform = Platform(database, zone, declared(COLUMNS + KEYS["key"], "sales"))
    platform.load(a__csv=HEADER + b"2026-01-01,a,1,\n2026-01-01,b,9,\n")
    platform.load(b__csv=HEADER + b"2026-01-01,a,2,\n2026-01-01,c,2,\n2026-01-01,a,1,\n")
    platform.load(c__csv=HEADER + b"2026-01-01,a,1,\n")
    return platform


class TestWhatComesBack:
    def test_a_conflict_wins_and_a_duplicate_becomes_one(self, sales: Platform) -> None:
        done = taken_out(sales, "sales/a.csv")
        assert [(one.name, one.rows) for one in done.result.back] == [("sales/b.csv", 1)]
        assert (done.result.rows, done.result.rejects) == (1, 1)
        assert sales.query("SELECT item, pieces, file_id FROM sales ORDER BY 1") == [("a", 2, 2), ("c", 2, 2)]
        assert sales.query("SELECT file_id, line_number, reason, raw FROM rejected_events ORDER BY 1, 2") == [
            (2, 4, "id_conflict", b"2026-01-01,a,1,"),
            (3, 2, "id_conflict", b"2026-01-01,a,1,"),
        ]
        assert sales.checks() == []

    def test_several_at_once_by_number_and_path(self, sales: Platform) -> None:
        (path,) = sales.zone.archive.rglob("1-a.csv")
        taken_out(sales, str(path), "2")
        assert sales.query("SELECT item, file_id FROM sales") == [("a", 3)]
        assert sales.query("SELECT file_id FROM ingested_files") == [(3,)]
        assert sales.checks() == []
        assert reconcile(sales.database, sales.zone).requeued == ()

    def test_what_was_deleted_by_hand_counts_where_it_did(self, sales: Platform) -> None:
        sales.query_and_commit("DELETE FROM sales WHERE item = 'c'")
        sales.load(d__csv=HEADER + b"2026-01-01,c,2,\n")
        taken_out(sales, "sales/d.csv")
        assert sales.query("SELECT file_id FROM sales WHERE item = 'c'") == [(2,)]
        assert sales.checks() == []

    def test_after_a_reload_of_the_others(self, sales: Platform) -> None:
        reload_files(sales.database, sales.zone, ["sales/b.csv"])
        sales.load()
        taken_out(sales, "2")
        assert sales.checks() == []
        assert sales.query("SELECT item, file_id FROM sales ORDER BY 1") == [("a", 1), ("c", 4)]

    def test_quarantined_and_unknown_ones(self, sales: Platform) -> None:
        sales.load(q__csv=b"nothing\n1\n")
        done = taken_out(sales, "sales/q.csv")
        assert done.result.rows == 0
        assert [path for path in sales.zone.quarantine.rglob("*") if path.is_file()] == []
        assert sales.query("SELECT count(*) FROM ingested_files") == [(3,)]
        with pytest.raises(UsageError, match=r"knows no file 'x\.csv'"):
            taken_out(sales, "x.csv")

    def test_rows_that_were_corrected_are_told_of(self, sales: Platform, tmp_path: Path) -> None:
        path = tmp_path / "fixed.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = [["day", "item", "pieces", "more"], ["2026-01-01", "b", "5", ""]]
            csv.writer(file).writerows(rows)
        assert replay_corrected(sales.database, path, sales.feed, sales.zone).loaded == 1
        assert taken_out(sales, "sales/a.csv").result.replayed == 1
        assert sales.checks() == []

    def test_rules_that_have_changed_since(self, database: Database, zone: LandingZone) -> None:
        """What was a duplicate comes back, and what was refused stays so."""
        text = COLUMNS + KEYS["key"]
        sales = Platform(database, zone, declared(text, "sales"))
        sales.load(a__csv=HEADER + b"2026-01-01,a,4,\n2026-01-01,b,5,\n")
        sales.load(b__csv=HEADER + b"2026-01-01,a,4,\n2026-01-01,b,6,\n")
        for maximum in ("3", "9"):
            sales.feed = declared(text.replace("max: 5", f"max: {maximum}"), "sales")
            back = taken_out(sales, "sales/a.csv").result.back
            assert [one.rows for one in back] == [1]
            assert sales.query(
                "SELECT item, file_id = (SELECT max(file_id) FROM ingested_files) FROM sales"
            ) == [("a", True)]
            assert sales.query("SELECT reason FROM rejected_events") == [("out_of_range",)]
            assert sales.checks() == []
            taken_out(sales, "sales/b.csv")
            sales.feed = declared(text, "sales")
            sales.load(a__csv=HEADER + b"2026-01-01,a,4,\n2026-01-01,b,5,\n")
            sales.load(b__csv=HEADER + b"2026-01-01,a,4,\n2026-01-01,b,6,\n")


class TestWhatIsRefused:
    def test_another_file_that_is_gone(self, sales: Platform) -> None:
        (path,) = sales.zone.archive.rglob("3-c.csv")
        content = path.read_bytes()
        path.unlink()
        before = facts(sales)
        with pytest.raises(FeedError, match=r"sales/c.csv \(file 3\)"):
            taken_out(sales, "sales/a.csv")
        assert facts(sales) == before
        assert list(sales.zone.archive.rglob("1-a.csv"))
        assert taken_out(sales, "sales/a.csv", partial=True).passed_over == ["sales/c.csv (file 3)"]
        assert sales.checks() == []
        path.write_bytes(content)

    def test_killed_before_the_commit(self, sales: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        before, real = facts(sales), taking_out.Moves.make

        def killed(moves: Any) -> None:
            real(moves)
            raise KeyboardInterrupt

        monkeypatch.setattr(taking_out.Moves, "make", killed)
        monkeypatch.setattr(taking_out.Moves, "take_back", lambda moves: None)
        with pytest.raises(KeyboardInterrupt):
            taken_out(sales, "sales/a.csv")
        assert facts(sales) == before
        monkeypatch.undo()
        done = taken_out(sales, "sales/a.csv")
        assert done.places[0] is not None
        assert sales.checks() == []

    def test_a_failure_puts_the_file_back(self, sales: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        real = taking_out.Moves.make

        def failing(moves: Any) -> None:
            real(moves)
            raise OSError("no more")

        monkeypatch.setattr(taking_out.Moves, "make", failing)
        with pytest.raises(OSError, match="no more"):
            taken_out(sales, "sales/a.csv")
        assert list(sales.zone.archive.rglob("1-a.csv"))
        assert sales.checks() == []


def test_sales_figures_follow(database: Database, zone: LandingZone) -> None:
    from ecom_platform.shop.rollups import HOURLY_SALES, reconciles, refresh
    from ecom_platform_tests.landing import USER_EVENTS, csv_file, line

    platform = Platform(database, zone, USER_EVENTS)
    shared = line()
    platform.load(a__csv=csv_file(shared, line()))
    platform.load(b__csv=csv_file(shared, line()))
    refresh(database, HOURLY_SALES)
    done = taken_out(platform, "a.csv")
    assert [one.rows for one in done.result.back] == [1]
    assert reconciles(database, HOURLY_SALES, "check").passed
    refresh(database, HOURLY_SALES)
    assert reconciles(database, HOURLY_SALES, "check").passed
    assert platform.query("SELECT sum(revenue)::text FROM hourly_sales") == [("39.98",)]
    assert platform.query("SELECT count(*) FROM lost_events") == [(0,)]
    assert platform.checks() == []
