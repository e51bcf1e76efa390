"""Feeds of other people's shapes through claim, sink and archive: rows of every identity, and every
refusal."""

# ruff: noqa: E501 (rows and messages as they are)
from __future__ import annotations

import gzip
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.alerts.files import Watched, file_signs, watched_feeds
from ecom_platform.alerts.outbox import raise_problem
from ecom_platform.alerts.problem import Kind, Problem, Window
from ecom_platform.errors import FeedError
from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.landing.folder.claim import claim_files, finish
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are
from ecom_platform.oncall.requeue import reconcile, reload_files
from ecom_platform.oncall.trace import trace
from ecom_platform.settings import Settings
from ecom_platform.store import audit, ledger, sink
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.feed_tables import prepare_table, tables_of
from ecom_platform.store.outcome import FileOutcome, UnitFile
from ecom_platform.store.rejects import groups
from ecom_platform.streaming.readiness import ready_feeds
from ecom_platform_tests.kept import kept_connection

CLICKS = """
columns:
  event_time: {type: timestamptz, time_format: "%Y-%m-%d %H:%M:%S UTC"}
  event_type: {type: text, in: [view, cart, purchase]}
  product_id: bigint
  price: "numeric(10,2)"
identity: content
roles: {time: event_time}
"""
CLICK_FILE = b"""event_time,event_type,product_id,price
2019-10-01 00:00:00 UTC,view,44600062,35.79
2019-10-01 00:00:00 UTC,view,44600062,35.79
2019-10-01 00:00:01 UTC,cart,1004856,-1.00
2019-10-01 00:00:02 UTC,view,44600062,35.79
2019-10-01 00:00:00 UTC,view,44600062,35.79
"""


def declared(text: str, name: str) -> Feed:
    return read_feed(text, f"{name}.yaml", name)


class Platform:
    """A landing zone with one feed's folder, claim and sink behind it."""

    def __init__(self, database: Database, zone: LandingZone, feed: Feed) -> None:
        self.database, self.feed, self.table = database, feed, FeedTable(feed)
        self.zone = replace(zone, feeds=frozenset({"user_events", feed.name}))
        self.folder = zone.landing / ("" if feed.name == TOP_FEED else feed.name)
        self.folder.mkdir(exist_ok=True)
        prepare_table(database, feed)
        self.connection = kept_connection(database)
        self.batch_id = ledger.start_batch(self.connection, "test", 0, "test")

    def load(self, **contents: bytes) -> list[FileOutcome]:
        for name, content in contents.items():
            path = self.folder / name.replace("__", ".")
            path.write_bytes(content)
        prepare_table(self.database, self.feed)  # as every load does
        found = look(self.zone.landing, feeds=self.zone.feeds)
        taken = claim_files(self.database, self.zone, [*found.files.values()]).taken
        files = [
            UnitFile(
                file.file_id, file.name, str(self.zone.claimed_path(file.file_id, file.name)), file.size_bytes
            )
            for file in taken
        ]
        outcomes = sink.load_unit(self.database.url, self.feed, files, self.batch_id).outcomes
        for state in ledger.states(self.connection, [outcome.file_id for outcome in outcomes]).values():
            finish(self.zone, state)
        return outcomes

    def counts(self, **contents: bytes) -> tuple[int, int, int, int]:
        (outcome,) = self.load(**contents)
        assert outcome.state == ledger.LOADED, outcome.reason
        return outcome.rows_read, outcome.rows_inserted, outcome.rows_duplicate, outcome.rows_rejected

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql.encode()).fetchall()

    def query_and_commit(self, sql: str) -> None:
        self.connection.execute(sql.encode())

    def checks(self) -> list[str]:
        """What is wrong by the checks and the audit."""
        findings = [audit.counts_reconcile(self.connection)]
        findings.append(audit.table_matches_ledger(self.database, self.table))
        counted = audit.record_duplicate_audit(self.database, self.table, "run")
        assert counted.rows == counted.distinct_ids
        return [f"{finding.check}: {finding.found}" for finding in findings if not finding.passed]


