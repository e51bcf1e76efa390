"""Declarations from files: by the shapes that exports really have, and by tables of random dialects.

Whatever is found out, every row that was read loads with what is written: that is asked of the reader.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import string
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ecom_platform.catalog import RESERVED
from ecom_platform.errors import EcomError, UsageError
from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.feed import Column, Feed
from ecom_platform.feeds.inference.said import SaidWords
from ecom_platform.feeds.inference.undecided import UndecidedError
from ecom_platform.feeds.reasons import Reason
from ecom_platform.files import samples
from ecom_platform.files.content_kinds import OtherContentError
from ecom_platform.files.drafting import Drafted, draft_feed
from ecom_platform.files.rehearsal import rehearse
from ecom_platform.files.unreadable import UnreadableFile
from ecom_platform_tests.examples import examples
from ecom_platform_tests.unit.files.test_unpacking import zipped


def drafted(path: Path, content: str | bytes, *said: str, name: str = "seen.csv") -> Drafted:
    """The declaration of a file of this content, which is proven to load it all."""
    file = path / name
    data = content.encode() if isinstance(content, str) else content
    file.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return proven(draft_feed([file], "seen", SaidWords.parse(said)), [file])


def proven(found: Drafted, files: Sequence[Path]) -> Drafted:
    feed = read_feed(found.draft.text(), "seen.yaml", "seen", RESERVED)
    assert feed == found.feed
    for file in files:
        rehearsal = rehearse(feed, file)
        assert rehearsal.unreadable is None
        assert all(kind.column is None for kind in rehearsal.refused.values()), rehearsal.refused
        rejected = sum(kind.rows for kind in rehearsal.refused.values())
        assert rejected <= sum(found.unsplit.values())
    return found


def types(feed: Feed) -> dict[str, str]:
    return {c.name: f"{c.type}{' null' if c.nullable else ''}" for c in feed.columns}


def column(feed: Feed, name: str) -> Column:
    return next(column for column in feed.columns if column.name == name)


def numbered(line: str, rows: int = 14) -> str:
    """``line`` so often, with ``@`` as the number of the row, from 10."""
    return "".join(line.replace("@", str(row)) + "\n" for row in range(10, 10 + rows))


# -- shapes --------------------------------------------------------------------------------------


def test_events_without_an_id(tmp_path: Path) -> None:
    session = "72d76fde-8bb3-4e00-8c23-a032dfed73@"
    line = f"2019-10-01 00:00:@ UTC,view,446000@,2103807459595387724,,aqua,3@.20,5413@,{session}"
    head = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
    found = drafted(tmp_path, head + numbered(line) + numbered(line))
    assert types(found.feed) == {
        "event_time": "timestamptz",
        "event_type": "text",
        "product_id": "bigint",
        "category_id": "bigint",
        "category_code": "text null",
        "brand": "text",
        "price": "numeric(12,2)",
        "user_id": "bigint",
        "user_session": "uuid",
    }
    assert column(found.feed, "event_time").time_formats == ("%Y-%m-%d %H:%M:%S UTC",)
    assert (found.feed.identity, found.keys.copies, found.rows) == ("content", 14, 28)


def test_a_german_shop_saved_by_windows(tmp_path: Path) -> None:
    head = '"Order Number";"Order Date";"Customer Note";"Total";"Item #";"Name"\r\n'
    rows = [f'"23{n}";"{n}.11.2026 09:43";"";"1.249,90";"1";"Kaffeemühle; groß"\r\n' for n in range(10, 30)]
    found = drafted(tmp_path, (head + "".join(rows)).encode("cp1252"))
    dialect = found.feed.dialect
    assert (dialect.delimiter, dialect.decimal, dialect.thousands) == (";", ",", ".")
    assert dialect.encodings == ("utf-8", "cp1252")
    assert types(found.feed) == {
        "order_number": "bigint",
        "order_date": "timestamptz",
        "customer_note": "text null",
        "total": "numeric(12,2)",
        "item": "integer",
        "name": "text",
    }
    assert column(found.feed, "order_date").time_formats == ("%d.%m.%Y %H:%M",)
    # An order has several items: its number alone is no key, however unique it is here.
    assert found.feed.identity == "content"
    assert ["order_number"] in found.candidates


def test_the_same_in_utf_8_with_a_mark(tmp_path: Path) -> None:
    text = "﻿Größe;Preis\r\n" + numbered("@;7,00").replace("\n", "\r\n")
    found = drafted(tmp_path, text)
    assert column(found.feed, "grosse").sources == ("Größe",)
    assert found.feed.dialect.encodings == ("utf-8",)


def test_invoices_with_american_dates(tmp_path: Path) -> None:
    head = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\r\n"
    rows = "536365,22423,-6,12/1/2010 8:26,2.55,17850.0\r\nC536379,D,1,12/13/2010 14:01,0.001,\r\n"
    found = drafted(tmp_path, head + rows)
    assert types(found.feed) == {
        "invoice_no": "text",
        "stock_code": "text",
        "quantity": "integer",
        "invoice_date": "timestamptz",
        "unit_price": "numeric(12,3)",
        "customer_id": "bigint null",
    }
    assert column(found.feed, "invoice_date").time_formats == ("%m/%d/%Y %H:%M",)
    assert "UTC" in found.draft.text()


def test_no_header(tmp_path: Path) -> None:
    text = "1,2014-04-07T10:51:09.277Z,214536502,0\n2,2014-04-07T13:56:37.614Z,214662742,S\n"
    found = drafted(tmp_path, text, name="clicks.dat")
    assert not found.feed.dialect.header
    assert [*types(found.feed).values()] == ["integer", "timestamptz", "bigint", "text"]
    assert found.rows == 2
    marked = drafted(tmp_path, "﻿" + text, name="marked.dat")
    assert types(marked.feed) == types(found.feed)


def test_ids_with_leading_zeros_and_many_decimals(tmp_path: Path) -> None:
    text = "t_dat,article_id,price\n" + numbered("2018-09-@,06637130@,0.05083050847457@")
    found = drafted(tmp_path, text)
    assert types(found.feed) == {"t_dat": "date", "article_id": "text", "price": "numeric(20,18)"}


def test_a_key(tmp_path: Path) -> None:
    found = drafted(tmp_path, "order_id,user_id,eval_set\n" + numbered("25393@,1,prior"))
    assert found.feed.primary_key == ("order_id",)
    few = drafted(tmp_path, "order_id,user_id,eval_set\n" + numbered("25393@,1,prior", rows=3))
    assert few.feed.identity == "content"
    assert few.candidates == [["order_id"]]


def test_a_key_of_two_columns_is_named_and_not_written(tmp_path: Path) -> None:
    rows = "".join(f"order{n // 2},{n % 2},10.0\n" for n in range(20))
    found = drafted(tmp_path, "order_id,order_item_id,price\n" + rows)
    assert found.candidates == [["order_id", "order_item_id"]]
    assert found.feed.identity == "content"


def test_texts_over_several_lines(tmp_path: Path) -> None:
    rows = numbered('@,5,"Produto veio ""amassado""\n\nligações, inúteis",2018-01-18 21:46:@')
    found = drafted(tmp_path, "review_id,score,message,answered_at\n" + rows)
    assert types(found.feed)["message"] == "text"
    assert (found.rows, found.unsplit) == (14, {})


def test_lines_within_a_text_that_look_like_rows(tmp_path: Path) -> None:
    rows = '1,2020-01-01,"a\n2,2020-01-01,b\n",7\n3,2020-01-02,c,8\n'
    found = drafted(tmp_path, "n,day,note,count\n" + rows)
    assert (found.rows, found.unsplit) == (2, {})
    assert types(found.feed)["day"] == "text"


def test_epochs(tmp_path: Path) -> None:
    head = "timestamp,visitorid,event,itemid,transactionid\n"
    found = drafted(tmp_path, head + numbered("14332213321@,2575@,view,3559@,"))
    assert column(found.feed, "timestamp").time_formats == ("epoch_ms",)
    assert types(found.feed)["transactionid"] == "text null"
    unnamed = drafted(tmp_path, "a,b\n" + numbered("14332213321@,1"))
    assert types(unnamed.feed)["a"] == "bigint"
    assert "epoch_ms" in unnamed.draft.text()


def test_a_wide_export(tmp_path: Path) -> None:
    names = [f"Lineitem no {n}" for n in range(79)]
    row = ",".join(["#@", '"a\nb"', "2026-11-25 10:00:@ +0200", *["" for _ in range(76)]])
    found = drafted(tmp_path, ",".join(names) + "\n" + numbered(row))
    assert len(found.feed.columns) == 79
    assert column(found.feed, "lineitem_no_2").time_formats == ("%Y-%m-%d %H:%M:%S %z",)
    assert found.unsplit == {}


def test_tabs_with_json_and_quotes_packed(tmp_path: Path) -> None:
    row = '4@\t{"a": "say \\"hi\\""}\t"\t2013-11-26 00:03:57.8@'
    found = drafted(tmp_path, numbered(row), name="part.tsv.gz")
    assert (found.feed.dialect.delimiter, found.feed.dialect.quote) == ("\t", None)
    assert [*types(found.feed).values()] == ["integer", "jsonb", "text", "timestamptz"]


def test_what_a_database_exports(tmp_path: Path) -> None:
    rows = numbered("@\t\\N\tit\\\ts\t\\N") + "99\t3.5\t\\\\\tx\n"
    found = drafted(tmp_path, "id\tamount\tnote\tmore\n" + rows)
    assert found.feed.dialect.escape == "\\"
    assert types(found.feed)["amount"] == "numeric(12,2) null"
    assert column(found.feed, "amount").nulls == ("", "\\N")


def test_texts_for_no_value(tmp_path: Path) -> None:
    found = drafted(tmp_path, "a,b,country\n1,NA,NA\nNA,2.5,DE\n3,,AT\n")
    assert types(found.feed) == {"a": "integer null", "b": "numeric(12,2) null", "country": "text"}


def test_texts_for_no_value_that_are_said(tmp_path: Path) -> None:
    found = drafted(tmp_path, "a,b\n1,x\nleft out,\n", 'nulls=["", left out]')
    assert types(found.feed) == {"a": "integer null", "b": "text null"}
    found = drafted(tmp_path, "a,b\n1,x\nleft out,y\n", "a.nulls=left out")
    assert (types(found.feed)["a"], column(found.feed, "b").nulls) == ("integer null", ("",))


def test_digits_with_blanks_are_no_numbers(tmp_path: Path) -> None:
    found = drafted(tmp_path, "phone;price\n" + numbered("1234 5@;1 234,@"))
    assert types(found.feed) == {"phone": "text", "price": "numeric(12,2)"}
    assert types(drafted(tmp_path, "phone;n\n" + numbered("123 456;@")).feed)["phone"] == "text"


def test_days_without_marks(tmp_path: Path) -> None:
    found = drafted(tmp_path, "order_date,count\n" + numbered("202601@,202601@"))
    assert types(found.feed) == {"order_date": "date", "count": "integer"}


def test_the_hint_for_excel(tmp_path: Path) -> None:
    found = drafted(tmp_path, "sep=;\nid;x\n" + numbered("@;2,5"))
    assert (found.feed.dialect.skip, types(found.feed)) == (1, {"id": "bigint", "x": "numeric(12,2)"})


def test_a_stray_quote_makes_no_quotes_of_values(tmp_path: Path) -> None:
    rows = numbered('"@","x"', rows=80) * 4 + '"99","x\n' + numbered('"@","x"')
    found = drafted(tmp_path, '"id","name"\n' + rows)
    assert (found.feed.dialect.quote, found.unsplit) == ('"', {Reason.UNBALANCED_QUOTES: 1})
    bare = drafted(tmp_path, "id,name\n" + numbered("@,x", rows=80) * 4 + '99,"x\n')
    assert (bare.feed.dialect.quote, bare.unsplit) == (None, {})


def test_lines_of_many_widths(tmp_path: Path) -> None:
    found = drafted(tmp_path, '"a","b","c"\n"1","2","3"\n"1","2"\n"4","5","6","7"\n')
    assert found.feed.names == ("a", "b", "c")
    assert found.unsplit == {Reason.MISSING_FIELDS: 1, Reason.EXTRA_FIELDS: 1}


def test_days_that_are_none(tmp_path: Path) -> None:
    found = drafted(tmp_path, "id,day,at\n1,2026-01-01,2026-01-01 10:00:00.1234567\n2,0000-00-00,x\n")
    assert types(found.feed)["day"] == "date null"
    assert "look like" not in found.draft.text()
    found = drafted(tmp_path, "id,at\n1,2026-01-01 10:00:00.1234567\n")
    assert "look like times" in found.draft.text()


def test_title_lines(tmp_path: Path) -> None:
    found = drafted(tmp_path, "Report of November\n\nid,amount\n" + numbered("@,2.50"))
    assert (found.feed.dialect.skip, found.feed.names) == (2, ("id", "amount"))


def test_money_and_blanks(tmp_path: Path) -> None:
    found = drafted(tmp_path, "price,rest\n" + numbered('"$1,2@.50", 7 '))
    assert column(found.feed, "price").remove == "$"
    assert column(found.feed, "rest").trim
    assert found.feed.dialect.thousands == ","


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ("03-Jan-2026,14-Feb-2026", "%d-%b-%Y"),
        ("2026/01/03 10:00,2026/01/04 11:30", "%Y/%m/%d %H:%M"),
        ("3/14/26 1:05 PM,12/1/26 11:59 AM", "%m/%d/%y %I:%M %p"),
        ("14.3.2026,1.12.2026", "%d.%m.%Y"),
        ("10/Oct/2026:13:55:36 -0700,11/Oct/2026:13:55:36 -0700", "%d/%b/%Y:%H:%M:%S %z"),
    ],
)
def test_times(tmp_path: Path, values: str, form: str) -> None:
    found = drafted(tmp_path, "n;at\n" + "".join(f"1;{value}\n" for value in values.split(",")))
    assert column(found.feed, "at").time_formats == (form,)


# -- names ---------------------------------------------------------------------------------------


def test_names_that_are_none_in_sql(tmp_path: Path) -> None:
    names = ["order", "file_id", "2nd", "Größe", "日付", "a b", "A-B", "x" * 80]
    found = drafted(tmp_path, ",".join(names) + "\n" + ",".join(["x"] * 8) + "\n")
    assert found.feed.names == (
        *("order_", "file_id_", "_2nd", "grosse", "column_5", "a_b", "a_b_2", "x" * 63),
    )
    assert [c.sources[0] if c.sources else c.name for c in found.feed.columns] == names


@pytest.mark.parametrize("header", ["id,amount,id", "id,,amount", 'id,"a\nb",c', "id,amount"])
def test_headers_that_cannot_be_used(tmp_path: Path, header: str) -> None:
    found = drafted(tmp_path, f"{header}\n" + numbered("@,2.50,x"))
    assert not found.feed.dialect.header
    assert found.rows == 14
    assert "places" in found.draft.text() or "skipped" in found.draft.text()


@pytest.mark.parametrize(
    "text", ['name\n"1.234,50"\n', "name\n", "name\na;b\nc\n", "n\n\n\n1\n", '"a""b"\n1\n']
)
def test_a_single_column(tmp_path: Path, text: str) -> None:
    assert len(drafted(tmp_path, text).feed.columns) == 1


# -- what is not decided -------------------------------------------------------------------------


def test_the_order_of_day_and_month(tmp_path: Path) -> None:
    text = "n,at\n1,01/02/2024\n2,03/04/2024\n"
    with pytest.raises(UndecidedError) as caught:
        drafted(tmp_path, text)
    assert "at.time_format=%d/%m/%Y" in caught.value.remedy
    assert caught.value.exit_code == 2
    found = drafted(tmp_path, text, "at.time_format=%d/%m/%Y")
    assert types(found.feed)["at"] == "date"
    with pytest.raises(UsageError, match="'21/02/2024' is no date as %m/%d/%Y"):
        drafted(tmp_path, "n,at\n1,21/02/2024\n", "at.time_format=%m/%d/%Y")
    other = drafted(tmp_path, "at,until\n01/02/2024,13/02/2024\n03/04/2024,01/05/2024\n")
    assert column(other.feed, "at").time_formats == ("%d/%m/%Y",)


def test_decimals_or_thousands(tmp_path: Path) -> None:
    with pytest.raises(UndecidedError, match="point"):
        drafted(tmp_path, "a;b\n1;1.234\n2;2.345\n")
    assert types(drafted(tmp_path, "a;b\n1;1.234\n2;2.345\n", "decimal=point").feed)["b"] == "numeric(12,3)"
    assert types(drafted(tmp_path, "a;b\n1;1.234\n2;2.345\n", "decimal=comma").feed)["b"] == "integer"
    assert types(drafted(tmp_path, "a;b\n1;1.234\n2;0.345\n").feed)["b"] == "numeric(12,3)"
    both = "a;b\n01/02/2024;1.234\n"
    with pytest.raises(UndecidedError, match=r"point.*month"):
        drafted(tmp_path, both)


def test_files_of_two_feeds(tmp_path: Path) -> None:
    one, other, same = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"
    one.write_text("id,amount\n1,2.5\n")
    other.write_text("id,name\n1,x\n")
    same.write_text("amount,id\nx,2\n")
    with pytest.raises(UsageError, match=r"not files of one feed.*from: \[Name, Other name\]"):
        draft_feed([one, other], "seen", SaidWords())
    found = proven(draft_feed([one, same], "seen", SaidWords()), [one, same])
    assert types(found.feed) == {"id": "bigint", "amount": "text"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")), "excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "excel"),
        (zipped(("a.csv", b""), ("b.csv", b"")), "zip"),
        (b'{"a": 1}\n{"a": 2}\n', "jsonl"),
        (b'[\n {"a": 1}\n]', "json"),
        (b'{\n "a": 1\n}', "json"),
        (b"<?xml version='1.0'?><a/>", "xml"),
        (b"<!DOCTYPE html><html></html>", "html"),
        ("a,b\n1,2\n".encode("utf-16"), "utf-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "utf-16"),
        (b"a,b\r1,2\r3,4\r", "carriage-returns"),
        (bytes(range(256)) * 9, "binary"),
        (b"PAR1\x15\x04", "parquet"),
    ],
)
def test_files_that_are_no_separated_text(tmp_path: Path, content: bytes, code: str) -> None:
    with pytest.raises(OtherContentError) as caught:
        drafted(tmp_path, content)
    assert caught.value.kind.code == code
    assert caught.value.remedy


def test_two_encodings_in_one_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="two encodings"):
        drafted(tmp_path, "a,b\n1,é\n".encode() + "2,é\n3,é\n".encode("cp1252"))


def test_lines_that_are_no_rows_are_said(tmp_path: Path) -> None:
    found = drafted(tmp_path, "a,b\n1,2\n3\n4,5\n" + numbered("@,1"))
    assert found.unsplit == {Reason.MISSING_FIELDS: 1}
    assert "missing_fields" in found.draft.text()


def test_what_is_said_stands(tmp_path: Path) -> None:
    said = ("primary_key=[a, b]", "b.type=text", "a.about=the first", "on_conflict=ignore")
    found = drafted(tmp_path, "a,b\n" + numbered("@,1"), *said)
    assert (found.feed.primary_key, found.feed.on_conflict) == (("a", "b"), "ignore")
    assert (types(found.feed)["b"], column(found.feed, "a").about) == ("text", "the first")
    for wrong in ("c.type=text", "a.colour=red", "colour=red", "header=perhaps", "b"):
        with pytest.raises(UsageError):
            drafted(tmp_path, "a,b\n1,2\n", wrong)


def test_a_zone_that_is_said(tmp_path: Path) -> None:
    text = "n,at\n1,2026-03-01 02:30:00\n2,2026-10-25 02:30:00\n"
    with pytest.raises(UsageError, match="ambiguous_time"):
        drafted(tmp_path, text, "at.zone=Europe/Berlin")
    found = drafted(tmp_path, text, "at.zone=Europe/Berlin", "at.fold=first")
    assert (column(found.feed, "at").zone, column(found.feed, "at").fold) == ("Europe/Berlin", "first")
    assert "UTC" not in found.draft.text()


def test_few_rows_are_said_to_be_few(tmp_path: Path) -> None:
    head = "id,invoice,stock_code,order_count,city,zip\n"
    row = "5@,53636@,2242@,@,Berlin,1@115"
    found = drafted(tmp_path, head + numbered(row))
    (said,) = [doubt for doubt in found.draft.doubts if doubt.startswith("only ")]
    assert said == (
        "only 14 rows were read: before the first load, consider text for codes (invoice, stock_code, zip), "
        'and " null" for what may be empty one day (invoice, stock_code, order_count, city, zip)'
    )
    told = drafted(tmp_path, head + numbered(row), "invoice.type=bigint")
    assert "codes (stock_code, zip)" in told.draft.text()
    keyed = drafted(tmp_path, "a,b,c\n" + numbered("@,x,y"), "primary_key=[a, b]")
    assert '" null" for what may be empty one day (c)' in keyed.draft.text()
    many = drafted(tmp_path, "invoice\n" + "".join(f"{n}\n" for n in range(1_000)))
    assert "rows were read" not in many.draft.text()
    none = drafted(tmp_path, "id,name\n")
    assert "no row was read, so nothing says what the columns are" in none.draft.text()
    wide = drafted(tmp_path, ",".join("abcdefg") + "\n" + numbered("x,x,x,x,x,x,x"))
    assert "(all 7 columns are filled throughout)" in wide.draft.text()


def test_counts_in_words(tmp_path: Path) -> None:
    found = drafted(tmp_path, "a,b,c,when\n80,1.5,x,\n80,2.5,y,\n")
    evidence = [drawn.evidence for drawn in found.draft.columns]
    assert evidence == [
        "2 values, all equal: the whole number 80",
        "2 values, 2 different: numbers with at most 1 digit before and 1 behind the decimal mark",
        "2 values, 2 different: texts",
        "never filled, so nothing says its type; when is a word of SQL, so it has a _ behind it",
    ]
    one = drafted(tmp_path, "a,b\n17,x\n")
    assert one.draft.columns[0].evidence == "1 value: the whole number 17"
    assert "only 1 row was read" in one.draft.text()


def test_a_zone_that_is_said_for_all(tmp_path: Path) -> None:
    text = "n,at,until,day,seen\n" + numbered(
        "@,01.02.2026 10:@,2026-03-01 10:00:@,2026-01-@,2026-01-01T10:00:@Z"
    )
    found = drafted(
        tmp_path, text, "zone=Europe/Berlin", "at.time_format=%d.%m.%Y %H:%M", "until.zone=Asia/Tokyo"
    )
    zones = {c.name: c.zone for c in found.feed.columns}
    assert zones == {"n": "UTC", "at": "Europe/Berlin", "until": "Asia/Tokyo", "day": "UTC", "seen": "UTC"}
    with pytest.raises(UsageError, match="no column has times"):
        drafted(tmp_path, "n\n" + numbered("@"), "zone=Europe/Berlin")
    text = "at\n2026-10-25 02:30:00\n"
    with pytest.raises(UsageError, match="ambiguous_time") as caught:
        drafted(tmp_path, text, "zone=Europe/Berlin")
    assert "fold=first" in caught.value.remedy
    found = drafted(tmp_path, text, "zone=Europe/Berlin", "fold=second")
    assert (found.feed.columns[0].zone, found.feed.columns[0].fold) == ("Europe/Berlin", "second")


def test_every_kind_of_word_can_be_said(tmp_path: Path) -> None:
    found = drafted(
        tmp_path,
        "event_time,kind,price\n" + numbered("2026-01-01 10:00:@,sold,1.5"),
        "roles={time: event_time, amount: price}",
        'checks={cheap: "price < 100, perhaps"}',
        "owners=[team:a, team:b]",
        "price.required_when={kind: [sold, lent]}",
        "price.type=numeric(12,2) null",
        "kind.match=[a-z]{1,9}[a-z]",
        "encoding=[UTF8, latin1]",
        "extra=store",
    )
    feed = found.feed
    assert feed.roles == {"time": "event_time", "amount": "price"}
    assert feed.checks == {"cheap": "price < 100, perhaps"}
    assert (feed.owners, feed.extra) == (("team:a", "team:b"), "store")
    assert column(feed, "price").required_when[0].values == ("sold", "lent")
    assert column(feed, "kind").match == "[a-z]{1,9}[a-z]"
    assert feed.dialect.encodings == ("utf-8", "iso-8859-1")
    assert "keeps a large table fast" not in found.draft.text()
    wide = drafted(tmp_path, numbered(",".join(["@"] * 131)), "width=131")
    assert (wide.feed.dialect.width, wide.feed.dialect.header, len(wide.feed.columns)) == (131, False, 131)


@pytest.mark.parametrize(
    ("said", "sentence", "remedy"),
    [
        ("primary_key=a,b", "no name of a column", "`primary_key=[a, b]`"),
        ("primary_key=c", "As it was said, primary_key: c is no column", "a, b"),
        ("trim=true", "a word of a column", "`COLUMN.trim=true`"),
        ("a.delimiter=;", "a word of the feed", "'delimiter=;'"),
        ("roles=time", "values by name", "roles={time: COLUMN}"),
        ("roles={time: a", "is no YAML", ""),
        ("a.nulls=[%, b]", "is no YAML", ""),
        ("width=7", "7 fields", "at"),
        ("zone=Berlin", "'Berlin' is no time zone", "Europe/Berlin"),
        ("primary_kee=a", "neither", "Did you mean primary_key?"),
        ("a.from=x", "not said beforehand", "found out"),
        ("encoding=ebcdic", "'ebcdic' is none of", "cp1252"),
    ],
)
def test_what_is_said_wrongly(tmp_path: Path, said: str, sentence: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        drafted(tmp_path, "a,b\n" + numbered("@,2026-01-01 10:00:@"), said)
    assert sentence in caught.value.message
    assert remedy in caught.value.remedy
    assert "line " not in str(caught.value)


def test_large_files_are_read_at_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "WHOLE_BYTES", 1 << 20)
    monkeypatch.setattr(samples, "_BEGINNING_BYTES", 1 << 14)
    monkeypatch.setattr(samples, "_PLACE_BYTES", 1 << 10)
    file = tmp_path / "large.csv"
    rows = [f"{n},{n}.50,2026-01-01\n" for n in range(80_000)]
    rows[60_123] = "60123,unknown,2026-01-01\n"
    file.write_text("id,amount,day\n" + "".join(rows))
    found = draft_feed([file], "seen", SaidWords())
    assert (found.whole, types(found.feed)["amount"], found.feed.identity) == (
        False,
        "numeric(12,2)",
        "content",
    )
    assert found.rows < 10_000
    assert "--prove" in found.draft.text()
    proved = proven(draft_feed([file], "seen", SaidWords(), prove=True), [file])
    assert (proved.rows, types(proved.feed)["amount"]) == (80_000, "text null")


def test_places_within_texts_of_several_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "WHOLE_BYTES", 1 << 18)
    monkeypatch.setattr(samples, "_BEGINNING_BYTES", 1 << 14)
    monkeypatch.setattr(samples, "_PLACE_BYTES", 1 << 12)
    message = '"veio ""amassado"",\nlinha, com, vírgulas, quatro\n\n5, boa"'
    file = tmp_path / "reviews.csv"
    file.write_text("id,score,message,day\n" + "".join(f"{n},5,{message},2018-01-02\n" for n in range(9_000)))
    found = draft_feed([file], "seen", SaidWords())
    assert (found.whole, found.unsplit) == (False, {})
    assert types(found.feed) == {"id": "bigint", "score": "integer", "message": "text", "day": "date"}
    proven(draft_feed([file], "seen", SaidWords(), prove=True), [file])


# -- random tables -------------------------------------------------------------------------------

_CELLS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=True).map(str),
    st.decimals(-1000, 1000, places=2).map(str),
    st.dates().map(str),
    st.datetimes().map(lambda moment: moment.isoformat(" ", "seconds")),
    st.uuids().map(str),
    st.sampled_from(["", "NA", "true", "no", "0", "007", "1.234,50", "$ 5", "13/02/2020", "{}", "\\N"]),
    st.text(st.sampled_from(string.ascii_letters + "0123456789 ,;|\t\"'\\\n.:-/éß€"), max_size=12),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[list[str]]]:
    """A text by csv.writer in some dialect, and its rows."""
    width = draw(st.integers(1, 5))
    # Columns are mostly of one kind.
    kinds = [draw(st.sampled_from([_CELLS, *_CELLS.original_strategies])) for _ in range(width)]
    rows = draw(st.lists(st.tuples(*kinds).map(list), min_size=1, max_size=12))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    doubled = draw(st.booleans())
    written = io.StringIO()
    writer = csv.writer(
        written,
        delimiter=draw(st.sampled_from(",;|\t")),
        quotechar=draw(st.sampled_from("\"'")),
        quoting=quoting,
        doublequote=doubled,
        escapechar=None if doubled else "\\",
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    writer.writerows([[f"name_{n}" for n in range(width)], *rows])
    return written.getvalue(), rows


@given(table=tables())
@examples(150, suppress_health_check=[HealthCheck.too_slow])
def test_any_table_loads(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[str, list[list[str]]]
) -> None:
    text, _ = table
    folder = tmp_path_factory.mktemp("table")
    try:
        drafted(folder, text)
    except UndecidedError as error:
        # Either answer will do.
        answers = [answers[0] for _, answers in error.questions]
        drafted(folder, text, *answers)


_LINES = st.lists(st.text(st.sampled_from("ab01,;|\t\"'\\ .-/:\r\n{}é\0"), max_size=16), max_size=12)


@given(content=st.one_of(st.binary(max_size=200), _LINES.map(lambda lines: "\n".join(lines).encode())))
@examples(150)
def test_any_bytes_are_a_feed_or_are_said_to_be_none(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    with contextlib.suppress(EcomError):
        drafted(tmp_path_factory.mktemp("bytes"), content)
