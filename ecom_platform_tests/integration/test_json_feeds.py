"""Feeds of JSON lines in the table: flat, nested and exploded, refused, corrected, traced, taken out
again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are, replay_corrected
from ecom_platform.oncall.requeue import reload_files
from ecom_platform.oncall.trace import Trace, trace
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.rejects import ReplayVerdict
from ecom_platform.tables.rebuilding import rebuild
from ecom_platform_tests.integration.test_feeds import Platform, declared
from ecom_platform_tests.integration.test_unload import taken_out

BASKETS = """
format: jsonl
explode: items
columns:
  basket: bigint
  article: {from: items.sku, type: text}
  pieces: {from: items.n, type: integer, max: MAXIMUM}
  more: {from: items.more, type: jsonb null}
missing: "null"
"""
IDENTITIES = {
    "content": "identity: content\n",
    "position": "identity: position\n",
    "numbered": "primary_key: [basket, article]\nnumbered: true\n",
    "key": "primary_key: [basket, article]\n",
}
# Of one line two elements are refused, of another all of it; one list is empty.
CONTENT = b"""\
{"basket":1,"items":[{"sku":"hat","n":1},{"sku":"hat","n":1},{"sku":"sock","n":500},{"sku":"cap","n":600}]}
{"basket":2,"items":[]}

{"basket":3,"items":[{"sku":"hat","n":2,"more":{"size":[10.50]}}]}
{"basket":4,"items":7}
"""


def baskets(identity: str, maximum: str = "100") -> str:
    return BASKETS.replace("MAXIMUM", maximum) + IDENTITIES[identity]


class Baskets(Platform):
    def rows(self) -> list[tuple[object, ...]]:
        return self.query("SELECT basket, article, pieces FROM baskets ORDER BY 1, 2, 3")

    def rejects(self) -> list[tuple[object, ...]]:
        return self.query(
            "SELECT line_number, element, reason, column_name FROM rejected_events"
            " WHERE replayed_at IS NULL ORDER BY file_id, place"
        )

    def trace(self, wanted: str) -> Trace:
        with self.database.open() as connection:
            return trace(connection, self.zone, wanted, {self.feed.name: self.feed})


@pytest.fixture(params=IDENTITIES)
def loaded(request: pytest.FixtureRequest, database: Database, zone: LandingZone) -> Baskets:
    platform = Baskets(database, zone, declared(baskets(request.param), "baskets"))
    twice = request.param == "key"
    assert platform.counts(a__jsonl=CONTENT) == (6, 2 if twice else 3, 1 if twice else 0, 3)
    return platform


class TestExploded:
    def test_each_element_is_a_row_or_refused_by_itself(self, loaded: Baskets) -> None:
        assert loaded.rejects() == [
            (1, 3, "out_of_range", "pieces"),
            (1, 4, "out_of_range", "pieces"),
            (5, 0, "not_a_list", None),
        ]
        assert loaded.query("SELECT more::text FROM baskets WHERE basket = 3") == [('{"size": [10.50]}',)]
        assert loaded.checks() == []

    def test_the_same_file_again_brings_nothing(self, loaded: Baskets) -> None:
        before = loaded.rows()
        assert loaded.counts(b__jsonl=CONTENT) == (6, 0, 3, 3)
        reload_files(loaded.database, loaded.zone, ["baskets/a.jsonl"])
        (outcome,) = loaded.load()
        assert (outcome.name, outcome.rows_duplicate) == ("baskets/a.jsonl", 3)
        assert loaded.rows() == before
        rebuild(loaded.database, loaded.zone, loaded.feed, 1.0)
        assert loaded.rows() == before
        assert loaded.checks() == []

    def test_what_has_become_valid_is_loaded_and_known_when_the_file_comes_again(
        self, loaded: Baskets
    ) -> None:
        identity = loaded.feed.identity or ("numbered" if loaded.feed.numbered else "key")
        loaded.feed = declared(baskets(identity, "550"), "baskets")
        replayed = replay_as_they_are(loaded.database, loaded.zone, {"baskets": loaded.feed})
        assert replayed.verdicts == {ReplayVerdict.INSERTED: 1, ReplayVerdict.STILL_REJECTED: 2}
        assert (1, "sock", 500) in loaded.rows()
        assert loaded.counts(b__jsonl=CONTENT) == (6, 0, 4, 2)
        assert loaded.checks() == []

    def test_a_line_is_traced_with_all_of_its_rows(self, loaded: Baskets) -> None:
        answer = loaded.trace("baskets/a.jsonl:1")
        assert answer.known
        assert answer.verdict.startswith("baskets/a.jsonl, line 1: of 4 rows 2 are stored in ")
        assert answer.verdict.endswith("0 are duplicates of other files' rows, 2 were refused.")
        assert len(answer.facts) == 4

    def test_a_file_is_taken_out_and_the_other_takes_its_place(self, loaded: Baskets) -> None:
        before = loaded.rows()
        loaded.counts(b__jsonl=CONTENT)
        taken_out(loaded, "baskets/a.jsonl")
        assert loaded.rows() == before
        assert loaded.checks() == []


def test_conflicts_within_a_line_are_refused_each_at_its_place(database: Database, zone: LandingZone) -> None:
    platform = Baskets(database, zone, declared(baskets("key"), "baskets"))
    line = b'{"basket":1,"items":[{"sku":"a","n":1},{"sku":"a","n":2},{"sku":"b","n":1},{"sku":"a","n":3}]}\n'
    assert platform.counts(a__jsonl=line) == (4, 2, 0, 2)
    assert platform.rejects() == [(1, 2, "id_conflict", "basket"), (1, 4, "id_conflict", "basket")]
    ((raw,),) = platform.query("SELECT raw FROM rejected_events WHERE element = 4")
    assert bytes(raw) == b'{"basket":1,"items":[{"sku":"a","n":3}]}'
    assert platform.rows() == [(1, "a", 1), (1, "b", 1)]
    assert platform.checks() == []


@pytest.mark.parametrize("identity", ["content", "key"])
def test_corrected_rows(identity: str, database: Database, zone: LandingZone, tmp_path: Path) -> None:
    platform = Baskets(database, zone, declared(baskets(identity), "baskets"))
    platform.load(a__jsonl=CONTENT)
    path = tmp_path / "fixed.csv"
    path.write_text(
        "basket,items.sku,items.n,items.more,file_name,line_number\n"
        '1,sock,5,"{""a"": 1.50}",baskets/a.jsonl,1\n1,cap,6,,baskets/a.jsonl,1\n'
    )
    done = replay_corrected(database, path, platform.feed, platform.zone)
    assert (done.verdicts, done.unmatched) == ({ReplayVerdict.INSERTED: 2}, [])
    assert {(1, "sock", 5), (1, "cap", 6)} <= set(platform.rows())
    assert platform.query("SELECT more::text FROM baskets WHERE article = 'sock'") == [('{"a": 1.50}',)]
    assert platform.checks() == []


def test_a_file_that_is_one_array_goes_to_quarantine(database: Database, zone: LandingZone) -> None:
    platform = Baskets(database, zone, declared(baskets("content"), "baskets"))
    (outcome,) = platform.load(a__jsonl=b'[{"basket":1,"items":[]}]\n')
    assert outcome.state == ledger.QUARANTINED
    assert (outcome.reason or "").startswith("not_json_lines: it is one array")


FLAT = """
format: jsonl
extra: store
columns:
  id: uuid
  price: {from: cost.net, type: "numeric(20,4)"}
  at: timestamptz null
