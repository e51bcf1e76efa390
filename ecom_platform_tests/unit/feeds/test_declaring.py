"""Declarations: what is read of them, and every mistake with file, line, value and remedy."""

# ruff: noqa: E501 (declarations and messages as they are)
from __future__ import annotations

import pytest

from ecom_platform.catalog import packaged
from ecom_platform.errors import DeclarationError
from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.feed import Concat, Dialect, When
from ecom_platform.feeds.travel import declaration_hash, from_data, to_data

CLICKS = """
columns:
  clicked_at: {type: timestamptz, time_format: "%Y-%m-%d %H:%M:%S UTC"}
  product: bigint
  price: numeric( 10, 2 ) NULL
identity: content
"""


def read(text: str, name: str = "clicks", reserved: tuple[str, ...] = ()) -> object:
    return read_feed(text, f"feeds/{name}.yaml", name, reserved)


def mistakes(text: str, name: str = "clicks", reserved: tuple[str, ...] = ()) -> list[tuple[int, str, str]]:
    with pytest.raises(DeclarationError) as refused:
        read_feed(text, f"feeds/{name}.yaml", name, reserved)
    assert all(found.file == f"feeds/{name}.yaml" for found in refused.value.problems)
    assert all(found.remedy for found in refused.value.problems)
    return [(found.line, found.message, found.remedy) for found in refused.value.problems]


def test_a_short_one() -> None:
    feed = read_feed(CLICKS, "clicks.yaml", "clicks")
    assert feed.names == ("clicked_at", "product", "price")
    assert [column.type for column in feed.columns] == ["timestamptz", "bigint", "numeric(10,2)"]
    assert [column.nullable for column in feed.columns] == [False, False, True]
    assert (feed.table, feed.schema, feed.identity, feed.dialect) == ("clicks", None, "content", Dialect())


def test_all_words_of_this_version() -> None:
    feed = read_feed(
        r"""
about: Orders
owners: [shop@example.org, team:data]
table: sales.orders
freshness: 2 hours
reject_share: 1%
delimiter: semicolon
quote: "'"
escape: backslash
decimal: comma
thousands: point
encoding: [UTF-8, latin-1]
nulls: [NA, \N]
skip: 2
columns:
  order_number: {from: [Order Number, Order], type: bigint, min: 1, max: 99}
  ordered_at: {concat: {columns: [Date, Time], with: " "}, type: timestamptz, zone: Europe/Berlin, fold: first}
  kind: {type: text, in: [sale, return], trim: true}
  total: {type: "numeric(12,2) null", remove: "$", nulls: ["-"], greater_than: 0, required_when: {kind: sale}}
  code: {type: text null, match: "[A-Z]+", absent_when: {kind: [return]}, about: What it is}
extra: store
missing: null
primary_key: [order_number, kind]
numbered: true
on_conflict: ignore
roles: {time: ordered_at, amount: total}
checks: {fine: "total > 0"}
""",
        "orders.yaml",
        "orders",
    )
    assert (feed.schema, feed.table, feed.owners) == ("sales", "orders", ("shop@example.org", "team:data"))
    assert feed.dialect == Dialect(";", "'", "\\", ",", ".", ("utf-8", "iso-8859-1"), True, 2, None)
    number, moment, kind, total, code = feed.columns
    assert (number.sources, number.minimum, number.maximum) == (("Order Number", "Order"), "1", "99")
    assert (moment.concat, moment.zone, moment.fold) == (
        Concat(("Date", "Time"), " "),
        "Europe/Berlin",
        "first",
    )
    assert (kind.values, kind.trim, kind.nulls) == (("sale", "return"), True, ("NA", "\\N"))
    assert (total.remove, total.nulls, total.required_when) == ("$", ("-",), (When("kind", ("sale",)),))
    assert (code.match, code.absent_when, code.about) == (
        "[A-Z]+",
        (When("kind", ("return",)),),
        "What it is",
    )
    assert (feed.primary_key, feed.numbered, feed.on_conflict) == (("order_number", "kind"), True, "ignore")
    assert (feed.extra, feed.missing, feed.roles) == (
        "store",
        "null",
        {"time": "ordered_at", "amount": "total"},
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("NO", "NO"),
        ("010", "010"),
        ("12:30", "12:30"),
        ("1e3", "1e3"),
        ("~", "~"),
        ("null", "null"),
        ("2020-01-01", "2020-01-01"),
        ("0x1F", "0x1F"),
        ("yes", "yes"),
    ],
)
def test_yaml_guesses_nothing(value: str, text: str) -> None:
    feed = read_feed(
        f"columns: {{on: {{type: text, in: [{value}, other]}}}}\nidentity: content\n", "x.yaml", "x"
    )
    assert feed.columns[0].name == "on"
    assert feed.columns[0].values == (text, "other")


