"""`ecom feeds`: what is written, printed and refused, and with which exit code."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecom_platform.cli import app
from ecom_platform.feeds.component_file import read_component_file
from ecom_platform.processes import output

DOCS = Path(__file__).parents[3] / "docs"


class Terminal:
    """Commands in a folder of their own, each as if in a process of its own."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)
        monkeypatch.setattr(app, "require_own_environment", lambda program: None)
        for name in ("ECOM_HOME", "ECOM_LANDING_DIR", "ECOM_FEEDS_DIR", "ECOM_POSTGRES_URL"):
            monkeypatch.delenv(name, raising=False)

    def ecom(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["ecom", *arguments])
        self._monkeypatch.setattr(output, "_printed", False)
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main()
        said = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    def as_json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = self.ecom(*arguments, "--json")
        found: dict[str, Any] = json.loads(out)
        return code, found

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, monkeypatch, capsys)


VISITS = "time,page,visitor,price\n2026-11-02 08:00:01,home,17,\n2026-11-02 08:00:04,cart,17,12.50\n"


def test_init_writes_what_check_accepts(terminal: Terminal) -> None:
    terminal.write("My Visits.csv", VISITS)
    code, out, err = terminal.ecom("feeds", "init", "My Visits.csv")
    assert (code, out) == (0, "")
    assert "2 rows, 4 columns" in err
    assert "ecom ingest --feed my_visits 'My Visits.csv'" in err
    declared = (terminal.folder / "feeds" / "my_visits.yaml").read_text()
    assert 'price: {type: "numeric(12,2) null"}' in declared
    code, found = terminal.as_json("feeds", "check", "my_visits", "My Visits.csv")
    assert (code, found["success"]) == (0, True)
    assert found["files"][0] == {
        "file": "My Visits.csv",
        "read": 2,
        "loaded": 2,
        "repeated": 0,
        "rejected": 0,
        "refused": [],
    }


def test_init_as_json(terminal: Terminal) -> None:
    terminal.write("visits.csv", VISITS)
    code, found = terminal.as_json("feeds", "init", "visits.csv", "--name", "seen", "--set", "page.about=x")
    assert code == 0
    assert (found["feed"], found["declaration"]) == ("seen", "feeds/seen.yaml")
    assert [(c["name"], c["type"], c["null"]) for c in found["columns"]] == [
        ("time", "timestamptz", False),
        ("page", "text", False),
        ("visitor", "integer", False),
        ("price", "numeric(12,2)", True),
    ]
    assert found["next"] == ["ecom ingest --feed seen visits.csv"]


