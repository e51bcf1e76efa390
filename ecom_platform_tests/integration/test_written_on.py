"""Files whose writers go on after a file had rested: all of it is loaded, and what is kept agrees with the
ledger. Real PostgreSQL, real files, writers that keep their file open."""

from __future__ import annotations

import gzip
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from ecom_platform.landing.folder.archive_check import archive_matches_ledger
from ecom_platform.landing.folder.claim import claim_files, give_back, recover
from ecom_platform.landing.folder.put_away import look_back, put_away
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.oncall.corrections import replay_as_they_are
from ecom_platform.oncall.requeue import reconcile
from ecom_platform.shop.event import COLUMN_NAMES
from ecom_platform.store import audit, ledger
from ecom_platform.store.audit import Finding
from ecom_platform.store.connection import Database
from ecom_platform.store.half_read import no_line_half_read
from ecom_platform.store.outcome import FileOutcome, UnitFile, UnitResult
from ecom_platform.store.sink import load_unit
from ecom_platform_tests.landing import (
    USER_EVENTS,
    USER_EVENTS_TABLE,
    Landing,
    counts,
    csv_file,
    line,
    matches_ledger,
    stored_rows,
)

ROWS = [line() for _ in range(6)]


class Platform(Landing):
    """The steps of an ingest one by one, as the driver takes them."""

    def claim(self) -> list[UnitFile]:
        taken = claim_files(self.database, self.zone, list(look(self.zone.landing).files.values())).taken
        return [
            UnitFile(f.file_id, f.name, str(self.zone.claimed_path(f.file_id, f.name)), f.size_bytes)
            for f in taken
        ]

    def load_unit(self, files: list[UnitFile]) -> UnitResult:
        return load_unit(self.database.url, USER_EVENTS, files, self.batch_id)

    def put_away(self, result: UnitResult) -> list[str]:
        file_ids = [outcome.file_id for outcome in result.outcomes]
        return put_away(self.database, self.zone, file_ids, 0.0) + give_back(
            self.database, self.zone, result.changed
        )

    def ingest(self) -> list[FileOutcome]:
        result = self.load_unit(self.claim())
        self.put_away(result)
        return result.outcomes

    def archive(self) -> Finding:
        with self.database.open() as connection:
            return archive_matches_ledger(connection, self.zone, whole=True)

    def half_read(self) -> Finding:
        with self.database.open() as connection:
            return no_line_half_read(connection, [USER_EVENTS_TABLE])

    def landed(self) -> list[str]:
        return sorted(look(self.zone.landing).files)

    def stored(self) -> int:
        with self.database.open() as connection:
            return stored_rows(connection)

    def all_is_well(self) -> None:
        """Every row once, ledger and table and archive in agreement."""
        self.check()
        assert self.archive().passed, self.archive()
        with self.database.open() as connection:
            assert audit.counts_reconcile(connection).passed
        assert matches_ledger(self.database).passed
        assert [*self.zone.claimed.iterdir()] == []


@pytest.fixture
def platform(database: Database, zone: LandingZone) -> Platform:
    return Platform(database, zone)


@pytest.fixture
def writer(zone: LandingZone) -> Iterator[BinaryIO]:
    """A producer that has written the header and one row into ``a.csv``, and keeps it open."""
    with (zone.landing / "a.csv").open("wb", buffering=0) as file:
        file.write(csv_file(ROWS[0]))
        yield file


def test_between_claim_and_load(platform: Platform, writer: BinaryIO) -> None:
    (platform.zone.landing / "b.csv").write_bytes(csv_file(line()))
    files = platform.claim()
    writer.write(ROWS[1] + b"\n" + ROWS[2][:20])
    result = platform.load_unit(files)
    assert [outcome.name for outcome in result.outcomes] == ["b.csv"]
    assert platform.put_away(result) == ["a.csv"]
    writer.write(ROWS[2][20:] + b"\n")
    (outcome,) = platform.ingest()
    assert counts(outcome) == (3, 3, 0, 0)
    platform.all_is_well()