MISTAKES = {
    "a key that stands twice": (
        "columns: {a: text}\nidentity: content\nidentity: position\n",
        3,
        "identity stands twice, first in line 2",
    ),
    "a column that stands twice": (
        "columns:\n  a: text\n  a: bigint\nidentity: content\n",
        3,
        "a stands twice, first in line 2",
    ),
    "an alias": ("columns: &c {a: text}\nidentity: *c\n", 1, "&c names a place"),
    "a tag": ("columns: {a: !!str text}\nidentity: content\n", 1, "is a tag"),
    "no YAML": ("columns: {a: text\n", 2, "it is no YAML"),
    "two documents": ("columns: {a: text}\n---\n{}\n", 2, "another document"),
    "a list": ("- a\n", 1, "no mapping"),
    "nothing": ("", 1, "it is empty"),
    "an unknown word": ("colums: {a: text}\nidentity: content\n", 1, "colums is no word that is known"),
    "an unknown word of a column": (
        "columns:\n  a: {typ: text}\nidentity: content\n",
        2,
        "columns.a.typ is no word",
    ),
    "no columns": ("identity: content\n", 1, "columns is missing"),
    "an unknown type": (
        "columns:\n  a: varchar\nidentity: content\n",
        2,
        "'varchar' is no type",
    ),
    "too many digits": (
        "columns:\n  a: numeric(40,2)\nidentity: content\n",
        2,
        "'numeric(40,2)' is no type",
    ),
    "a value that is not permitted": (
        "columns: {a: text}\nidentity: contents\n",
        2,
        "identity is 'contents'",
    ),
    "neither key nor identity": ("columns: {a: text}\n", 1, "primary_key or identity, and neither is said"),
    "key and identity": ("columns: {a: text}\nprimary_key: a\nidentity: content\n", 3, "and both are said"),
    "a key that is no column": ("columns: {a: text}\nprimary_key: b\n", 2, "b is no column"),
    "a key that may be null": (
        "columns: {a: text null}\nprimary_key: a\n",
        2,
        "a may be null, and a key may not",
    ),
    "a column in capitals": (
        "columns:\n  Price: text\nidentity: content\n",
        2,
        "'Price' is no name of a column",
    ),
    "a column with blanks": (
        'columns:\n  "Order Number": text\nidentity: content\n',
        2,
        "'Order Number' is no name of a column",
    ),
    "a column of 64 bytes": (
        f"columns:\n  {'a' * 64}: text\nidentity: content\n",
        2,
        "is no name of a column",
    ),
    "a column of ours": ("columns:\n  file_id: text\nidentity: content\n", 2, "file_id is a column of ours"),
    "a zone that is none": (
        "columns:\n  a: {type: timestamptz, zone: Berlin}\nidentity: content\n",
        2,
        "'Berlin' is no time zone",
    ),
    "a zone of a date": (
        "columns:\n  a: {type: date, zone: Europe/Berlin}\nidentity: content\n",
        2,
        "it goes with timestamptz",
    ),
    "a time format without a year": (
        'columns:\n  a: {type: date, time_format: "%d.%m."}\nidentity: content\n',
        2,
        "does not say day, month and year",
    ),
    "an unknown directive": (
        'columns:\n  a: {type: date, time_format: "%Y-%j"}\nidentity: content\n',
        2,
        "has %j; what is known is",
    ),
    "a bound that is none": (
        "columns:\n  a: {type: bigint, min: few}\nidentity: content\n",
        2,
        "'few' is no value of type bigint",
    ),
    "bounds the wrong way round": (
        "columns:\n  a: {type: bigint, min: 5, max: 2}\nidentity: content\n",
        2,
        "it is below min",
    ),
    "a listed value of another type": (
        "columns:\n  a: {type: bigint, in: [1, two]}\nidentity: content\n",
        2,
        "'two' is no value of type bigint",
    ),
    "a pattern that is none": (
        "columns:\n  a: {type: text, match: '['}\nidentity: content\n",
        2,
        "no regular expression of RE2",
    ),
    "a look-around": (
        "columns:\n  a: {type: text, match: '(?=x)y'}\nidentity: content\n",
        2,
        "no regular expression of RE2",
    ),
    "a condition on nothing": (
        "columns:\n  a: {type: text null, required_when: {b: x}}\nidentity: content\n",
        2,
        "b is no column",
    ),
    "a condition on a column that has to be there": (
        "columns:\n  a: text\n  b: {type: text, absent_when: {a: x}}\nidentity: content\n",
        3,
        "may not be null at all",
    ),
    "required and absent": (
        "columns:\n  a: {type: text}\n  b: {type: text null, required_when: {a: x}, absent_when: {a: [x]}}\nidentity: content\n",
        3,
        "it is required where a is x",
    ),
    "two readers of one name": (
        "columns:\n  a: text\n  b: {type: text, from: a}\nidentity: content\n",
        3,
        "a is read by a already",
    ),
    "at with a header": (
        "columns:\n  a: {type: text, at: 1}\nidentity: content\n",
        2,
        "the file has a header",
    ),
    "at without a width": (
        "header: false\ncolumns:\n  a: {type: text, at: 1}\nidentity: content\n",
        2,
        "width is missing",
    ),
    "at twice": (
        "header: false\nwidth: 3\ncolumns:\n  a: {type: text, at: 2}\n  b: {type: text, at: 2}\nidentity: content\n",
        5,
        "2 is that of a",
    ),
    "at beyond the line": (
        "header: false\nwidth: 3\ncolumns:\n  a: {type: text, at: 4}\nidentity: content\n",
        4,
        "4 is no place in a line of 3",
    ),
    "a wide line without places": (
        "header: false\nwidth: 3\ncolumns: {a: text}\nidentity: content\n",
        2,
        "which of 3 fields the 1 columns are",
    ),
    "a mark of two characters": (
        "delimiter: '||'\ncolumns: {a: text}\nidentity: content\n",
        1,
        "neither one character nor",
    ),
    "one mark for two things": (
        "decimal: comma\nthousands: comma\ncolumns: {a: text}\nidentity: content\n",
        2,
        "thousands and decimal are the same",
    ),
    "decimals that are delimiters": (
        "quote: none\ndecimal: comma\ncolumns: {a: text}\nidentity: content\n",
        2,
        "decimal is the delimiter",
    ),
    "an encoding that is none": (
        "encoding: utf-9\ncolumns: {a: text}\nidentity: content\n",
        1,
        "'utf-9' is none of",
    ),
    "a role of nothing": (
        "columns: {a: text}\nidentity: content\nroles: {time: a}\n",
        3,
        "a is of type text",
    ),
    "numbered without a key": (
        "columns: {a: text}\nidentity: content\nnumbered: true\n",
        3,
        "numbered goes with a primary_key",
    ),
    "a conflict without a key": (
        "columns: {a: text}\nidentity: content\non_conflict: ignore\n",
        3,
        "on_conflict goes with a primary_key",
    ),
    "true that is not written so": (
        "header: yes\ncolumns: {a: text}\nidentity: content\n",
        1,
        "neither true nor false",
    ),
    "an owner that is none": ("owners: me\ncolumns: {a: text}\nidentity: content\n", 1, "'me' is neither"),
    "parquet and decimal commas": (
        "format: parquet\ncolumns: {a: text}\nidentity: content\ndecimal: comma\n",
        4,
        "decimal: in a file of the format parquet",
    ),
    "a delimiter in JSON": (
        "columns: {a: text}\nidentity: content\nformat: jsonl\ndelimiter: tab\n",
        4,
        "delimiter: it goes with separated text, and the format is jsonl",
    ),
    "a place in JSON": (
        "format: jsonl\ncolumns: {a: {type: text, at: 1}}\nidentity: content\n",
        2,
        "in a file of the format jsonl columns have names",
    ),
    "explode in CSV": (
        "columns: {a: text}\nidentity: content\nexplode: a\n",
        3,
        "explode: it goes with `format: jsonl`",
    ),
    "explode that nobody reads": (
        "format: jsonl\nexplode: items\ncolumns: {a: {from: item.s, type: text}}\nidentity: content\n",
        2,
        "explode: no column reads from items",
    ),
    "a path with nothing between points": (
        "format: jsonl\ncolumns: {a: {from: b..c, type: text}}\nidentity: content\n",
        2,
        "the path 'b..c' has a point",
    ),
    "a version of what is not replaced": (
        "columns: {a: text, b: integer}\nprimary_key: a\nversion: b\n",
        3,
        "version goes with `on_conflict: update`",
    ),
    "a version that is no column": (
        "columns: {a: text}\nprimary_key: a\non_conflict: update\nversion: b\n",
        4,
        "version: b is no column",
    ),
    "a version that is the key": (
        "columns: {a: text, b: text}\nprimary_key: a\non_conflict: update\nversion: a\n",
        4,
        "version: a is part of the key",
    ),
    "a version without order": (
        "columns: {a: text, b: boolean}\nprimary_key: a\non_conflict: update\nversion: b\n",
        4,
        "version: b is boolean",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line(name: str) -> None:
    text, line, message = MISTAKES[name]
    found = mistakes(text)
    assert any(at == line and message in said for at, said, _ in found), found


def test_all_mistakes_are_told_at_once() -> None:
    found = mistakes("columns:\n  A: text\n  b: varchar\n  file_id: text\nidentity: content\n")
    assert [line for line, _, _ in found] == [2, 3, 4]


def test_names_types_and_unknown_words_are_told_together() -> None:
    found = mistakes("columns:\n  A: varchar\nidentitty: content\n")
    assert [line for line, _, _ in found] == [2, 2, 3]


def test_what_was_meant_is_asked() -> None:
    ((_, _, remedy),) = mistakes("columns: {a: text}\nidentiy: content\nidentity: content\n")
    assert remedy == "Did you mean identity?"


@pytest.mark.parametrize("name", ["Clicks", "9lives", "a" * 42, "klicks-1", ""])
def test_a_name_that_is_none(name: str) -> None:
    assert any("is no name of a feed" in said for _, said, _ in mistakes(CLICKS, name))


def test_a_name_of_ours() -> None:
    assert "is the name of a table" in mistakes(CLICKS, "alerts", ("alerts",))[0][1]


def test_it_is_not_utf8() -> None:
    with pytest.raises(DeclarationError, match="line 2: it is not UTF-8"):
        read_feed(b"columns: {a: text}\n# caf\xe9\n", "x.yaml", "x")


def test_a_bound_that_moves_is_compared_with_one_that_moves() -> None:
    text = "columns: {{a: {{type: timestamptz, min: {}, max: {}}}}}\nprimary_key: a\n"
    read(text.format('"2199-01-01"', "now + 1 day"))
    read(text.format("now - 1 week", '"2000-01-01"'))
    assert "below min" in mistakes(text.format("now + 2 days", "now + 1 day"))[0][1]


class TestTravelling:
    def test_there_and_back(self) -> None:
        for text in (
            CLICKS,
            "columns: {a: {type: text, from: A}, b: {type: text null, required_when: {a: x}}}\nprimary_key: a\n",
        ):
            feed = read_feed(text, "x.yaml", "x")
            assert from_data(to_data(feed)) == feed
        assert from_data(to_data(packaged()["user_events"])) == packaged()["user_events"]

    def test_the_fingerprint_is_of_what_decides_about_rows(self) -> None:
        feed = read_feed(CLICKS, "x.yaml", "clicks")
        said = read_feed(CLICKS + "about: Clicks\nowners: team:web\n", "x.yaml", "clicks")
        stricter = read_feed(
            CLICKS.replace("product: bigint", "product: {type: bigint, min: 1}"), "x.yaml", "clicks"
        )
        assert declaration_hash(feed) == declaration_hash(said) != declaration_hash(stricter)


@pytest.mark.parametrize(
    ("declared", "message", "remedy"),
    [
        ("a: timestampz", "'timestampz' is no type", "Did you mean timestamptz?"),
        (
            "a: varchar(20) not null",
            "'varchar(20) not null' is no type",
            "Did you mean text, which has no length? Without ` null` behind it, it is not null.",
        ),
        ("a: timestamp(6)", "is no type", "Did you mean timestamp?"),
        ("a: numeric", "is no type", "Did you mean numeric(p,s)?"),
        (
            "a: numeric(40,2)",
            "is no type",
            "A numeric has 1 to 38 digits, and no more of them behind the point.",
        ),
        ("a: geometry", "is no type", "The types are text, integer"),
        (
            "a: {type: numeric(12,2)}",
            "columns.a.type: numeric(12,2) is cut at its comma",
            'In braces, quote it: "numeric(12,2)".',
        ),
        (
            "a: {min: 1, type: numeric(12, 2) null, max: 9}",
            "numeric(12,2) null is cut",
            '"numeric(12,2) null"',
        ),
        (
            "a: {type: date, time_format: %d.%m.%Y}",
            "it is no YAML",
            'what begins with % in quotes: "%d.%m.%Y"',
        ),
        ("a: {type: text, match: [A-Z]+}", "it is no YAML", "in quotes what has"),
        ("\ta: text", "it is no YAML", "not with tabs"),
    ],
)
def test_mistakes_of_writing(declared: str, message: str, remedy: str) -> None:
    ((line, found, hint),) = mistakes(f"columns:\n  {declared}\nidentity: content\n")
    assert line == 2
    assert message in found
    assert remedy in hint


def test_marks_and_types_that_yaml_takes_for_its_own() -> None:
    ((line, message, remedy),) = mistakes("decimal: ,\ncolumns: {a: text}\nidentity: content\n")
    assert (line, "it is no YAML" in message) == (1, True)
    assert 'in quotes: ","' in remedy
    ((line, message, _),) = mistakes("delimiter: |\ncolumns: {a: text}\nidentity: content\n")
    assert "such as | and #, stands in quotes" in message
    ((line, message, remedy),) = mistakes("columns: {a: numeric(12,2), b: text}\nidentity: content\n")
    assert (line, remedy) == (1, 'In braces, quote it: "numeric(12,2)".')
