"""The landing zone where the outside world is rough with it: mounts that go away, files that cannot be moved,
folders that somebody swapped, names and numbers nobody gave. Real PostgreSQL, real files."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ecom_platform.errors import StorageError, UsageError
from ecom_platform.landing.folder import identity
from ecom_platform.landing.folder.archive_check import archive_matches_ledger
from ecom_platform.landing.folder.claim import claim_files, recover
from ecom_platform.landing.folder.put_away import put_away
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.kept_names import numbered
from ecom_platform.oncall.requeue import reconcile, reload_files
from ecom_platform.oncall.trace import trace
from ecom_platform.settings import Settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform_tests.landing import Landing, counts, csv_file, line, stored_rows
from ecom_platform_tests.waiting import wait_until


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    return Landing(database, zone)


def drop(landing: Landing, name: str, *lines: bytes) -> Path:
    path = landing.zone.landing / name
    path.write_bytes(csv_file(*lines or (line(),)))
    return path


def states(landing: Landing) -> dict[str, tuple[str, str | None]]:
    with landing.database.open() as connection:
        rows = connection.execute("SELECT name, state, reason FROM ingested_files ORDER BY file_id")
        return {name: (state, reason) for name, state, reason in rows}


def stored(landing: Landing) -> int:
    with landing.database.open() as connection:
        return stored_rows(connection)


def other_zone(zone: LandingZone, settings: Settings, folder: Path) -> LandingZone:
    other = LandingZone.of(replace(settings, landing_dir=folder))
    other.prepare()
    return other


class TestWhichZone:
    """A ledger is about one landing zone, known by the id in its marker."""

    @pytest.mark.parametrize("act", [recover, reconcile])
    def test_a_mount_that_is_away_for_a_moment(
        self, landing: Landing, act: Callable[[Database, LandingZone], object]
    ) -> None:
        drop(landing, "a.csv")
        files = landing.take()
        away = landing.zone.landing.with_name("away")
        landing.zone.landing.rename(away)
        landing.zone.landing.mkdir()
        landing.zone.prepare()  # as every command does
        with pytest.raises(StorageError, match=r"lacks the marker \.ecom/zone-id"):
            act(landing.database, landing.zone)
        drop(landing, "b.csv")
        with pytest.raises(StorageError, match="mount is away"):
            landing.take()
        assert states(landing) == {"a.csv": ("claimed", None)}
        assert (landing.zone.landing / "b.csv").is_file()

        shutil.rmtree(landing.zone.landing)
        away.rename(landing.zone.landing)
        assert recover(landing.database, landing.zone).missing == 0
        (outcome,) = landing.load(files)
        assert outcome.state == ledger.LOADED

    def test_away_between_commit_and_put_away(self, landing: Landing) -> None:
        drop(landing, "a.csv")
        outcomes = landing.load(landing.take())
        away = landing.zone.landing.with_name("away")
        landing.zone.landing.rename(away)
        landing.zone.landing.mkdir()
        with pytest.raises(StorageError, match="away"):
            put_away(landing.database, landing.zone, [outcomes[0].file_id], 0.0)
        landing.zone.landing.rmdir()
        away.rename(landing.zone.landing)
        assert recover(landing.database, landing.zone).archived == 1

    def test_two_landing_folders_on_one_database(
        self, landing: Landing, settings: Settings, tmp_path: Path
    ) -> None:
        drop(landing, "a.csv")
        files = landing.take()
        other = other_zone(landing.zone, settings, tmp_path / "other")
        with pytest.raises(StorageError, match="another folder"):
            recover(landing.database, other)
        shutil.copytree(landing.zone.ours, other.ours, dirs_exist_ok=True)
        (other.ours / identity.MARKER).write_text(f"{uuid4()}\n")
        with pytest.raises(StorageError, match="belongs to another database"):
            recover(landing.database, other)
        with pytest.raises(StorageError, match="belongs to another database"):
            reload_files(landing.database, other, ["a.csv"])
        assert states(landing) == {"a.csv": ("claimed", None)}
        (outcome,) = landing.load(files)
        assert outcome.state == ledger.LOADED

    def test_a_folder_of_ones_choice_is_adopted(
        self, landing: Landing, settings: Settings, tmp_path: Path
    ) -> None:
        drop(landing, "a.csv")
        landing.take()
        other = other_zone(landing.zone, settings, tmp_path / "other")
        reconcile(landing.database, other, adopt=True)
        assert states(landing)["a.csv"][0] == ledger.QUARANTINED
        drop(Landing(landing.database, other), "b.csv")
        assert len(Landing(landing.database, other).ingest()) == 1
        with pytest.raises(StorageError, match="belongs to another database"):
            recover(landing.database, landing.zone)

    def test_a_ledger_without_a_file_takes_what_it_is_shown(
        self, landing: Landing, settings: Settings, tmp_path: Path
    ) -> None:
        recover(landing.database, landing.zone)
        recover(landing.database, other_zone(landing.zone, settings, tmp_path / "other"))


class TestSwappedFolders:
    """Whoever may write in the drop folder may put something else in the place of what is ours there."""

    @pytest.mark.parametrize("kind", ["link", "owner", "file"])
    def test_is_refused_at_each_use(self, landing: Landing, tmp_path: Path, kind: str) -> None:
        if kind == "owner" and os.geteuid() != 0:
            pytest.skip("only root can give a folder to somebody else")
        database, zone = landing.database, landing.zone
        drop(landing, "a.csv")
        (outcome,) = landing.load(landing.take())
        landed = look(drop(landing, "b.csv").parent).files["b.csv"]
        for folder in ("", "claimed", "archive", "quarantine"):
            swapped, real = zone.ours / folder, tmp_path / "real"
            swapped.rename(real)
            if kind == "link":
                swapped.symlink_to(real)
            elif kind == "owner":
                shutil.copytree(real, swapped)
                os.chown(swapped, 4_711, 4_711)
            else:
                swapped.write_text("x")
            before = sorted(real.rglob("*"))
            for use in (
                zone.prepare,
                lambda: recover(database, zone),
                lambda: claim_files(database, zone, [landed]),
                lambda: put_away(database, zone, [outcome.file_id], 0.0),
                lambda: reload_files(database, zone, ["a.csv"]),
            ):
                with pytest.raises(StorageError, match=r"put it there|away"):
                    use()
            assert sorted(real.rglob("*")) == before
            shutil.rmtree(swapped) if kind == "owner" else swapped.unlink()
            real.rename(swapped)
        assert recover(database, zone).archived == 1
        assert len(landing.ingest()) == 1

    def test_the_owner_of_the_drop_folder_may_own_ours(self, landing: Landing) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder to somebody else")
        for folder in (landing.zone.landing, landing.zone.ours, landing.zone.claimed):
            os.chown(folder, 4_711, 4_711)
        drop(landing, "a.csv")
        assert len(landing.ingest()) == 1

    def test_folders_that_are_mounts_of_their_own(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse_renames(monkeypatch, errno.EXDEV, into="archive")
        with pytest.raises(
            StorageError, match=r"cannot be moved from .*claimed to .*archive.*one file system"
        ):
            landing.zone.prepare()
        assert not list(landing.zone.landing.rglob(".writable*"))


def refuse_renames(patch: pytest.MonkeyPatch, error: int, *, of: str = "", into: str = "") -> None:
    """As the kernel does of a file that is immutable, a mount, or another's in a folder with sticky bit."""
    rename = os.rename

    def refused(source: Any, target: Any, **options: Any) -> None:
        if str(source).endswith(of) and into in str(target):
            raise OSError(error, os.strerror(error), str(source))
        rename(source, target, **options)

    patch.setattr(os, "rename", refused)


