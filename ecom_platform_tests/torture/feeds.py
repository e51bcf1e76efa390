"""Feeds of other identities beside the events, for the torture: their files, and what must become of them.

Belongs here: dirty files of known content from a seed, and the comparison of a feed's table, rejects and
ledger with them. Does not belong here: breaking anything (``torture``), or what a text must become
(``feed_reference``).
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ecom_platform.feeds.declaring import read_feed
from ecom_platform.feeds.feed import Feed
from ecom_platform.store.connection import Database
from ecom_platform_tests import feed_reference
from ecom_platform_tests.reference import Comparison

DECLARATIONS = {
    # What is the same is told apart by how-manieth it is in its file.
    "clicks": """
columns:
  at: {type: timestamptz, time_format: "%Y-%m-%d %H:%M:%S UTC"}
  step: {type: text, in: [view, cart, buy]}
  product: bigint
  price: {type: "numeric(10,2) null", min: 0}
  note: text null
identity: content
roles: {time: at}
""",
    # A line is itself wherever its like is.
    "visits": """
delimiter: semicolon
decimal: comma
columns:
  at: {type: timestamp, time_format: "%d.%m.%Y %H:%M:%S"}
  step: {type: text, in: [view, cart, buy]}
  product: integer
  price: {type: "numeric(10,2) null", min: 0}
  note: text null
identity: position
""",
    # Lines of an order, which have no number of their own.
    "order_lines": """
delimiter: tab
quote: none
columns:
  product: bigint
  step: text
  at: {type: timestamptz, time_format: epoch_s}
  price: {type: "numeric(10,2)", min: 0}
primary_key: [product, step]
numbered: true
""",
    # Of each product the newest row stays, whichever file is loaded first.
    "prices": """
delimiter: pipe
columns:
  product: bigint
  step: text
  at: {type: timestamptz, time_format: epoch_s}
  price: {type: "numeric(10,2)", min: 0}
