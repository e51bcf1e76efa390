"""Looking at the landing folder: what rests, what is still written, what is refused."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ecom_platform.errors import StorageError
from ecom_platform.landing.folder.scan import PATIENT_SECONDS, look, rests
from ecom_platform.landing.folder.watch import scan
from ecom_platform.landing.landed import LandedFile, refusal, unfinished_by

NOW = 1_000_000.0


def landed(size: int = 10, age: float = 60.0, name: str = "a.csv") -> LandedFile:
    mtime_ns = int((NOW - age) * 1e9)
    return LandedFile(name, size, mtime_ns, mtime_ns)


class TestRests:
    def test_unchanged_and_old_enough(self) -> None:
        assert rests(landed(), landed(), NOW, 1.0)

    def test_seen_for_the_first_time(self) -> None:
        assert not rests(landed(), None, NOW, 1.0)

    def test_grown_between_two_looks(self) -> None:
        assert not rests(landed(size=11), landed(size=10), NOW, 1.0)

    def test_touched_between_two_looks(self) -> None:
        assert not rests(landed(age=5), landed(age=60), NOW, 1.0)

    def test_too_young(self) -> None:
        assert not rests(landed(age=0.9), landed(age=0.9), NOW, 1.0)

    def test_a_time_in_the_future_does_not_wait_for_ever(self) -> None:
        assert rests(landed(age=-3600), landed(age=-3600), NOW, 1.0)

    def test_producers_that_rename_into_place(self) -> None:
        assert rests(landed(age=0), None, NOW, 0)


class TestRefusal:
    @pytest.mark.parametrize(
        ("name", "mode", "reason"),
        [
            ("a.csv", stat.S_IFLNK, "symbolic link"),
            ("a.csv", stat.S_IFDIR, "folder"),
            ("a.csv", stat.S_IFIFO, "not a regular file"),
            ("a.csv", stat.S_IFSOCK, "not a regular file"),
            ("a\nb.csv", stat.S_IFREG, "control characters"),
            ("a\x1b[31m.csv", stat.S_IFREG, "control characters"),
            (os.fsdecode(b"\xff.csv"), stat.S_IFREG, "not UTF-8"),
            ("x" * 201, stat.S_IFREG, "200 bytes"),
            ("é" * 101, stat.S_IFREG, "200 bytes"),
        ],
    )
    def test_hostile_entries(self, name: str, mode: int, reason: str) -> None:
        assert reason in str(refusal(name, mode))

    @pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "Zürich 1.csv", "-rf", "a;b|c.csv", "x" * 200])
    def test_odd_but_harmless_names(self, name: str) -> None:
        assert refusal(name, stat.S_IFREG) is None


def as_somebody_else(folder: Path, question: Callable[[], bool], mode: int = 0o755) -> bool:
    """The answer of a process that is not root, standing in ``folder``: root may open every file."""
    if os.geteuid() != 0:
        return question()
    folder.chmod(mode)
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            os.setgroups([])
            os.setgid(65_534)
            os.setuid(65_534)
            os._exit(0 if question() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class TestLook:
    def test_hidden_and_unfinished_names_are_passed_over(self, tmp_path: Path) -> None:
        for name in (".a.csv", "_a.csv", "a.csv.tmp", "a.csv.part", "a.csv"):
            (tmp_path / name).touch()
        assert set(look(tmp_path).files) == {"a.csv"}

    def test_links_folders_and_pipes_are_refused_with_a_reason(self, tmp_path: Path) -> None:
        (tmp_path / "real.csv").touch()
        (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
        (tmp_path / "folder.csv").mkdir()
        os.mkfifo(tmp_path / "pipe.csv")
        seen = look(tmp_path)
        assert set(seen.files) == {"real.csv"}
        assert set(seen.refused) == {"link.csv", "folder.csv", "pipe.csv"}

    def test_a_file_that_we_may_not_read_is_refused_until_we_may(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for name in ("secret.csv", "open.csv"):
            (tmp_path / name).touch()
        (tmp_path / "secret.csv").chmod(0o000)

        def only_the_open_one() -> bool:
            seen = look(Path())
            return set(seen.files) == {"open.csv"} and "mode 0000" in seen.refused["secret.csv"]

        assert as_somebody_else(tmp_path, only_the_open_one)
        (tmp_path / "secret.csv").chmod(0o644)
        assert as_somebody_else(tmp_path, lambda: len(look(Path()).files) == 2)

    def test_another_users_file_in_a_folder_with_the_sticky_bit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if os.geteuid() != 0:
            pytest.skip("takes another user")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "theirs.csv").touch()
        (tmp_path / "ours.csv").touch()
        os.chown(tmp_path / "ours.csv", 65_534, 65_534)

        def only_ours() -> bool:
            seen = look(Path())
            return set(seen.files) == {"ours.csv"} and "sticky bit" in seen.refused["theirs.csv"]

        assert as_somebody_else(tmp_path, lambda: len(look(Path()).files) == 2)
        tmp_path.chmod(0o1777)
        assert set(look(tmp_path).files) == {"ours.csv", "theirs.csv"}
        assert as_somebody_else(tmp_path, only_ours, 0o1777)

    def test_an_unreadable_folder_is_not_an_empty_one(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="cannot be read"):
            look(tmp_path / "gone")


class Clock:
    """Time that passes only when somebody sleeps, with things that happen meanwhile."""

    def __init__(self, *events: Callable[[], object]) -> None:
        self.now = NOW
        self._events = list(events)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self._events:
            self._events.pop(0)()

    def __call__(self) -> float:
        return self.now


def put(folder: Path, name: str, text: str = "x", age: float = 60.0) -> None:
    path = folder / name
    path.write_text(text)
    os.utime(path, (NOW - age, NOW - age))


class TestScan:
    def test_takes_what_rests(self, tmp_path: Path) -> None:
        put(tmp_path, "b.csv", age=50)
        put(tmp_path, "a.csv", age=60)
        clock = Clock()
        found = scan(tmp_path, 1.0, 10.0, sleep=clock.sleep, clock=clock, timer=clock)
        assert [file.name for file in found.settled] == ["a.csv", "b.csv"]
        assert found.unsettled == []

    def test_leaves_what_keeps_growing(self, tmp_path: Path) -> None:
        put(tmp_path, "growing.csv", age=0)
        clock = Clock()

        def grow() -> None:
            with (tmp_path / "growing.csv").open("a") as file:
                file.write("x")
            os.utime(tmp_path / "growing.csv", (clock.now, clock.now))
            clock._events.append(grow)

        clock._events.append(grow)
        found = scan(tmp_path, 1.0, 10.0, sleep=clock.sleep, clock=clock, timer=clock)
        assert [file.name for file in found.unsettled] == ["growing.csv"]
        assert found.settled == []
        assert clock.now - NOW >= 10.0

    def test_a_trusted_file_is_taken_at_once(self, tmp_path: Path) -> None:
        put(tmp_path, "ours.csv", age=0)
        clock = Clock()
        found = scan(tmp_path, 1.0, 10.0, {"ours.csv"}, sleep=clock.sleep, clock=clock, timer=clock)
        assert [file.name for file in found.settled] == ["ours.csv"]
        assert clock.now == NOW

    def test_a_file_that_came_back_rests_longer(self, tmp_path: Path) -> None:
        for name in ("slow.csv", "done.csv"):
            put(tmp_path, name, age=PATIENT_SECONDS - 1)
        clock = Clock()
        found = scan(tmp_path, 1.0, 0.5, slow={"slow.csv"}, sleep=clock.sleep, clock=clock, timer=clock)
        assert [file.name for file in found.settled] == ["done.csv"]
        assert [file.name for file in found.unsettled] == ["slow.csv"]
        found = scan(tmp_path, 0, 10.0, slow={"slow.csv"}, sleep=clock.sleep, clock=clock, timer=clock)
        assert [file.name for file in found.settled] == ["done.csv", "slow.csv"]
        assert clock.now - NOW >= 1

    def test_a_file_taken_away_between_two_looks_is_forgotten(self, tmp_path: Path) -> None:
        put(tmp_path, "gone.csv", age=0)
        clock = Clock((tmp_path / "gone.csv").unlink)
        found = scan(tmp_path, 1.0, 10.0, sleep=clock.sleep, clock=clock, timer=clock)
        assert (found.settled, found.unsettled) == ([], [])


@pytest.mark.parametrize("name", ["a.csv.gz", "part.csv", "tmp", "a_.csv", "a.partial", "a.tmp.csv"])
def test_names_of_finished_files(name: str) -> None:
    assert unfinished_by(name) is None