@pytest.mark.parametrize("change", ["grows", "is rewritten", "is replaced"])
def test_while_it_is_read(platform: Platform, writer: BinaryIO, change: str) -> None:
    """Also where it has as many bytes as before, or the same time."""
    (file,) = platform.claim()
    path = Path(file.path)
    before = path.stat()

    def act(step: str) -> None:
        if step != "copied":
            return
        if change == "grows":
            writer.write(ROWS[1] + b"\n")
        elif change == "is rewritten":
            path.write_bytes(csv_file(ROWS[1]))
        else:
            path.unlink()
            path.write_bytes(csv_file(ROWS[1]))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    result = load_unit(platform.database.url, USER_EVENTS, [file], platform.batch_id, hook=act)
    assert (result.outcomes, result.changed) == ([], [file.file_id])
    assert platform.stored() == 0
    assert platform.put_away(result) == ["a.csv"]
    platform.ingest()
    assert platform.stored() == (2 if change == "grows" else 1)
    platform.all_is_well()


def test_between_commit_and_put_away(platform: Platform, writer: BinaryIO) -> None:
    result = platform.load_unit(platform.claim())
    writer.write(b"\n".join(ROWS[1:4]) + b"\n")
    assert platform.put_away(result) == ["a.csv"]
    (archived,) = platform.zone.archive.rglob("1-a.csv")
    assert archived.read_bytes() == csv_file(ROWS[0])
    # It is the writer's own file that lands again: what it goes on to write is not lost.
    writer.write(b"\n".join(ROWS[4:]) + b"\n")
    (outcome,) = platform.ingest()
    assert counts(outcome) == (6, 5, 1, 0)
    assert platform.half_read().passed
    platform.all_is_well()


@pytest.mark.parametrize("notice", [look_back, recover, reconcile])
def test_after_it_was_put_away(platform: Platform, writer: BinaryIO, notice) -> None:  # type: ignore[no-untyped-def]
    platform.ingest()
    assert platform.archive().passed
    writer.write(ROWS[1] + b"\n")
    finding = platform.archive()
    assert not finding.passed
    assert "`ecom reconcile`" in str(finding.details["a.csv (file 1)"])
    notice(platform.database, platform.zone)
    assert platform.landed() == ["a.csv"]
    writer.write(ROWS[2] + b"\n")
    (outcome,) = platform.ingest()
    assert counts(outcome) == (3, 2, 1, 0)
    platform.all_is_well()
    assert look_back(platform.database, platform.zone) == []


def test_a_writer_that_pauses_again_and_again(platform: Platform, writer: BinaryIO) -> None:
    platform.ingest()
    for row in ROWS[1:]:
        writer.write(row + b"\n")
        look_back(platform.database, platform.zone)
        platform.ingest()
    assert platform.stored() == len(ROWS)
    assert platform.landed() == []
    platform.all_is_well()


def test_its_name_is_taken_by_the_next_file(platform: Platform, writer: BinaryIO) -> None:
    result = platform.load_unit(platform.claim())
    (platform.zone.landing / "a.csv").write_bytes(csv_file(line()))
    writer.write(ROWS[1] + b"\n")
    platform.put_away(result)
    assert platform.landed() == ["1-a.csv", "a.csv"]
    platform.ingest()
    assert platform.stored() == 3
    platform.all_is_well()


def test_killed_while_it_lands_again(platform: Platform, writer: BinaryIO) -> None:
    result = platform.load_unit(platform.claim())
    writer.write(ROWS[1] + b"\n")
    (outcome,) = result.outcomes
    with platform.database.open() as connection:
        state = ledger.states(connection, [outcome.file_id])[outcome.file_id]
    # The copy was made and the file has its name in the landing folder, but is in the claimed one as well.
    kept, claimed = platform.zone.path_of(state), platform.zone.claimed_path(1, "a.csv")
    kept.parent.mkdir()
    kept.write_bytes(csv_file(ROWS[0]))
    (platform.zone.landing / "a.csv").hardlink_to(claimed)
    assert recover(platform.database, platform.zone).landed_again == ("a.csv",)
    assert platform.landed() == ["a.csv"]
    platform.ingest()
    assert platform.stored() == 2
    platform.all_is_well()


