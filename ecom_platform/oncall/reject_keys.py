"""Which open reject a corrected row belongs to.

Belongs here: reading the key out of bytes that are no event, and telling when they are more than one row.
Does not belong here: the corrected row itself (``corrections``).

A row belongs to the open reject whose own ``event_id`` it has: the one in the place of that column, not one
that stands anywhere in its bytes. Where the id itself was wrong, two more columns, ``file_name`` and
``line_number``, say which reject is meant; not one whose id is right and another. Bytes that hold several
rows belong to no single one: closed by it, the others would never be shown again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from ecom_platform.feeds.reasons import Reason
from ecom_platform.files.feed_decoding import MAX_RAW_BYTES
from ecom_platform.files.splitting import Grammar, split_quoted
from ecom_platform.oncall.event_rows import COLUMN_NAMES, row_looks
from ecom_platform.store.rejects import OpenReject

PLACE = ("file_name", "line_number")
_KEY = "event_id"
_LINE_END = re.compile(rb"[\r\n]+")


class RejectIndex:
    """Open rejects, each to be taken once."""

    def __init__(self, rejects: Iterable[OpenReject]) -> None:
        self._by_key: dict[UUID, list[OpenReject]] = defaultdict(list)
        self._by_place: dict[tuple[str, str], list[OpenReject]] = defaultdict(list)
        self._taken: set[int] = set()
        for reject in rejects:
            self._by_place[reject.file_name, str(reject.line_number)].append(reject)
            key = None if holds_several(reject) else key_of(reject)
            if key is not None:
                self._by_key[key].append(reject)

    def take(self, event_id: str, file_name: str = "", line_number: str = "") -> OpenReject | str:
        """The oldest reject at this place, else of this id; or why there is none, if more can be said."""
        key = _uuid(event_id)
        by_place = bool(file_name and line_number)
        if by_place:
            candidates = self._by_place.get((file_name, line_number), [])
        else:
            candidates = self._by_key.get(key, []) if key is not None else []
        reasons = []
        for reject in candidates:
            if reject.reject_id in self._taken:
                continue
            reason = _why_not(reject, key) if by_place else ""
            if not reason:
                self._taken.add(reject.reject_id)
                return reject
            reasons.append(f" ({file_name}, line {line_number} {reason})")
        return reasons[0] if reasons else ""


def _why_not(reject: OpenReject, key: UUID | None) -> str:
    """Why a row of this id does not belong to a reject that it names by its place."""
    if holds_several(reject):
        return "holds several rows: drop a corrected file of all of them into the landing folder"
    if reject.header is None or reject.reason in (Reason.ID_CONFLICT, Reason.NOT_A_UUID):
        return ""
    own = key_of(reject)
    return "" if own in (None, key) else f"has the id {own}"


def holds_several(reject: OpenReject) -> bool:
    """Whether the bytes are of more than one row, or may be: of a long one only the beginning is kept."""
    header = reject.header or COLUMN_NAMES
    lines = [line for line in _LINE_END.split(reject.raw) if line.strip()]
    if len(lines) > 1 and len(reject.raw) >= MAX_RAW_BYTES:
        return True
    looks_like_row = row_looks(header)
    # Two rows on one line: with a comma between them, or the line end lost.
    rests = [
        b",".join(line.split(b",")[begin:]) for line in lines for begin in (len(header) - 1, len(header))
    ]
    return sum(map(looks_like_row, lines)) > 1 or any(map(looks_like_row, rests))


def key_of(reject: OpenReject) -> UUID | None:
    """The id in the place of that column; ``None`` where there is none, or no telling which it is."""
    fields = _fields(reject.raw)
    header = reject.header
    if header is not None:
        at = header.index(_KEY)
        if len(fields) == len(header):
            return _uuid(fields[at])
        # With a field too few or too many only the ends keep their places.
        if at in (0, len(header) - 1):
            return _uuid(fields[0 if at == 0 else -1])
    ids = {key for key in map(_uuid, fields) if key is not None}
    return ids.pop() if len(ids) == 1 else None


def _fields(raw: bytes) -> list[str]:
    """By the grammar, or between commas where the bytes break it."""
    text = raw + b"\n"
    split = split_quoted(text, 0, text.index(b"\n"), len(text), Grammar(len(COLUMN_NAMES)))
    whole = split is not None and split[1] == len(text)
    fields = split[0] if split is not None and whole else raw.split(b",")
    return [field.decode(errors="replace") for field in fields]


def _uuid(text: str) -> UUID | None:
    """However it is written: a reject may be one for that alone."""
    try:
        return UUID(text.strip().strip('"').strip())
    except ValueError:
        return None
