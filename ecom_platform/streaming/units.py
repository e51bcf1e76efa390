"""Units of work: which whole files are loaded together, and how Spark is told.

Belongs here: the pure decision, and the unit files that Spark streams. A unit file is a few
hundred bytes of JSON that name claimed files; Spark's own file source reads these, never a file
of events, so that what is loaded together is our decision and stays a matter of whole files.
Does not belong here: the streaming query, or loading a unit (``store.sink``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.store.ledger import ClaimedFile
from ecom_platform.store.outcome import UnitFile, feed_of, kept_as

# Below this, a second task costs more (a Python worker, a connection) than it saves.
MIN_UNIT_BYTES = 8 * 1024**2
# Above this, a unit that has to start over loses too much; a larger file is a unit by itself.
MAX_UNIT_BYTES = 64 * 1024**2
MAX_UNIT_FILES = 5_000
# Units of a micro-batch for each core: enough to keep cores busy to the end of the batch, few
# enough that progress shows and that stopping between batches does not take long.
UNITS_PER_CORE = 4
# In live mode, one round of smaller units: what lands during a micro-batch waits for its end, and so
# does whoever stops it.
LIVE_UNIT_BYTES = 16 * 1024**2

_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How many unit files a micro-batch takes, and how many files and bytes a unit may hold."""

    units_per_batch: int
    files_per_unit: int
    unit_bytes: int = MAX_UNIT_BYTES


def plan_batches(batch_files: int | None, parallelism: int) -> BatchPlan:
    """``batch_files`` files a micro-batch at most, spread over the cores; ``None``: what is fastest."""
    if batch_files is None:
        return BatchPlan(UNITS_PER_CORE * parallelism, MAX_UNIT_FILES)
    files_per_unit = max(batch_files // parallelism, 1)
    return BatchPlan(batch_files // files_per_unit, files_per_unit)


def plan_live_batches(batch_files: int | None, parallelism: int) -> BatchPlan:
    """The same for live mode, where a micro-batch must be short to begin with."""
    if batch_files is None:
        return BatchPlan(parallelism, MAX_UNIT_FILES, LIVE_UNIT_BYTES)
    return replace(plan_batches(batch_files, parallelism), unit_bytes=LIVE_UNIT_BYTES)


def plan_units(
    files: Sequence[ClaimedFile],
    parallelism: int,
    files_per_unit: int = MAX_UNIT_FILES,
    unit_bytes: int = MAX_UNIT_BYTES,
) -> list[list[ClaimedFile]]:
    """Neighbouring files of one feed in units of about equal size, at least one unit a core where it pays.

    Neighbours stay together so that files are committed about in the order they were claimed. Beyond one
    unit a core there is a whole number of them for each, so that all cores end at about the same time.
    """
    files = sorted(files, key=lambda file: feed_of(file.name))  # the others keep their order
    total = sum(file.size_bytes for file in files)
    cores = max(parallelism, 1)
    count = max(1, min(cores, round(total / MIN_UNIT_BYTES)))
    if total > count * unit_bytes:
        count = cores * math.ceil(total / (cores * unit_bytes))
    share = max(total / count, 1)
    units: list[list[ClaimedFile]] = []
    number, before, size = -1, 0, 0
    for file in files:
        # A file belongs to the share that has its middle.
        belongs = int((before + file.size_bytes / 2) / share)
        other = bool(units) and feed_of(units[-1][-1].name) != feed_of(file.name)
        if belongs != number or other or len(units[-1]) >= files_per_unit or size >= unit_bytes:
            units.append([])
            number, size = belongs, 0
        units[-1].append(file)
        before += file.size_bytes
        size += file.size_bytes
    return units


def write_units(folder: Path, units: Iterable[Sequence[ClaimedFile]]) -> None:
    """One unit file each, in the order in which Spark is to take them."""
    for number, unit in enumerate(units):
        write_unit(folder, number, unit)


def write_unit(folder: Path, number: int, unit: Sequence[ClaimedFile]) -> Path:
    """The unit file of this number; returns where it is."""
    path = folder / f"{number:08d}{_SUFFIX}"
    # Spark passes over names that begin with an underscore until the rename.
    hidden = folder / f"_{path.name}"
    try:
        # No further up: where the landing folder's disk is away, nothing is made in its place.
        folder.parent.mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        entries = [_entry(file) for file in unit]
        hidden.write_text(json.dumps(entries), encoding="utf-8")
        hidden.rename(path)
    except OSError as error:
        raise StorageError(
            f"The folder {folder} cannot be written: {error.strerror}.",
            "Make room, or set ECOM_LANDING_DIR to a folder that can be written.",
        ) from error
    return path


def read_unit(text: str, claimed: str) -> list[UnitFile]:
    """The files that the content of a unit file names, in the folder ``claimed``; of objects their keys."""
    return [_file(claimed, *entry) for entry in json.loads(text)]


def _entry(file: ClaimedFile) -> tuple[int | str, ...]:
    entry = (file.file_id, file.name, file.size_bytes)
    return entry if file.key is None or file.etag is None else (*entry, file.key, file.etag)


def _file(
    claimed: str, file_id: int, name: str, size: int, key: str | None = None, etag: str | None = None
) -> UnitFile:
    path = f"{claimed}/{kept_as(file_id, name)}" if key is None else key
    return UnitFile(file_id, name, path, size, etag)
