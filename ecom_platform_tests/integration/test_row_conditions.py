"""What stored rows have to keep, asked of PostgreSQL: each kind of rule of each type, and what breaks it."""

from __future__ import annotations

import pytest

from ecom_platform.feeds.declaring import read_feed
from ecom_platform.store.connection import Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.row_conditions import RowCondition, RuleKind, row_conditions

FEED = read_feed(
    """
delimiter: semicolon
decimal: comma
columns:
  key: bigint
  kind: {type: text, in: ["it's", "50%", b]}
  size: {type: integer null, in: [1, 2], min: 1}
  price: {type: "numeric(10,2) null", in: ["1,50", "2"], required_when: {kind: b}}
  total: {type: "numeric(10,2) null", greater_than: 0, max: 100.5, absent_when: {kind: ["it's", b]}}
  share: {type: double precision null, max: 1}
  day: {type: date null, min: "2020-02-29"}
  local: {type: timestamp null, max: "2026-01-01 12:00:00"}
  at: {type: timestamptz null, zone: Europe/Berlin, min: "2026-07-01", max: now + 1 day}
  ordinary: text null
primary_key: key
""",
    "things.yaml",
    "things",
)
GOOD = {
    "key": "1",
    "kind": "'50%'",
    "size": "1",
    "price": "1.5",
    "total": "100.5",
    "share": "1",
    "day": "'2020-02-29'",
    "local": "'2026-01-01 12:00'",
    # Midnight in Berlin, in July.
    "at": "'2026-06-30 22:00+00'",
    "ordinary": "'NaN'",
    "file_id": "7",
}
BROKEN = [
    ("kind", RuleKind.LISTED, {"kind": "'B'"}),
    ("size", RuleKind.LISTED, {"size": "3"}),
    ("size", RuleKind.BOUNDED, {"size": "0"}),
    ("price", RuleKind.LISTED, {"price": "1.51"}),
    ("price", RuleKind.BOUNDED, {"price": "'NaN'"}),
    ("price", RuleKind.DEPENDENT, {"kind": "'b'", "price": "NULL", "total": "NULL"}),
    ("total", RuleKind.BOUNDED, {"total": "0"}),
    ("total", RuleKind.BOUNDED, {"total": "'NaN'"}),
    ("total", RuleKind.BOUNDED, {"total": "100.51"}),
    ("total", RuleKind.DEPENDENT, {"kind": "'it''s'"}),
    ("share", RuleKind.BOUNDED, {"share": "'NaN'"}),
    ("share", RuleKind.BOUNDED, {"share": "'-Infinity'"}),
    ("share", RuleKind.BOUNDED, {"share": "1.0000001"}),
    ("day", RuleKind.BOUNDED, {"day": "'2020-02-28'"}),
    ("local", RuleKind.BOUNDED, {"local": "'2026-01-01 12:00:00.000001'"}),
    ("at", RuleKind.BOUNDED, {"at": "'2026-06-30 21:59:59+00'"}),
    ("at", RuleKind.BOUNDED, {"at": "now() + interval '25 hours'"}),
    ("key", RuleKind.PRESENT, {"key": "NULL"}),
    ("kind", RuleKind.PRESENT, {"kind": "NULL"}),
]


def broken(database: Database, *rows: dict[str, str]) -> dict[RowCondition, int]:
    """How many of ``rows`` break each condition."""
    table = FeedTable(FEED)
    columns = ", ".join(f'"{name}" {kind}' for name, kind in table.types.items())
    with database.transaction() as connection:
        connection.execute(f"CREATE TEMPORARY TABLE looked_at ({columns}, file_id bigint)")
        for row in rows:
            connection.execute(f"INSERT INTO looked_at ({', '.join(row)}) VALUES ({', '.join(row.values())})")
        count, *found = connection.execute(table.query("row_rules", "checks")).fetchone() or ()
        connection.execute("DROP TABLE looked_at")
    assert count == len(rows)
    return {
        condition: number for condition, number in zip(row_conditions(FEED), found, strict=True) if number
    }


def test_good_rows_break_none(database: Database) -> None:
    without = {name: "NULL" for name in GOOD if name not in ("key", "kind", "file_id")}
    assert broken(database, GOOD, {**GOOD, **without}) == {}


@pytest.mark.parametrize(("column", "kind", "values"), BROKEN)
def test_a_broken_one_is_counted_where_it_is_broken(
    database: Database, column: str, kind: RuleKind, values: dict[str, str]
) -> None:
    found = broken(database, GOOD, {**GOOD, **values}, {**GOOD, **values})
    assert {(condition.column, condition.kind): count for condition, count in found.items()}[
        column, kind
    ] == 2


def test_every_rule_has_a_condition() -> None:
    assert {(condition.column, condition.kind) for condition in row_conditions(FEED)} == {
        (column, kind) for column, kind, _ in BROKEN
    }
