"""Files in the shape of a public feed of a shop's visits: nine columns, no event id, equal rows may be two
events.

Belongs here: making them quickly, the same for the same seed. Does not belong here: loading them
(``experiments.feeds``).

The shape is that of REES46's open data set: ``event_time`` in UTC, ids of 19 digits, empty brands and
categories.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

DECLARATION = """
columns:
  event_time: {type: timestamptz, time_format: "%Y-%m-%d %H:%M:%S UTC"}
  event_type: {type: text, in: [view, cart, remove_from_cart, purchase]}
  product_id: bigint
  category_id: bigint
  category_code: text null
  brand: text null
  price: "numeric(10,2)"
  user_id: bigint
  user_session: text null
roles: {time: event_time}
"""
_COLUMNS = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
_BEGIN = 1_569_888_000
_TYPES = pa.array(["view", "cart", "remove_from_cart", "purchase"])
_CODES = ["", "electronics.smartphone", "appliances.environment.water_heater", "computers.notebook"]
_BRANDS = ["", "samsung", "apple", "xiaomi", "lenovo", "shiseido"]
_PRODUCTS, _SESSIONS = 50_000, 200_000
_LEAST_CENTS, _MOST_CENTS = 100, 200_000
_ROWS_OF_A_GROUP = 100_000
# An array of texts holds at most 2 GiB.
_ROWS_OF_A_BLOCK = 5_000_000


def write(
    folder: Path, rows: int, rows_per_file: int = 500_000, seed: int = 1, copies: int = 1
) -> list[Path]:
    """Files of ``rows`` rows in all; with ``copies`` each row occurs so often in its file."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    words = _Words(random)
    paths = []
    for begin in range(0, rows, rows_per_file):
        count = min(rows_per_file, rows - begin)
        path = folder / f"visits-{begin // rows_per_file:05d}.csv"
        different = -(-count // copies)
        blocks = [
            _lines(random, words, min(_ROWS_OF_A_BLOCK, different - first), begin + first)
            for first in range(0, different, _ROWS_OF_A_BLOCK)
        ]
        with path.open("wb") as file:
            file.write(f"{_COLUMNS}\n".encode())
            left = count
            for block in itertools.chain.from_iterable(itertools.repeat(blocks, copies)):
                file.write(_text(block.slice(0, left)))
                left = max(left - len(block), 0)
        paths.append(path)
    return paths


def in_format(paths: Sequence[Path], kind: str, folder: Path) -> list[Path]:
    """The same rows as ``jsonl`` or ``parquet``, a file for each of ``paths``."""
    if kind == "csv":
        return list(paths)
    folder.mkdir(parents=True, exist_ok=True)
    names = _COLUMNS.split(",")
    convert = pacsv.ConvertOptions(
        column_types={name: pa.string() for name in names}, strings_can_be_null=True, null_values=[""]
    )
    found = []
    for path in paths:
        table = pacsv.read_csv(path, convert_options=convert).combine_chunks()
        found.append(folder / f"{path.stem}.{kind}")
        if kind == "parquet":
            pq.write_table(_typed(table), found[-1], row_group_size=_ROWS_OF_A_GROUP)
        else:
            with found[-1].open("wb") as file:
                for batch in table.to_batches(_ROWS_OF_A_GROUP):
                    file.write(_text(_json_lines(batch)))
    return found


def _typed(table: pa.Table) -> pa.Table:
    """As who writes Parquet has the columns."""
    kinds = {
        "event_time": pa.timestamp("us", "UTC"),
        "price": pa.decimal128(10, 2),
        **dict.fromkeys(("product_id", "category_id", "user_id"), pa.int64()),
    }
    for name, kind in kinds.items():
        values = pc.replace_substring(table[name], " UTC", "Z") if name == "event_time" else table[name]
        table = table.set_column(table.schema.get_field_index(name), name, pc.cast(values, kind))
    return table


def _json_lines(batch: pa.RecordBatch) -> pa.StringArray:
    """As programs write them: numbers bare, null where there is none."""
    bare = {"product_id", "category_id", "price", "user_id"}
    parts: list[pa.Array | str] = []
    for number, name in enumerate(batch.schema.names):
        values = batch.column(name)
        quoted = values if name in bare else pc.binary_join_element_wise('"', values, '"', "")
        parts += [f'{"{" if number == 0 else ","}"{name}":', pc.fill_null(quoted, "null")]
    return pc.binary_join_element_wise(*parts, "}\n", "")


class _Words:
    """The texts that occur again and again, so that a line is put together of few pieces."""

    def __init__(self, random: np.random.Generator) -> None:
        self.sessions = _session_names(random)
        # What follows from a product: its id and category, that one's code, its brand.
        self.products = pa.array(
            [
                f"{1_000_000 + number},{2_053_013_552_000_000_000 + number % 1_000},"
                f"{_CODES[number % 4]},{_BRANDS[number % 6]}"
                for number in range(_PRODUCTS)
            ]
        )
        self.prices = pa.array(
            [f"{cents // 100}.{cents % 100:02d}" for cents in range(_LEAST_CENTS, _MOST_CENTS)]
        )


def _text(lines: pa.StringArray) -> memoryview:
    """The lines of an array, end to end."""
    ends = np.frombuffer(lines.buffers()[1], dtype=np.int32, count=len(lines) + 1, offset=4 * lines.offset)
    return memoryview(lines.buffers()[2])[ends[0] : ends[-1]]


def _session_names(random: np.random.Generator) -> pa.Array:
    octets = random.integers(0, 256, (_SESSIONS, 16), dtype=np.uint8)
    return pa.array(
        [
            f"{row[:8]}-{row[8:12]}-{row[12:16]}-{row[16:20]}-{row[20:]}\n"
            for row in (o.tobytes().hex() for o in octets)
        ]
    )


def _lines(random: np.random.Generator, words: _Words, count: int, begin: int) -> pa.StringArray:
    """``count`` lines with their ends."""
    seconds = _BEGIN + begin // 40 + np.sort(random.integers(0, max(count // 40, 1), count))
    product = random.integers(0, _PRODUCTS, count)
    cents = random.integers(_LEAST_CENTS, _MOST_CENTS, count)
    kind = random.choice(4, count, p=[0.94, 0.03, 0.01, 0.02])
    user = random.integers(0, 1_000_000, count)
    session = random.integers(0, _SESSIONS, count)
    # Sorted seconds: each is written once and taken for all of its rows.
    is_new = np.append(True, seconds[1:] != seconds[:-1])
    moments = pa.array(seconds[is_new], pa.int64()).cast(pa.timestamp("s", "UTC"))
    return pc.binary_join_element_wise(
        pc.strftime(moments, "%Y-%m-%d %H:%M:%S UTC").take(pa.array(np.cumsum(is_new) - 1)),
        _TYPES.take(pa.array(kind)),
        words.products.take(pa.array(product)),
        words.prices.take(pa.array(cents - _LEAST_CENTS)),
        pa.array(512_000_000 + user).cast(pa.string()),
        words.sessions.take(pa.array(session)),
        ",",
    )
