"""Refused rows tried again, as they are or corrected by a person.

Belongs here: turning a reject's bytes, or a row of a file of corrections, into an event, and
matching the one to the other. Does not belong here: storing it (``postgres.rejects``).

A file of corrections is CSV with the nine columns, in any order. A row belongs to the open reject in
whose bytes its ``event_id`` stands. Where the id itself was wrong, two more columns, ``file_name`` and
``line_number``, say which reject is meant. Nothing of what is no file of corrections is repeated: a path may
have been given by somebody who may not read it.
"""

from __future__ import annotations

import csv
import io
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from ecom_platform.errors import UsageError
from ecom_platform.events.decoding import MAX_RAW_BYTES, UnreadableFile, decode, open_events
from ecom_platform.events.schema import COLUMN_NAMES, HEADER
from ecom_platform.landing.zone import LandingZone
from ecom_platform.postgres import ledger
from ecom_platform.postgres.connection import Connection, Database
from ecom_platform.postgres.rejects import OpenReject, Verdict, open_rejects, replay

_PLACE = ("file_name", "line_number")


@dataclass(slots=True)
class Replayed:
    """Rejects by what became of them, and corrections that belong to no open reject."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    unmatched: list[str] = field(default_factory=list)

    @property
    def loaded(self) -> int:
        return self.verdicts[Verdict.INSERTED] + self.verdicts[Verdict.DUPLICATE]


def replay_as_they_are(database: Database, zone: LandingZone) -> Replayed:
    """Try every open reject again; rules may have been widened, a conflicting row deleted."""
    result = Replayed()
    headers: dict[int, str] = {}
    with database.open(autocommit=True) as reading:
        for reject in open_rejects(reading):
            if reject.file_id not in headers:
                headers[reject.file_id] = _header_of(reading, zone, reject.file_id)
            event = (
                None if len(reject.raw) >= MAX_RAW_BYTES else _decoded(headers[reject.file_id], reject.raw)
            )
            result.verdicts[_store(database, reject, event)] += 1
    return result


def replay_corrected(database: Database, corrections: Path) -> Replayed:
    """Load the rows of a file of corrections, each in the place of its reject."""
    result = Replayed()
    rows = _read_corrections(corrections)
    with database.open(autocommit=True) as reading:
        rejects = list(open_rejects(reading))
    for number, row in enumerate(rows, 1):
        reject = _reject_of(row, rejects)
        if reject is None:
            result.unmatched.append(f"row {number}{_id(row['event_id'])}")
            continue
        rejects.remove(reject)
        event = _decoded(HEADER, _line([row[name] for name in COLUMN_NAMES]))
        result.verdicts[_store(database, reject, event)] += 1
    return result


def _store(database: Database, reject: OpenReject, event: pa.RecordBatch | None) -> Verdict:
    if event is None:
        return Verdict.STILL_REJECTED
    with database.transaction() as connection:
        return replay(connection, reject.reject_id, event)


def _header_of(connection: Connection, zone: LandingZone, file_id: int) -> str:
    """The header of the reject's file, whose columns may stand in an order of their own."""
    state = ledger.states(connection, [file_id]).get(file_id)
    try:
        with open_events(zone.path_of(state) if state else Path()) as source:
            return source.stream.readline(65_536).decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError, UnreadableFile):
        return HEADER  # the file is gone from the archive: the declared order is the likely one


def _decoded(header: str, raw: bytes) -> pa.RecordBatch | None:
    """The event in ``raw``, or ``None`` if it is (still) not one."""
    try:
        chunks = list(decode(io.BytesIO(header.encode() + b"\n" + raw + b"\n"), datetime.now(UTC)))
    except UnreadableFile:
        return None
    whole = len(chunks) == 1 and chunks[0].rows.num_rows == 1 and not chunks[0].rejects
    return chunks[0].rows if whole else None


def file_below(folder: Path, given: str) -> Path:
    """The file of corrections ``given``, which has to lie in ``folder``, whatever links lead there: for those
    who may press a button, and not read every file of this machine."""
    path = (folder / given).resolve()
    if not path.is_relative_to(folder.resolve()) or path == folder.resolve():
        raise UsageError(
            f"The file of corrections {given!r} is not in the folder {folder}.",
            "Put it there and give its name, or use `ecom rejects replay --fixed FILE` on a terminal.",
        )
    return path


def _read_corrections(path: Path) -> list[dict[str, str]]:
    problem = None
    names: set[str] = set()
    rows: list[dict[str, str]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names, rows = set(reader.fieldnames or ()), list(reader)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
    except csv.Error:
        problem = "it is no CSV"
    if problem is not None:
        raise UsageError(f"The file of corrections {path} cannot be read: {problem}.", "Give a CSV file.")
    missing = [name for name in COLUMN_NAMES if name not in names]
    strange = names - {*COLUMN_NAMES, *_PLACE}
    if missing or strange:
        facts = [f"lacks {', '.join(missing)}"] if missing else []
        facts += [f"has {len(strange)} columns that are not known"] if strange else []
        raise UsageError(
            f"The header of the file of corrections {path} {' and '.join(facts)}.",
            f"It must have {HEADER}, and may have {' and '.join(_PLACE)}.",
        )
    return [{name: value or "" for name, value in row.items() if name} for row in rows]


def _reject_of(row: dict[str, str], rejects: list[OpenReject]) -> OpenReject | None:
    place = tuple(row.get(name, "") for name in _PLACE)
    if all(place):
        return next((r for r in rejects if (r.file_name, str(r.line_number)) == place), None)
    key = row["event_id"].lower().encode()
    return next((r for r in rejects if key and key in r.raw.lower()), None)


def _id(text: str) -> str:
    """An event's id; of anything else nothing."""
    try:
        return f": {uuid.UUID(text.strip())}"
    except ValueError:
        return ", which has no valid event_id"


def _line(fields: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue().encode()
