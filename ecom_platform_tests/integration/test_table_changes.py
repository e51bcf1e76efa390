"""A declaration that changed: what is planned, what a load does by itself, and what only the owner does."""

from __future__ import annotations

import itertools
import uuid
from pathlib import Path

import psycopg
import pytest

from ecom_platform.catalog import catalog
from ecom_platform.errors import FeedError, UsageError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_tables import apply_table, prepare_table
from ecom_platform.store.table_changes import ChangeKind, kind_of_retyping
from ecom_platform.store.table_plans import plan_table
from ecom_platform.tables.planning import applied, planned
from ecom_platform_tests.integration.test_feeds import Platform, declared

SALES = """
columns:
  sale: bigint
  pieces: integer
  price: numeric(6,2)
  day: date
  note: text null
primary_key: sale
"""
ROWS = b"sale,pieces,price,day,note\n1,2,9.50,2026-01-02,x\n2,3,1.00,2026-01-03,\n"
TYPES = (
    "integer bigint numeric(5,0) numeric(6,2) numeric(9,2) numeric(9,3) numeric(12,2) date timestamp".split()
)
# A value that takes all the digits of a type.
WIDEST = {
    "integer": "'-2147483648'",
    "bigint": "'-9223372036854775808'",
    "date": "'2026-01-31'",
    "timestamp": "'2026-01-31 12:00'",
    "numeric(5,0)": "'-99999'",
    "numeric(6,2)": "'-9999.99'",
    "numeric(9,2)": "'-9999999.99'",
    "numeric(9,3)": "'-999999.999'",
    "numeric(12,2)": "'-9999999999.99'",
}


@pytest.fixture
def sales(database: Database, zone: LandingZone) -> Platform:
    platform = Platform(database, zone, declared(SALES, "sales"))
    assert platform.counts(a__csv=ROWS) == (2, 2, 0, 0)
    return platform


def kinds(platform: Platform, text: str) -> list[tuple[str, str]]:
    plan = plan_table(platform.database, declared(text, "sales"))
    return [(str(change.kind), change.word) for change in plan.changes]


def file_of(platform: Platform) -> object:
    """Another one after every rewriting."""
    return platform.query("SELECT pg_relation_filenode('sales')")


