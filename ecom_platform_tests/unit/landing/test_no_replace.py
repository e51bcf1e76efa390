"""Names that are given only where they are free, with and without hard links; copies and moves."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.landing.folder.no_replace import move, place
from ecom_platform.landing.folder.scan import look
from ecom_platform.landing.kept_names import prefixed
from ecom_platform.landing.landed import MAX_NAME_BYTES


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "archive" / "7-a.csv"
    path.parent.mkdir()
    path.write_text("ours")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "landing"
    path.mkdir()
    return path


def refuse_links(patch: pytest.MonkeyPatch, error: int, *, of_ours: bool) -> None:
    """As file systems and kernels do: for every file, or only for one that another user owns."""
    link = os.link

    def refused(source: Path, target: Path, **options: Any) -> None:
        if of_ours or not source.name.startswith("."):
            raise OSError(error, os.strerror(error))
        link(source, target, **options)

    patch.setattr(os, "link", refused)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_first_free_name(source: Path, folder: Path) -> None:
    assert place(source, folder, ("a.csv", "7-a.csv")) == "a.csv"
    assert place(source, folder, ("a.csv", "7-a.csv")) == "7-a.csv"
    assert contents(folder) == {"a.csv": "ours", "7-a.csv": "ours"}
    assert source.is_file()


@pytest.mark.parametrize("of_ours", [False, True])
@pytest.mark.parametrize("error", [errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP])
def test_where_links_are_refused(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, error: int, of_ours: bool
) -> None:
    (folder / "a.csv").write_text("theirs")
    refuse_links(monkeypatch, error, of_ours=of_ours)
    name = place(source, folder, ("a.csv", "7-a.csv"))
    assert name.endswith("-7-a.csv") if of_ours else name == "7-a.csv"
    assert contents(folder) == {"a.csv": "theirs", name: "ours"}
    assert set(look(folder).files) == {"a.csv", name}


@pytest.mark.parametrize("of_ours", [None, False, True])
def test_a_file_that_is_dropped_at_the_last_moment(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, of_ours: bool | None
) -> None:
    """Whatever is looked at beforehand, the name is taken when it is given."""
    if of_ours is not None:
        refuse_links(monkeypatch, errno.EPERM, of_ours=of_ours)
    before = os.link

    def drop_first(source: Path, target: Path, **options: Any) -> None:
        Path(target).write_text("theirs")
        before(source, target, **options)

    monkeypatch.setattr(os, "link", drop_first)
    name = place(source, folder, ("a.csv",))
    assert contents(folder) == {"a.csv": "theirs", name: "ours"}


def test_a_copy_is_a_file_of_its_own_and_as_old(source: Path, folder: Path) -> None:
    os.utime(source, ns=(1, 1_000_000_000))
    place(source, folder, ("a.csv",))
    assert (folder / "a.csv").stat().st_mtime_ns == 1_000_000_000
    (folder / "a.csv").write_text("the producer's next file")
    assert source.read_text() == "ours"
    assert source.stat().st_nlink == (folder / "a.csv").stat().st_nlink == 1


@pytest.mark.parametrize("links", [True, False])
def test_a_move_keeps_the_inode(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    (folder / "a.csv").write_text("theirs")
    if not links:
        refuse_links(monkeypatch, errno.EPERM, of_ours=True)
    inode = source.stat().st_ino
    name = move(source, folder, ("a.csv", "7-a.csv"))
    assert name == "7-a.csv" if links else name.endswith("-7-a.csv")
    assert (folder / name).stat().st_ino == inode
    assert contents(folder) == {"a.csv": "theirs", name: "ours"}
    assert not source.exists()


def test_a_source_that_is_gone(source: Path, folder: Path) -> None:
    source.unlink()
    with pytest.raises(FileNotFoundError):
        place(source, folder, ("a.csv",))
    assert contents(folder) == {}


def test_a_long_name_keeps_its_end_and_can_be_taken(folder: Path) -> None:
    name = prefixed("7", "é" * 97 + ".csv.gz")
    assert name.startswith("7-é") and name.endswith("é.csv.gz")
    assert len(name.encode()) <= MAX_NAME_BYTES
    (folder / name).touch()
    assert set(look(folder).files) == {name}
    assert prefixed("7", "a.csv") == "7-a.csv"
