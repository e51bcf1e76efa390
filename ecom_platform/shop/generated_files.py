"""Generated files: letting them land, and counting what is in them, wherever they are by now.

Belongs here: where files of the generator go, finding one by its name at whichever stage it has reached, and
counting its records. Does not belong here: reading values, which is ``files.feed_decoding``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from ecom_platform.landing.bucket import object_arriving
from ecom_platform.landing.bucket.bucket_zone import BucketZone
from ecom_platform.landing.landing_places import Folders, Objects
from ecom_platform.landing.zone import LandingZone
from ecom_platform.shop.generator import GeneratorConfig, WrittenFile, write_files
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection

_BLOCK = 1024**2
# A move is a rename and a commit: the next look finds the file in its new place.
_LOOKS = 5
_LOOK_SECONDS = 0.2
_REQUESTS = 16


def let_land(places: Folders | Objects, generator: GeneratorConfig, now: datetime) -> list[WrittenFile]:
    """Write the files of ``generator`` where files land: each appears whole, all of them or none."""
    if isinstance(places, Folders):
        return write_files(generator, places.zone.landing, now)
    with tempfile.TemporaryDirectory(prefix="ecom-generated-") as folder:
        files = write_files(generator, Path(folder), now)
        object_arriving.let_land(places.zone, Path(folder), [file.name for file in files])
    return files


def count_records(connection: Connection, places: Folders | Objects, names: Sequence[str]) -> dict[str, int]:
    """Records after the header in each of ``names`` that can still be found.

    The generator writes one record a line, no quoted newlines. Another run may be moving
    the very files; one that is not where it was a moment ago is looked for again.
    """
    counts: dict[str, int] = {}
    for _ in range(_LOOKS):
        missing = [name for name in names if name not in counts]
        if isinstance(places, Folders):
            lines = _in_folders(connection, places.zone, missing)
        else:
            lines = _in_bucket(connection, places.zone, missing)
        counts |= {name: max(number - 1, 0) for name, number in lines.items()}
        if len(counts) == len(names):
            break
        time.sleep(_LOOK_SECONDS)
    return counts


def _in_folders(connection: Connection, zone: LandingZone, names: Sequence[str]) -> dict[str, int]:
    """Lines of the newest file of each name: still landing, claimed, archived or in quarantine."""
    paths = {name: zone.landing / name for name in names}
    for state in ledger.newest_by_name(connection, names):
        paths[state.name] = zone.path_of(state)
    found: dict[str, int] = {}
    for name, path in paths.items():
        with suppress(FileNotFoundError):
            found[name] = _lines(path)
    return found


def _in_bucket(connection: Connection, zone: BucketZone, names: Sequence[str]) -> dict[str, int]:
    """The same of objects; one that is finished stays where it has landed until it is put away."""
    keys = {name: [name] for name in names}
    for state in ledger.newest_by_name(connection, names):
        put_away = zone.key_of(state)
        keys[state.name] = [state.name] if put_away is None else [put_away, state.name]

    def lines(name: str) -> int | None:
        contents = (zone.bucket.read(key) for key in keys[name])
        found = next((content for content in contents if content is not None), None)
        return None if found is None else found.count(b"\n")

    with ThreadPoolExecutor(_REQUESTS, thread_name_prefix="count") as pool:
        counted = zip(names, pool.map(lines, names), strict=True)
        return {name: number for name, number in counted if number is not None}


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))