@pytest.fixture
def clicks(database: Database, zone: LandingZone) -> Platform:
    return Platform(database, zone, declared(CLICKS, "clicks"))


class TestContent:
    def test_equal_rows_are_rows_of_their_own_and_the_file_again_is_known(self, clicks: Platform) -> None:
        assert clicks.counts(a__csv=CLICK_FILE) == (5, 5, 0, 0)
        assert clicks.counts(b__csv=CLICK_FILE) == (5, 0, 5, 0)
        assert clicks.query("SELECT count(*), count(DISTINCT row_id), sum(price) FROM clicks")[0][:2] == (
            5,
            5,
        )
        assert clicks.checks() == []

    def test_another_dress_is_the_same_content(self, clicks: Platform) -> None:
        clicks.load(a__csv=CLICK_FILE)
        lines = [line.split(b",") for line in CLICK_FILE.splitlines()]
        dressed = b"\r\n".join(b",".join(b'"' + field + b'"' for field in reversed(line)) for line in lines)
        assert clicks.counts(b__csv=b"\xef\xbb\xbf" + dressed) == (5, 0, 5, 0)
        assert clicks.counts(c__csv__gz=gzip.compress(CLICK_FILE)) == (5, 0, 5, 0)

    def test_ids_grow_with_the_time(self, clicks: Platform) -> None:
        clicks.load(a__csv=CLICK_FILE)
        ordered = clicks.query("SELECT event_time FROM clicks ORDER BY row_id")
        assert ordered == sorted(ordered)
        assert {row[0].version for row in clicks.query("SELECT row_id FROM clicks")} == {8}

    def test_a_rejected_row_keeps_its_number(self, clicks: Platform) -> None:
        """So that the rows behind it keep theirs, whether it is loaded or not."""
        bad = CLICK_FILE.replace(b"cart", b"kart")
        assert clicks.counts(a__csv=bad) == (5, 4, 0, 1)
        assert clicks.counts(b__csv=CLICK_FILE) == (5, 1, 4, 0)
        assert clicks.query("SELECT line_number, reason, column_name, feed FROM rejected_events") == [
            (4, "not_in_list", "event_type", "clicks")
        ]
        assert clicks.checks() == []

    def test_deleted_rows_come_back_and_count_where_they_are(self, clicks: Platform) -> None:
        clicks.load(a__csv=CLICK_FILE)
        clicks.query_and_commit("DELETE FROM clicks WHERE price = 35.79")
        assert clicks.checks() == ["table_matches_ledger: 1 file differs: 4 rows are missing"]
        assert clicks.counts(b__csv=CLICK_FILE) == (5, 4, 1, 0)
        assert clicks.checks() == []
        clicks.query_and_commit("TRUNCATE clicks")
        assert clicks.checks() != []
        assert clicks.counts(c__csv=CLICK_FILE) == (5, 5, 0, 0)
        assert clicks.checks() == []

    def test_many_files_in_sub_folders(self, clicks: Platform) -> None:
        inside = clicks.folder / "2019" / "10"
        inside.mkdir(parents=True)
        (inside / "01.csv").write_bytes(CLICK_FILE)
        (outcome,) = clicks.load()
        assert (outcome.name, outcome.rows_inserted) == ("clicks/2019/10/01.csv", 5)
        ((name, feed, declaration),) = clicks.query("SELECT name, feed, declaration FROM ingested_files")
        assert (name, feed, len(declaration)) == ("clicks/2019/10/01.csv", "clicks", 64)
        archived = [path.relative_to(clicks.zone.archive) for path in clicks.zone.archive.rglob("*.csv")]
        assert [path.parts[0] for path in archived] == ["clicks"]
        assert [path.name for path in archived] == ["1-01.csv"]


