"""Files of JSON lines: every record is a row or a refused one, as the reference says, on all paths."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.feed import Feed
from ecom_platform.files import json_decoding, splitting
from ecom_platform.files.chunks import FileFacts, RecordPlace
from ecom_platform.files.json_decoding import FlatColumns, JsonLinesDecoder
from ecom_platform.files.line_blocks import LineReader
from ecom_platform.files.unreadable import FileReason, UnreadableFile
from ecom_platform_tests import json_reference
from ecom_platform_tests.examples import examples

NOW = datetime(2026, 7, 1, tzinfo=UTC)
FACTS = FileFacts("utf-8", b"the bytes of the file")

FEEDS = {
    "flat": """
format: jsonl
columns:
  id: bigint
  kind: {type: text, in: [view, cart, buy]}
  price: {type: "numeric(10,2) null", absent_when: {kind: view}, nulls: [9x9, ""]}
  share: double precision null
  at: {type: timestamptz null, time_format: [iso, epoch_ms]}
  new: boolean null
identity: content
roles: {time: at}
""",
    "flat, others kept": """
format: jsonl
missing: "null"
extra: store
columns:
  id: {from: [id, nr], type: "numeric(38,12)"}
  kind: {type: text null, nulls: [NA]}
  doc: {from: note, type: jsonb null}
  price: integer null
primary_key: id
""",
    "nested": """
format: jsonl
extra: ignore
missing: "null"
columns:
  id: {from: id, type: bigint null}
  price: {from: a.price, type: "numeric(20,6) null"}
  kind: {from: a.b.kind, type: text null}
  doc: {from: note, type: jsonb null}
identity: position
""",
    "exploded": """
format: jsonl
explode: a.list
extra: ignore
columns:
  id: bigint
  price: {from: a.list.price, type: integer}
  kind: {from: a.list.kind, type: text}
primary_key: [id, kind]
numbered: true
""",
    "elements alone": """
