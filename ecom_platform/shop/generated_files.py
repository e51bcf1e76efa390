"""Counting what is in generated files, wherever in the landing zone they are by now.

Belongs here: finding a file by its name at whichever stage it has reached, and counting its
records. Does not belong here: reading values, which is ``files.feed_decoding``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ecom_platform.landing.zone import LandingZone
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection

_BLOCK = 1024**2
# A move is a rename and a commit: the next look finds the file in its new place.
_LOOKS = 5
_LOOK_SECONDS = 0.2


def count_records(connection: Connection, zone: LandingZone, names: Sequence[str]) -> dict[str, int]:
    """Records after the header in each of ``names`` that can still be found.

    The generator writes one record a line, no quoted newlines. Another run may be moving
    the very files; one that is not where it was a moment ago is looked for again.
    """
    counts: dict[str, int] = {}
    for _ in range(_LOOKS):
        missing = [name for name in names if name not in counts]
        for name, path in _locate(connection, zone, missing).items():
            with suppress(FileNotFoundError):
                counts[name] = max(_lines(path) - 1, 0)
        if len(counts) == len(names):
            break
        time.sleep(_LOOK_SECONDS)
    return counts


def _locate(connection: Connection, zone: LandingZone, names: Sequence[str]) -> dict[str, Path]:
    """Where the newest file of each name is: still landing, claimed, archived or in quarantine."""
    paths = {name: zone.landing / name for name in names}
    for state in ledger.newest_by_name(connection, names):
        paths[state.name] = zone.path_of(state)
    return paths


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))
