"""Feeds of Parquet in the table: loaded, refused, replayed, traced, in conflict, taken out again."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecom_platform.errors import UsageError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are, replay_corrected
from ecom_platform.oncall.requeue import reload_files
from ecom_platform.oncall.trace import trace
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.rejects import ReplayVerdict
from ecom_platform_tests.integration.test_feeds import Platform, declared
from ecom_platform_tests.integration.test_unload import taken_out

SALES = """
format: parquet
columns:
  shop: {type: text, in: [Bonn, Köln]}
  article: bigint
  price: {type: "numeric(10,2) null", max: MAXIMUM}
  sold_at: timestamptz
"""
IDENTITIES = {
    "content": "identity: content\n",
    "position": "identity: position\n",
    "numbered": "primary_key: [shop, article]\nnumbered: true\n",
    "key": "primary_key: [shop, article]\n",
}
SOLD = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def sales(identity: str, maximum: str = "100") -> str:
    return SALES.replace("MAXIMUM", maximum) + IDENTITIES[identity]


def parquet(*rows: tuple[str, int, str | None]) -> bytes:
    table = pa.table(
        {
            "shop": pa.array([row[0] for row in rows], pa.dictionary(pa.int8(), pa.string())),
            "sold_at": pa.array([SOLD] * len(rows), pa.timestamp("ns", "Europe/Berlin")),
            "article": pa.array([row[1] for row in rows], pa.int32()),
            "price": pa.array([row[2] and Decimal(row[2]) for row in rows], pa.decimal128(12, 4)),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=2)
    return file.getvalue()


CONTENT = parquet(
    ("Köln", 1, "9.5"), ("Köln", 1, "9.5"), ("Ulm", 1, "1"), ("Bonn", 2, "150"), ("Bonn", 3, None)
)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_loaded_again_replayed_and_taken_out(identity: str, database: Database, zone: LandingZone) -> None:
    platform = Platform(database, zone, declared(sales(identity), "sales"))
    twice = identity == "key"
    assert platform.counts(a__parquet=CONTENT) == (5, 2 if twice else 3, 1 if twice else 0, 2)
    assert platform.counts(b__parquet=CONTENT) == (5, 0, 3, 2)
    rejects = platform.query(
        "SELECT line_number, reason, convert_from(raw, 'UTF8') FROM rejected_events"
        " WHERE file_id = 1 ORDER BY 1"
    )
    sold = '"sold_at": "2026-01-02 03:04:05.000000Z"'
    assert rejects == [
        (3, "not_in_list", f'{{"shop": "Ulm", {sold}, "article": 1, "price": 1.0000}}'),
        (4, "out_of_range", f'{{"shop": "Bonn", {sold}, "article": 2, "price": 150.0000}}'),
    ]
    assert platform.checks() == []
    platform.feed = declared(sales(identity, "200"), "sales")
    replayed = replay_as_they_are(database, platform.zone, {"sales": platform.feed})
    assert replayed.verdicts[ReplayVerdict.STILL_REJECTED] == 2
    assert platform.query("SELECT DISTINCT price::text FROM sales WHERE article = 2") == [("150.00",)]
    with database.open() as connection:
        found = trace(connection, platform.zone, "sales/a.parquet:1", {"sales": platform.feed})
    assert found.verdict == 'sales/a.parquet, line 1 is stored in "sales".'
    before = platform.query("SELECT shop, article, price, sold_at FROM sales ORDER BY 1, 2, 3")
    reload_files(database, platform.zone, ["sales/b.parquet"])
    (outcome,) = platform.load()
    assert (outcome.name, outcome.rows_inserted, outcome.rows_duplicate) == ("sales/b.parquet", 0, 4)
    taken_out(platform, "sales/a.parquet")
    assert platform.query("SELECT shop, article, price, sold_at FROM sales ORDER BY 1, 2, 3") == before
    assert platform.checks() == []


def test_conflicts_and_corrections_by_key(database: Database, zone: LandingZone, tmp_path: Path) -> None:
    platform = Platform(database, zone, declared(sales("key"), "sales"))
    content = parquet(("Köln", 1, "9.5"), ("Köln", 1, "7"), ("Bonn", 2, "150"))
    assert platform.counts(a__parquet=content) == (3, 1, 0, 2)
    assert platform.query("SELECT line_number, reason FROM rejected_events ORDER BY 1") == [
        (2, "id_conflict"),
        (3, "out_of_range"),
    ]
    path = tmp_path / "fixed.csv"
    path.write_text("shop,article,price,sold_at\nBonn,2,15.00,2026-01-02 03:04:05Z\n")
    done = replay_corrected(database, path, platform.feed, platform.zone)
    assert (done.verdicts, done.unmatched) == ({ReplayVerdict.INSERTED: 1}, [])
    assert platform.checks() == []
    with pytest.raises(UsageError, match="which no correction can be written into"):
        replay_corrected(database, path, declared(sales("content"), "sales"), platform.zone)


def test_a_column_of_another_type_and_a_file_that_is_cut_off(database: Database, zone: LandingZone) -> None:
    platform = Platform(database, zone, declared(sales("content"), "sales"))
    file = io.BytesIO()
    pq.write_table(pa.table({"shop": ["Bonn"], "article": [True], "price": [1], "sold_at": [SOLD]}), file)
    (unfit,) = platform.load(a__parquet=file.getvalue())
    (cut,) = platform.load(b__parquet=CONTENT[:-30])
    assert [unfit.state, cut.state] == [ledger.QUARANTINED] * 2
    assert (unfit.reason or "").startswith("unfit_type: the column article is of the type bool")
    assert (cut.reason or "").startswith("corrupt_parquet")
