"""Files that somebody names land whole, all of them or none, and replace nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ecom_platform.errors import UsageError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.landing_places import Folders


def test_copies_under_their_names_or_one_of_their_own(zone: LandingZone, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("first")
    (tmp_path / "link.csv").symlink_to(path)
    places = Folders(zone)
    assert places.bring_in("clicks", [path, tmp_path / "link.csv"]) == ["clicks/a.csv", "clicks/link.csv"]
    path.write_text("second")
    (again,) = places.bring_in("clicks", [path])
    assert again.startswith("clicks/") and again.endswith("a.csv") and again != "clicks/a.csv"
    assert (zone.landing / "clicks" / "a.csv").read_text() == "first"
    assert (zone.landing / "clicks" / "link.csv").read_text() == "first"
    assert not (zone.landing / "clicks" / "link.csv").is_symlink()
    assert (zone.landing / again).read_text() == "second"
    assert places.bring_in("user_events", [path]) == ["a.csv"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.csv", "No such file"),
        ("folder", "it is no file"),
        ("half.part", "not finished"),
        ("long" * 60, "its name is too long"),
        (os.fsdecode(b"\xff.csv"), "its name is not UTF-8"),
    ],
)
def test_nothing_is_copied_where_one_cannot_be(
    zone: LandingZone, tmp_path: Path, name: str, said: str
) -> None:
    good = tmp_path / "good.csv"
    good.write_text("x")
    bad = tmp_path / name
    if name == "folder":
        bad.mkdir()
    elif name != "gone.csv":
        bad.write_text("x")
    with pytest.raises(UsageError, match=said):
        Folders(zone).bring_in("clicks", [good, bad])
    assert not (zone.landing / "clicks").exists()
