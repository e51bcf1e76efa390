"""Looking again and again: when a file is at rest."""

from __future__ import annotations

import os
from pathlib import Path

from ecom_platform.landing.folder.scan import PATIENT_SECONDS
from ecom_platform.landing.folder.watch import Watch


class Clock:
    """A time of the test's own, for both the wall clock and the timer."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def land(folder: Path, name: str, content: str, mtime: float) -> None:
    (folder / name).write_text(content)
    os.utime(folder / name, (mtime, mtime))


def names(watch: Watch) -> tuple[list[str], list[str]]:
    found = watch.look()
    return [file.name for file in found.settled], [file.name for file in found.unsettled]


def test_a_file_rests_when_it_is_old_enough_and_was_seen_before(tmp_path: Path) -> None:
    clock = Clock(1_000.0)
    watch = Watch(tmp_path, 1.0, clock=clock, timer=clock)
    land(tmp_path, "a.csv", "1", mtime=1_000.0)
    assert names(watch) == ([], ["a.csv"])
    for clock.now in (1_000.1, 1_000.6, 1_000.9):
        assert names(watch) == ([], ["a.csv"])
    clock.now = 1_001.0
    assert names(watch) == (["a.csv"], [])


def test_an_old_file_still_needs_two_looks_apart(tmp_path: Path) -> None:
    clock = Clock(1_000.0)
    watch = Watch(tmp_path, 1.0, clock=clock, timer=clock)
    land(tmp_path, "a.csv", "1", mtime=500.0)
    assert names(watch) == ([], ["a.csv"])
    clock.now = 1_000.4
    assert names(watch) == ([], ["a.csv"])
    clock.now = 1_000.5
    assert names(watch) == (["a.csv"], [])


def test_a_file_that_grows_begins_anew(tmp_path: Path) -> None:
    clock = Clock(1_000.0)
    watch = Watch(tmp_path, 1.0, clock=clock, timer=clock)
    land(tmp_path, "a.csv", "1", mtime=990.0)
    watch.look()
    clock.now = 1_000.4
    land(tmp_path, "a.csv", "12", mtime=990.0)
    assert names(watch) == ([], ["a.csv"])
    clock.now = 1_000.6
    assert names(watch) == ([], ["a.csv"])
    clock.now = 1_000.9
    assert names(watch) == (["a.csv"], [])


def test_with_renaming_producers_the_first_look_is_enough_and_the_oldest_comes_first(tmp_path: Path) -> None:
    land(tmp_path, "b.csv", "1", mtime=10.0)
    land(tmp_path, "a.csv", "1", mtime=20.0)
    assert names(Watch(tmp_path, 0.0)) == (["b.csv", "a.csv"], [])


def test_a_file_that_came_back_rests_longer_once(tmp_path: Path) -> None:
    clock = Clock(1_000.0)
    watch = Watch(tmp_path, 0, clock=clock, timer=clock)
    watch.be_patient(["a.csv"])
    land(tmp_path, "a.csv", "1", mtime=1_000.0)
    assert names(watch) == ([], ["a.csv"])
    clock.now = 1_001.0
    assert names(watch) == ([], ["a.csv"])
    clock.now = 1_000.0 + PATIENT_SECONDS
    assert names(watch) == (["a.csv"], [])
    land(tmp_path, "a.csv", "2", mtime=clock.now)
    assert names(watch) == (["a.csv"], [])