class TestComponent:
    """`init --component`: a folder among the definitions of another Dagster project."""

    def init(self, terminal: Terminal, file: str, folder: str, *more: str) -> tuple[int, dict[str, Any]]:
        return terminal.as_json("feeds", "init", file, "--component", folder, *more)

    def test_the_folder_is_written(self, terminal: Terminal) -> None:
        terminal.write("visits.csv", VISITS)
        code, found = self.init(terminal, "visits.csv", "src/shop/defs/web")
        assert (code, found["declaration"]) == (0, "src/shop/defs/web/feeds/visits.yaml")
        assert found["next"] == ["ECOM_FEEDS_DIR=src/shop/defs ecom ingest --feed visits visits.csv"]
        written = (terminal.folder / "src/shop/defs/web/defs.yaml").read_text()
        assert written == "type: ecom_platform.components.FeedComponent\n\nattributes:\n  feeds: feeds\n"
        assert not (terminal.folder / "feeds").exists()
        assert read_component_file(written, "defs.yaml")[0].folder == "feeds"

    def test_ecom_knows_it_then(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal.write("visits.csv", VISITS)
        self.init(terminal, "visits.csv", "defs/web")
        monkeypatch.setenv("ECOM_FEEDS_DIR", "defs")
        _, found = terminal.as_json("feeds", "list")
        assert [feed["name"] for feed in found["feeds"]] == ["user_events", "visits"]
        assert found["feeds"][1]["file"].endswith("defs/web/feeds/visits.yaml")
        assert terminal.as_json("feeds", "check", "visits", "visits.csv")[0] == 0

    def test_another_into_the_same_folder(self, terminal: Terminal) -> None:
        terminal.write("visits.csv", VISITS)
        (terminal.folder / "defs/web").mkdir(parents=True)
        own = "type: ecom_platform.components.FeedComponent\nattributes: {feeds: mine}  # my own\n"
        file = terminal.write("defs/web/defs.yaml", own)
        assert self.init(terminal, "visits.csv", "defs/web")[1]["declaration"] == "defs/web/mine/visits.yaml"
        assert self.init(terminal, "visits.csv", "defs/web", "--name", "seen")[0] == 0
        assert file.read_text() == own

    @pytest.mark.parametrize(
        "theirs", ["type: shop.Other\n", "type: ecom_platform.components.FeedComponent\n"]
    )
    def test_nothing_is_replaced(self, terminal: Terminal, theirs: str) -> None:
        terminal.write("visits.csv", VISITS)
        (terminal.folder / "defs/web").mkdir(parents=True)
        file = terminal.write("defs/web/defs.yaml", theirs)
        code, found = self.init(terminal, "visits.csv", "defs/web")
        assert (code, file.read_text()) == (2, theirs)
        assert "names no folder of feeds" in found["error"]["message"]
        assert [path.name for path in file.parent.iterdir()] == ["defs.yaml"]

    def test_a_name_that_another_component_has(self, terminal: Terminal) -> None:
        terminal.write("visits.csv", VISITS)
        self.init(terminal, "visits.csv", "src/defs/web")
        code, found = self.init(terminal, "visits.csv", "src/defs/shop/more")
        assert code == 2
        assert "src/defs/web/feeds/visits.yaml" in found["error"]["message"]
        assert not (terminal.folder / "src/defs/shop").exists()

    def test_what_cannot_be_drafted_writes_nothing(self, terminal: Terminal) -> None:
        terminal.write("a.csv", "n,at\n1,01/02/2024\n")
        assert self.init(terminal, "a.csv", "defs/web")[0] == 2
        assert not (terminal.folder / "defs").exists()

    @pytest.mark.parametrize("command", [("rename", "visits", "views"), ("remove", "visits")])
    def test_one_that_has_no_file_of_its_own(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
    ) -> None:
        (terminal.folder / "defs/web").mkdir(parents=True)
        said = "attributes: {name: visits, columns: {page: text}, identity: content}\n"
        terminal.write("defs/web/defs.yaml", f"type: ecom_platform.components.FeedComponent\n{said}")
        monkeypatch.setenv("ECOM_FEEDS_DIR", "defs")
        code, found = terminal.as_json("feeds", *command)
        assert code == 2
        assert "defs/web/defs.yaml, with what else stands there" in found["error"]["message"]


def test_a_declaration_is_never_replaced(terminal: Terminal) -> None:
    terminal.write("visits.csv", VISITS)
    (terminal.folder / "feeds").mkdir()
    own = terminal.write("feeds/visits.yml", "columns: {a: text}\nidentity: content\n")
    code, found = terminal.as_json("feeds", "init", "visits.csv")
    assert (code, found["error"]["code"]) == (2, "usage")
    assert [path.name for path in (terminal.folder / "feeds").iterdir()] == ["visits.yml"]
    assert own.read_text().startswith("columns: {a: text}")


@pytest.mark.parametrize(
    ("name", "content", "arguments", "code"),
    [
        ("a.csv", "n,at\n1,01/02/2024\n", (), 2),
        ("a.csv", "n;at\n1;1.234\n", (), 2),
        ("a.csv", VISITS, ("--name", "Not Good"), 2),
        ("a.csv", VISITS, ("--name", "user_events"), 2),
        ("a.csv", VISITS, ("--set", "nothing.type=text"), 2),
        ("a.csv", "", (), 1),
        ("a.csv", "\n\n", (), 1),
        ("a.json", '[{"a": 1}]\n', (), 1),
        ("a.csv", "PK\x03\x04 a.csv", (), 1),
        ("a.csv", "<html></html>", (), 1),
        ("a.csv", VISITS, ("--set", "primary_key=a,b"), 2),
    ],
)
def test_nothing_is_written(
    terminal: Terminal, name: str, content: str, arguments: tuple[str, ...], code: int
) -> None:
    terminal.write(name, content)
    ended, found = terminal.as_json("feeds", "init", name, *arguments)
    assert (ended, found["success"]) == (code, False)
    assert found["error"]["message"]
    assert found["error"]["remedy"]
    assert not (terminal.folder / "feeds").exists()


def test_init_groups_what_is_never_filled_and_breaks_no_names(terminal: Terminal) -> None:
    names = ["order_number", "order_estimated_delivery_date", *(f"extra_{n}" for n in range(40))]
    rows = "".join(f"{n},2026-01-01{',' * 40}\n" for n in range(1_001, 1_005))
    terminal.write("orders_2026-11-25.csv", ",".join(names) + "\n" + rows)
    code, _, err = terminal.ecom("feeds", "init", "orders_2026-11-25.csv")
    assert (code, (terminal.folder / "feeds" / "orders_2026_11_25.yaml").exists()) == (0, True)
    assert "- never filled, so text null: extra_0, extra_1, " in err
    assert err.count("extra_7") == 1
    assert "order_estimated_delivery_date  date" in err
    assert "only 4 rows were read" in err
    assert 'text for codes (order_number), and " null" for what may be empty one day' in err
    code, found = terminal.as_json("feeds", "init", "orders_2026-11-25.csv", "--name", "second")
    assert (code, len(found["columns"])) == (0, 42)


def test_list_breaks_no_names(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (terminal.folder / "feeds").mkdir()
    name = "a_feed_whose_name_is_forty_characters_yes"
    text = "table: sales_reports.orders_of_the_year\ncolumns: {the_number_of_it: text}\n"
    text += "primary_key: the_number_of_it\n"
    terminal.write(f"feeds/{name}.yaml", text)
    code, out, _ = terminal.ecom("feeds", "list")
    assert code == 0
    assert f"{name}\n    table: sales_reports.orders_of_the_year\n    known by: the_number_of_it\n" in out
    assert f"    declared in: feeds/{name}.yaml\n" in out
    (terminal.folder / "feeds" / f"{name}.yaml").unlink()
    _, out, _ = terminal.ecom("feeds", "list")
    assert out.splitlines()[0].split() == ["feed", "table", "known", "by", "declared", "in", "state"]
    assert out.splitlines()[1].split() == [
        "user_events",
        "user_events",
        "event_id",
        "ecom",
        "itself",
        "declared",
    ]


def test_usage(terminal: Terminal) -> None:
    assert terminal.ecom("feeds", "init", "missing.csv")[0] == 2
    terminal.write("a.csv", VISITS)
    code, found = terminal.as_json("feeds", "check", "unknown", "a.csv")
    assert (code, found["error"]["code"]) == (2, "usage")


def test_check_of_other_formats_says_what_is_wrong(terminal: Terminal) -> None:
    (terminal.folder / "feeds").mkdir()
    terminal.write(
        "feeds/lines.yaml", "format: jsonl\ncolumns: {a: {from: x.a, type: bigint}}\nprimary_key: a\n"
    )
    terminal.write("feeds/typed.yaml", "format: parquet\ncolumns: {a: date}\nprimary_key: a\n")
    terminal.write("a.jsonl", '{"x":{"a":1}}\n{"x":7}\n{"x":{}}\nno\n')
    terminal.write("b.json", '[{"x":{"a":1}}]\n')
    pq.write_table(pa.table({"a": [1]}), terminal.folder / "c.parquet")
    code, found = terminal.as_json("feeds", "check", "lines", "a.jsonl")
    (file,) = found["files"]
    assert (code, file["read"], file["loaded"]) == (1, 4, 1)
    assert [(kind["reason"], kind["column"], kind["lines"]) for kind in file["refused"]] == [
        ("not_an_object", "a", [2]),
        ("missing_key", "a", [3]),
        ("invalid_json", None, [4]),
    ]
    _, found = terminal.as_json("feeds", "check", "lines", "b.json")
    assert found["files"][0]["error"]["message"] == "It is JSON."
    assert "jq -c" in found["files"][0]["error"]["remedy"]
    _, found = terminal.as_json("feeds", "check", "typed", "c.parquet")
    assert (
        "the column a is of the type int64, and date takes none of it"
        in found["files"][0]["error"]["message"]
    )


def test_check_says_what_is_refused_and_why(terminal: Terminal) -> None:
    (terminal.folder / "feeds").mkdir()
    terminal.write("feeds/seen.yaml", "columns: {id: bigint, note: text}\nprimary_key: id\n")
    terminal.write("a.csv", "id,note\n1,x\n1,x\nx,y\nz,y\n2\n")
    code, found = terminal.as_json("feeds", "check", "seen", "a.csv")
    file = found["files"][0]
    assert (code, file["read"], file["loaded"], file["repeated"], file["rejected"]) == (1, 5, 1, 1, 3)
    assert [(k["reason"], k["column"], k["rows"], k["lines"]) for k in file["refused"]] == [
        ("not_an_integer", "id", 2, [4, 5]),
        ("missing_fields", None, 1, [6]),
    ]
    code, out, _ = terminal.ecom("feeds", "check", "seen", "a.csv")
    assert code == 1
    assert "2  not_an_integer, lines 4, 5: id 'x' is no bigint\n" in out
    assert "1  missing_fields, line 6: The record has fewer fields than the file has columns.\n" in out
    assert file["refused"][0]["value"] == "x"
    assert file["refused"][1]["value"] is None
    terminal.write("b.csv", "id,other\n1,x\n")
    terminal.write("c.csv", "<html><body>Please log in</body></html>")
    code, found = terminal.as_json("feeds", "check", "seen", "b.csv", "c.csv")
    assert code == 1
    assert "note missing" in found["files"][0]["error"]["message"]
    assert "HTML" in found["files"][1]["error"]["message"]


def test_check_shows_values_and_what_was_expected(terminal: Terminal) -> None:
    (terminal.folder / "feeds").mkdir()
    terminal.write(
        "feeds/seen.yaml",
        "delimiter: semicolon\ndecimal: comma\n"
        "columns: {note: text, day: date, total: 'numeric(12,2)', kind: {type: text, match: 'a+'}}\n"
        "identity: content\n",
    )
    long = "n" * 100
    rows = [
        f"{long};2017-10-18 00:00:00;1,00;a",
        f"{long};2017-10-18;12.00;a",
        f"{long};2017-10-18;1,00;b\x1b[2J{'c' * 300}",
    ]
    terminal.write("a.csv", "note;day;total;kind\n" + "\n".join(rows) + "\n")
    code, out, _ = terminal.ecom("feeds", "check", "seen", "a.csv")
    assert code == 1
    assert "line 2: day '2017-10-18 00:00:00' is no date as iso (2026-01-31)\n" in out
    assert "total '12.00' is no numeric(12,2): the decimal mark is a comma, and none stands between" in out
    assert f"kind 'b\\x1b[2J{'c' * 55}…' does not match a+\n" in out
    assert long not in out
    _, found = terminal.as_json("feeds", "check", "seen", "a.csv")
    assert found["files"][0]["refused"][0]["value"] == "2017-10-18 00:00:00"
    assert len(found["files"][0]["refused"][2]["value"]) == 200


def test_check_says_what_is_wrong_with_a_header_in_whole_sentences(terminal: Terminal) -> None:
    (terminal.folder / "feeds").mkdir()
    terminal.write("feeds/seen.yaml", "columns: {id: bigint, note: text}\nprimary_key: id\n")
    terminal.write("a.csv", "id;note\n1;x\n")
    terminal.write("b.csv", "17,34\n18,35\n")
    terminal.write("c.csv", "id,note,other\n1,x,y\n")
    code, out, _ = terminal.ecom("feeds", "check", "seen", "a.csv", "b.csv", "c.csv")
    assert code == 1
    assert "it is separated by ';', the feed by ','. Correct the file" in out
    assert "by the look of it: is it missing? Correct the file" in out
    assert "other not declared. Correct the file" in out


def test_list(terminal: Terminal) -> None:
    code, found = terminal.as_json("feeds", "list")
    assert (code, [feed["name"] for feed in found["feeds"]]) == (0, ["user_events"])
    (terminal.folder / "feeds").mkdir()
    terminal.write(
        "feeds/seen.yaml", "table: shop.visits\ncolumns: {id: bigint}\nprimary_key: id\nnumbered: true\n"
    )
    terminal.write("feeds/wrong.yaml", "columns: {id: bigger}\nidentity: content\n")
    code, found = terminal.as_json("feeds", "list")
    assert (code, found["success"]) == (1, False)
    seen, _, wrong = found["feeds"]
    assert {key: seen[key] for key in ("table", "identity", "file", "state")} == {
        "table": "shop.visits",
        "identity": "id, numbered",
        "file": "feeds/seen.yaml",
        "state": "declared",
    }
    assert (wrong["state"], wrong["table"]) == ("broken", None)
    assert "bigger" in wrong["problem"]["message"]
    code, out, _ = terminal.ecom("feeds", "list")
    assert code == 1
    assert "bigger" in out


def test_your_own_csv_as_it_is_written(terminal: Terminal) -> None:
    """The files and commands of the guide, up to the ingest; and what it shows is what is printed."""
    text = (DOCS / "your-own-csv.md").read_text("utf-8")
    steps = re.findall(r"```(csv|sh)(?: ([\w.-]+))?\n(.*?)```", text, re.DOTALL)
    ran = []
    for kind, name, content in steps:
        if kind == "csv":
            terminal.write(name, content)
            continue
        for line in content.splitlines():
            command = shlex.split(line, comments=True)
            if command[:2] == ["ecom", "feeds"]:
                expected = re.search(r"# exit code (\d)", line)
                code, out, err = terminal.ecom(*command[1:])
                assert code == int(expected[1] if expected else 0), (line, out, err)
                ran.append(command[2])
            elif command[:3] == ["ecom", "ingest", "--feed"]:
                assert (terminal.folder / command[4]).is_file()
                ran.append(f"{command[1]} {command[3]}")
    assert {"init", "check", "list", "ingest orders"} <= set(ran)
    written = (terminal.folder / "feeds" / "orders.yaml").read_text()
    shown = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    assert written == shown[1]
