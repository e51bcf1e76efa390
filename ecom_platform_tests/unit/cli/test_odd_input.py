"""Settings, names and times that nobody expects: one sentence and an exit code, never a trace."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecom_platform.errors import SettingsError, StorageError, UsageError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.trace import trace
from ecom_platform.orchestration.execution import of_storage
from ecom_platform.orchestration.times import utc
from ecom_platform.settings import load_settings, read_environment
from ecom_platform.store.connection import Database


def ecom(*arguments: str | bytes, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ecom_platform", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize(
    "content",
    ["ECOM_HOME=/x\n".encode("utf-16"), b"ECOM_ALERT_URLS=mailto://caf\xe9\n", b"\xff\xfe"],
    ids=["utf-16", "latin-1", "a mark alone"],
)
def test_a_dotenv_that_is_not_utf8(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SettingsError, match="is not UTF-8 text") as caught:
        read_environment(tmp_path)
    assert "caf" not in caught.value.message


def test_a_dotenv_as_windows_saves_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfECOM_HOME=/x\r\nECOM_SETTLE_SECONDS=3\r\n")
    environment = read_environment(tmp_path)
    assert (environment["ECOM_HOME"], environment["ECOM_SETTLE_SECONDS"]) == ("/x", "3")


def test_a_working_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(StorageError, match="working folder cannot be used"):
        load_settings()


def test_a_dagster_home_that_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({"DAGSTER_HOME": "rel"}).dagster_home == tmp_path / "rel"


def test_a_home_that_is_too_long_for_sqlite(tmp_path: Path) -> None:
    long = tmp_path.joinpath(*["x" * 60] * 9)
    with pytest.raises(SettingsError, match=r"^ECOM_HOME is too long"):
        load_settings({"ECOM_HOME": str(long)})
    with pytest.raises(SettingsError, match=r"^DAGSTER_HOME is too long"):
        load_settings({"ECOM_HOME": str(tmp_path), "DAGSTER_HOME": str(long)})
    assert load_settings({"ECOM_HOME": str(long), "DAGSTER_HOME": str(tmp_path)}).home == long


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00+14:00"])
def test_the_ends_of_the_calendar(text: str) -> None:
    with pytest.raises(UsageError, match="outside the calendar"):
        utc("--since", text)
    assert utc("--since", "9999-12-31") == datetime(9999, 12, 31, tzinfo=UTC)


def test_names_that_no_file_has(database: Database, zone: LandingZone) -> None:
    with database.open() as connection:
        for name in (
            os.fsdecode(b"caf\xe9.csv"),
            "a\nb.csv",
            "\x1b[31m",
            "z" * 5_000,
            "²-a.csv",
            "9" * 40,
            "٣-a",
        ):
            answer = trace(connection, zone, name)
            assert not answer.known
            assert answer.verdict.isprintable()
        for nothing in ("", "/", "."):
            with pytest.raises(UsageError, match="neither the id of a row nor the name of a file"):
                trace(connection, zone, nothing)


def test_a_name_that_begins_with_the_number_of_another_file(database: Database, zone: LandingZone) -> None:
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO ingested_files (file_id, name, size_bytes, landed_at) OVERRIDING SYSTEM VALUE"
            " VALUES (2026, 'other.csv', 1, now()), (7, '2026-11-25.csv', 1, now())"
        )
        for wanted in ("2026-11-25.csv", "7-2026-11-25.csv", "7"):
            (fact,) = trace(connection, zone, wanted).facts
            assert fact["file_id"] == 7
        assert not trace(connection, zone, "2026-missing.csv").known


def test_a_full_disk_and_a_folder_that_was_removed_are_told_as_such(tmp_path: Path) -> None:
    full = of_storage(
        Exception("(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT …]"), tmp_path
    )
    assert full is not None
    assert full.message == f"The disk of {tmp_path} is full."
    gone = of_storage(Exception("(sqlite3.OperationalError) no such table: runs"), tmp_path / "gone")
    assert gone is not None
    assert "was removed" in gone.message
    assert of_storage(ValueError("anything else"), tmp_path) is None


def test_alone_it_prints_its_help(tmp_path: Path) -> None:
    done = ecom(cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ")
    assert "..." not in done.stdout.replace("[OPTIONS] COMMAND [ARGS]...", "")
