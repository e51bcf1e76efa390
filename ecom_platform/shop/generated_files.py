"""Generated files: letting them land, and counting what is in them, wherever they are by now.

Belongs here: that a record is a line, and for how long a file is looked for that is being moved. Does not
belong here: where files lie (``landing.kept_files``), or reading values, which is ``files.feed_decoding``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from ecom_platform.landing.kept_files import kept_files
from ecom_platform.landing.landing_places import LandingPlaces
from ecom_platform.landing.landing_zone import Zone
from ecom_platform.shop.generator import GeneratorConfig, WrittenFile, write_files
from ecom_platform.store.connection import Connection

# A move is a rename and a commit: the next look finds the file in its new place.
_LOOKS = 5
_LOOK_SECONDS = 0.2


def let_land(places: LandingPlaces, generator: GeneratorConfig, now: datetime) -> list[WrittenFile]:
    """Write the files of ``generator`` where files land: each appears whole, all of them or none."""
    with places.filling() as folder:
        return write_files(generator, folder, now)


def count_records(connection: Connection, zone: Zone, names: Sequence[str]) -> dict[str, int]:
    """Records after the header in each of ``names`` that can still be found.

    The generator writes one record a line, no quoted newlines. Another run may be moving
    the very files; one that is not where it was a moment ago is looked for again.
    """
    counts: dict[str, int] = {}
    for _ in range(_LOOKS):
        missing = [name for name in names if name not in counts]
        lines = kept_files(zone).line_counts(connection, missing)
        counts |= {name: max(number - 1, 0) for name, number in lines.items()}
        if len(counts) == len(names):
            break
        time.sleep(_LOOK_SECONDS)
    return counts
