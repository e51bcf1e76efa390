"""Claiming, and putting right what an interruption left behind. Real PostgreSQL."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecom_platform.errors import StorageError
from ecom_platform.landing.folder.claim import claim, recover
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.kept_names import REASON_SUFFIX
from ecom_platform.landing.landed import LandedFile
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database


def drop(zone: LandingZone, name: str, text: str = "x") -> LandedFile:
    (zone.landing / name).write_text(text)
    return look(zone.landing).files[name]


def claimed(database: Database) -> list[ledger.ClaimedFile]:
    with database.open() as connection:
        return ledger.claimed(connection)


def test_a_claim_is_a_ledger_row_and_a_rename(database: Database, zone: LandingZone) -> None:
    files = [drop(zone, "a.csv", "aa"), drop(zone, "b.csv", "bbb")]
    first, second = claim(database, zone, files)
    assert claimed(database) == [
        ledger.ClaimedFile(first, "a.csv", 2),
        ledger.ClaimedFile(second, "b.csv", 3),
    ]
    assert (zone.claimed / f"{first}-a.csv").read_text() == "aa"
    assert look(zone.landing).files == {}


def test_the_same_name_again_is_another_file(database: Database, zone: LandingZone) -> None:
    first = claim(database, zone, [drop(zone, "a.csv", "1")])
    second = claim(database, zone, [drop(zone, "a.csv", "2")])
    assert first != second
    assert {path.read_text() for path in zone.claimed.iterdir()} == {"1", "2"}


def test_a_file_that_is_gone_leaves_no_row(database: Database, zone: LandingZone) -> None:
    file = drop(zone, "a.csv")
    (zone.landing / "a.csv").unlink()
    assert claim(database, zone, [file]) == []
    assert claimed(database) == []


def test_killed_between_row_and_rename(database: Database, zone: LandingZone) -> None:
    file = drop(zone, "a.csv")
    with database.transaction() as connection:
        (file_id,) = ledger.register(connection, [file.name], [file.size], [file.landed_at])
    recovery = recover(database, zone)
    assert (recovery.renamed, recovery.missing) == (1, 0)
    assert (zone.claimed / f"{file_id}-a.csv").is_file()


def test_killed_between_row_and_rename_and_the_file_was_deleted(
    database: Database, zone: LandingZone
) -> None:
    with database.transaction() as connection:
        (file_id,) = ledger.register(connection, ["a.csv"], [1], [datetime.now(UTC)])
    assert recover(database, zone).missing == 1
    with database.open() as connection:
        state = ledger.states(connection, [file_id])[file_id]
    assert state.state == ledger.QUARANTINED
    assert "missing" in (state.reason or "")


def finish(database: Database, file_id: int, state: str) -> None:
    with database.transaction() as connection:
        connection.execute(
            "UPDATE ingested_files SET state = %s, reason = %s, sha256 = repeat('0', 64),"
            " finished_at = '2026-01-02 03:04:05+00' WHERE file_id = %s",
            (state, "wrong_header: x" if state == ledger.QUARANTINED else None, file_id),
        )


@pytest.mark.parametrize("state", [ledger.LOADED, ledger.QUARANTINED])
def test_killed_between_commit_and_move(database: Database, zone: LandingZone, state: str) -> None:
    (file_id,) = claim(database, zone, [drop(zone, "a.csv", "text")])
    finish(database, file_id, state)
    recovery = recover(database, zone)
    assert recovery.archived + recovery.quarantined == 1
    target = (
        zone.archive / "2026-01-02" / f"{file_id}-a.csv"
        if state == ledger.LOADED
        else zone.quarantine / f"{file_id}-a.csv"
    )
    assert target.read_text() == "text"
    assert list(zone.claimed.iterdir()) == []
    if state == ledger.QUARANTINED:
        assert "wrong_header" in target.with_name(target.name + REASON_SUFFIX).read_text()


def test_a_claimed_file_the_ledger_does_not_know_is_reported_and_kept(
    database: Database, zone: LandingZone
) -> None:
    stranger = zone.claimed / "0-a.csv"
    stranger.write_text("x")
    claim(database, zone, [drop(zone, "b.csv")])
    assert recover(database, zone).unknown == ("0-a.csv",)
    assert stranger.is_file()


@pytest.mark.parametrize("folder", ["claimed", "archive/2026-01-01"])
def test_numbers_that_the_disk_has_are_passed_over(
    database: Database, zone: LandingZone, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = zone.claimed.parent / folder / "77-a.csv"
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text("x")
    (zone.archive / "notes.txt").touch()
    claim(database, zone, [drop(zone, "b.csv")])
    recover(database, zone)
    assert "77-a.csv is not in the ledger" in caplog.text
    assert "`ecom reconcile`" in caplog.text
    assert stranger.is_file()
    (file_id,) = claim(database, zone, [drop(zone, "c.csv")])
    assert file_id > 77


@pytest.mark.parametrize("folder", ["claimed", "quarantine"])
def test_a_claim_replaces_no_file(database: Database, zone: LandingZone, folder: str) -> None:
    stranger = zone.claimed.parent / folder / "1-a.csv"
    stranger.write_text("another")
    with pytest.raises(StorageError, match=r"1-a\.csv .*`ecom reconcile`"):
        claim(database, zone, [drop(zone, "a.csv")])
    assert stranger.read_text() == "another"
    assert (zone.landing / "a.csv").is_file()
    assert claimed(database) == []


def test_a_restored_ledger_may_know_the_number_under_another_name(
    database: Database, zone: LandingZone
) -> None:
    (file_id,) = claim(database, zone, [drop(zone, "new.csv")])
    finish(database, file_id, ledger.LOADED)
    (zone.claimed / f"{file_id}-new.csv").rename(zone.claimed / f"{file_id}-old.csv")
    assert recover(database, zone).unknown == (f"{file_id}-old.csv",)
    assert (zone.claimed / f"{file_id}-old.csv").is_file()


def test_a_claimed_file_that_we_may_not_read_does_not_stop_the_others(
    database: Database, zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = claim(database, zone, [drop(zone, "a.csv"), drop(zone, "b.csv")])
    readable = os.access
    monkeypatch.setattr(os, "access", lambda path, *rest, **_: "b.csv" in str(path) and readable(path, *rest))
    assert recover(database, zone).quarantined == 1
    assert [file.file_id for file in claimed(database)] == [second]
    with database.open() as connection:
        state = ledger.states(connection, [first])[first]
    assert "not readable" in (state.reason or "")
    assert zone.path_of(state).is_file()


def test_ten_thousand_files(database: Database, zone: LandingZone) -> None:
    for number in range(10_000):
        (zone.landing / f"{number}.csv").touch()
    files = list(look(zone.landing).files.values())
    assert len(claim(database, zone, files)) == 10_000
    assert sum(1 for _ in zone.claimed.iterdir()) == 10_000
    assert not Path(zone.landing / "0.csv").exists()


def test_the_ledger_row_is_committed_before_the_file_is_renamed(
    database: Database, zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two, a file in the claimed folder without a row would be nobody's."""
    seen: list[list[str]] = []
    rename = Path.rename

    def watched(path: Path, target: Path) -> Path:
        # Another connection sees what a crash now would leave.
        seen.append([file.name for file in claimed(database)])
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", watched)
    claim(database, zone, [drop(zone, "a.csv"), drop(zone, "b.csv")])
    assert seen == [["a.csv", "b.csv"]] * 2
