"""Cutting a micro-batch into units of work.

Belongs here: the pure decision which whole files are loaded together. Does not belong here:
Spark, which runs one task a unit.
"""

from __future__ import annotations

from collections.abc import Sequence

from ecom_platform.postgres.ledger import ClaimedFile

# Below this, a second task costs more (a Python worker, a connection) than it saves.
MIN_UNIT_BYTES = 8 * 1024**2
# Above this, a unit that has to start over loses too much; a larger file is a unit by itself.
MAX_UNIT_BYTES = 64 * 1024**2
MAX_UNIT_FILES = 5_000


def plan_units(files: Sequence[ClaimedFile], parallelism: int) -> list[list[ClaimedFile]]:
    """Neighbouring files in units of about equal size, at least one unit a core where it pays.

    Neighbours stay together so that files are committed about in the order they were claimed.
    """
    share = sum(file.size_bytes for file in files) / max(parallelism, 1)
    target = min(max(share, MIN_UNIT_BYTES), MAX_UNIT_BYTES)
    units: list[list[ClaimedFile]] = []
    size = 0.0
    for file in files:
        # Half the file past the target is nearer to it than none of the file.
        full = not units or size + file.size_bytes / 2 > target or len(units[-1]) >= MAX_UNIT_FILES
        if full:
            units.append([])
            size = 0.0
        units[-1].append(file)
        size += file.size_bytes
    return units
