"""Refused rows tried again, as they are or corrected by a person.

Belongs here: turning a reject's bytes, or a row of a file of corrections, into an event. Does not belong
here: which reject a correction belongs to (``reject_keys``), storing it (``store.rejects``).

A file of corrections is CSV with the nine columns, in any order. Nothing of what is no file of corrections is
repeated: a path may have been given by somebody who may not read it.
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

from ecom_platform.catalog import packaged
from ecom_platform.errors import UsageError
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.feed_decoding import MAX_RAW_BYTES
from ecom_platform.files.opening import open_events
from ecom_platform.files.unreadable import UnreadableFile
from ecom_platform.landing.zone import LandingZone
from ecom_platform.oncall.event_rows import COLUMN_NAMES, HEADER, decode, read_header
from ecom_platform.oncall.reject_keys import PLACE, RejectIndex
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.rejects import OpenReject, ReplayVerdict, open_rejects, replay


@dataclass(slots=True)
class Replayed:
    """Rejects by what became of them, and corrections that belong to no open reject."""

    verdicts: Counter[ReplayVerdict] = field(default_factory=Counter)
    unmatched: list[str] = field(default_factory=list)

    @property
    def loaded(self) -> int:
        return self.verdicts[ReplayVerdict.INSERTED] + self.verdicts[ReplayVerdict.DUPLICATE]


def replay_as_they_are(database: Database, zone: LandingZone) -> Replayed:
    """Try every open reject again; rules may have been widened, a conflicting row deleted."""
    result = Replayed()
    headers: dict[int, tuple[str, ...] | None] = {}
    with database.open(autocommit=True) as reading:
        for reject in open_rejects(reading):
            if reject.file_id not in headers:
                headers[reject.file_id] = reject.header or _header_on_disk(reading, zone, reject.file_id)
            result.verdicts[_try_again(database, reject, headers[reject.file_id])] += 1
    return result


def _try_again(database: Database, reject: OpenReject, header: tuple[str, ...] | None) -> ReplayVerdict:
    if header is None:
        # By any other order values of one column would be taken for those of another.
        return ReplayVerdict.ORDER_UNKNOWN
    cut = len(reject.raw) >= MAX_RAW_BYTES
    return _store(database, reject, None if cut else _decoded(",".join(header), reject.raw))


def replay_corrected(database: Database, corrections: Path) -> Replayed:
    """Load the rows of a file of corrections, each in the place of its reject."""
    result = Replayed()
    rows = _read_corrections(corrections)
    with database.open(autocommit=True) as reading:
        rejects = RejectIndex(open_rejects(reading))
    for number, row in enumerate(rows, 1):
        reject = rejects.take(row["event_id"], *(row.get(name, "") for name in PLACE))
        if isinstance(reject, str):
            result.unmatched.append(f"row {number}{_id(row['event_id'])}{reject}")
            continue
        event = _decoded(HEADER, _line([row[name] for name in COLUMN_NAMES]))
        result.verdicts[_store(database, reject, event)] += 1
    return result


def _store(database: Database, reject: OpenReject, event: pa.RecordBatch | None) -> ReplayVerdict:
    if event is None:
        return ReplayVerdict.STILL_REJECTED
    with database.transaction() as connection:
        return replay(connection, FeedTable(packaged()[TOP_FEED]), reject.reject_id, event)


def _header_on_disk(connection: Connection, zone: LandingZone, file_id: int) -> tuple[str, ...] | None:
    """Of a file that was loaded before the ledger kept it; ``None`` if the file is gone."""
    state = ledger.states(connection, [file_id]).get(file_id)
    try:
        with open_events(zone.path_of(state) if state else Path()) as source:
            return read_header(source.stream)
    except (OSError, UnreadableFile):
        return None


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
    strange = names - {*COLUMN_NAMES, *PLACE}
    if missing or strange:
        facts = [f"lacks {', '.join(missing)}"] if missing else []
        facts += [f"has {len(strange)} columns that are not known"] if strange else []
        raise UsageError(
            f"The header of the file of corrections {path} {' and '.join(facts)}.",
            f"It must have {HEADER}, and may have {' and '.join(PLACE)}.",
        )
    return [{name: value or "" for name, value in row.items() if name} for row in rows]


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