class TestPosition:
    def test_a_row_is_its_place(self, database: Database, zone: LandingZone) -> None:
        clicks = Platform(database, zone, declared(CLICKS.replace("content", "position"), "clicks"))
        assert clicks.counts(a__csv=CLICK_FILE) == (5, 5, 0, 0)
        assert clicks.counts(b__csv__gz=gzip.compress(CLICK_FILE)) == (5, 0, 5, 0)
        assert clicks.counts(c__csv=CLICK_FILE + CLICK_FILE.splitlines(keepends=True)[1]) == (6, 6, 0, 0)
        assert clicks.checks() == []


ITEMS = """
columns: {order_id: text, item: integer, price: "numeric(10,2)"}
primary_key: [order_id, item]
"""


class TestKeys:
    def test_a_key_of_two_columns(self, database: Database, zone: LandingZone) -> None:
        items = Platform(database, zone, declared(ITEMS, "items"))
        first = b"order_id,item,price\nB,1,5.00\nA,2,7.00\na,1,1.00\nB,1,5.00\n"
        assert items.counts(a__csv=first) == (4, 3, 1, 0)
        assert items.counts(b__csv=b"price,order_id,item\n5.00,B,1\n8.00,A,2\n9.00,C,1\n") == (3, 1, 1, 1)
        assert items.query("SELECT reason, column_name, line_number FROM rejected_events") == [
            ("id_conflict", "order_id", 3)
        ]
        assert items.checks() == []

    def test_a_key_of_every_type(self, database: Database, zone: LandingZone) -> None:
        text = """
columns: {u: uuid, d: date, n: "numeric(10,2)", b: boolean, f: double precision, m: timestamptz, t: text, i: integer}
primary_key: [u, d, n, b, f, m, t, i]
"""
        platform = Platform(database, zone, declared(text, "keys"))
        rows = [
            f"0754f353-48e0-4169-9381-284b7056684{u},2026-01-0{d},{n}.5,{b},{n}e1,2026-01-0{d} 00:00:00,{t},{d}"
            for u in "ba" for d in (2, 1) for n in (7, -7) for b in ("true", "f") for t in ("é", "Z")
        ]  # fmt: skip
        content = "\n".join(["u,d,n,b,f,m,t,i", *rows, rows[3]]).encode()
        assert platform.counts(a__csv=content) == (33, 32, 1, 0)
        assert platform.counts(b__csv=content) == (33, 0, 33, 0)
        assert platform.checks() == []

    def test_another_content_is_nothing_where_that_is_declared(
        self, database: Database, zone: LandingZone
    ) -> None:
        items = Platform(database, zone, declared(ITEMS + "on_conflict: ignore\n", "items"))
        assert items.counts(a__csv=b"order_id,item,price\nA,1,5.00\nA,1,6.00\n") == (2, 1, 1, 0)
        assert items.counts(b__csv=b"order_id,item,price\nA,1,7.00\n") == (1, 0, 1, 0)
        assert items.query("SELECT price::text FROM items") == [("5.00",)]

    def test_rows_of_one_key_are_told_apart_by_their_number(
        self, database: Database, zone: LandingZone
    ) -> None:
        text = "columns: {order_id: text, item: text}\nprimary_key: order_id\nnumbered: true\n"
        orders = Platform(database, zone, declared(text, "orders"))
        first = b"order_id,item\n#1,cup\n#1,plate\n#2,cup\n#1,cup\n"
        assert orders.counts(a__csv=first) == (4, 4, 0, 0)
        assert orders.counts(b__csv=first) == (4, 0, 4, 0)
        assert orders.counts(c__csv=b"order_id,item\n#1,cup\n#1,bowl\n") == (2, 0, 1, 1)
        assert orders.checks() == []


