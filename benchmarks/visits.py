"""Files in the shape of a public feed of a shop's visits: nine columns, no event id, equal rows may be two
events.

Belongs here: making them quickly, the same for the same seed. Does not belong here: loading them
(``experiments.feeds``).

The shape is that of REES46's open data set: ``event_time`` in UTC, ids of 19 digits, empty brands and
categories.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

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
_BEGIN = 1_569_888_000
_TYPES = pa.array(["view", "cart", "remove_from_cart", "purchase"])
_CODES = pa.array(["", "electronics.smartphone", "appliances.environment.water_heater", "computers.notebook"])
_BRANDS = pa.array(["", "samsung", "apple", "xiaomi", "lenovo", "shiseido"])
_PRODUCTS, _SESSIONS = 50_000, 200_000


def write(
    folder: Path, rows: int, rows_per_file: int = 500_000, seed: int = 1, copies: int = 1
) -> list[Path]:
    """Files of ``rows`` rows in all; with ``copies`` each row occurs so often in its file."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    sessions = _session_names(random)
    paths = []
    for begin in range(0, rows, rows_per_file):
        count = min(rows_per_file, rows - begin)
        path = folder / f"visits-{begin // rows_per_file:05d}.csv"
        table = _visits(random, sessions, -(-count // copies), begin)
        if copies > 1:
            table = pa.concat_tables([table] * copies).slice(0, count)
        pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(quoting_style="none"))
        paths.append(path)
    return paths


def _session_names(random: np.random.Generator) -> pa.Array:
    octets = random.integers(0, 256, (_SESSIONS, 16), dtype=np.uint8)
    return pa.array(
        [
            f"{row[:4]}-{row[4:8]}-{row[8:12]}-{row[12:16]}-{row[16:]}"
            for row in (o.tobytes().hex() for o in octets)
        ]
    )


def _visits(random: np.random.Generator, sessions: pa.Array, count: int, begin: int) -> pa.Table:
    seconds = _BEGIN + begin // 40 + np.sort(random.integers(0, max(count // 40, 1), count))
    product = random.integers(0, _PRODUCTS, count)
    cents = pa.array(random.integers(100, 200_000, count))
    moment = pa.array(seconds, pa.int64()).cast(pa.timestamp("s", "UTC"))
    return pa.table(
        {
            "event_time": pc.strftime(moment, "%Y-%m-%d %H:%M:%S UTC"),
            "event_type": _TYPES.take(pa.array(random.choice(4, count, p=[0.94, 0.03, 0.01, 0.02]))),
            "product_id": pa.array(1_000_000 + product),
            "category_id": pa.array(2_053_013_552_000_000_000 + product % 1_000),
            "category_code": _CODES.take(pa.array(product % 4)),
            "brand": _BRANDS.take(pa.array(product % 6)),
            "price": cents.cast(pa.decimal128(19, 0)).cast(pa.decimal128(21, 2)).cast(pa.string()),
            "user_id": pa.array(512_000_000 + random.integers(0, 1_000_000, count)),
            "user_session": sessions.take(pa.array(random.integers(0, _SESSIONS, count))),
        }
    )
