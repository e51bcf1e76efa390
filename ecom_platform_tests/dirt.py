"""Files of events with known faults in them, from a seed.

Belongs here: making the input of fault tests: clean events by the package's generator, then
duplicates, conflicts and every kind of malformed row put in by hand.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ecom_platform.shop.generator import GeneratorConfig, write_files

AS_OF = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _field(position: int, value: bytes) -> Callable[[bytes], bytes]:
    def spoil(line: bytes) -> bytes:
        fields = line.split(b",")
        fields[position] = value
        return b",".join(fields)

    return spoil


def _sale(price: bytes) -> Callable[[bytes], bytes]:
    def spoil(line: bytes) -> bytes:
        fields = line.split(b",")
        fields[3], fields[5] = b"purchase", price
        return b",".join(fields)

    return spoil


def _view_with_price(line: bytes) -> bytes:
    fields = line.split(b",")
    fields[3], fields[5] = b"view", b"10.00"
    return b",".join(fields)


# Ways to spoil a line, by the reason that the row is refused for and what is wrong with it.
SPOILERS: dict[tuple[str, str], Callable[[bytes], bytes]] = {
    ("missing_fields", ""): lambda line: line.rsplit(b",", 1)[0],
    ("extra_fields", ""): lambda line: line + b",more",
    ("empty_value", ""): _field(2, b""),
    ("not_a_uuid", ""): _field(0, b"not-a-uuid"),
    ("not_an_integer", "user_id"): _field(1, b"12a"),
    ("out_of_range", "user_id"): _field(1, b"0"),
    ("not_in_list", "event_type"): _field(3, b"refund"),
    ("not_a_time", ""): _field(4, b"yesterday"),
    ("out_of_range", "event_time"): _field(4, b"1999-12-31 23:59:59"),
    ("not_finite", "NaN"): _sale(b"NaN"),
    ("not_finite", "infinity"): _sale(b"Infinity"),
    ("out_of_range", "negative"): _sale(b"-1.00"),
    ("too_many_decimals", ""): _sale(b"10.001"),
    ("out_of_range", "price"): _sale(b"100000000.00"),
    ("not_in_list", "category"): _field(6, b"Garden"),
    ("not_in_list", "user_device"): _field(7, b"Fridge"),
    ("not_in_list", "user_location"): _field(8, b"XX"),
    ("must_be_absent", ""): _view_with_price,
    ("required", ""): _sale(b""),
    ("unbalanced_quotes", ""): _field(2, b'"PROD1000'),
    ("nul_byte", ""): _field(2, b"PROD\x00"),
    ("invalid_utf8", ""): _field(2, b"PROD\xff"),
}


def write_dirty_files(
    folder: Path, seed: int, events: int, rows_per_file: int = 1_000
) -> dict[Path, Counter[str]]:
    """``events`` generated events in files, about 3% of the lines changed or added.

    Each file gets lines twice, lines of another file, a line with another file's id but other
    content, and some malformed ones. Returns how many lines of each file were malformed, by the
    reason they must be refused for.
    """
    rng = random.Random(seed)
    config = GeneratorConfig(seed=seed, as_of=AS_OF, events=events, rows_per_file=rows_per_file)
    paths = [folder / file.name for file in write_files(config, folder, datetime.now(UTC))]
    contents = [path.read_bytes().splitlines() for path in paths]
    others = [line for lines in contents for line in lines[1 : 1 + max(rows_per_file // 50, 2)]]
    malformed: dict[Path, Counter[str]] = {}
    for path, (header, *lines) in zip(paths, contents, strict=True):
        dirty, malformed[path] = _dirtied(rng, lines, others)
        path.write_bytes(b"\n".join([header, *dirty]) + b"\n")
    return malformed


def _dirtied(rng: random.Random, lines: list[bytes], others: list[bytes]) -> tuple[list[bytes], Counter[str]]:
    some = max(len(lines) // 100, 1)
    twice = rng.sample(lines, some)
    elsewhere = rng.sample(others, min(some, len(others)))
    conflicts = [_field(1, b"999999")(line) for line in rng.sample(others, min(2, len(others)))]
    spoiled = {index: rng.choice(list(SPOILERS)) for index in rng.sample(range(len(lines)), some)}
    dirty = [SPOILERS[spoiled[i]](line) if i in spoiled else line for i, line in enumerate(lines)]
    for line in [*twice, *elsewhere, *conflicts]:
        dirty.insert(rng.randrange(len(dirty) + 1), line)
    return dirty, Counter(reason for reason, _ in spoiled.values())
