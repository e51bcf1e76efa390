"""Events to CSV files on disk: the generator beside Faker asked for every value of every row."""

from __future__ import annotations

import csv
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from faker import Faker

from benchmarks import workload
from benchmarks.results import Findings
from ecom_platform.shop.event import CATEGORIES, COLUMN_NAMES, DEVICES, EVENT_TYPES
from ecom_platform.shop.generator import GeneratorConfig, write_files

_FAKER_ROWS = 20_000


def run(folder: Path, say: Callable[[str], None], *, rows: int, repeat: int) -> Findings:
    """``rows`` events by us, 20,000 by Faker row by row, in turn; rates are compared."""
    rates: dict[str, list[float]] = {"ours": [], "faker": []}
    for number in range(repeat):
        rates["ours"].append(rows / _ours(folder / "scratch", rows, number))
        rates["faker"].append(_FAKER_ROWS / _faker(folder / "scratch", number))
        say(f"ours {rates['ours'][-1]:,.0f}, Faker {rates['faker'][-1]:,.0f} events/s")
    ours, faker = (statistics.median(rates[name]) for name in ("ours", "faker"))
    findings = Findings(
        "generate",
        f"Events to CSV files on disk, median of {repeat}",
        ("generator", "events", "events/s", "ratio"),
        figures=rates,
    )
    findings.rows = [
        ("ours, vectorised", f"{rows:,}", f"{ours:,.0f}", f"{ours / faker:.1f}"),
        ("Faker, row by row", f"{_FAKER_ROWS:,}", f"{faker:,.0f}", "1"),
    ]
    return findings


def _ours(folder: Path, rows: int, seed: int) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    write_files(GeneratorConfig(seed, workload.AS_OF, rows, 100_000), folder, workload.AS_OF)
    seconds = time.perf_counter() - started
    shutil.rmtree(folder)
    return seconds


def _faker(folder: Path, seed: int) -> float:
    """As the pipeline this platform grew from did it: nine calls of Faker a row."""
    folder.mkdir(parents=True)
    fake = Faker()
    fake.seed_instance(seed)
    started = time.perf_counter()
    with (folder / "events.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMN_NAMES)
        for _ in range(_FAKER_ROWS):
            kind = fake.random_element(EVENT_TYPES)
            price = "" if kind == "view" else f"{fake.random_int(1_000, 50_000) / 100:.2f}"
            writer.writerow(
                [
                    fake.uuid4(),
                    fake.random_int(1, 1_000),
                    f"PROD{fake.random_int(1_000, 9_999)}",
                    kind,
                    fake.date_time_between("-90d").isoformat(" "),
                    price,
                    fake.random_element(CATEGORIES),
                    fake.random_element(DEVICES),
                    fake.country_code(),
                ]
            )
    seconds = time.perf_counter() - started
    shutil.rmtree(folder)
    return seconds
