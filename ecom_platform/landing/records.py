"""Counting what is in files, wherever in the landing zone they are by now.

Belongs here: finding a file by its name at whichever stage it has reached, and counting its
records. Does not belong here: reading values, which is ``events.decoding``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ecom_platform.landing.zone import LandingZone
from ecom_platform.postgres import ledger
from ecom_platform.postgres.connection import Connection

_BLOCK = 1024**2


def count_records(connection: Connection, zone: LandingZone, names: Sequence[str]) -> dict[str, int]:
    """Records after the header in each of ``names`` that can still be found.

    For files of our own generator: one record a line, no quoted newlines.
    """
    paths = locate(connection, zone, names)
    return {name: max(_lines(path) - 1, 0) for name, path in paths.items()}


def locate(connection: Connection, zone: LandingZone, names: Sequence[str]) -> dict[str, Path]:
    """Where the newest file of each name is: still landing, claimed, archived or in quarantine."""
    paths = {name: zone.landing / name for name in names}
    for state in ledger.newest_by_name(connection, names):
        paths[state.name] = zone.path_of(state)
    return {name: path for name, path in paths.items() if path.is_file()}


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))