primary_key: [product]
on_conflict: update
""",
}
FEEDS = {name: read_feed(text, f"{name}.yaml", name) for name, text in DECLARATIONS.items()}
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
# One line in so many is spoiled.
_SPOILED = 50


@dataclass(frozen=True)
class _Event:
    """What a line tells, before it is written as its feed writes it."""

    second: int
    step: str
    product: int
    cents: int
    note: str


def write_declarations(folder: Path) -> None:
    """``folder``: what ``ECOM_FEEDS_DIR`` names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in DECLARATIONS.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def write_files(landing: Path, seed: int, rows: int, files: int) -> dict[Path, Counter[str]]:
    """So many rows and files of each feed; how many lines of each file are malformed, by reason.

    Rows repeat within a file and in others, in another order.
    """
    made: dict[Path, Counter[str]] = {}
    for name, feed in FEEDS.items():
        rng = random.Random(f"{name}-{seed}")
        folder = landing / name
        folder.mkdir(exist_ok=True)
        pool = [_event(rng, number) for number in range(max(rows // 2, 1))]
        for number in range(files):
            lines, malformed = _lines(feed, rng, rng.choices(pool, k=rows // files))
            path = folder / f"{name}_{number:04}.csv"
            path.write_bytes(b"\n".join([_header(feed), *lines, b""]))
            made[path] = malformed
    return made


def _event(rng: random.Random, number: int) -> _Event:
    note = rng.choice(["", "", "käse", 'say "so"', "two\nlines", "a,b;c"])
    return _Event(
        rng.randrange(10**6), rng.choice(["view", "cart", "buy"]), number, rng.randrange(10**5), note
    )


def _header(feed: Feed) -> bytes:
    return feed.dialect.delimiter.join(feed.names).encode()


def _lines(feed: Feed, rng: random.Random, events: list[_Event]) -> tuple[list[bytes], Counter[str]]:
    malformed: Counter[str] = Counter()
    lines = []
    for event in events:
        fields = _fields(feed, event)
        line = feed.dialect.delimiter.join(_quoted(feed, field) for field in fields).encode()
        if rng.randrange(_SPOILED) == 0:
            # A note that goes over two lines would be two rows where its quotes are lost.
            whole = [field.replace("\n", " ") for field in fields]
            line, reason = _spoiled(feed, rng, whole)
            malformed[reason] += 1
        lines.append(line)
    return lines, malformed


def _fields(feed: Feed, event: _Event) -> list[str]:
    at = _BEGIN + timedelta(seconds=event.second)
    price = f"{event.cents / 100:.2f}"
    if feed.name == "clicks":
        return [f"{at:%Y-%m-%d %H:%M:%S} UTC", event.step, str(event.product), price, event.note]
    if feed.name == "visits":
        local = f"{at:%d.%m.%Y %H:%M:%S}"
        return [local, event.step, str(event.product), price.replace(".", ","), event.note]
    return [str(event.product), event.step, f"{at.timestamp():.0f}", price]


def _quoted(feed: Feed, field: str) -> str:
    quote = feed.dialect.quote
    if quote is None or not any(mark in field for mark in (quote, "\n", feed.dialect.delimiter)):
        return field
    return f"{quote}{field.replace(quote, quote * 2)}{quote}"


def _spoiled(feed: Feed, rng: random.Random, fields: list[str]) -> tuple[bytes, str]:
    """A line that has to be refused, and why."""
    delimiter = feed.dialect.delimiter
    at, price = feed.names.index("at"), feed.names.index("price")

    def line(*changes: tuple[int, str]) -> bytes:
        changed = list(fields)
        for place, text in changes:
            changed[place] = text
        return delimiter.join(_quoted(feed, field) for field in changed).encode()

    return rng.choice(
        [
            (line((at, "soon")), "not_a_time"),
            (line((price, "-1")), "out_of_range"),
            (line((price, "cheap")), "not_a_number"),
            (line((feed.names.index("product"), "")), "empty_value"),
            (line() + delimiter.encode() + b"more", "extra_fields"),
            (delimiter.join(fields[:-2]).encode(), "missing_fields"),
            (line((feed.names.index("step"), "b\x00y")), "nul_byte"),
            (line((feed.names.index("step"), "buy")).replace(b"buy", b"b\xffy", 1), "invalid_utf8"),
        ]
    )


# -- comparing -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Record:
    """One record of a file: its texts and values, or why it has none."""

    line: int
    texts: tuple[str, ...]
    values: tuple[Any, ...] | None
    reason: str


def compare_feed(database: Database, feed: Feed, loaded: Mapping[int, Path]) -> Comparison:
    """Hold the feed's table, rejects and ledger against its files; ``loaded`` maps ledger ids to bytes."""
    now = datetime.now(UTC)
    files = {file_id: list(_read(feed, path.read_bytes(), now)) for file_id, path in loaded.items()}
    if feed.on_conflict == "update":
        return _compare_newest(database, feed, files)
    comparison = Comparison(sum(map(len, files.values())), 0, 0, [])
    stored = _stored(database, feed)
    _compare_table(comparison, feed, files, loaded, stored)
    ledger, rejects = _accounts(database, feed)
    for file_id, records in files.items():
        valid = Counter(record.values for record in records if record.values is not None)
        own = stored.get(file_id, Counter())
        if own - valid:
            strange = next(iter(own - valid))
            comparison.differences.append(f"{feed.name}: file {file_id} is said to have {strange}")
        refused = sum(record.values is None for record in records)
        counts = (len(records), own.total(), len(records) - own.total() - refused, refused)
        if ledger.get(file_id) != counts:
            comparison.differences.append(
                f"{feed.name}: file {file_id}: the ledger says {ledger.get(file_id)}, the file {counts}"
            )
        expected = Counter((record.line, record.reason) for record in records if record.values is None)
        for line, reason in (rejects.get(file_id, Counter()) - expected) + (
            expected - rejects.get(file_id, Counter())
        ):
            comparison.differences.append(
                f"{feed.name}: file {file_id}: reject {reason} in line {line} is on one side only"
            )
    strangers = (set(ledger) | set(rejects) | set(stored)) - set(files)
    comparison.differences += [f"{feed.name}: file {file_id} was not loaded" for file_id in sorted(strangers)]
    return comparison


def _compare_newest(database: Database, feed: Feed, files: Mapping[int, list[_Record]]) -> Comparison:
    """Of each key the row of the file that landed last, and of that the last one; the ledger's sums."""
    comparison = Comparison(sum(map(len, files.values())), 0, 0, [])
    with database.open() as connection:
        order = {
            file_id: (landed, landing)
            for file_id, landed, landing in connection.execute(
                "SELECT file_id, coalesce(ordered_at, landed_at), coalesce(ordered_as, file_id)"
                " FROM ingested_files WHERE state = 'loaded' AND feed = %s",
                (feed.name,),
            )
        }
        sums = {
            row[0]: tuple(row[1:])
            for row in connection.execute(
                "SELECT file_id, rows_read, rows_inserted + rows_updated + rows_stale + rows_duplicate,"
                " rows_rejected, rows_inserted FROM ingested_files WHERE state = 'loaded' AND feed = %s",
                (feed.name,),
            )
        }
    comparison.differences += [
        f"{feed.name}: file {file_id} is on one side only" for file_id in sorted(order.keys() ^ files.keys())
    ]
    key = [feed.names.index(name) for name in feed.primary_key]
    newest: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for file_id in sorted(files.keys() & order.keys(), key=order.__getitem__):
        records = files[file_id]
        refused = sum(record.values is None for record in records)
        if sums[file_id][:3] != (len(records), len(records) - refused, refused):
            comparison.differences.append(f"{feed.name}: file {file_id}: the ledger says {sums[file_id]}")
        for record in records:
            if record.values is not None:
                newest[tuple(record.values[place] for place in key)] = record.values
    stored = sum(_stored(database, feed).values(), Counter())
    expected = Counter(newest.values())
    lost, doubled = expected - stored, stored - expected
    comparison.lost += lost.total()
    comparison.doubled += doubled.total()
    for what, rows in (("is not stored", lost), ("is stored and not the newest", doubled)):
        comparison.differences += [f"{feed.name}: {row} {what}" for row, _ in rows.most_common(5)]
    inserted = sum(counts[3] for counts in sums.values())
    if inserted != len(newest):
        comparison.differences.append(f"{feed.name}: {inserted} rows inserted, {len(newest)} keys")
    return comparison


def _compare_table(
    comparison: Comparison,
    feed: Feed,
    files: Mapping[int, list[_Record]],
    loaded: Mapping[int, Path],
    stored: Mapping[int, Counter[tuple[Any, ...]]],
) -> None:
    expected = _of_places(files, loaded) if feed.identity == "position" else _of_numbers(feed, files)
    found: Counter[tuple[Any, ...]] = Counter()
    for counter in stored.values():
        found.update(counter)
    lost, doubled = expected - found, found - expected
    comparison.lost += lost.total()
    comparison.doubled += doubled.total()
    for what, rows in (("is not stored", lost), ("is stored too often", doubled)):
        comparison.differences += [f"{feed.name}: {row} {what}, {n} times" for row, n in rows.most_common(5)]


def _of_places(files: Mapping[int, list[_Record]], loaded: Mapping[int, Path]) -> Counter[tuple[Any, ...]]:
    """Every line of every file, once for files of the same bytes."""
    by_bytes = {hashlib.sha256(path.read_bytes()).digest(): file_id for file_id, path in loaded.items()}
    return Counter(
        record.values
        for file_id in by_bytes.values()
        for record in files[file_id]
        if record.values is not None
    )


def _of_numbers(feed: Feed, files: Mapping[int, list[_Record]]) -> Counter[tuple[Any, ...]]:
    """By key, or by content, and by how-manieth of its file a record is: what is the same in two files is one
    row. A record that is refused keeps its number."""
    key = [feed.names.index(name) for name in feed.primary_key or feed.names]
    rows: dict[tuple[tuple[str, ...], int], tuple[Any, ...]] = {}
    for records in files.values():
        numbers: Counter[tuple[str, ...]] = Counter()
        for record in records:
            if len(record.texts) == len(feed.names):
                same = tuple(record.texts[place] for place in key)
                if record.values is not None:
                    rows[same, numbers[same]] = record.values
                numbers[same] += 1
    return Counter(rows.values())


def _read(feed: Feed, content: bytes, now: datetime) -> Iterator[_Record]:
    names = feed.names
    for line, fields in feed_reference.records(content, feed.dialect)[1:]:
        assert fields is not None, "no file of these has stray quotes"
        try:
            texts = tuple(field.decode() for field in fields)
        except UnicodeDecodeError:
            yield _Record(line, (), None, "invalid_utf8")
            continue
        if any("\0" in text for text in texts):
            yield _Record(line, texts, None, "nul_byte")
        elif len(texts) != len(names):
            word = "missing_fields" if len(texts) < len(names) else "extra_fields"
            yield _Record(line, texts, None, word)
        else:
            try:
                yield _Record(line, texts, feed_reference.row(feed, texts, now), "")
            except feed_reference.Wrong as wrong:
                yield _Record(line, texts, None, wrong.args[0])


def _stored(database: Database, feed: Feed) -> dict[int, Counter[tuple[Any, ...]]]:
    stored: dict[int, Counter[tuple[Any, ...]]] = {}
    columns = ", ".join(f'"{name}"' for name in feed.names)
    with database.open() as connection:
        for file_id, *row in connection.execute(f"SELECT file_id, {columns} FROM {feed.table}"):
            stored.setdefault(file_id, Counter())[tuple(_plain(value) for value in row)] += 1
    return stored


def _plain(value: Any) -> Any:
    aware = isinstance(value, datetime) and value.tzinfo is not None
    return value.astimezone(UTC) if aware else value


def _accounts(
    database: Database, feed: Feed
) -> tuple[dict[int, tuple[int, ...]], dict[int, Counter[tuple[int, str]]]]:
    with database.open() as connection:
        ledger = {
            row[0]: tuple(row[1:])
            for row in connection.execute(
                "SELECT file_id, rows_read, rows_inserted, rows_duplicate, rows_rejected FROM ingested_files"
                " WHERE state = 'loaded' AND feed = %s",
                (feed.name,),
            )
        }
        rejects: dict[int, Counter[tuple[int, str]]] = {}
        for file_id, line, reason in connection.execute(
            "SELECT file_id, line_number, reason FROM rejected_events WHERE feed = %s", (feed.name,)
        ):
            rejects.setdefault(file_id, Counter())[line, reason] += 1
    return ledger, rejects