def test_what_rewrites_is_what_postgresql_says(database: Database) -> None:
    """And what is called lossless keeps the widest value as it is."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        for old, new in itertools.permutations(TYPES, 2):
            kind, value = kind_of_retyping(old, new), f"{WIDEST[old]}::{old}"
            if kind is ChangeKind.LOSES:
                continue
            connection.execute(f"CREATE TABLE t AS SELECT {value} AS a".encode())
            connection.execute("ALTER TABLE t ADD CONSTRAINT key PRIMARY KEY (a)")
            file = "ROW(pg_relation_filenode('t'), pg_relation_filenode('key'))::text"
            (before,) = connection.execute(f"SELECT {file}".encode()).fetchone() or (None,)
            connection.execute(f"ALTER TABLE t ALTER COLUMN a TYPE {new}".encode())
            row = connection.execute(f"SELECT a = {value}, {file} FROM t".encode()).fetchone()
            connection.execute("DROP TABLE t")
            assert row is not None
            assert (row[0], row[1] != before) == (True, kind is ChangeKind.REWRITES), (old, new)


class TestWhatWidens:
    def test_a_load_does_it_itself_and_touches_no_row(self, sales: Platform) -> None:
        wider = (
            SALES.replace("numeric(6,2)", "numeric(12,2)").replace("day: date", "day: date null")
            + "on_conflict: reject\n"
        ).replace("  note: text null", "  note: text null\n  channel: {type: text null, in: [web, shop]}")
        assert kinds(sales, wider) == [
            ("widens", "columns.price.type"),
            ("widens", "columns.day.type"),
            ("widens", "columns.channel"),
        ]
        before = file_of(sales)
        prepare_table(sales.database, declared(wider, "sales"))
        assert file_of(sales) == before
        assert kinds(sales, wider) == []
        sales.feed = declared(wider, "sales")
        more = b"sale,pieces,price,day,note,channel\n3,1,1234567890.12,,,web\n1,2,9.50,2026-01-02,x,\n"
        assert sales.counts(b__csv=more) == (2, 1, 1, 0)
        assert sales.query("SELECT sale, channel FROM sales ORDER BY 1") == [(1, None), (2, None), (3, "web")]
        assert sales.checks() == []

    @pytest.mark.parametrize(
        ("before", "after", "word"),
        [
            ("pieces: integer", "pieces: {type: integer, min: 0}", "columns.pieces.min"),
            ("pieces: integer", "pieces: {type: integer, from: [pieces, qty]}", "columns.pieces.from"),
            ("day: date", 'day: {type: date, time_format: [iso, "%d.%m.%Y"]}', "columns.day.time_format"),
            ("primary_key", "delimiter: semicolon\nprimary_key", "delimiter"),
            ("primary_key", "encoding: [utf-8, cp1252]\nprimary_key", "encoding"),
            ("primary_key", "extra: ignore\nprimary_key", "extra"),
            (
                "  pieces: integer\n  price: numeric(6,2)",
                "  price: numeric(6,2)\n  pieces: integer",
                "columns",
            ),
        ],
    )
    def test_what_changes_no_row(self, sales: Platform, before: str, after: str, word: str) -> None:
        text = SALES.replace(before, after)
        (change,) = plan_table(sales.database, declared(text, "sales")).changes
        assert (change.kind, change.word, change.action) == (ChangeKind.WIDENS, word, "")
        prepare_table(sales.database, declared(text, "sales"))
        assert kinds(sales, text) == []

    def test_a_column_for_the_rest(self, sales: Platform) -> None:
        text = SALES + "extra: store\n"
        assert kinds(sales, text) == [("widens", "extra")]
        sales.feed = declared(text, "sales")
        prepare_table(sales.database, sales.feed)
        assert sales.counts(b__csv=ROWS.replace(b"note", b"note,till").replace(b",x\n1", b"")) == (2, 0, 0, 2)

    def test_a_table_in_use_is_left_for_later(self, sales: Platform) -> None:
        wider = declared(SALES.replace("day: date", "day: date null"), "sales")
        with psycopg.connect(sales.database.url) as reader:
            reader.execute("SELECT FROM sales")
            with pytest.raises(FeedError, match="is in use") as refused:
                prepare_table(sales.database, wider)
        assert "ecom feeds apply sales" in refused.value.remedy
        prepare_table(sales.database, wider)


class TestWhatRewrites:
    TEXT = SALES.replace("pieces: integer", "pieces: bigint") + "roles: {time: day}\n"

    def test_a_load_waits_and_the_owner_does_it(self, sales: Platform) -> None:
        feed = declared(self.TEXT, "sales")
        assert sorted(kinds(sales, self.TEXT)) == [
            ("rewrites", "columns.pieces.type"),
            ("rewrites", "roles.time"),
        ]
        before = file_of(sales)
        with pytest.raises(FeedError, match=r"columns.pieces.type: integer to bigint") as refused:
            prepare_table(sales.database, feed)
        assert "ecom feeds apply sales" in refused.value.remedy
        assert file_of(sales) == before
        assert len(apply_table(sales.database, feed).changes) == 2
        assert kinds(sales, self.TEXT) == []
        prepare_table(sales.database, feed)
        sales.feed = feed
        assert sales.counts(b__csv=ROWS) == (2, 0, 2, 0)
        assert sales.checks() == []
        assert "brin" in str(sales.query("SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '%(day)%'"))

    def test_no_value_where_there_has_to_be_one(self, sales: Platform) -> None:
        feed = declared(SALES.replace("note: text null", "note: text"), "sales")
        with pytest.raises(FeedError, match=r'column "note" .* contains null values') as refused:
            apply_table(sales.database, feed)
        assert "rebuild sales" in refused.value.remedy
        sales.query_and_commit("UPDATE sales SET note = '-' WHERE note IS NULL")
        apply_table(sales.database, feed)
        prepare_table(sales.database, feed)

    def test_a_view_that_stands_against_it_is_named(self, sales: Platform) -> None:
        sales.query_and_commit("CREATE VIEW many AS SELECT * FROM sales WHERE pieces > 2")
        with pytest.raises(FeedError, match="view many depends on column"):
            apply_table(sales.database, declared(self.TEXT, "sales"))
        assert len(kinds(sales, self.TEXT)) == 2

    def test_what_somebody_has_done_by_hand_is_done(self, sales: Platform) -> None:
        sales.query_and_commit("ALTER TABLE sales ALTER COLUMN pieces TYPE bigint")
        text = SALES.replace("pieces: integer", "pieces: bigint")
        assert kinds(sales, text) == []
        prepare_table(sales.database, declared(text, "sales"))

    def test_another_name_of_the_table(self, sales: Platform) -> None:
        sales.query_and_commit("CREATE SCHEMA shop")
        text = SALES + "table: shop.all_sales\n"
        assert kinds(sales, text) == [("renames", "table")]
        feed = declared(text, "sales")
        with pytest.raises(FeedError, match=r"public.sales to shop.all_sales"):
            prepare_table(sales.database, feed)
        apply_table(sales.database, feed)
        prepare_table(sales.database, feed)
        assert sales.query("SELECT count(*) FROM shop.all_sales") == [(2,)]


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("  note: text null\n", "", "columns.note"),
        ("note: text null", "note: text null\n  channel: text", "columns.channel"),
        ("numeric(6,2)", "numeric(6,3)", "columns.price.type"),
        ("pieces: integer", "pieces: text", "columns.pieces.type"),
        ("primary_key: sale", "primary_key: [sale, day]", "primary_key"),
        ("primary_key: sale", "identity: content", "primary_key"),
        ("day: date", 'day: {type: date, time_format: "%d.%m.%Y"}', "columns.day.time_format"),
        ("note: text null", "note: {type: text null, nulls: [NA]}", "columns.note.nulls"),
        ("note: text null", "note: {type: text null, from: Note}", "columns.note.from"),
        ("primary_key", "decimal: comma\nprimary_key", "decimal"),
        ("primary_key", "encoding: cp1252\nprimary_key", "encoding"),
        ("primary_key", "on_conflict: ignore\nprimary_key", "on_conflict"),
    ],
)
def test_what_would_lose_rows_or_their_meaning(sales: Platform, before: str, after: str, word: str) -> None:
    text = SALES.replace(before, after)
    assert ("loses", word) in kinds(sales, text)
    for work in (prepare_table, apply_table):
        with pytest.raises(FeedError, match=word) as refused:
            work(sales.database, declared(text, "sales"))
        assert "ecom feeds rebuild sales" in refused.value.remedy
    assert kinds(sales, SALES) == []


def test_rows_that_are_known_by_all_their_columns_get_no_new_one(
    database: Database, zone: LandingZone
) -> None:
    """Each would get another id, and a file that comes again all of its rows a second time."""
    text = SALES.replace("primary_key: sale", "identity: content")
    platform = Platform(database, zone, declared(text, "sales"))
    # As long as nothing was loaded there are none.
    assert kinds(platform, text + "extra: store\n") == [("makes", "table")]
    platform.load(a__csv=ROWS)
    assert kinds(platform, text.replace("note: text null", "note: text null\n  b: text null")) == [
        ("loses", "columns.b")
    ]
    assert kinds(platform, text + "extra: store\n") == [("loses", "extra")]
    assert kinds(platform, text + "roles: {time: day}\n") == [("loses", "roles.time")]
    assert kinds(platform, text.replace("numeric(6,2)", "numeric(8,2)")) == [("widens", "columns.price.type")]


class TestRoles:
    """As docker has them: an owner who makes tables, and an ingest that may not."""

    @pytest.fixture
    def ingest(self, database: Database) -> Database:
        role = f"ingest_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(database.url, autocommit=True) as connection:
            for statement in (
                f"CREATE ROLE {role} LOGIN",
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
                f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
                "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            ):
                connection.execute(statement.encode())
        return Database(database.url.replace("ecom@", f"{role}@"))

    def test_the_owner_makes_it_and_the_ingest_loads(
        self, database: Database, zone: LandingZone, ingest: Database
    ) -> None:
        feed = declared(SALES, "sales")
        with pytest.raises(FeedError, match="may not make") as refused:
            prepare_table(ingest, feed)
        assert "`ecom feeds apply sales`" in refused.value.remedy
        (made,) = apply_table(database, feed).changes
        assert made.kind is ChangeKind.MAKES
        prepare_table(ingest, feed)
        platform = Platform(ingest, zone, feed)
        assert platform.counts(a__csv=ROWS) == (2, 2, 0, 0)
        wider = declared(SALES.replace("day: date", "day: date null"), "sales")
        with pytest.raises(FeedError, match=r"may not change .*columns.day.type") as refused:
            prepare_table(ingest, wider)
        assert "`ecom feeds apply sales`" in refused.value.remedy
        apply_table(database, wider)
        prepare_table(ingest, wider)


class TestAllOfThem:
    @pytest.fixture
    def settings(self, database: Database, tmp_path: Path, settings: Settings) -> Settings:
        folder = tmp_path / "feeds"
        folder.mkdir()
        (folder / "sales.yaml").write_text(SALES, encoding="utf-8")
        (folder / "broken.yaml").write_text("columns: {a: strange}\n", encoding="utf-8")
        return load_settings(
            {
                "ECOM_HOME": str(settings.home),
                "ECOM_POSTGRES_URL": database.url,
                "ECOM_FEEDS_DIR": str(folder),
            }
        )

    def test_one_that_is_refused_stops_no_other(self, database: Database, settings: Settings) -> None:
        before = {one.feed: one for one in planned(database, catalog(settings))}
        assert before["sales"].as_json()["changes"][0]["kind"] == "makes"
        assert before["user_events"].is_right
        assert before["broken"].error is not None
        done = {one.feed: one for one in applied(database, catalog(settings), (), 1.0)}
        assert done["sales"].error is None
        assert done["broken"].error is not None
        assert planned(database, catalog(settings), ["sales"])[0].is_right

    def test_a_feed_without_a_declaration_is_named(self, database: Database, settings: Settings) -> None:
        applied(database, catalog(settings), ["sales"], 1.0)
        (settings.feeds_dir / "sales.yaml").unlink()
        (found,) = planned(database, catalog(settings), ["sales"])
        assert "ecom feeds remove sales" in (found.error.remedy if found.error else "")
        with pytest.raises(UsageError, match="No feed is called 'others'"):
            planned(database, catalog(settings), ["others"])
