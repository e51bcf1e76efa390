"""A second opinion: what must be in the tables, by code that is not the package's.

Of the package it takes the lists of known values and the connection to PostgreSQL, nothing else.
Plain Python, one row after the other. It reads files line by line (the files of the tests have no
quoted line ends) and knows the rules of an event from docs/events.md.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from ecom_platform.shop.event import CATEGORIES, COUNTRIES, DEVICES, EVENT_TYPES
from ecom_platform.store.connection import Database

NAMES = "event_id user_id product_id event_type event_time price category user_device user_location".split()
Content = tuple[Any, ...]


@dataclass(frozen=True)
class Row:
    """One record of a file: its content, or why it has none."""

    line: int
    raw: bytes
    content: Content | None
    reason: str | None


def read(path: Path) -> list[Row]:
    """The records of a CSV file with a header, packed if its name says so."""
    content = path.read_bytes()
    lines = (gzip.decompress(content) if path.suffix == ".gz" else content).split(b"\n")
    header = lines[0].decode().strip().split(",")
    return [_row(number, raw, header) for number, raw in enumerate(lines[1:], 2) if raw.strip()]


def _row(number: int, raw: bytes, header: list[str]) -> Row:
    try:
        return Row(number, raw, _content(raw, header), None)
    except ValueError as error:
        return Row(number, raw, None, str(error))


def _fail(reason: str) -> Any:
    raise ValueError(reason)


def _content(raw: bytes, header: list[str]) -> Content:
    if b"\x00" in raw:
        _fail("nul_byte")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        _fail("invalid_utf8")
    if text.count('"') % 2:
        _fail("unbalanced_quotes")
    fields = next(csv.reader([text]))
    if len(fields) != 9:
        _fail("missing_fields" if len(fields) < 9 else "extra_fields")
    value = dict(zip(header, fields, strict=True))
    if any(not value[name] for name in NAMES if name != "price"):
        _fail("empty_value")
    return _checked(value)


def _checked(value: dict[str, str]) -> Content:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value["event_id"]):
        _fail("not_a_uuid")
    number = re.fullmatch(r"(-?[0-9]+)(\.0*)?", value["user_id"])
    if number is None:
        _fail("not_an_integer")
    if not 1 <= int(number[1]) < 2**63:
        _fail("out_of_range")
    if value["event_type"] not in EVENT_TYPES:
        _fail("not_in_list")
    moment = _moment(value["event_time"])
    price = _price(value["price"])
    for name, domain, reason in (
        ("category", CATEGORIES, "not_in_list"),
        ("user_device", DEVICES, "not_in_list"),
        ("user_location", COUNTRIES, "not_in_list"),
    ):
        if value[name] not in domain:
            _fail(reason)
    if value["event_type"] == "view" and price is not None:
        _fail("must_be_absent")
    if value["event_type"] != "view" and price is None:
        _fail("required")
    rest = (value["product_id"], value["event_type"], moment, price)
    places = (value["category"], value["user_device"], value["user_location"])
    return (value["event_id"].lower(), int(number[1]), *rest, *places)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _fail("not_a_time")
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if not datetime(2000, 1, 1, tzinfo=UTC) <= moment <= datetime.now(UTC) + timedelta(days=1):
        _fail("out_of_range")
    return moment


def _price(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        price = Decimal(text)
    except InvalidOperation:
        _fail("not_a_number")
    if price.is_nan():
        _fail("not_finite")
    if price.is_infinite():
        _fail("not_finite")
    if price <= 0:
        _fail("out_of_range")
    if price != round(price, 2):
        _fail("too_many_decimals")
    return price if price < 10**8 else _fail("out_of_range")


@dataclass
class Comparison:
    """How many rows were looked at, and everything that is not as it must be."""

    rows: int
    lost: int
    doubled: int
    differences: list[str]

    def add(self, other: Comparison) -> None:
        """What was found of other rows as well."""
        self.rows += other.rows
        self.lost += other.lost
        self.doubled += other.doubled
        self.differences += other.differences


@dataclass(frozen=True)
class Stored:
    """One row of the table, and the file it says it is from."""

    content: Content
    file_id: int


def compare(database: Database, loaded: dict[int, Path]) -> Comparison:
    """Hold every row of every table against the files; ``loaded`` maps each ledger id to its bytes.

    Where two contents compete for an id, whichever was committed first stays: that one is taken
    from the table, and everything else must follow from it.
    """
    files = {file_id: read(path) for file_id, path in loaded.items()}
    stored = _stored(database)
    found = _Found(database)
    comparison = Comparison(sum(map(len, files.values())), 0, 0, [])
    _compare_stored(comparison, files, stored)
    for file_id, rows in files.items():
        _compare_file(comparison, file_id, rows, stored, found)
        _compare_bytes(comparison, file_id, loaded, found)
    strangers = (set(found.ledger) | set(found.rejects)) - set(files)
    comparison.differences += [
        f"file {file_id} has rows, but was not loaded" for file_id in sorted(strangers)
    ]
    return comparison


def _stored(database: Database) -> dict[str, list[Stored]]:
    stored: dict[str, list[Stored]] = defaultdict(list)
    with database.open() as connection:
        for *content, file_id in connection.execute(f"SELECT {', '.join(NAMES)}, file_id FROM user_events"):
            content[0], content[4] = str(content[0]), content[4].astimezone(UTC)
            stored[content[0]].append(Stored(tuple(content), file_id))
    return stored


class _Found:
    """What the other tables hold, by file."""

    def __init__(self, database: Database) -> None:
        with database.open() as connection:
            self.ledger = {
                row[0]: row[1:]
                for row in connection.execute(
                    "SELECT file_id, rows_read, rows_inserted, rows_duplicate, rows_rejected,"
                    " rows_duplicate_within, rows_conflicting FROM ingested_files"
                    " WHERE state = 'loaded' AND feed = 'user_events'"
                )
            }
            self.bytes = {
                row[0]: row[1:]
                for row in connection.execute(
                    "SELECT file_id, name, size_bytes, sha256, same_bytes_as FROM ingested_files"
                )
            }
            self.rejects: dict[int, Counter[tuple[str, int, str, bytes]]] = defaultdict(Counter)
            for file_id, name, line, reason, raw in connection.execute(
                "SELECT file_id, file_name, line_number, reason, raw FROM rejected_events"
                " WHERE feed = 'user_events'"
            ):
                self.rejects[file_id][name, line, reason, bytes(raw)] += 1


def _compare_stored(
    comparison: Comparison, files: dict[int, list[Row]], stored: dict[str, list[Stored]]
) -> None:
    # For each id the row that each file would store: the one on its lowest line.
    first: dict[str, dict[int, Content]] = defaultdict(dict)
    for file_id, rows in files.items():
        for row in rows:
            if row.content:
                first[row.content[0]].setdefault(file_id, row.content)
    for key, by_file in first.items():
        found = stored.get(key, [])
        comparison.lost += not found
        comparison.doubled += max(len(found) - 1, 0)
        comparison.differences += [
            f"{key} is stored as {row.content} of file {row.file_id}; the files have {by_file}"
            for row in found
            if by_file.get(row.file_id) != row.content
        ]
    comparison.differences += [f"{key} is in no file" for key in sorted(set(stored) - set(first))]


def _compare_file(
    comparison: Comparison, file_id: int, rows: list[Row], stored: dict[str, list[Stored]], found: _Found
) -> None:
    name = found.bytes[file_id][0]
    rejects = Counter((name, row.line, row.reason, row.raw[:8192]) for row in rows if row.reason)
    malformed = rejects.total()
    inserted: set[str] = set()
    within = 0
    for row in rows:
        winner = next(iter(stored.get(row.content[0], [])), None) if row.content else None
        if winner is None or row.content is None:
            continue
        if winner.content != row.content:
            rejects[name, row.line, "id_conflict", row.raw[:8192]] += 1
        elif winner.file_id == file_id:
            within += row.content[0] in inserted
            inserted.add(row.content[0])
    duplicates = len(rows) - len(inserted) - rejects.total()
    conflicts = rejects.total() - malformed
    expected = (len(rows), len(inserted), duplicates, rejects.total(), within, conflicts)
    if found.ledger.get(file_id) != expected:
        comparison.differences.append(
            f"file {file_id}: the ledger says {found.ledger.get(file_id)}, the file {expected}"
        )
    for reject in (found.rejects[file_id] - rejects) + (rejects - found.rejects[file_id]):
        comparison.differences.append(f"file {file_id}: reject {reject} is on one side only")


def _compare_bytes(comparison: Comparison, file_id: int, loaded: dict[int, Path], found: _Found) -> None:
    content = loaded[file_id].read_bytes()
    _, size, sha256, twin = found.bytes[file_id]
    if (size, sha256) != (len(content), hashlib.sha256(content).hexdigest()):
        comparison.differences.append(f"file {file_id}: the ledger has the fingerprint of other bytes")
    if twin is not None and found.bytes[twin][2] != sha256:
        comparison.differences.append(f"file {file_id}: said to have the bytes of file {twin}, but has not")
