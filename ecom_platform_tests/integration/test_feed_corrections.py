"""Rejects of feeds of every identity: replayed after the declaration was mended, or corrected; and traced."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import Replayed, replay_as_they_are, replay_corrected
from ecom_platform.oncall.trace import Trace, trace
from ecom_platform.store.connection import Database
from ecom_platform.store.rejects import ReplayVerdict
from ecom_platform_tests.integration.test_feeds import Platform, declared

# One file for all of them: equal rows, and three that are refused, one of which is like two others.
CONTENT = """\
shop;article;pieces;price
Köln;hat;1;9,50
Köln;hat;1;9,50
Bonn;hat;one;9,50
Bonn;sock;2;-1,00
Köln;hat;1;cheap
Bonn;scarf;1;3,00
"""
COLUMNS = """
delimiter: semicolon
decimal: comma
columns:
  shop: text
  article: text
  pieces: {type: integer, max: 100}
  price: {type: "numeric(10,2)", min: MINIMUM}
"""
IDENTITIES = {
    "content": "identity: content\n",
    "position": "identity: position\n",
    "numbered": "primary_key: [shop, article]\nnumbered: true\n",
}


def feed(identity: str, minimum: str = "0") -> Feed:
    return declared(COLUMNS.replace("MINIMUM", minimum) + IDENTITIES[identity], "sales")


class Sales(Platform):
    """The feed ``sales`` with one file of six records loaded."""

    def rows(self) -> list[tuple[object, ...]]:
        return self.query("SELECT shop, article, pieces, price::text FROM sales ORDER BY 1, 2, 3, 4")

    def ids(self) -> set[object]:
        return {key for (key,) in self.query("SELECT row_id FROM sales")}

    def totals(self) -> tuple[object, ...]:
        (row,) = self.query(
            "SELECT rows_read, rows_inserted, rows_duplicate, rows_rejected"
            " FROM ingested_files WHERE file_id = 1"
        )
        return row

    def trace(self, wanted: str) -> Trace:
        with self.database.open() as connection:
            return trace(connection, self.zone, wanted, {self.feed.name: self.feed})

    def correct(self, folder: Path, *rows: tuple[str, ...], places: bool = True) -> Replayed:
        """``rows``: shop, article, pieces, price, line."""
        path = folder / "fixed.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            names = ["shop", "article", "pieces", "price"]
            writer.writerow([*names, "file_name", "line_number"] if places else names)
            writer.writerows([*row[:4], "sales/a.csv", row[4]] if places else list(row[:4]) for row in rows)
        return replay_corrected(self.database, path, self.feed, self.zone)


@pytest.fixture(params=IDENTITIES)
def sales(request: pytest.FixtureRequest, database: Database, zone: LandingZone) -> Sales:
    platform = Sales(database, zone, feed(request.param))
    assert platform.counts(a__csv=CONTENT.encode()) == (6, 3, 0, 3)
    return platform


class TestAsTheyAre:
    def test_what_has_become_valid_is_loaded_and_known_when_the_file_comes_again(self, sales: Sales) -> None:
        mended = feed(sales.feed.identity or "numbered", "-5")
        replayed = replay_as_they_are(sales.database, sales.zone, {"sales": mended})
        assert replayed.verdicts == {ReplayVerdict.INSERTED: 1, ReplayVerdict.STILL_REJECTED: 2}
        assert ("Bonn", "sock", 2, "-1.00") in sales.rows()
        assert sales.totals() == (6, 4, 0, 2)
        assert sales.checks() == []
        again = replay_as_they_are(sales.database, sales.zone, {"sales": mended})
        assert again.verdicts == {ReplayVerdict.STILL_REJECTED: 2}
        # The very file, read by the mended declaration, brings nothing new.
        before = sales.ids()
        sales.feed = mended
        assert sales.counts(again__csv=CONTENT.encode()) == (6, 0, 4, 2)
        assert sales.ids() == before
        assert sales.checks() == []

    def test_a_file_that_is_gone(self, sales: Sales) -> None:
        for path in (sales.zone.archive / "sales").rglob("*.csv"):
            path.unlink()
        replayed = replay_as_they_are(sales.database, sales.zone, {"sales": sales.feed})
        assert replayed.verdicts == {ReplayVerdict.FILE_GONE: 3}
        assert sales.totals() == (6, 3, 0, 3)

    def test_a_feed_that_is_not_declared_any_more(self, sales: Sales) -> None:
        assert replay_as_they_are(sales.database, sales.zone, {}).verdicts == {ReplayVerdict.NOT_DECLARED: 3}


class TestCorrected:
    def test_each_once_and_none_is_taken_for_another(self, sales: Sales, tmp_path: Path) -> None:
        """The third hat of Köln is one more of its like, and no duplicate of one of the first two."""
        fixed = [
            ("Bonn", "hat", "1", "9,50", "4"),
            ("Bonn", "sock", "2", "1,00", "5"),
            ("Köln", "hat", "1", "9,50", "6"),
        ]
        assert sales.correct(tmp_path, *fixed).verdicts == {ReplayVerdict.INSERTED: 3}
        assert sales.rows().count(("Köln", "hat", 1, "9.50")) == 3
        assert sales.totals() == (6, 6, 0, 0)
        assert sales.checks() == []
        again = sales.correct(tmp_path, *fixed)
        assert (again.verdicts, len(again.unmatched)) == ({}, 3)
        # Its file, loaded again as it was, changes nothing.
        ids = sales.ids()
        assert sales.counts(again__csv=CONTENT.encode()) == (6, 0, 3, 3)
        assert sales.ids() == ids

    def test_a_corrected_file_brings_what_the_corrections_have_brought(
        self, sales: Sales, tmp_path: Path
    ) -> None:
        sales.correct(tmp_path, ("Köln", "hat", "1", "9,50", "6"), ("Bonn", "sock", "2", "1,00", "5"))
        right = CONTENT.replace("cheap", "9,50").replace("-1,00", "1,00")
        inserted = 0 if sales.feed.identity != "position" else 5  # another file's lines are other rows
        assert sales.counts(right__csv=right.encode()) == (6, inserted, 5 - inserted, 1)

    def test_equal_ones_one_after_the_other_are_each_a_row(
        self, database: Database, zone: LandingZone, tmp_path: Path
    ) -> None:
        """Whoever corrects a second line in the same way tomorrow corrects another row."""
        sales = Sales(database, zone, feed("content"))
        sales.load(a__csv=CONTENT.encode())
        hat = ("Köln", "hat", "1", "9,50")
        for lines in (("6",), ("4", "5")):
            done = sales.correct(tmp_path, *((*hat, line) for line in lines))
            assert done.verdicts == {ReplayVerdict.INSERTED: len(lines)}
        assert sales.rows().count(("Köln", "hat", 1, "9.50")) == 5
        assert sales.checks() == []
        right = CONTENT.replace("Bonn;hat;one;9,50", "Köln;hat;1;9,50")
        right = right.replace("Bonn;sock;2;-1,00", "Köln;hat;1;9,50").replace("cheap", "9,50")
        assert sales.counts(right__csv=right.encode()) == (6, 0, 6, 0)

    def test_a_file_that_is_another_by_now(self, sales: Sales, tmp_path: Path) -> None:
        """Of other bytes the rows would get the ids of others."""
        (path,) = (sales.zone.archive / "sales").rglob("*.csv")
        path.write_text("shop;article;pieces;price\n" + CONTENT.partition("\n")[2] + "x;y;1;1,00\n")
        done = sales.correct(tmp_path, ("Bonn", "sock", "2", "1,00", "5"))
        assert done.verdicts == {ReplayVerdict.FILE_GONE: 1}
        replayed = replay_as_they_are(sales.database, sales.zone, {"sales": sales.feed})
        assert replayed.verdicts == {ReplayVerdict.FILE_GONE: 3}
        assert sales.totals() == (6, 3, 0, 3)

    def test_another_content_is_a_duplicate_where_that_is_declared(
        self, database: Database, zone: LandingZone, tmp_path: Path
    ) -> None:
        text = COLUMNS.replace("MINIMUM", "0") + "primary_key: [shop, article]\non_conflict: ignore\n"
        sales = Sales(database, zone, declared(text, "sales"))
        assert sales.counts(a__csv=CONTENT.encode()) == (6, 2, 1, 3)
        done = sales.correct(tmp_path, ("Köln", "hat", "7", "1,00", "6"))
        assert done.verdicts == {ReplayVerdict.DUPLICATE: 1}
        assert sales.totals() == (6, 2, 2, 2)

    def test_what_has_to_say_which_row_it_is(self, sales: Sales, tmp_path: Path) -> None:
        done = sales.correct(tmp_path, ("Bonn", "sock", "2", "1,00"), places=False)
        assert done.verdicts == {}
        assert done.unmatched == ["row 1: file_name and line_number have to say which row it is"]

    def test_one_that_is_still_wrong_stays_refused(self, sales: Sales, tmp_path: Path) -> None:
        done = sales.correct(tmp_path, ("Bonn", "sock", "2000", "1,00", "5"))
        assert done.verdicts == {ReplayVerdict.STILL_REJECTED: 1}
        assert sales.totals() == (6, 3, 0, 3)

    def test_another_key_is_another_row(self, database: Database, zone: LandingZone, tmp_path: Path) -> None:
        sales = Sales(database, zone, feed("numbered"))
        sales.load(a__csv=CONTENT.encode())
        done = sales.correct(tmp_path, ("Bonn", "coat", "2", "1,00", "5"))
        assert (done.verdicts, len(done.unmatched)) == ({}, 1)
        assert "has the key of another row" in done.unmatched[0]

    def test_a_packed_file_in_another_encoding(
        self, database: Database, zone: LandingZone, tmp_path: Path
    ) -> None:
        text = (
            COLUMNS.replace("MINIMUM", "0") + "encoding: [utf-8, cp1252]\nskip: 1\n" + IDENTITIES["content"]
        )
        sales = Sales(database, zone, declared(text, "sales"))
        sales.load(a__csv__gz=gzip.compress(f"Umsätze\n{CONTENT}".encode("cp1252")))
        path = tmp_path / "fixed.csv"
        path.write_text(
            "article,shop,price,pieces,line_number,file_name\n"
            'hat,Köln,"9,50",1,7,sales/a.csv.gz\n"a ""b"";\tc",Köln,"9,50",1,6,sales/a.csv.gz\n',
            encoding="utf-8",
        )
        done = replay_corrected(sales.database, path, sales.feed, sales.zone)
        assert done.verdicts == {ReplayVerdict.INSERTED: 2}
        assert sales.rows().count(("Köln", "hat", 1, "9.50")) == 3
        assert ("Köln", 'a "b";\tc', 1, "9.50") in sales.rows()

    def test_a_key_of_several_columns_needs_no_place_and_no_file(
        self, database: Database, zone: LandingZone, tmp_path: Path
    ) -> None:
        text = COLUMNS.replace("MINIMUM", "0") + "primary_key: [shop, article]\n"
        sales = Sales(database, zone, declared(text, "sales"))
        assert sales.counts(a__csv=CONTENT.encode()) == (6, 2, 1, 3)
        for path in (zone.archive / "sales").rglob("*.csv"):
            path.unlink()
        done = sales.correct(
            tmp_path, ("Bonn", "sock", "2", "1,00"), ("Bonn", "tie", "2", "1,00"), places=False
        )
        assert done.verdicts == {ReplayVerdict.INSERTED: 1}
        assert len(done.unmatched) == 1
        mended = declared(
            text.replace("pieces: {type: integer, max: 100}", "pieces: {type: integer}"), "sales"
        )
        replayed = replay_as_they_are(database, zone, {"sales": mended})
        assert replayed.verdicts == {ReplayVerdict.STILL_REJECTED: 2}

    def test_a_file_without_a_header(self, database: Database, zone: LandingZone, tmp_path: Path) -> None:
        text = """
