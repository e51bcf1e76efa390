"""`ecom feeds plan|apply|rebuild|rename|remove` and `ecom unload` on a terminal: words and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ecom_platform.catalog import catalog
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.settings import load_settings
from ecom_platform.store.connection import Database
from ecom_platform.store.lock import IngestLock
from ecom_platform.streaming.ingest import ingest
from ecom_platform_tests.integration.test_feeds import Platform
from ecom_platform_tests.unit.cli.test_feeds import Terminal

VISITS = "columns: {at: timestamptz, page: text, seconds: integer}\nidentity: content\n"
ROWS = b"at,page,seconds\n2026-01-02 10:00:00,home,5\n2026-01-02 10:00:01,end,x\n"


@pytest.fixture
def terminal(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Terminal:
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    for name, value in (("ECOM_POSTGRES_URL", database.url), ("ECOM_HOME", str(tmp_path / "home"))):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ECOM_LOCK_WAIT_SECONDS", "1")
    (tmp_path / "feeds").mkdir()
    return terminal


def declare(terminal: Terminal, text: str) -> None:
    terminal.write("feeds/visits.yaml", text)


def load(database: Database, **contents: bytes) -> None:
    settings = load_settings()
    zone = LandingZone.of(settings)
    zone.prepare()
    Platform(database, zone, catalog(settings).feeds["visits"]).load(**contents)


def test_from_the_first_table_to_the_last(terminal: Terminal, database: Database) -> None:
    declare(terminal, VISITS)
    assert terminal.ecom("feeds", "plan", "visits")[:2] == (
        1,
        'visits\n    makes      table: "visits" is not there yet\n',
    )
    assert terminal.ecom("feeds", "apply")[0] == 0
    assert terminal.ecom("feeds", "plan")[:2] == (0, "user_events: nothing to do\nvisits: nothing to do\n")
    load(database, a__csv=ROWS)

    declare(terminal, VISITS.replace("integer", "bigint"))
    code, out, _ = terminal.ecom("feeds", "plan", "visits")
    assert (code, out.splitlines()[1:]) == (
        1,
        ["    rewrites   columns.seconds.type: integer to bigint", "    `ecom feeds apply visits`"],
    )
    assert terminal.as_json("feeds", "apply", "visits")[0] == 0

    declare(terminal, VISITS.replace("at: timestamptz", "at: {type: timestamptz, zone: Europe/Berlin}"))
    code, found = terminal.as_json("feeds", "plan")
    assert (code, found["success"]) == (1, False)
    assert [change["kind"] for change in found["feeds"][1]["changes"]] == ["loses", "loses"]
    code, found = terminal.as_json("feeds", "apply")
    assert (code, found["feeds"][1]["error"]["code"]) == (1, "feed")
    code, found = terminal.as_json("feeds", "rebuild", "visits")
    counts = {"read": 2, "inserted": 1, "updated": 0, "stale": 0, "duplicate": 0, "rejected": 1}
    assert (code, found["rows"]) == (0, counts)
    assert terminal.ecom("feeds", "plan")[0] == 0

    code, out, _ = terminal.ecom("unload", "visits/a.csv")
    assert code == 0
    assert out.startswith("visits: 1 rows and 1 rejects are out.\n    visits/a.csv (file 1): ")
    assert terminal.as_json("unload", "visits/a.csv")[0] == 2

    code, found = terminal.as_json("feeds", "rename", "visits", "views")
    assert (code, found["table"]) == (0, "views")
    code, found = terminal.as_json("feeds", "remove", "views")
    assert (code, found["removed"], found["error"]["code"]) == (2, False, "usage")
    assert terminal.ecom("feeds", "remove", "views", "--yes")[0] == 0
    assert terminal.ecom("feeds", "plan")[:2] == (0, "user_events: nothing to do\n")


@pytest.mark.parametrize(
    "command",
    [
        ("feeds", "plan", "others"),
        ("feeds", "apply", "others"),
        ("feeds", "rebuild", "others"),
        ("feeds", "rename", "others", "more"),
        ("feeds", "remove", "others"),
        ("feeds", "remove", "user_events"),
        ("unload", "others.csv"),
        ("unload",),
    ],
)
def test_what_there_is_not(terminal: Terminal, command: tuple[str, ...]) -> None:
    code, found = terminal.as_json(*command)
    assert (code, found["error"]["code"]) == (2, "usage")


def test_rows_are_lost_by_nothing_but_ones_word(terminal: Terminal, database: Database) -> None:
    declare(terminal, VISITS)
    load(database, a__csv=ROWS)
    code, out, _ = terminal.ecom("feeds", "remove", "visits", "--yes")
    assert code == 2
    assert "the table public.visits with 1 rows, the ledger of 1 files and 1 rejects" in out
    assert "`ecom feeds remove visits --drop-table --yes`" in out
    assert terminal.ecom("feeds", "plan")[0] == 0


def test_a_load_that_has_waited_looks_again_at_declarations(
    terminal: Terminal, database: Database, tmp_path: Path
) -> None:
    """Whoever had the lock may have made a table anew: nothing is loaded into it by the old declaration."""
    declare(terminal, VISITS)
    load(database, a__csv=ROWS)
    settings = load_settings()
    (settings.landing_dir / "visits" / "b.csv").write_bytes(ROWS)
    other = IngestLock(database)
    assert other.try_take()

    def waits(who: str) -> None:
        declare(terminal, VISITS.replace("at: timestamptz", "at: {type: timestamptz, zone: Europe/Berlin}"))
        other.__exit__()

    def no_session() -> SparkSession:
        raise AssertionError("there is nothing to load")

    result = ingest(settings, database, no_session, "run", on_wait=waits)
    assert "ecom feeds rebuild visits" in result.unready["visits"]
    assert (settings.landing_dir / "visits" / "b.csv").exists()
    assert result.totals.files == 0