def test_rewritten_before_it_was_put_away(platform: Platform, writer: BinaryIO) -> None:
    """As many bytes as before: only its time tells."""
    result = platform.load_unit(platform.claim())
    writer.seek(0)
    writer.write(csv_file(ROWS[1]))
    assert platform.put_away(result) == ["a.csv"]
    platform.ingest()
    assert platform.stored() == 2


def test_only_touched(platform: Platform, writer: BinaryIO) -> None:
    result = platform.load_unit(platform.claim())
    os.utime(platform.zone.claimed_path(1, "a.csv"))
    assert platform.put_away(result) == []
    platform.all_is_well()


def test_rewritten_and_touched_after_it_was_put_away(platform: Platform, writer: BinaryIO) -> None:
    platform.ingest()
    (archived,) = platform.zone.archive.rglob("1-a.csv")
    os.utime(archived)
    for _ in range(2):
        assert look_back(platform.database, platform.zone) == []
    writer.seek(0)
    writer.write(csv_file(ROWS[1]))
    assert look_back(platform.database, platform.zone) == ["a.csv"]
    platform.ingest()
    assert platform.stored() == 2


def test_a_compressed_file_whose_rest_comes_after_it_was_judged(platform: Platform) -> None:
    whole = gzip.compress(csv_file(*ROWS))
    with (platform.zone.landing / "a.csv.gz").open("wb", buffering=0) as file:
        file.write(whole[:100])
        (outcome,) = platform.ingest()
        assert outcome.state == ledger.QUARANTINED
        file.write(whole[100:])
    assert look_back(platform.database, platform.zone) == ["a.csv.gz"]
    (outcome,) = platform.ingest()
    assert counts(outcome) == (6, 6, 0, 0)
    assert [*platform.zone.quarantine.iterdir()] == []
    platform.all_is_well()


def test_a_last_line_that_was_read_half(platform: Platform) -> None:
    """Where the price comes last, 1 of 19.99 is a valid row."""
    key = str(uuid.uuid4())
    names = [name for name in COLUMN_NAMES if name != "price"] + ["price"]
    values = dict(zip(COLUMN_NAMES, line(key).decode().split(","), strict=True))
    text = ",".join(names) + "\n" + ",".join(values[name] for name in names)
    with (platform.zone.landing / "a.csv").open("wb", buffering=0) as file:
        file.write(text[:-4].encode())
        platform.ingest()
        assert platform.half_read().passed
        file.write(text[-4:].encode() + b"\n")
    look_back(platform.database, platform.zone)
    (outcome,) = platform.ingest()
    assert counts(outcome) == (1, 0, 0, 1)
    finding = platform.half_read()
    assert (finding.passed, finding.found) == (False, "1 rows")
    assert key in str(finding.details["a.csv, line 2 (file 2)"])

    # The remedy that the check gives.
    with platform.database.transaction() as connection:
        connection.execute("UPDATE user_events SET price = 19.99 WHERE event_id = %s", (key,))
    assert replay_as_they_are(platform.database, platform.zone).loaded == 1
    assert platform.half_read().passed
    assert matches_ledger(platform.database).passed
    assert platform.archive().passed


def test_a_file_that_lost_bytes_in_the_archive(platform: Platform, writer: BinaryIO) -> None:
    """As after a loss of power on a file system that had only kept the name."""
    platform.ingest()
    writer.truncate(0)
    finding = platform.archive()
    assert "0 bytes are left" in str(finding.details["a.csv (file 1)"])
    assert look_back(platform.database, platform.zone) == []


def test_a_file_that_is_gone_from_the_archive_is_counted(platform: Platform, writer: BinaryIO) -> None:
    platform.ingest()
    next(platform.zone.archive.rglob("1-a.csv")).unlink()
    finding = platform.archive()
    assert (finding.passed, finding.details["files_not_in_the_archive"]) == (True, 1)