header: false
delimiter: tab
quote: none
width: 3
columns: {pieces: {type: integer, at: 3}, article: {type: text, at: 1}}
extra: ignore
identity: position
"""
        sales = Platform(database, zone, declared(text, "sales"))
        assert sales.counts(a__csv=b"hat\tx\t1\nsock\tx\ttwo\n") == (2, 1, 0, 1)
        path = tmp_path / "fixed.csv"
        path.write_text("pieces,article,file_name,line_number\n2,sock,sales/a.csv,2\n")
        assert replay_corrected(database, path, sales.feed, zone).verdicts == {ReplayVerdict.INSERTED: 1}
        assert sales.query("SELECT article, pieces FROM sales ORDER BY 1") == [("hat", 1), ("sock", 2)]
        assert sales.checks() == []


class TestTrace:
    def test_lines_of_a_file(self, sales: Sales) -> None:
        stored = sales.trace("sales/a.csv:7")
        assert (stored.known, stored.verdict) == (True, 'sales/a.csv, line 7 is stored in "sales".')
        refused = sales.trace("sales/a.csv:5")
        assert (refused.known, refused.verdict) == (True, "sales/a.csv, line 5 was refused: out_of_range.")
        for line in (1, 8, 10**9):
            nothing = sales.trace(f"sales/a.csv:{line}")
            assert not nothing.known
            assert "no record that could be loaded begins there" in nothing.verdict
        assert sales.trace("sales/b.csv:2").verdict == "sales/b.csv was never claimed."
        with sales.database.transaction() as connection:
            connection.execute("DELETE FROM sales WHERE article = 'scarf'")
        assert "it was deleted" in sales.trace("sales/a.csv:7").verdict

    def test_a_duplicate_names_where_the_row_is_from(self, sales: Sales) -> None:
        sales.load(b__csv=CONTENT.encode())
        again = sales.trace("sales/b.csv:7")
        assert (
            again.verdict
            == "sales/b.csv, line 7 is a duplicate: the row is stored from sales/a.csv (file 1)."
        )

    def test_a_row_by_its_id(self, sales: Sales) -> None:
        ((key,),) = sales.query("SELECT row_id FROM sales WHERE article = 'scarf'")
        found = sales.trace(str(key))
        assert found.verdict == f"{key} is stored once, from sales/a.csv, line 7."
        assert found.facts[0]["feed"] == "sales"

    def test_a_name_that_ends_like_a_line(self, sales: Sales) -> None:
        (sales.folder / "a.csv:5").write_text(CONTENT)
        sales.load()
        assert sales.trace("sales/a.csv:5").facts[0]["file"] == "sales/a.csv:5"