class TestShapes:
    def test_every_type_and_null(self, database: Database, zone: LandingZone) -> None:
        text = """
columns:
  id: bigint
  i: integer null
  n: "numeric(20,18) null"
  w: "numeric(38,2) null"
  d: double precision null
  b: boolean null
  day: {type: date null, time_format: "%d.%m.%Y"}
  local: timestamp null
  moment: {type: timestamptz null, zone: Europe/Berlin}
  u: uuid null
  j: jsonb null
  t: text null
primary_key: id
nulls: NA
"""
        feed = declared(text, "types")
        platform = Platform(database, zone, feed)
        header = ",".join(feed.names)
        full = (
            "1,-7,-0.0508305084745762,123456789012345678901234567890123456.78,-1e3,yes,24.12.2025,2026-01-02 03:04:05,"
            '2026-07-01 12:00:00,0754F353-48e0-4169-9381-284b7056684e,"{""a"": [1, ""ü""]}",käse'
        )
        empty = "2" + ",NA" * (len(feed.names) - 1)
        assert platform.counts(a__csv=f"{header}\n{full}\n{empty}\n".encode()) == (2, 2, 0, 0)
        assert platform.counts(b__csv=f"{header}\n{full}\n{empty}\n".encode()) == (2, 0, 2, 0)
        ((found,), (nothing,)) = platform.query(
            "SELECT to_jsonb(x) - 'ingested_at' FROM types AS x ORDER BY id"
        )
        assert found == {
            "id": 1, "i": -7, "n": pytest.approx(-0.0508305084745762), "w": pytest.approx(1.2345678901234568e35), "d": -1000,
            "b": True, "day": "2025-12-24", "local": "2026-01-02T03:04:05", "moment": "2026-07-01T10:00:00+00:00",
            "u": "0754f353-48e0-4169-9381-284b7056684e", "j": {"a": [1, "ü"]}, "t": "käse", "file_id": 1,
        }  # fmt: skip
        assert platform.query("SELECT n::text, w::text FROM types WHERE id = 1") == [
            ("-0.050830508474576200", "123456789012345678901234567890123456.78")
        ]
        assert {name for name, value in nothing.items() if value is not None} == {"id", "file_id"}

    def test_tabs_without_a_header_and_the_rest_kept(self, database: Database, zone: LandingZone) -> None:
        text = """
delimiter: tab
quote: none
header: false
width: 5
columns: {event_id: {at: 3, type: uuid}, name: {at: 5, type: text null}}
extra: store
primary_key: event_id
on_conflict: ignore
"""
        platform = Platform(database, zone, declared(text, "snow"))
        key = b"0754f353-48e0-4169-9381-284b7056684e"
        line = b'shop\tsay "hi"\t' + key + b"\t\tview\n"
        assert platform.counts(a__tsv=line + line) == (2, 1, 1, 0)
        assert platform.query("SELECT name, extra FROM snow") == [
            ("view", {"1": "shop", "2": 'say "hi"', "4": ""})
        ]
        assert platform.counts(b__tsv=b"too\tfew\n\n" + line) == (2, 0, 1, 1)

    def test_an_export_in_german(self, database: Database, zone: LandingZone) -> None:
        text = """
delimiter: semicolon
decimal: comma
thousands: point
encoding: [utf-8, cp1252]
columns:
  order_number: {from: Order Number, type: bigint}
  city: {from: [City, Ort], type: text}
  ordered_at:
    concat: {columns: [Date, Time], with: " "}
    type: timestamptz
    time_format: "%d.%m.%Y %H:%M"
    zone: Europe/Berlin
  total: {from: Total, type: "numeric(12,2)", remove: "€ "}
extra: ignore
primary_key: order_number
"""
        platform = Platform(database, zone, declared(text, "orders"))
        lines = "Order Number;Ort;Date;Time;Total;Comment\r\n7;Köln;24.12.2025;18:00;1.249,90 €;x\r\n8;Ulm;29.03.2026;02:30;5,00;\r\n"
        assert platform.counts(a__csv=b"\xef\xbb\xbf" + lines.encode()) == (2, 1, 0, 1)
        # The sign of the euro is another byte there.
        assert platform.counts(b__csv=lines.encode("cp1252")) == (2, 0, 1, 1)
        assert platform.query("SELECT order_number, city, ordered_at::text, total::text FROM orders") == [
            (7, "Köln", "2025-12-24 17:00:00+00", "1249.90")
        ]
        assert platform.query("SELECT DISTINCT reason FROM rejected_events") == [("nonexistent_time",)]

    def test_a_column_that_is_missing_is_null_where_that_is_declared(
        self, database: Database, zone: LandingZone
    ) -> None:
        text = "columns: {a: text, b: {type: bigint null, nulls: NA}}\nmissing: null\nprimary_key: a\n"
        platform = Platform(database, zone, declared(text, "few"))
        assert platform.counts(a__csv=b"a\nx\n") == (1, 1, 0, 0)
        assert platform.counts(b__csv=b"b,a\n7,y\nNA,z\n") == (2, 2, 0, 0)
        assert platform.query("SELECT a, b FROM few ORDER BY a") == [("x", None), ("y", 7), ("z", None)]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (
                b"a,c\nx,1\n",
                "wrong_header: expected a,b in any order; the header has 2 columns: b missing; c not declared",
            ),
            (b"a,B\nx,1\n", "b missing (B is there)"),
            (b"a,b,a\nx,1,x\n", "a more than once"),
            (b"", "empty_file"),
            (b"x,1\ny,2\n", "is no header by the look of it: is it missing?"),
            ("a,b\nä,1\nö,2\n".encode() + b"\xe9\xe8\xe7,3\n", "mixed_encoding"),
        ],
    )
    def test_a_file_that_is_not_of_the_feed(
        self, database: Database, zone: LandingZone, content: bytes, reason: str
    ) -> None:
        text = "encoding: [utf-8, cp1252]\ncolumns: {a: text, b: bigint}\nprimary_key: a\n"
        platform = Platform(database, zone, declared(text, "few"))
        (outcome,) = platform.load(a__csv=content)
        assert outcome.state == ledger.QUARANTINED
        assert reason in (outcome.reason or "")
        assert platform.checks() == []