primary_key: id
"""
ID = "6b9a2a6c-0000-4000-8000-00000000000%d"


def test_nested_values_and_keys_that_nobody_declared(
    database: Database, zone: LandingZone, tmp_path: Path
) -> None:
    platform = Platform(database, zone, declared(FLAT, "costs"))
    content = "".join(
        f'{{"id":"{ID % n}","cost":{{"net":{net}}},"at":null,"tags":["x",1.10],"who":{{"a":"ü"}}}}\n'
        for n, net in enumerate(("12345678901234.5678", '"x"', "1e-4"))
    ).encode()
    assert platform.counts(a__jsonl=content) == (3, 2, 0, 1)
    assert platform.query("SELECT price::text, extra::text FROM costs ORDER BY id") == [
        ("12345678901234.5678", '{"who": {"a": "ü"}, "tags": ["x", 1.10]}'),
        ("0.0001", '{"who": {"a": "ü"}, "tags": ["x", 1.10]}'),
    ]
    with database.open() as connection:
        feeds = {"costs": platform.feed}
        refused = trace(connection, platform.zone, "costs/a.jsonl:2", feeds)
        stored = trace(connection, platform.zone, ID % 2, feeds)
    assert refused.verdict == "costs/a.jsonl, line 2 was refused: not_a_number."
    assert stored.verdict == f"{ID % 2} is stored once, from costs/a.jsonl, line 3."
    path = tmp_path / "fixed.csv"
    path.write_text(f"id,cost.net,at\n{ID % 1},7.5,2026-01-02 03:04:05\n")
    done = replay_corrected(database, path, platform.feed, platform.zone)
    assert (done.verdicts, done.unmatched) == ({ReplayVerdict.INSERTED: 1}, [])
    assert platform.checks() == []


def test_the_later_element_of_a_line_is_the_newer_row(database: Database, zone: LandingZone) -> None:
    text = baskets("key") + "on_conflict: update\n"
    platform = Baskets(database, zone, declared(text, "baskets"))
    line = (
        b'{"basket":1,"items":[{"sku":"a","n":1},{"sku":"a","n":500},{"sku":"a","n":2},{"sku":"b","n":1}]}\n'
    )
    (outcome,) = platform.load(a__jsonl=line)
    assert (outcome.rows_read, outcome.rows_inserted, outcome.rows_updated, outcome.rows_rejected) == (
        4,
        2,
        1,
        1,
    )
    assert platform.rows() == [(1, "a", 2), (1, "b", 1)]
    # What was refused comes before what is stored, by its place in the line.
    platform.feed = declared(text.replace("max: 100", "max: 900"), "baskets")
    replayed = replay_as_they_are(database, platform.zone, {"baskets": platform.feed})
    assert replayed.verdicts == {ReplayVerdict.STALE: 1}
    assert platform.rows() == [(1, "a", 2), (1, "b", 1)]
    assert platform.checks() == []
