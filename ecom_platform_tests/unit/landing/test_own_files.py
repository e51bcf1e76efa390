"""Whose files are whose, told from the ledger of a real database."""

from __future__ import annotations

from ecom_platform.landing.folder.folder_lookout import FolderLookout
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.own_files import OwnFiles
from ecom_platform.store.connection import Database
from ecom_platform_tests.landing import Landing, csv_file, line


def drop(zone: LandingZone, name: str) -> None:
    (zone.landing / name).write_bytes(csv_file(line()))


def watched(database: Database, zone: LandingZone, produced: tuple[str, ...] = ()) -> OwnFiles:
    with database.open() as connection:
        return OwnFiles(connection, FolderLookout(database, zone, 0.0, {}), produced)


def unfinished(own: OwnFiles, database: Database) -> int:
    with database.open() as connection:
        return own.look(connection)


def test_what_lies_there_is_ours_until_it_is_loaded(database: Database, zone: LandingZone) -> None:
    other = Landing(database, zone)
    drop(zone, "claimed.csv")
    claimed = other.take()
    drop(zone, "waiting.csv")
    own = watched(database, zone)
    assert unfinished(own, database) == 2
    waiting = other.take()
    drop(zone, "later.csv")
    later = other.take()
    assert unfinished(own, database) == 2
    other.load(claimed)
    assert unfinished(own, database) == 1
    other.load([*waiting, *later])
    assert unfinished(own, database) == 0
    assert own.file_ids == {claimed[0].file_id, waiting[0].file_id}


def test_a_name_that_lands_again_is_told_apart(database: Database, zone: LandingZone) -> None:
    other = Landing(database, zone)
    drop(zone, "a.csv")
    other.ingest()
    drop(zone, "a.csv")
    own = watched(database, zone)
    assert unfinished(own, database) == 1
    (second,) = other.take()
    drop(zone, "a.csv")
    other.take()
    other.load([second])
    assert unfinished(own, database) == 0
    assert own.file_ids == {second.file_id}


def test_what_this_run_has_produced_is_ours_though_it_was_loaded_before(
    database: Database, zone: LandingZone
) -> None:
    other = Landing(database, zone)
    drop(zone, "mine.csv")
    drop(zone, "other.csv")
    loaded = {file.name: file.file_id for file in other.take()}
    other.load(other.take())
    own = watched(database, zone, ("mine.csv",))
    unfinished(own, database)
    assert loaded["mine.csv"] in own.file_ids


def test_a_file_that_somebody_takes_away_is_not_waited_for(database: Database, zone: LandingZone) -> None:
    drop(zone, "a.csv")
    own = watched(database, zone)
    assert unfinished(own, database) == 1
    (zone.landing / "a.csv").unlink()
    assert unfinished(own, database) == 0
    assert own.file_ids == frozenset()


def test_files_that_are_still_being_written_can_be_left(database: Database, zone: LandingZone) -> None:
    with database.open() as connection:
        drop(zone, "a.csv")
        own = OwnFiles(connection, FolderLookout(database, zone, 3_600.0, {}))
        assert own.look(connection) == 1
        assert own.leave_unsettled() == ("a.csv",)
        assert own.look(connection) == 0
