"""Following one row or one file through the platform.

Belongs here: what the tables and the archive know of it, as one answer with a verdict. Does not
belong here: how the answer is printed (``commands``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa

from ecom_platform.catalog import packaged
from ecom_platform.errors import UsageError
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.files.unreadable import UnreadableFile
from ecom_platform.landing.kept_files import KeptFiles, kept_files
from ecom_platform.landing.kept_names import file_number, numbered
from ecom_platform.landing.landing_zone import Zone
from ecom_platform.oncall.lines import rows_with
from ecom_platform.oncall.reread import rows_of_line
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.outcome import base, counts_text, feed_of
from ecom_platform.store.rejects import is_stored, key_of_row, stored_in
from ecom_platform.store.statements import queries

# Of rows with one key in one file, the stored one is the first, but for corrections.
_ROWS_COMPARED = 100


@dataclass(frozen=True, slots=True)
class Trace:
    """The answer: whether it is known, one sentence, and the facts behind it."""

    known: bool
    verdict: str
    facts: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def trace(connection: Connection, zone: Zone, wanted: str, feeds: Mapping[str, Feed] | None = None) -> Trace:
    """What became of the row, the file or the line of a file that ``wanted`` names.

    ``feeds`` are those that are declared now; without them, the first one.
    """
    feeds = feeds or {TOP_FEED: packaged()[TOP_FEED]}
    try:
        return trace_row(connection, zone, UUID(wanted), feeds)
    except ValueError:
        pass
    answer = trace_file(connection, zone, wanted)
    name, colon, line = wanted.rpartition(":")
    if answer.known or not colon or not re.fullmatch(r"[1-9][0-9]{0,17}", line):
        return answer  # a file may be called as a line of another one is
    return trace_line(connection, zone, name, int(line), feeds)


def trace_row(
    connection: Connection, zone: Zone, key: UUID, feeds: Mapping[str, Feed] | None = None
) -> Trace:
    """Where the row is stored that has this key, on which line of which file it came, and where it was
    refused. Of every feed whose rows have a UUID for a key, given or made by us."""
    facts: list[dict[str, Any]] = []
    for feed in (feeds or packaged()).values():
        table = FeedTable(feed)
        if [table.types[name] for name in table.key] == ["uuid"] and _is_there(connection, table):
            rows = connection.execute(table.query("row_by_key", "oncall"), [key])
            facts += [_stored_fact(connection, zone, table, key, row) for row in rows]
    rejects = [_reject_fact(row) for row in queries("oncall").rejects_with(connection, key=str(key))]
    return Trace(bool(facts or rejects), _row_verdict(str(key), facts, rejects), [*facts, *rejects])


def _is_there(connection: Connection, table: FeedTable) -> bool:
    """Whether the table was made: that of a feed may have been declared a moment ago."""
    return bool(queries("oncall").is_there(connection, name=table.qualified))


def _stored_fact(
    connection: Connection, zone: Zone, table: FeedTable, key: UUID, row: tuple[Any, ...]
) -> dict[str, Any]:
    file_id, name, batch_id, run_id, ingested_at = row
    state = ledger.states(connection, [file_id]).get(file_id)
    kept = kept_files(zone)
    line, same = _line_of(connection, table, kept, state, key) if state else (None, None)
    return {
        "stored": True,
        "feed": table.feed.name,
        "file_id": file_id,
        "file": name,
        "line": line,
        "as_in_file": same,
        "batch_id": batch_id,
        "run_id": run_id,
        "ingested_at": _text(ingested_at),
        "path": kept.where(state) if state else None,
    }


def trace_line(connection: Connection, zone: Zone, name: str, line: int, feeds: Mapping[str, Feed]) -> Trace:
    """What became of the record that begins at a line of the newest file of this name."""
    facts = trace_file(connection, zone, name).facts
    shown = f"{_shown(name)}, line {line}"
    if not facts:
        return Trace(False, f"{_shown(name)} was never claimed.", [])
    file = facts[-1]
    if file["state"] != ledger.LOADED:
        return Trace(False, f"{shown}: the file is {file['state']}.", [file])
    rejects = [
        _reject_fact(row)
        for row in queries("oncall").reject_at(connection, file_id=file["file_id"], line=line)
    ]
    feed = feeds.get(feed_of(file["file"]))
    if feed is not None and feed.explode is not None:
        return _trace_exploded(connection, zone, feed, shown, file, line, rejects)
    if rejects and rejects[-1]["replayed_at"] is None:
        return Trace(True, f"{shown} was refused: {rejects[-1]['reason']}.", rejects)
    if feed is None:
        return Trace(False, f"{shown}: its feed has no declaration that can be used.", [file, *rejects])
    if rejects:
        return Trace(True, f"{shown} was refused ({rejects[-1]['reason']}) and loaded by a replay.", rejects)
    try:
        rows = _rows_of_line(connection, zone, feed, file["file_id"], line)
    except (OSError, UnreadableFile):
        return Trace(False, f"{shown}: the file is not in the archive any more.", [file])
    if not rows:
        return Trace(False, f"{shown}: no record that could be loaded begins there.", [file])
    return _trace_of_record(connection, FeedTable(feed), shown, file, line, rows[0])


def _rows_of_line(
    connection: Connection, zone: Zone, feed: Feed, file_id: int, line: int
) -> list[pa.RecordBatch]:
    """The valid rows that begin at a line of the file. Raises :class:`UnreadableFile` and OSError."""
    with kept_files(zone).reading(connection, ledger.states(connection, [file_id])[file_id]) as path:
        return rows_of_line(feed, path, line)


def _trace_exploded(
    connection: Connection,
    zone: Zone,
    feed: Feed,
    shown: str,
    file: dict[str, Any],
    line: int,
    rejects: list[dict[str, Any]],
) -> Trace:
    """Of a line of which each element is a row."""
    try:
        rows = _rows_of_line(connection, zone, feed, file["file_id"], line)
    except (OSError, UnreadableFile):
        return Trace(bool(rejects), f"{shown}: the file is not in the archive any more.", [file, *rejects])
    table = FeedTable(feed)
    facts = [
        fact for row in rows for fact in _trace_of_record(connection, table, shown, file, line, row).facts
    ]
    stored = [fact for fact in facts if fact["stored_from_file_id"] == file["file_id"]]
    elsewhere = [fact for fact in facts if fact["stored"] and fact not in stored]
    refused = [reject for reject in rejects if reject["replayed_at"] is None]
    verdict = (
        f"{shown}: of {len(facts) + len(refused):,} rows {len(stored):,} are stored in {table.qualified}, "
        f"{len(elsewhere):,} are duplicates of other files' rows, {len(refused):,} were refused."
    )
    return Trace(bool(facts or rejects), verdict, [*facts, *rejects])


def _trace_of_record(
    connection: Connection,
    table: FeedTable,
    shown: str,
    file: dict[str, Any],
    line: int,
    row: pa.RecordBatch,
) -> Trace:
    stored_from = stored_in(connection, table, row)
    key = [str(value) for value in key_of_row(table, row)]
    fact = {
        "stored": stored_from is not None,
        "feed": table.feed.name,
        "file_id": file["file_id"],
        "file": file["file"],
        "line": line,
        "key": key[0] if len(key) == 1 else key,
        "stored_from_file_id": stored_from,
        "path": file["path"],
    }
    if stored_from is None:
        verdict = f"{shown} was loaded, and the table has no such row any more: it was deleted."
    else:
        own = stored_from == file["file_id"]
        state = ledger.states(connection, [stored_from]).get(stored_from)
        other = f"file {stored_from}" if state is None else f"{_shown(state.name)} (file {stored_from})"
        fact["same_as_stored"] = same = not table.updates or is_stored(connection, table, row)
        if not same:
            newer = "a later line of the file" if own else other
            verdict = f"{shown} is not stored as it is: the newer row of its key is from {newer}."
        elif own:
            verdict = f"{shown} is stored in {table.qualified}."
        else:
            verdict = f"{shown} is a duplicate: the row is stored from {other}."
    return Trace(stored_from is not None, verdict, [fact])


def _reject_fact(row: tuple[Any, ...]) -> dict[str, Any]:
    reject_id, file_id, name, line, reason, replayed_at = row
    return {
        "stored": False,
        "reject_id": reject_id,
        "file_id": file_id,
        "file": name,
        "line": line,
        "reason": reason,
        "replayed_at": _text(replayed_at),
    }


def _row_verdict(key: str, stored: list[dict[str, Any]], rejects: list[dict[str, Any]]) -> str:
    refused = f" It was refused in {len(rejects)} other rows." if stored and rejects else ""
    if stored:
        return f"{key} is stored once, from {_origin(stored[0])}.{refused}"
    if rejects:
        first = rejects[0]
        return f"{key} is not stored: {first['file']}, line {first['line']} was refused ({first['reason']})."
    return f"{key} is neither stored nor refused: no file that was loaded has it."


def _origin(fact: dict[str, Any]) -> str:
    if fact["line"] is None:
        return (
            f"{fact['file']} (no line that can be read there has it: the file is gone, or a correction came)"
        )
    place = f"{fact['file']}, line {fact['line']}"
    return (
        place if fact["as_in_file"] else f"{place}, which has other values: the stored row was changed since"
    )


def trace_file(connection: Connection, zone: Zone, wanted: str) -> Trace:
    """Every time a file of this name, or with this number, was claimed.

    Raises :class:`UsageError` for what names neither.
    """
    # A file of a feed is called by its path below the landing folder.
    name = wanted if wanted.partition("/")[0] in zone.feeds and "/" in wanted else Path(wanted).name
    if not name:
        raise UsageError(
            f"{wanted!r} is neither the id of a row nor the name of a file.",
            "Give one of them, or FILE:LINE.",
        )
    if not _storable(name):
        # A claim refuses such names, so the ledger has none.
        return Trace(False, f"{_shown(name)} was never claimed: its name is not UTF-8.", [])
    ours = numbered(name)
    state = None if ours is None else ledger.states(connection, [ours[0]]).get(ours[0])
    if ours is not None and state is not None and base(state.name) == ours[1]:
        name = state.name
    file_id = file_number(name)
    rows = queries("oncall").files_by_name(connection, name=name, file_id=file_id)
    kept = kept_files(zone)
    facts = [_file_fact(connection, kept, row) for row in rows]
    waiting = kept.waits(connection, name)
    return Trace(bool(facts) or waiting, _file_verdict(_shown(name), facts, waiting), facts)


def _storable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in name


def _shown(name: str) -> str:
    """A stranger's name, safe on a terminal."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name
    )


