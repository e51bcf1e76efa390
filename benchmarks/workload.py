"""The data that every path loads: files of events, made from a seed.

Belongs here: making them once and handing them out. Does not belong here: how they are loaded.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.compute as pc

from ecom_platform.shop.generator import GeneratorConfig, generate_tables, write_files

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
SEED = 20260101


@dataclass(frozen=True, slots=True)
class Truth:
    """What a table must hold after the load, whoever loaded it."""

    rows: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class Workload:
    """``rows`` events in ``files`` of equal length, all ids different."""

    folder: Path
    paths: tuple[Path, ...]
    truth: Truth

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.paths)


def prepare(
    folder: Path, rows: int, rows_per_file: int, seed: int = SEED, as_of: datetime = AS_OF
) -> Workload:
    """The files of this size below ``folder``, made unless they are there."""
    target = folder / f"events-{seed}-{as_of:%Y%m%d}-{rows}-{rows_per_file}"
    config = GeneratorConfig(seed=seed, as_of=as_of, events=rows, rows_per_file=rows_per_file)
    if not target.is_dir():
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_files(config, partial, as_of)
        partial.rename(target)
    return Workload(target, tuple(sorted(target.glob("*.csv"))), _truth(config))


def _truth(config: GeneratorConfig) -> Truth:
    """Counted from the generator's tables, not from the files."""
    rows, revenue = 0, Decimal(0)
    for table in generate_tables(config):
        rows += table.num_rows
        revenue += pc.sum(table["price"]).as_py() or 0
    return Truth(rows, revenue)


def copy_into(workload: Workload, landing: Path) -> None:
    """Let the files land, as copies: a file that has other names as well is copied when it is claimed, which
    would be measured."""
    landing.mkdir(parents=True, exist_ok=True)
    for path in workload.paths:
        shutil.copy2(path, landing / path.name)