class TestTables:
    def test_a_word_of_sql_is_a_name_as_any_other(self, database: Database, zone: LandingZone) -> None:
        text = "columns: {select: text, user: bigint, order: text null}\nprimary_key: [select, user]\n"
        platform = Platform(database, zone, declared(text, "table"))
        assert platform.counts(a__csv=b"select,user,order\nx,1,\nx,1,y\n") == (2, 1, 0, 1)
        assert platform.checks() == []

    def test_it_is_made_once(self, clicks: Platform) -> None:
        clicks.load(a__csv=CLICK_FILE)
        prepare_table(clicks.database, clicks.feed)
        assert clicks.query("SELECT count(*) FROM clicks") == [(5,)]

    def test_one_that_is_somebody_elses(self, database: Database) -> None:
        with database.transaction() as connection:
            connection.execute("CREATE TABLE clicks (a int)")
        with pytest.raises(FeedError, match="is there already and was not made for it"):
            prepare_table(database, declared(CLICKS, "clicks"))

    def test_one_of_another_feed(self, clicks: Platform) -> None:
        with pytest.raises(
            FeedError, match=r'The table "clicks" of the feed others is that of the feed clicks'
        ):
            prepare_table(clicks.database, declared(CLICKS + "table: clicks\n", "others"))

    def test_a_schema_that_is_missing(self, database: Database) -> None:
        with pytest.raises(FeedError, match=r"The schema sales .* does not exist"):
            prepare_table(database, declared(CLICKS + "table: sales.clicks\n", "clicks"))

    def test_a_table_in_a_schema_of_its_own(self, database: Database, zone: LandingZone) -> None:
        with database.transaction() as connection:
            connection.execute("CREATE SCHEMA sales")
        platform = Platform(database, zone, declared(CLICKS + "table: sales.clicks\n", "klicks"))
        assert platform.counts(a__csv=CLICK_FILE) == (5, 5, 0, 0)
        assert platform.counts(b__csv=CLICK_FILE) == (5, 0, 5, 0)
        assert platform.query("SELECT count(*) FROM sales.clicks") == [(5,)]
        assert platform.checks() == []

    @pytest.mark.parametrize(
        ("alteration", "said"),
        [
            ("DROP COLUMN price", "price is missing"),
            ("ALTER COLUMN price TYPE numeric(5,1)", "price is numeric(5,1), not numeric(10,2)"),
            ("ADD COLUMN extra_one text NOT NULL", "extra_one has to have a value"),
            ("DROP CONSTRAINT clicks_pkey", "its primary key is gone, not row_id"),
            ("RENAME TO klicks", "is gone: it was dropped or renamed"),
        ],
    )
    def test_one_that_was_altered(self, clicks: Platform, alteration: str, said: str) -> None:
        clicks.query_and_commit(f"ALTER TABLE clicks {alteration}")
        with pytest.raises(FeedError) as refused:
            prepare_table(clicks.database, clicks.feed)
        assert said in refused.value.message

    def test_a_column_of_ones_own_is_fine(self, clicks: Platform) -> None:
        clicks.query_and_commit("ALTER TABLE clicks ADD COLUMN note text")
        prepare_table(clicks.database, clicks.feed)
        assert clicks.counts(a__csv=CLICK_FILE) == (5, 5, 0, 0)

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            ("identity: content", "identity: position", "identity changed"),
            ("product_id: bigint", "product_id: text", "columns.product_id.type changed"),
            ("roles: {time: event_time}", "roles: {}", "roles.time changed"),
        ],
    )
    def test_another_declaration(self, clicks: Platform, before: str, after: str, said: str) -> None:
        clicks.counts(a__csv=CLICK_FILE)
        with pytest.raises(FeedError, match=f"is not the one that its table was made from: {said}"):
            prepare_table(clicks.database, declared(CLICKS.replace(before, after), "clicks"))

    def test_a_stricter_declaration_is_the_same_table(self, clicks: Platform) -> None:
        prepare_table(clicks.database, declared(CLICKS.replace("purchase]", "purchase, remove]"), "clicks"))

    def test_as_long_as_nothing_was_loaded_it_is_made_anew(
        self, database: Database, zone: LandingZone
    ) -> None:
        """Any load makes the tables of all feeds, also of one whose declaration is still being written."""
        prepare_table(database, declared(CLICKS, "clicks"))
        changed = CLICKS.replace("product_id: bigint", "product_id: text").replace("content", "position")
        clicks = Platform(database, zone, declared(changed, "clicks"))
        assert clicks.counts(a__csv=CLICK_FILE) == (5, 5, 0, 0)
        with pytest.raises(FeedError, match="is not the one that its table was made from"):
            prepare_table(database, declared(CLICKS, "clicks"))

    def test_rows_that_somebody_has_written_keep_it(self, database: Database) -> None:
        prepare_table(database, declared(CLICKS, "clicks"))
        with database.transaction() as connection:
            connection.execute("INSERT INTO clicks SELECT now(), 'view', 1, 1, gen_random_uuid(), 1, now()")
        with pytest.raises(FeedError, match="is not the one that its table was made from"):
            prepare_table(database, declared(CLICKS.replace("content", "position"), "clicks"))

    def test_one_that_this_role_may_not_load_is_none_of_the_others(
        self, database: Database, clicks: Platform
    ) -> None:
        visits = declared(CLICKS, "visits")
        prepare_table(database, visits)
        role = f"limited_{uuid.uuid4().hex}"
        for statement in (
            f"CREATE ROLE {role} LOGIN",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
            f"GRANT INSERT ON visits TO {role}",
        ):
            clicks.query_and_commit(statement)
        limited = Database(database.url.replace("ecom@", f"{role}@"))
        ready, refused = tables_of(limited, [clicks.feed, visits])
        clicks.query_and_commit(f"DROP OWNED BY {role}; DROP ROLE {role}")
        assert [feed.name for feed in ready] == ["visits"]
        assert "it lacks INSERT" in str(refused["clicks"])
        assert "GRANT INSERT" in refused["clicks"].remedy

    def test_one_that_cannot_be_used_is_none_of_the_others(self, database: Database) -> None:
        with database.transaction() as connection:
            connection.execute("CREATE TABLE clicks (a int)")
        ready, refused = tables_of(database, [declared(CLICKS, "clicks"), declared(CLICKS, "visits")])
        assert [feed.name for feed in ready] == ["visits"]
        assert list(refused) == ["clicks"]