class TestFilesThatCannotBeMoved:
    @pytest.mark.parametrize("error", [errno.EPERM, errno.EXDEV])
    def test_at_the_claim(self, landing: Landing, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
        drop(landing, "stuck.csv")
        drop(landing, "b.csv")
        files = list(look(landing.zone.landing).files.values())
        with monkeypatch.context() as patch:
            refuse_renames(patch, error, of="/stuck.csv")
            done = claim_files(landing.database, landing.zone, files)
            assert [file.name for file in done.taken] == ["b.csv"]
            assert os.strerror(error) in done.refused["stuck.csv"]
            assert recover(landing.database, landing.zone).missing == 0
        assert list(states(landing)) == ["b.csv"]
        assert (landing.zone.landing / "stuck.csv").is_file()
        assert [file.name for file in landing.take()] == ["stuck.csv"]

    def test_killed_before_that_was_found_out(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drop(landing, "stuck.csv")
        (file,) = look(landing.zone.landing).files.values()
        with landing.database.transaction() as connection:
            ledger.register(connection, [file.name], [file.size], [file.landed_at])
        refuse_renames(monkeypatch, errno.EPERM, of="/stuck.csv")
        assert recover(landing.database, landing.zone).missing == 0
        assert states(landing) == {}

    @pytest.mark.parametrize("into", ["archive", "quarantine"])
    def test_after_they_were_loaded(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch, into: str
    ) -> None:
        stuck = drop(landing, "stuck.csv")
        if into == "quarantine":
            stuck.write_bytes(b"x,y\n")
        drop(landing, "b.csv")
        outcomes = landing.load(landing.take())
        with monkeypatch.context() as patch:
            refuse_renames(patch, errno.EPERM, of="stuck.csv", into=into)
            put_away(landing.database, landing.zone, [outcome.file_id for outcome in outcomes], 0.0)
            recover(landing.database, landing.zone)
            drop(landing, "c.csv")
            assert len(landing.load(landing.take())) == 1
            if into == "archive":
                patch.setattr("ecom_platform.landing.folder.archive_check._LOOK_SECONDS", 0)
                with landing.database.open() as connection:
                    finding = archive_matches_ledger(connection, landing.zone, whole=True)
                assert "cannot be moved out" in str(finding.details["stuck.csv (file 2)"])
        recover(landing.database, landing.zone)
        assert list(landing.zone.claimed.iterdir()) == []
        assert len(list(landing.zone.ours.rglob("*-stuck.csv"))) == 1

    def test_really_immutable(self, landing: Landing) -> None:
        stuck = drop(landing, "stuck.csv")
        drop(landing, "b.csv")
        if shutil.which("chattr") is None or os.system(f"chattr +i '{stuck}' 2>/dev/null") != 0:  # noqa: S605
            pytest.skip("this file system has no immutable files")
        try:
            files = list(look(landing.zone.landing).files.values())
            done = claim_files(landing.database, landing.zone, files)
        finally:
            os.system(f"chattr -i '{stuck}'")  # noqa: S605
        assert ([file.name for file in done.taken], list(done.refused)) == (["b.csv"], ["stuck.csv"])


class TestLinks:
    """Nothing in the drop folder shares an inode with anything kept."""

    def test_what_is_reloaded_is_a_copy(self, landing: Landing) -> None:
        drop(landing, "a.csv")
        landing.ingest()
        (archived,) = landing.zone.archive.rglob("1-a.csv")
        before = archived.read_bytes()
        reload_files(landing.database, landing.zone, ["a.csv"])
        # A producer opens its usual name for writing.
        drop(landing, "a.csv", line(), line())
        assert archived.read_bytes() == before
        landing.ingest()
        assert stored(landing) == 3

    def test_a_landed_file_with_more_than_one_name_is_copied_at_the_claim(self, landing: Landing) -> None:
        usual = landing.zone.landing.parent / "usual.csv"
        content = csv_file(line(), line())
        usual.write_bytes(content)
        (landing.zone.landing / "a.csv").hardlink_to(usual)
        (file,) = landing.take()
        usual.write_bytes(b"the producer's next file")
        assert Path(file.path).read_bytes() == content
        (outcome,) = landing.load([file])
        assert counts(outcome) == (2, 2, 0, 0)
        put_away(landing.database, landing.zone, [file.file_id], 0.0)
        (archived,) = landing.zone.archive.rglob("1-a.csv")
        assert (archived.read_bytes(), archived.stat().st_nlink) == (content, 1)

    def test_also_where_its_claim_was_interrupted(self, landing: Landing) -> None:
        drop(landing, "a.csv")
        drop(landing, "b.csv")
        (claimed,) = [file for file in landing.take() if file.name == "a.csv"]
        usual = landing.zone.landing.parent / "usual.csv"
        usual.hardlink_to(claimed.path)
        (landing.zone.claimed / ".9-c.csv.copy").write_text("half")
        recover(landing.database, landing.zone)
        assert Path(claimed.path).stat().st_nlink == usual.stat().st_nlink == 1
        assert not list(landing.zone.claimed.glob(".*"))


class TestNumbers:
    @pytest.mark.parametrize("folder", ["quarantine", "archive/2020-01-01", "claimed"])
    def test_all_places_count(self, landing: Landing, folder: str) -> None:
        """Also beside a newer day with lower numbers, and when all has been looked at before."""
        drop(landing, "a.csv")
        landing.ingest()
        recover(landing.database, landing.zone)
        place = landing.zone.ours / folder
        place.mkdir(exist_ok=True)
        (place / "77-b.csv").write_text("x")
        recover(landing.database, landing.zone)
        drop(landing, "c.csv")
        (file,) = landing.take()
        assert file.file_id > 77

    @pytest.mark.parametrize("kept", [True, False])
    def test_what_was_found_before_holds_until_the_folder_changes(self, landing: Landing, kept: bool) -> None:
        place = landing.zone.archive / "2020-01-01"
        place.mkdir()
        (place / "50-a.csv").write_text("x")
        os.utime(place, ns=(0, 1_000_000_000))
        recover(landing.database, landing.zone)
        assert "2020-01-01" in (landing.zone.ours / "numbers.json").read_text()
        if not kept:
            (landing.zone.ours / "numbers.json").write_text('{"archive/2020-01-01": ["?"]}')
        (place / "60-b.csv").write_text("x")
        recover(landing.database, landing.zone)
        drop(landing, "c.csv")
        (file,) = landing.take()
        assert file.file_id > 60

    NAMES = (
        "99999999999999999999-x.csv",
        "9223372036854775807-x.csv",
        "007-x.csv",
        "٣-x.csv",
        "-1-x.csv",
        "²-x.csv",
    )

    def test_names_that_are_none_of_ours(self, landing: Landing) -> None:
        day = landing.zone.archive / "2020-01-01"
        day.mkdir()
        for folder in (landing.zone.claimed, landing.zone.quarantine, day):
            for name in self.NAMES:
                (folder / name).write_text("x")
        for name in self.NAMES:
            drop(landing, name)
        assert set(recover(landing.database, landing.zone).unknown) == set(self.NAMES)
        outcomes = landing.ingest()
        assert [outcome.state for outcome in outcomes] == ["loaded"] * len(self.NAMES)
        assert [outcome.file_id for outcome in outcomes] == list(range(1, len(self.NAMES) + 1))
        # Those in the claimed folder, and in archive and quarantine the one that has the form of ours.
        assert len(reconcile(landing.database, landing.zone).requeued) == len(self.NAMES) + 2
        assert recover(landing.database, landing.zone).unknown == ()
        quarantined = landing.ingest()
        assert {outcome.file_id for outcome in quarantined} == set(range(7, 15))
        for name in self.NAMES:
            with landing.database.open() as connection:
                assert trace(connection, landing.zone, name).known
        for outcome in outcomes:
            assert reload_files(landing.database, landing.zone, [str(outcome.file_id)]) == [outcome.name]
        for wanted in ("99999999999999999999", "²", "1-99999999999999999999-y.csv"):
            with landing.database.open() as connection:
                assert not trace(connection, landing.zone, wanted).known
            with pytest.raises(UsageError, match="knows no file"):
                reload_files(landing.database, landing.zone, [wanted])

    def test_what_a_number_is(self) -> None:
        assert numbered("0-a.csv") == (0, "a.csv")
        assert numbered("12-3-a\n.csv") == (12, "3-a\n.csv")
        for name in (
            "99999999999999999999-x",
            "9223372036854775808-x",
            "007-x",
            "²-x",
            "12",
            "12-",
            "a-b",
            "",
        ):
            assert numbered(name) is None


class TestLateCommits:
    """The state on disk follows what the ledger says after the fact."""

    def test_a_file_that_a_late_task_commits_while_it_is_given_up(
        self, landing: Landing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drop(landing, "a.csv")
        files = landing.take()
        settled, go_on = threading.Event(), threading.Event()

        def hold(step: str) -> None:
            if step == "settled":
                settled.set()
                assert go_on.wait(240)

        late = threading.Thread(target=landing.load, args=(files, hold))
        late.start()
        assert settled.wait(240)
        with monkeypatch.context() as patch:
            patch.setattr(
                "ecom_platform.landing.folder.claim.unreadable", lambda path: "not readable for this user"
            )
            recovering = threading.Thread(target=recover, args=(landing.database, landing.zone))
            recovering.start()
            wait_until(lambda: waits_for_a_row(landing.database))
            go_on.set()
            late.join(240)
            recovering.join(240)
        assert states(landing) == {"a.csv": ("loaded", None)}
        assert len(list(landing.zone.archive.rglob("1-a.csv"))) == 1
        assert list(landing.zone.quarantine.iterdir()) == []
        landing.check()

    def test_killed_before_the_rename_while_the_producer_writes_the_name_anew(self, landing: Landing) -> None:
        """What lies there now was looked at by nobody: it is not taken before it rests."""
        drop(landing, "a.csv")
        (file,) = look(landing.zone.landing).files.values()
        with landing.database.transaction() as connection:
            ledger.register(connection, [file.name], [file.size], [file.landed_at], [file.stamp])
        rows = [line(), line()]
        with (landing.zone.landing / "a.csv").open("wb", buffering=0) as writer:
            writer.write(csv_file(rows[0]))
            recovery = recover(landing.database, landing.zone)
            assert (recovery.renamed, recovery.missing) == (0, 0)
            assert states(landing) == {}
            writer.write(rows[1] + b"\n")
        (outcome,) = landing.ingest()
        assert counts(outcome) == (2, 2, 0, 0)


def waits_for_a_row(database: Database) -> bool:
    with database.open() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database() AND query LIKE '%ingested_files%'"
        ).fetchone()
    return row is not None and row[0] > 0


def test_what_the_ledger_calls_loaded_is_on_the_disk(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file before COMMIT, its new name before the micro-batch is over."""
    synced: list[int] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", noted)
    for name in ("a.csv", "b.csv"):
        drop(landing, name)
    files = landing.take()
    inodes = {Path(file.path).stat().st_ino for file in files}
    before_commit: list[int] = []
    outcomes = landing.load(files, lambda step: before_commit.extend(synced) if step == "durable" else None)
    assert inodes <= set(before_commit)
    synced.clear()
    put_away(landing.database, landing.zone, [outcome.file_id for outcome in outcomes], 0.0)
    day = landing.zone.archive / f"{datetime.fromtimestamp(outcomes[0].finished_at, UTC):%Y-%m-%d}"
    assert {day.stat().st_ino, landing.zone.archive.stat().st_ino} <= set(synced)


def test_the_ledger_knows_a_file_before_it_is_renamed(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in between, there is a row for what nobody else could find."""
    drop(landing, "a.csv")
    rename, known = os.rename, []

    def noted(source: Any, target: Any, **options: Any) -> None:
        known.append(dict(states(landing)))  # by another connection
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", noted)
    landing.take()
    assert known == [{"a.csv": ("claimed", None)}]