format: jsonl
explode: list
missing: "null"
extra: ignore
columns: {id: bigint, element: {from: list, type: text null}}
identity: content
""",
}

SCALARS = [
    *(
        "0",
        "7",
        "-3",
        "12",
        "9223372036854775807",
        "9223372036854775808",
        "-0",
        "12.50",
        "0.1",
        "1e2",
        "1E+2",
    ),
    *("1.5e-1", "12345678901234567890.123456789012", "1e400", "-1e-400", "0e9", "1659304800025", "1.0"),
    *("01", "1.", ".5", "+1", "NaN", "Infinity", "-", "1e", "0x1", "true", "false", "null", "nul", "True"),
    *(
        '"view"',
        '"cart"',
        '"käse"',
        '""',
        '"NA"',
        '"12.5"',
        '"1e2"',
        '"a\\"b"',
        '"\\u00e4"',
        '"\\ud83d\\ude00"',
    ),
    *(
        '"\\ud83d"',
        '"\\u0000"',
        '"a\\\\"',
        '"2026-01-02 03:04:05"',
        '"x:y"',
        '"{"',
        '"a,b"',
        '"\t"',
        '"/"',
        '"\\/"',
    ),
    *('"\\x"', "'a'", "", '"\x7f"', '"true"', '" 7"', '"\u2028"'),
]
NESTED = ["{}", "[]", '{"x":1.10}', '{"x": {"y": [1, 2.50, "a"]}}', "[1,2]", '{"x":1,"x":2}', "[[]]", "[1,]"]
KEYS = ["id", "kind", "price", "share", "at", "new", "note", "nr", "a", "list", "b", "i\\u0064", "more"]


# Strategies are made once: to make one for each draw takes longer than to draw.
GAPS = st.sampled_from(["", "", " ", "  ", "\t"])
COLONS = st.sampled_from([":", ":", ": ", " : "])
OTHER_KEYS, ANY_KEYS = (
    st.lists(st.sampled_from(KEYS), max_size=7, unique=unique) for unique in (True, False)
)
DIGITS = st.integers(0, 4)
LEAVES = st.sampled_from(SCALARS)


@st.composite
def objects(draw: st.DrawFn, depth: int = 0) -> str:
    gap, colon = draw(GAPS), draw(COLONS)
    keys = draw(OTHER_KEYS if draw(DIGITS) > 0 else ANY_KEYS)
    values = [draw(values_of(key, depth)) for key in keys]
    members = [f'"{key}"{colon}{value}' for key, value in zip(keys, values, strict=True)]
    return "{" + f",{gap}".join(members) + "}"


@cache
def values_of(key: str, depth: int) -> st.SearchStrategy[str]:
    if depth < 2 and key in ("a", "b", "list"):
        lists = st.lists(objects(depth + 1) | LEAVES, max_size=3).map(lambda found: f"[{','.join(found)}]")
        return lists if key == "list" else objects(depth + 1)
    return LEAVES | st.sampled_from(NESTED)


# As programs write them, with all that the flat feed asks for.
USUAL = {
    "id": ["1", "9223372036854775807", '"17"', "1e1", "07", "-01", "0", "-0", "5.", "-", "1.0"],
    "kind": ['"view"', '"buy"', "null", '"x"'],
    "price": ["1.50", "null", "7", "1e-1", "9x9", '"9x9"', "07", "1.", '"2.5"', "1.505"],
    "share": ["0.1", "1e-7", "null"],
    "at": ['"2026-01-02T03:04:05Z"', "1659304800025", "null", "1.659304800025e12"],
    "new": ["true", "false", "null", "1"],
}
FLAT_GAPS = st.sampled_from(["", " "])
FLAT_VALUES = st.tuples(*(st.sampled_from(found) for found in USUAL.values()))
FLAT_REST = st.sampled_from([[], [], ['"more":1'], ['"more":"x"', '"more":2']])


@st.composite
def flat_lines(draw: st.DrawFn) -> str:
    gap = draw(FLAT_GAPS)
    members = [f'"{key}":{gap}{value}' for key, value in zip(USUAL, draw(FLAT_VALUES), strict=True)]
    return "{" + f",{gap}".join([*members, *draw(FLAT_REST)]) + "}"


PUT = st.sampled_from([b"", b'"', b"{", b"}", b",", b":", b"\\", b" ", b"\0", b"\xff", b"\r", b"0", b"\xc3"])
ONE_OR_NONE = st.integers(0, 1)


@st.composite
def damaged(draw: st.DrawFn, line: bytes) -> bytes:
    """A line of which one byte is another, or gone, or stands twice."""
    at = draw(st.integers(0, max(0, len(line) - 1)))
    return line[:at] + draw(PUT) + line[at + draw(ONE_OR_NONE) :]


FLAT_LINES = flat_lines()
LINES = FLAT_LINES | objects() | st.sampled_from(["", " ", "7", "[1]", '"a"', "{}", "x"])
COUNTS, ODDS = st.integers(1, 12), st.integers(0, 5)
ENDINGS = st.sampled_from([b"\n", b"\r\n"])
LAST_ENDINGS = {ending: st.sampled_from([b"", ending]) for ending in (b"\n", b"\r\n")}


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    lines = []
    for _ in range(draw(COUNTS)):
        line = draw(LINES).encode()
        lines.append(draw(damaged(line)) if draw(ODDS) == 0 else line)
    ending = draw(ENDINGS)
    return ending.join(lines) + draw(LAST_ENDINGS[ending])


def decoded(
    feed: Feed, content: bytes, chunk_bytes: int = 1 << 20, *, one_by_one: bool = False
) -> tuple[dict[Any, Any], list[Any]]:
    found: dict[Any, Any] = {}
    ids: list[Any] = []
    records = 0
    decoder = JsonLinesDecoder(feed)
    for chunk in decoder.decode(io.BytesIO(content), FACTS, NOW, chunk_bytes, one_by_one=one_by_one):
        records += chunk.records
        numbers = chunk.rows["line_number"].to_pylist()
        assert numbers == sorted(set(numbers))
        for row in chunk.rows.to_pylist():
            place = RecordPlace.of(feed, row["line_number"])
            values = tuple(
                uuid.UUID(bytes=row[c.name]) if c.type == "uuid" else row[c.name] for c in feed.columns
            )
            found[place.line, place.element] = "row", values, row.get("extra")
        if "row_id" in chunk.rows.schema.names:
            ids += zip(numbers, chunk.rows["row_id"].to_pylist(), strict=True)
        for reject in chunk.rejects:
            found[reject.line_number, reject.element] = "refused", str(reject.reason), reject.column
    assert records == len(found)
    return found, ids


def agree(found: dict[Any, Any], wanted: dict[Any, Any]) -> None:
    for place, outcome in wanted.items():
        got = found.get(place)
        assert got is not None, place
        if outcome[0] == "row" and outcome[2] is not None:
            parsed = json_reference.Parser(got[2]).whole()
            assert (got[1], parsed) == (outcome[1], outcome[2])
        else:
            assert got == outcome, place
    assert found.keys() == wanted.keys()


@pytest.mark.parametrize("name", FEEDS)
def test_every_record_is_what_the_reference_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = read_feed(FEEDS[name], "x.yaml", "x")
    monkeypatch.setattr(json_decoding, "_FEW_ROWS", 1)

    @examples(200)
    @given(contents(), st.integers(1, 300))
    def check(content: bytes, chunk_bytes: int) -> None:
        try:
            found, ids = decoded(feed, content, chunk_bytes)
        except UnreadableFile as error:
            blank = not content.strip(b" \t\r\n")
            assert error.reason == (FileReason.EMPTY_FILE if blank else FileReason.NOT_JSON_LINES)
            assert blank or content.strip(b" \t\r\n")[:1] in (b"[", b"{")
            return
        agree(found, json_reference.outcomes(feed, content, NOW))
        assert (found, ids) == decoded(feed, content, one_by_one=True)
        assert len({key for _, key in ids}) == len(ids)

    check()


@examples(300)
@given(st.lists(flat_lines(), min_size=1, max_size=30), st.data())
def test_flat_lines_are_what_the_reference_says(lines: list[str], data: st.DataObject) -> None:
    feed = read_feed(FEEDS["flat"], "x.yaml", "x")
    encoded = [line.encode() for line in lines]
    at = data.draw(st.integers(0, len(lines) - 1))
    encoded[at] = data.draw(damaged(encoded[at]))
    content = b"\n".join(encoded)
    found, ids = decoded(feed, content)
    agree(found, json_reference.outcomes(feed, content, NOW))
    assert (found, ids) == decoded(feed, content, one_by_one=True)


def test_flat_lines_take_the_vectorised_path() -> None:
    """Also with blanks behind colons and commas, in any order, and with keys that nobody asked for."""
    feed = read_feed(FEEDS["flat"] + "extra: ignore\n", "x.yaml", "x")
    row = {"id": 1, "kind": "käse", "price": 1.5, "share": 0.25, "at": None, "new": True, "more": "a:b,{c}"}
    turned = dict(reversed(row.items()))
    lines = [
        json.dumps(one, ensure_ascii=False, separators=s) for one in (row, turned) for s in (None, (",", ":"))
    ]
    content = "".join(f"{line}\r\n" for line in lines * 100).encode()
    (block,) = LineReader(io.BytesIO(content), 1 << 20)
    flat = FlatColumns.of(feed)
    assert flat is not None
    rows = flat.found(block)
    assert rows is not None and len(rows.lines) == 400
    assert [places.strings()[0].as_py() for places in rows.places][:2] == ["1", "käse"]


@examples(200)
@given(st.data())
def test_keys_that_are_nearly_those_of_the_first_line(data: st.DataObject) -> None:
    """In a file of one program all lines have the same keys: one that differs in a letter is seen."""
    names = ["a", "ab", "abcdefgh", "abcdefghi", "abcdefghijklmnop", "abcdefghijklmnopq", "", "ä"]
    keys = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    feed = read_feed(
        "format: jsonl\nextra: ignore\nmissing: 'null'\nidentity: position\n"
        "columns:\n  x: {from: abcdefghij, type: text null}\n  a: text null\n"
        "  b: {from: abcdefgh, type: text null}\n",
        "x.yaml",
        "x",
    )
    lines = []
    for _ in range(3):
        strangers = st.sampled_from([*names, "abcdefghij", "abcdefgx"])
        own = [key if data.draw(st.integers(0, 5)) else data.draw(strangers) for key in keys]
        lines.append("{" + ",".join(f'"{key}":"{number}"' for number, key in enumerate(own)) + "}")
    content = ("\n".join(lines * 8) + "\n").encode()
    found, _ = decoded(feed, content)
    agree(found, json_reference.outcomes(feed, content, NOW))


def test_numbers_lose_no_digit() -> None:
    feed = read_feed(
        'format: jsonl\ncolumns: {n: "numeric(38,18)", i: bigint, t: text, d: jsonb}\nidentity: content\n',
        "x.yaml",
        "x",
    )
    content = (
        b'{"n":12345678901234567890.123456789012345678,"i":9007199254740993,"t":0.10000000000000000001,'
        b'"d":{"deep":[1.10, 1e400]}}\n'
        b'{"n":1.2345678901234567890e1,"i":9.007199254740993E15,"t":1E5,"d":9007199254740993.0}\n'
    )
    (chunk,) = JsonLinesDecoder(feed).decode(io.BytesIO(content), FACTS, NOW)
    assert not chunk.rejects
    rows = chunk.rows.to_pylist()
    assert [str(row["n"]) for row in rows] == [
        "12345678901234567890.123456789012345678",
        "12.345678901234567890",
    ]
    assert [row["i"] for row in rows] == [9007199254740993, 9007199254740993]
    assert [row["t"] for row in rows] == ["0.10000000000000000001", "1E5"]
    assert [row["d"] for row in rows] == ['{"deep":[1.10,1e400]}', "9007199254740993.0"]


def test_a_long_line_is_one_refused_record_and_its_neighbours_load() -> None:
    feed = read_feed("format: jsonl\ncolumns: {a: text}\nidentity: position\n", "x.yaml", "x")
    long = b'{"a":"' + b"x" * splitting.MAX_LINE_BYTES + b'"}'
    content = b'{"a":"1"}\n' + long + b'\n{"a":"2"}\n'
    for chunk_bytes in (100, 1 << 22):
        found, _ = decoded(feed, content, chunk_bytes)
        assert found == {
            (1, None): ("row", ("1",), None),
            (2, None): ("refused", "row_too_long", None),
            (3, None): ("row", ("2",), None),
        }
    assert decoded(feed, long)[0] == {(1, None): ("refused", "row_too_long", None)}


def test_very_short_lines_are_read_some_at_a_time() -> None:
    class Counted(io.BytesIO):
        handed = 0

        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            self.handed += len(piece)
            return piece

    content = b"{}\n" * 700_000 + b"\n" * 700_000 + b'{"a":1}'
    stream, used, lines = Counted(content), 0, 0
    for block in LineReader(stream, 1 << 20):
        used += int(block.ends[-1]) + 1
        lines += len(block.begins)
        assert len(block.begins) <= splitting.MAX_BLOCK_LINES
        assert stream.handed - used <= 2 << 20
        assert block.next_line == lines + 1
    assert lines == 1_400_001


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", FileReason.EMPTY_FILE),
        (b"\xef\xbb\xbf\n \r\n", FileReason.EMPTY_FILE),
        (b'[{"a":1},{"a":2}]', FileReason.NOT_JSON_LINES),
        (b'\n [\n  {"a": 1}\n]\n', FileReason.NOT_JSON_LINES),
        (b"[\n1,\n2\n]\n", FileReason.NOT_JSON_LINES),
        (b'{\n  "a": 1\n}\n', FileReason.NOT_JSON_LINES),
    ],
)
def test_a_file_that_has_no_object_a_line_is_not_read(content: bytes, reason: FileReason) -> None:
    feed = read_feed("format: jsonl\ncolumns: {a: text}\nidentity: position\n", "x.yaml", "x")
    with pytest.raises(UnreadableFile) as caught:
        decoded(feed, content)
    assert caught.value.reason == reason
    if reason is FileReason.NOT_JSON_LINES:
        assert "jq -c" in caught.value.detail


def test_nested_deeper_than_may_be_is_no_json_wherever_it_is_read() -> None:
    feed = read_feed("format: jsonl\ncolumns: {a: jsonb}\nidentity: position\n", "x.yaml", "x")
    for depth, outcome in ((199, "row"), (200, "refused"), (100_000, "refused")):
        content = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        assert decoded(feed, content)[0][1, None][0] == outcome


def test_what_a_row_is_known_by_does_not_depend_on_how_its_line_is_written() -> None:
    feed = read_feed(
        FEEDS["flat, others kept"].replace("primary_key: id", "identity: content"), "x.yaml", "x"
    )
    one = b'{"id":1.50,"kind":"caf\xc3\xa9","note":{"x":[1, 2]},"price":7,"more":1,"b":"c"}'
    other = b'{ "b": "c", "price" : 7, "note":{"x":[1,2]}, "kind":"caf\\u00e9", "more":1, "nr":1.50 }'
    ids = [decoded(feed, line)[1][0][1] for line in (one, other, one.replace(b"1.50", b"1.5"))]
    assert ids[0] == ids[1] != ids[2]


def test_a_row_has_the_id_that_it_has_in_separated_text() -> None:
    from ecom_platform.files.feed_decoding import FeedDecoder

    text = "columns: {a: bigint, b: text null}\nidentity: content\n"
    separated, lines = read_feed(text, "x.yaml", "x"), read_feed(f"format: jsonl\n{text}", "x.yaml", "x")
    (chunk,) = FeedDecoder(separated).decode(io.BytesIO(b"b,a\nx,1\n,2\n"), FACTS, NOW)
    _, ids = decoded(lines, b'{"a":1,"b":"x"}\n{"a":2,"b":null}')
    assert chunk.rows["row_id"].to_pylist() == [key for _, key in ids]


def test_the_bytes_of_refused_records_are_found_again() -> None:
    feed = read_feed(FEEDS["exploded"], "x.yaml", "x")
    content = b'{"id":1,"a":{"list":[{"price":1,"kind":"x"},{"price":"y","kind":"z"}],"b":0}}\r\n\nno\n'
    (chunk,) = JsonLinesDecoder(feed).decode(io.BytesIO(content), FACTS, NOW)
    assert [(r.line_number, r.element, r.raw) for r in chunk.rejects] == [
        (1, 2, b'{"id":1,"a":{"list":[{"price":"y","kind":"z"}],"b":0}}'),
        (3, 0, b"no"),
    ]
    places = [RecordPlace(1, 2).number, RecordPlace(1, 1).number]
    assert list(JsonLinesDecoder(feed).raw_records(io.BytesIO(content), FACTS, places)) == [
        (RecordPlace(1, 1).number, b'{"id":1,"a":{"list":[{"price":1,"kind":"x"}],"b":0}}'),
        (RecordPlace(1, 2).number, b'{"id":1,"a":{"list":[{"price":"y","kind":"z"}],"b":0}}'),
    ]