class TestOnCall:
    def test_a_file_is_followed_reloaded_and_reconciled(self, clicks: Platform) -> None:
        clicks.load(a__csv=CLICK_FILE)
        with clicks.database.open() as connection:
            for wanted in (
                "clicks/a.csv",
                "1",
                str(clicks.zone.archive / "clicks" / "2026-01-01" / "1-a.csv"),
            ):
                assert trace(connection, clicks.zone, wanted).known, wanted
        for wanted in ("clicks/a.csv", "1"):
            assert reload_files(clicks.database, clicks.zone, [wanted]) == ["clicks/a.csv"]
            assert clicks.counts() == (5, 0, 5, 0)
        clicks.query_and_commit("TRUNCATE clicks, ingested_files CASCADE")
        assert sorted(reconcile(clicks.database, clicks.zone).requeued) == [
            "clicks/2-a.csv",
            "clicks/3-a.csv",
            "clicks/a.csv",
        ]
        outcomes = clicks.load()
        assert (sum(o.rows_inserted for o in outcomes), sum(o.rows_duplicate for o in outcomes)) == (5, 10)
        assert clicks.checks() == []

    def test_claimed_and_quarantined_files_of_a_forgotten_ledger_land_where_they_did(
        self, clicks: Platform
    ) -> None:
        clicks.load(bad__csv=b"a,b\n")
        (clicks.folder / "b.csv").write_bytes(CLICK_FILE)
        found = look(clicks.zone.landing, feeds=clicks.zone.feeds)
        claim_files(clicks.database, clicks.zone, [*found.files.values()])
        clicks.query_and_commit("TRUNCATE clicks, ingested_files CASCADE")
        reconcile(clicks.database, clicks.zone)
        assert sorted(path.name for path in clicks.folder.iterdir()) == ["b.csv", "bad.csv"]
        assert [path for path in clicks.zone.ours.rglob("*-*.csv*") if path.is_file()] == []

    def test_rejects_are_listed_and_not_replayed_as_events(self, clicks: Platform) -> None:
        clicks.load(a__csv=CLICK_FILE.replace(b"cart", b"kart"))
        with clicks.database.open() as connection:
            (group,) = groups(connection)
        assert (group.reason, group.file_name, group.line_number) == ("not_in_list", "clicks/a.csv", 4)
        assert group.column == "event_type"
        assert group.description == "The value is none of those that the column may have."
        assert replay_as_they_are(clicks.database, clicks.zone).verdicts == {}