def _file_fact(connection: Connection, kept: KeptFiles, row: tuple[Any, ...]) -> dict[str, Any]:
    state = ledger.FileState(*row[:6])
    twin, read, inserted, updated, stale, duplicate, rejected, batch_id, run_id, landed_at, claimed_at = row[
        6:
    ]
    return {
        "file_id": state.file_id,
        "file": state.name,
        "state": state.state,
        "reason": state.reason,
        "rows": {
            "read": read,
            "inserted": inserted,
            "updated": updated,
            "stale": stale,
            "duplicate": duplicate,
            "rejected": rejected,
        },
        "rejects": dict(queries("oncall").reject_reasons(connection, file_id=state.file_id)),
        "same_bytes_as": twin,
        "sha256": state.sha256,
        "batch_id": batch_id,
        "run_id": run_id,
        "landed_at": _text(landed_at),
        "claimed_at": _text(claimed_at),
        "finished_at": _text(state.finished_at),
        "path": kept.place_of(connection, state),
    }


def _file_verdict(name: str, facts: list[dict[str, Any]], waiting: bool) -> str:
    if not facts:
        return f"{name} waits in the landing folder." if waiting else f"{name} was never claimed."
    last: Mapping[str, Any] = facts[-1]
    times = f"{name} was claimed {len(facts)} times; the last time it" if len(facts) > 1 else name
    if last["state"] == ledger.CLAIMED:
        return f"{times} is claimed and waits to be loaded."
    if last["state"] == ledger.QUARANTINED and last["path"] is None and waiting:
        return f"{times} was put into quarantine ({last['reason']}), and waits in the landing folder again."
    if last["state"] == ledger.QUARANTINED:
        return f"{times} is in quarantine: {last['reason']}"
    rows = last["rows"]
    read, *became = rows.values()
    return f"{times} is loaded: {read:,} rows read, {counts_text(*became)}."


def _line_of(
    connection: Connection, table: FeedTable, kept: KeptFiles, file: ledger.FileState, key: UUID
) -> tuple[int | None, bool | None]:
    """The line of the row that is stored, ``True``; else the first valid one of this id, ``False``.

    A lower line with the id may have been refused, or be in conflict after a correction.
    """
    first: int | None = None
    with suppress(OSError), kept.reading(connection, file) as path:
        for line, row in islice(rows_with(table.feed, table.key[0], path, key), _ROWS_COMPARED):
            if is_stored(connection, table, row):
                return line, True
            first = first or line
    return first, None if first is None else False


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
