"""What a unit of work makes of an attempt that failed. Real PostgreSQL, real files."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pytest

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.store.connection import Database
from ecom_platform_tests.events import in_chunks_of
from ecom_platform_tests.landing import Landing, counts, csv_file, line
from ecom_platform_tests.waiting import wait_until

WAITS_FOR_ITS_TURN = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'
"""


@pytest.fixture
def landing(database: Database, zone: LandingZone) -> Landing:
    return Landing(database, zone)


def waits_for_its_turn(database: Database) -> bool:
    with database.open() as connection:
        return connection.execute(WAITS_FOR_ITS_TURN).fetchone() != (0,)


def test_a_unit_that_stepped_back_takes_its_turn_alone(landing: Landing) -> None:
    """It begins when nobody else is at work any more; until then it would meet the same rows again."""
    shared = line()
    first, second = landing.drop(a__csv=csv_file(shared), b__csv=csv_file(shared, line()))
    held = threading.Event()
    began: list[str] = []
    while_held: list[str] = []

    def hold(step: str) -> None:
        if step == "copied":
            held.set()
            wait_until(lambda: len(began) > 1 or waits_for_its_turn(landing.database))
            while_held.extend(began)

    thread = threading.Thread(target=lambda: landing.load([first], hold))
    thread.start()
    assert held.wait(240)
    (outcome,) = landing.load([second], lambda step: began.append(step) if step == "locked" else None)
    thread.join()
    assert (while_held, began) == (["locked"], ["locked", "locked"])
    assert counts(outcome) == (2, 1, 1, 0)
    landing.check()


def test_an_archive_that_is_completed_after_it_was_found_damaged_twice(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of its rows had been read, so the unit started over without it; then its rest comes."""
    in_chunks_of(monkeypatch, 4_000)
    whole = gzip.compress(csv_file(*(line() for _ in range(2_000))))
    files = landing.drop(a__csv__gz=whole[: len(whole) // 2], b__csv=csv_file(line()))
    began: list[str] = []

    def complete(step: str) -> None:
        if step == "locked":
            began.append(step)
        if step == "copied" and len(began) == 2:
            Path(files[0].path).write_bytes(whole)

    outcomes = landing.load(files, complete)
    assert [(outcome.name, outcome.state) for outcome in outcomes] == [("b.csv", "loaded")]
    (again, _) = landing.load(files)
    assert (again.state, *counts(again)) == ("loaded", 2_000, 2_000, 0, 0)
    landing.check()