def test_alerts_are_of_the_feed(database: Database, zone: LandingZone, clicks: Platform) -> None:
    """Each with its own limit: a fifth of the clicks is too many for one, and fine for another."""
    clicks.load(a__csv=CLICK_FILE, b__csv=b"event,name\n", c__csv=CLICK_FILE.replace(b"cart", b"kart"))
    now = datetime.now(UTC)
    window = Window(now - timedelta(days=1), now - timedelta(days=1))
    with database.open() as connection:
        assert watched_feeds(connection, window, now) == ["clicks"]
        found = {
            limit: [
                sign.problem for sign in file_signs(Watched(connection, "clicks", limit, ""), window, now)
            ]
            for limit in (0.5, 0.1)
        }
        assert not [*file_signs(Watched(connection, "user_events", 0.1, ""), window, now)]
    assert [problem.title for problem in found[0.5]] == [
        "clicks: the file clicks/b.csv was put into quarantine"
    ]
    quarantined, refused = found[0.1]
    assert refused.title == "clicks: 20.0% of the rows of clicks/c.csv were rejected"
    assert {quarantined.asset, refused.asset} == {"clicks"}
    assert refused.details["files"] == ["clicks/c.csv: 1 of 5 rows: event_type: not_in_list (1)"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("pieces < 7", "1 rows"),
        ("pieces <= 7", "0 rows"),
        ("note IS NOT NULL OR pieces < 7", "1 rows"),
        ("pieces IN (SELECT 5 UNION SELECT 7)", "0 rows"),
        ("note LIKE '10%' ", "0 rows"),
        ("pieces <", "none, since"),
        ("piece < 7", 'none, since the table is not as declared: column "piece" does not exist'),
        ("pieces / (pieces - 5) > 0", "division by zero"),
        ("true)) FROM looked_at; DELETE FROM stock; SELECT count((true", "multiple commands"),
        ("(WITH next AS (SELECT nextval('ingested_files_file_id_seq')) SELECT true FROM next)", "read-only"),
    ],
)
def test_a_check_of_the_declaration(
    database: Database, zone: LandingZone, expression: str, found: str
) -> None:
    """SQL about one row: what is false fails, null passes, and it can do nothing but read."""
    columns = "columns: {article: bigint, pieces: integer, note: text null}"
    text = f"{columns}\nprimary_key: article\nchecks:\n  asked: {json.dumps(expression)}\n"
    platform = Platform(database, zone, declared(text, "stock"))
    platform.load(a__csv=b"article,pieces,note\n1,5,\n2,7,\n")
    for limit in (None, 0):
        (finding,) = audit.row_rules(database, platform.table, [], whole_up_to=limit)
        assert finding.check == "asked"
        assert found in str(finding.found)
        assert finding.passed == (found == "0 rows")
    assert platform.query("SELECT count(*) FROM stock") == [(2,)]


