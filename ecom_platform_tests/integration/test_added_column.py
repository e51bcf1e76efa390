"""Drift: a column that producers send by now is added to a feed; no file and no value is lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecom_platform.catalog import Catalog, catalog, packaged
from ecom_platform.errors import FeedError, UsageError
from ecom_platform.landing import kept_files
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.settings import load_settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.tables import adding
from ecom_platform.tables.adding import Added, add_column
from ecom_platform_tests.integration.test_feeds import Platform, declared

ORDERS = """\
# What the shop sends every hour.
columns:
  order: bigint      # its number
  item: text
  total:             # with tax
    type: "numeric(12,2)"
primary_key: [order, item]
"""
BEFORE = b"order,item,total\n1,hat,9.50\n2,sock,3.00\n"
AFTER = b"order,item,total,Coupon\n3,hat,9.50,7\n4,sock,3.00,\n5,scarf,4.00,x9\n"


class Orders(Platform):
    def __init__(self, database: Database, zone: LandingZone, folder: Path, text: str) -> None:
        super().__init__(database, zone, declared(text, "orders"))
        self.feeds_dir = folder
        self.path = folder / "orders.yaml"
        self.path.write_text(text)

    def add(self, kind: str = "text", **options: Any) -> Added:
        known = Catalog({"orders": self.feed, **packaged()})
        done = add_column(
            self.database, self.zone, self.feeds_dir, known, "orders", "coupon", kind, 1.0,
            **{"source": "Coupon", **options},
        )  # fmt: skip
        self.feed = declared(self.path.read_text(), "orders")
        self.table = type(self.table)(self.feed)
        return done

    def coupons(self) -> list[tuple[Any, ...]]:
        return self.query('SELECT "order", coupon FROM orders ORDER BY 1')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "feeds"
    made.mkdir()
    return made


def test_files_that_were_refused_for_it_are_loaded_once(
    database: Database, zone: LandingZone, folder: Path
) -> None:
    platform = Orders(database, zone, folder, ORDERS)
    assert platform.counts(a__csv=BEFORE) == (2, 2, 0, 0)
    (outcome,) = platform.load(b__csv=AFTER)
    assert outcome.state == ledger.QUARANTINED
    assert "Coupon not declared" in (outcome.reason or "")
    done = platform.add()
    assert (done.filled.rows, done.missing_allowed, done.landed_again) == (0, True, ["orders/b.csv"])
    (outcome,) = platform.load()
    assert (outcome.name, outcome.rows_inserted) == ("orders/b.csv", 3)
    assert platform.counts(c__csv=BEFORE) == (2, 0, 2, 0)  # an old one is not refused by now
    assert platform.coupons() == [(1, None), (2, None), (3, "7"), (4, None), (5, "x9")]
    assert platform.checks() == []


def test_the_declaration_stays_as_somebody_has_written_it(
    database: Database, zone: LandingZone, folder: Path
) -> None:
    platform = Orders(database, zone, folder, ORDERS)
    platform.add("numeric(10,2)")
    assert platform.path.read_text() == ORDERS.replace(
        '    type: "numeric(12,2)"\n',
        '    type: "numeric(12,2)"\n  coupon: {from: Coupon, type: "numeric(10,2) null"}\n',
    )


def test_what_extra_has_kept_is_moved_where_it_is_of_the_type(
    database: Database, zone: LandingZone, folder: Path
) -> None:
    platform = Orders(database, zone, folder, ORDERS + "extra: store\n")
    platform.load(a__csv=BEFORE, b__csv=AFTER)
    platform.zone.path_of(ledger_state(platform, 2)).unlink()  # the archive is not asked
    done = platform.add("integer")
    assert (done.filled.rows, done.filled.unfit) == (1, 1)
    assert platform.query('SELECT "order", coupon, extra::text FROM orders ORDER BY 1') == [
        (1, None, "{}"), (2, None, "{}"), (3, 7, "{}"), (4, None, "{}"), (5, None, '{"Coupon": "x9"}')
    ]  # fmt: skip
    assert platform.checks() == []


@pytest.mark.parametrize("more", ["", "numbered: true\n", "on_conflict: update\n"])
def test_what_was_ignored_is_read_from_the_archive(
    database: Database, zone: LandingZone, folder: Path, more: str
) -> None:
    platform = Orders(database, zone, folder, f"{ORDERS}{more}extra: ignore\n")
    platform.load(a__csv=BEFORE, b__csv=AFTER)
    platform.load(c__csv=b"order,item,total,Coupon\n3,hat,1.00,8\n6,hat,1.00,9\n")
    replaced = more.startswith("on_conflict")
    done = platform.add()
    expected = {3: "8" if replaced else "7", 4: None, 5: "x9", 6: "9"}
    assert platform.coupons() == [(1, None), (2, None), *expected.items()]
    assert (done.filled.rows, done.filled.unread) == (3, [])
    assert platform.add().filled.rows == 0  # again: what has a value keeps it
    assert platform.checks() == []


LINES = b"""{"order": 1, "item": "hat", "total": 9.50}
{"order": 3, "item": "hat", "total": 9.50, "Coupon": "7"}
{"order": 5, "item": "scarf", "total": 4.00, "Coupon": "x9"}
"""


@pytest.mark.parametrize("extra", ["store", "ignore"])
def test_of_json_lines(database: Database, zone: LandingZone, folder: Path, extra: str) -> None:
    platform = Orders(database, zone, folder, f"format: jsonl\n{ORDERS}extra: {extra}\n")
    assert platform.counts(a__jsonl=LINES) == (3, 3, 0, 0)
    done = platform.add()
    assert (done.filled.rows, done.missing_allowed) == (2, True)
    assert platform.coupons() == [(1, None), (3, "7"), (5, "x9")]
    assert platform.counts(b__jsonl=LINES.replace(b"4.00", b"5.00")) == (3, 0, 2, 1)
    assert platform.checks() == []


def test_files_that_are_gone_are_named(database: Database, zone: LandingZone, folder: Path) -> None:
    platform = Orders(database, zone, folder, ORDERS + "extra: ignore\n")
    platform.load(a__csv=AFTER, b__csv=AFTER.replace(b"3,", b"7,"))
    platform.zone.path_of(ledger_state(platform, 1)).unlink()
    platform.query_and_commit("UPDATE ingested_files SET sha256 = repeat('0', 64) WHERE file_id = 2")
    done = platform.add()
    assert done.filled.rows == 0
    assert ["not in the archive" in done.filled.unread[0], "other bytes" in done.filled.unread[1]] == [
        True
    ] * 2


def test_killed_on_the_way_it_is_finished_by_running_it_again(
    database: Database, zone: LandingZone, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Orders(database, zone, folder, ORDERS + "extra: ignore\n")
    platform.load(a__csv=AFTER)

    def kill(*arguments: object) -> None:
        raise KeyboardInterrupt

    steps = [(adding, step) for step in ("_write", "apply_table", "_fill")]
    for module, step in [*steps, (kept_files, "release_what_fits")]:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(module, step, kill)
            platform.add()
        platform.feed = declared(platform.path.read_text(), "orders")
    platform.add()
    assert platform.coupons() == [(3, "7"), (4, None), (5, "x9")]
    assert platform.path.read_text().count("coupon") == 1


TWICE = ORDERS.replace("item: text", "item: text\n  coupon: text null")
REFUSED = {
    "by content": (
        ORDERS.replace("primary_key: [order, item]", "identity: content"),
        "text",
        FeedError,
        "rebuild",
    ),
    "no type": (ORDERS, "txt", FeedError, "columns.coupon.type"),
    "another type": (TWICE, "bigint", UsageError, "coupon: text"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_added_is_refused_and_nothing_changed(
    database: Database, zone: LandingZone, folder: Path, why: str
) -> None:
    text, kind, error, said = REFUSED[why]
    platform = Orders(database, zone, folder, text)
    with pytest.raises(error) as refused:
        platform.add(kind)
    assert said in f"{refused.value} {refused.value.remedy}"
    assert platform.path.read_text() == text
    assert [path.name for path in folder.iterdir()] == ["orders.yaml"]


def test_a_declaration_in_braces(database: Database, zone: LandingZone, folder: Path) -> None:
    text = 'columns: {order: bigint, item: text, total: "numeric(12,2)"}\nprimary_key: [order, item]\n'
    platform = Orders(database, zone, folder, text)
    platform.add(source=None)
    assert platform.path.read_text() == text.replace(')"}', ')", coupon: text null}')
    assert catalog(load_settings({"ECOM_FEEDS_DIR": str(folder)})).feeds["orders"] == platform.feed


def ledger_state(platform: Platform, file_id: int) -> ledger.FileState:
    with platform.database.open() as connection:
        return ledger.states(connection, [file_id])[file_id]
