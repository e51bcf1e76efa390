"""The highest number that a file of the landing zone has, wherever it lies.

Belongs here: looking in all places at the price of those that changed. Does not belong here: what follows
from it (``claim``), or what a number is (``zone``).

A year of the archive may have millions of names. What was found in a folder is kept in a file of the zone and
holds until the folder's time changes, which it does with every name that comes or goes. The file is scratch.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.kept_names import LARGEST_NUMBER, numbered

_CACHE = "numbers.json"
# A name may come in the same tick of the clock as a look, and leave the folder's time as it is.
_TICK_NS = 2_000_000_000


def highest(zone: LandingZone) -> tuple[int, Path] | None:
    """The highest number in the claimed folder, the quarantine and every day of the archive, and its file."""
    known = _read(zone)
    found: dict[str, tuple[int, int, str]] = {}
    best: tuple[int, Path] | None = None
    for folder in (*zone.unfinished_and_refused, *zone.archive_days()):
        changed_ns = folder.stat().st_mtime_ns
        key = str(folder.relative_to(zone.ours))
        seen = known.get(key)
        if seen is not None and seen[0] == changed_ns:
            number, name = seen[1:]
        else:
            number, name = _highest_in(folder)
        if time.time_ns() - changed_ns > _TICK_NS:
            found[key] = changed_ns, number, name
        if number >= 0 and (best is None or number > best[0]):
            best = number, folder / name
    if found != known:
        _write(zone, found)
    return best


def _highest_in(folder: Path) -> tuple[int, str]:
    best = -1, ""
    with os.scandir(folder) as entries:
        for entry in entries:
            ours = numbered(entry.name)
            if ours is not None and best[0] < ours[0] <= LARGEST_NUMBER:
                best = ours[0], entry.name
    return best


def _read(zone: LandingZone) -> dict[str, tuple[int, int, str]]:
    """What was found before; nothing where the file is not there or makes no sense."""
    try:
        folders = json.loads((zone.ours / _CACHE).read_text(encoding="utf-8"))
        return {
            str(folder): (int(changed_ns), int(number), str(name))
            for folder, (changed_ns, number, name) in folders.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(zone: LandingZone, found: dict[str, tuple[int, int, str]]) -> None:
    path = zone.ours / _CACHE
    hidden = path.with_name(f".{_CACHE}-{secrets.token_hex(8)}")
    with suppress(OSError):
        try:
            hidden.write_text(json.dumps(found), encoding="utf-8")
            hidden.replace(path)
        finally:
            hidden.unlink(missing_ok=True)
