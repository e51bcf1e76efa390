"""Folders of a run: nothing is made where the disk of the landing folder is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecom_platform.errors import StorageError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.streaming.query import scratch
from ecom_platform.streaming.units import write_unit


def test_a_landing_folder_that_is_away_stays_empty(zone: LandingZone) -> None:
    zone.landing.rename(zone.landing.with_name("away"))
    zone.landing.mkdir()
    with pytest.raises(StorageError, match="cannot be written: No such file"), scratch(zone.units, "run"):
        pass
    with pytest.raises(StorageError, match="cannot be written: No such file"):
        write_unit(zone.units / "run", 0, [])
    assert not list(zone.landing.iterdir())


def test_units_deleted_beneath_a_run_are_made_anew(zone: LandingZone) -> None:
    zone.units.rmdir()
    assert write_unit(zone.units / "run", 0, []).exists()


def test_checkpoints_are_made_wherever_they_are(tmp_path: Path) -> None:
    with scratch(tmp_path / "not" / "yet", "run", parents=True) as folder:
        assert folder.is_dir()
    assert not folder.exists()
