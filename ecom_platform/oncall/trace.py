"""Following one event or one file through the platform.

Belongs here: what the tables and the archive know of it, as one answer with a verdict. Does not
belong here: how the answer is printed (``commands``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from ecom_platform.catalog import packaged
from ecom_platform.errors import UsageError
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.landing.zone import LandingZone, file_number, numbered
from ecom_platform.oncall.lines import rows_with
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.outcome import base
from ecom_platform.store.rejects import is_stored
from ecom_platform.store.statements import queries

# Of rows with one id in one file, the stored one is the first, but for corrections.
_ROWS_COMPARED = 100


@dataclass(frozen=True, slots=True)
class Trace:
    """The answer: whether it is known, one sentence, and the facts behind it."""

    known: bool
    verdict: str
    facts: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def trace(connection: Connection, zone: LandingZone, wanted: str) -> Trace:
    """What became of the event or the file that ``wanted`` names."""
    try:
        return trace_event(connection, zone, UUID(wanted))
    except ValueError:
        return trace_file(connection, zone, wanted)


def trace_event(connection: Connection, zone: LandingZone, event_id: UUID) -> Trace:
    """Where an event is stored, on which line of which file it came, and where it was refused."""
    key = str(event_id)
    stored = queries("oncall").event(connection, event_id=key)
    facts = [_stored_fact(connection, zone, event_id, row) for row in stored]
    rejects = [_reject_fact(row) for row in queries("oncall").event_rejects(connection, event_id=key)]
    return Trace(bool(facts or rejects), _event_verdict(key, facts, rejects), [*facts, *rejects])


def _stored_fact(
    connection: Connection, zone: LandingZone, event_id: UUID, row: tuple[Any, ...]
) -> dict[str, Any]:
    _, file_id, name, batch_id, run_id, ingested_at = row
    state = ledger.states(connection, [file_id]).get(file_id)
    path = zone.path_of(state) if state else None
    line, same = _line_of(connection, path, event_id) if path else (None, None)
    return {
        "stored": True,
        "file_id": file_id,
        "file": name,
        "line": line,
        "as_in_file": same,
        "batch_id": batch_id,
        "run_id": run_id,
        "ingested_at": _text(ingested_at),
        "path": str(path) if path else None,
    }


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


def _event_verdict(key: str, stored: list[dict[str, Any]], rejects: list[dict[str, Any]]) -> str:
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


def trace_file(connection: Connection, zone: LandingZone, wanted: str) -> Trace:
    """Every time a file of this name, or with this number, was claimed.

    Raises :class:`UsageError` for what names neither.
    """
    # A file of a feed is called by its path below the landing folder.
    name = wanted if wanted.partition("/")[0] in zone.feeds and "/" in wanted else Path(wanted).name
    if not name:
        raise UsageError(f"{wanted!r} is neither an event_id nor the name of a file.", "Give one of them.")
    if not _storable(name):
        # A claim refuses such names, so the ledger has none.
        return Trace(False, f"{_shown(name)} was never claimed: its name is not UTF-8.", [])
    ours = numbered(name)
    state = None if ours is None else ledger.states(connection, [ours[0]]).get(ours[0])
    if ours is not None and state is not None and base(state.name) == ours[1]:
        name = state.name
    file_id = file_number(name)
    rows = queries("oncall").files_by_name(connection, name=name, file_id=file_id)
    facts = [_file_fact(connection, zone, row) for row in rows]
    waiting = _waits(zone.landing / name)
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


def _waits(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # longer than any name can be
        return False


def _file_fact(connection: Connection, zone: LandingZone, row: tuple[Any, ...]) -> dict[str, Any]:
    state = ledger.FileState(*row[:6])
    twin, read, inserted, duplicate, rejected, batch_id, run_id, landed_at, claimed_at = row[6:]
    path = zone.path_of(state)
    return {
        "file_id": state.file_id,
        "file": state.name,
        "state": state.state,
        "reason": state.reason,
        "rows": {"read": read, "inserted": inserted, "duplicate": duplicate, "rejected": rejected},
        "rejects": dict(queries("oncall").reject_reasons(connection, file_id=state.file_id)),
        "same_bytes_as": twin,
        "sha256": state.sha256,
        "batch_id": batch_id,
        "run_id": run_id,
        "landed_at": _text(landed_at),
        "claimed_at": _text(claimed_at),
        "finished_at": _text(state.finished_at),
        "path": str(path) if path.exists() else None,
    }


def _file_verdict(name: str, facts: list[dict[str, Any]], waiting: bool) -> str:
    if not facts:
        return f"{name} waits in the landing folder." if waiting else f"{name} was never claimed."
    last: Mapping[str, Any] = facts[-1]
    times = f"{name} was claimed {len(facts)} times; the last time it" if len(facts) > 1 else name
    if last["state"] == ledger.CLAIMED:
        return f"{times} is claimed and waits to be loaded."
    if last["state"] == ledger.QUARANTINED:
        return f"{times} is in quarantine: {last['reason']}"
    rows = last["rows"]
    return (
        f"{times} is loaded: {rows['read']} rows read, {rows['inserted']} inserted, "
        f"{rows['duplicate']} duplicate, {rows['rejected']} rejected."
    )


def _line_of(connection: Connection, path: Path, event_id: UUID) -> tuple[int | None, bool | None]:
    """The line of the row that is stored, ``True``; else the first valid one of this id, ``False``.

    A lower line with the id may have been refused, or be in conflict after a correction.
    """
    first: int | None = None
    table = FeedTable(packaged()[TOP_FEED])
    for line, row in islice(rows_with(path, event_id), _ROWS_COMPARED):
        if is_stored(connection, table, row):
            return line, True
        first = first or line
    return first, None if first is None else False


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
