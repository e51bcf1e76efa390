"""What is deleted from the archive, and what stays."""

from datetime import date

from ecom_platform.landing.expiry import delete_expired, expired_days
from ecom_platform.landing.folder.zone import LandingZone

TODAY = date(2026, 3, 10)


def test_a_day_stays_as_long_as_it_is_asked_to() -> None:
    assert expired_days(["2026-03-07", "2026-03-08", "2026-03-10"], TODAY, 2) == ["2026-03-07"]


def test_other_folders_are_not_touched() -> None:
    assert expired_days(["notes", "2025"], TODAY, 1) == []


def test_files_of_expired_days_go(zone: LandingZone) -> None:
    for day in ("2026-03-01", "2026-03-09"):
        (zone.archive / day).mkdir()
        (zone.archive / day / "1-a.csv").touch()
    assert delete_expired(zone, TODAY, 7) == ["2026-03-01"]
    assert [path.name for path in zone.archive.iterdir()] == ["2026-03-09"]