def test_the_same_name_in_two_feeds(database: Database, zone: LandingZone) -> None:
    clicks = Platform(database, zone, declared(CLICKS, "clicks"))
    visits = Platform(database, zone, declared(CLICKS, "visits"))
    assert clicks.counts(a__csv=CLICK_FILE) == (5, 5, 0, 0)
    assert visits.counts(a__csv=CLICK_FILE) == (5, 5, 0, 0)
    assert clicks.query("SELECT name, same_bytes_as FROM ingested_files ORDER BY file_id") == [
        ("clicks/a.csv", None),
        ("visits/a.csv", None),
    ]
    assert clicks.checks() == visits.checks() == []


class TestWhatIsDeclared:
    def test_a_broken_declaration_that_is_taken_away_is_no_problem_any_more(
        self, database: Database, settings: Settings, clicks: Platform, tmp_path: Path
    ) -> None:
        assert clicks.feed.name == "clicks"
        with database.transaction() as connection:
            for name in ("broken", "clicks", "still"):
                raise_problem(
                    connection,
                    Problem(
                        key=f"check/{name}/can_be_loaded",
                        kind=Kind.CHECK_FAILED,
                        title=f"{name}: check can_be_loaded failed",
                        asset=name,
                        check="can_be_loaded",
                        expected="a declaration",
                        found="none",
                    ),
                )
        (tmp_path / "still.yaml").write_text("columns: {id: bigints}\n")
        ready_feeds(replace(settings, feeds_dir=tmp_path), database)
        with database.open() as connection:
            left = connection.execute("SELECT asset FROM alerts WHERE resolved_at IS NULL").fetchall()
        assert sorted(left) == [("clicks",), ("still",)]  # of one there is a table, of one a declaration
