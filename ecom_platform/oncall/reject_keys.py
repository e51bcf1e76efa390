"""Which open reject a corrected row belongs to.

Belongs here: reading the key out of bytes that are no row, and telling when they are more than one. Does not
belong here: the corrected row itself (``corrections``).

Where rows have a key of their own, a row belongs to the open reject that has it: in the places of those
columns, not anywhere in its bytes. Where the key itself was wrong, or where rows have none, two more columns,
``file_name`` and ``line_number``, say which reject is meant; not one whose key is right and another. Bytes
that hold several rows belong to no single one: closed by it, the others would never be shown again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias
from uuid import UUID

from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.reasons import Reason
from ecom_platform.files.chunks import MAX_RAW_BYTES
from ecom_platform.files.splitting import Grammar, split_quoted
from ecom_platform.oncall.fragments import Fragments
from ecom_platform.store.rejects import OpenReject

PLACE = ("file_name", "line_number")
_LINE_END = re.compile(rb"[\r\n]+")
_KEY_REASONS = (Reason.ID_CONFLICT, Reason.NOT_A_UUID)

Key: TypeAlias = tuple[str | UUID, ...]


class RejectIndex:
    """Open rejects of a feed, each to be taken once."""

    def __init__(self, feed: Feed, rejects: Iterable[OpenReject]) -> None:
        self._keys = RowKeys(feed)
        # Rows of one key may be many where they are numbered, and have none where identity is declared.
        self._by_key_alone = bool(feed.primary_key) and not feed.numbered
        self._by_key: dict[Key, list[OpenReject]] = defaultdict(list)
        self._by_place: dict[tuple[str, str], list[OpenReject]] = defaultdict(list)
        self._taken: set[int] = set()
        for reject in rejects:
            self._by_place[reject.file_name, str(reject.line_number)].append(reject)
            key = None if self._keys.holds_several(reject) else self._keys.of_reject(reject)
            if key is not None:
                self._by_key[key].append(reject)

    def take(self, values: Mapping[str, str], file_name: str = "", line_number: str = "") -> OpenReject | str:
        """The oldest reject at this place, else of this key; or why there is none, if more can be said."""
        key = self._keys.of_values(values)
        by_place = bool(file_name and line_number)
        if not by_place and not self._by_key_alone:
            return f": {' and '.join(PLACE)} have to say which row it is"
        if by_place:
            candidates = self._by_place.get((file_name, line_number), [])
        else:
            candidates = self._by_key.get(key, []) if key is not None else []
        reasons = []
        for reject in candidates:
            if reject.reject_id in self._taken:
                continue
            reason = self._why_not(reject, key) if by_place else ""
            if not reason:
                self._taken.add(reject.reject_id)
                return reject
            reasons.append(f" ({file_name}, line {line_number} {reason})")
        return reasons[0] if reasons else ""

    def _why_not(self, reject: OpenReject, key: Key | None) -> str:
        """Why a row of this key does not belong to a reject that it names by its place."""
        if self._keys.holds_several(reject):
            return "holds several rows: drop a corrected file of all of them into the landing folder"
        if self._keys.unknown(reject) or (reject.reason in _KEY_REASONS and self._by_key_alone):
            return ""
        own = self._keys.of_reject(reject)
        return "" if own in (None, key) else f"has the {self._keys.shown(own)}"

    def shown(self, values: Mapping[str, str]) -> str:
        """The key of a row, where it is one that no row of data could be."""
        key = self._keys.of_values(values)
        if key is not None and all(isinstance(part, UUID) for part in key):
            return f": {key[0]}"
        return self._keys.missing


class RowKeys:
    """The keys of a feed's rows as they stand in texts."""

    def __init__(self, feed: Feed) -> None:
        self._feed, self._fragments = feed, Fragments(feed)
        self._columns = [column for column in feed.columns if column.name in feed.primary_key]
        self._names = [column.sources or (column.name,) for column in self._columns]
        self._uuids = [column.type == "uuid" for column in self._columns]

    @property
    def missing(self) -> str:
        """Said of a row that has no key that can be shown."""
        names = " and ".join(column.name for column in self._columns if column.type == "uuid")
        return f", which has no valid {names}" if names else ""

    def shown(self, key: Key | None) -> str:
        return f"id {key[0]}" if key and all(self._uuids) and len(key) == 1 else "key of another row"

    def of_values(self, values: Mapping[str, str]) -> Key | None:
        """Of a corrected row; ``None`` where there is none."""
        texts = [next((values[name] for name in names if name in values), "") for names in self._names]
        return self._key(texts)

    def unknown(self, reject: OpenReject) -> bool:
        """Whether there is no telling which field of the reject is which column."""
        return self._feed.has_header and reject.header is None

    def of_reject(self, reject: OpenReject) -> Key | None:
        """The key in the places of its columns; ``None`` where there is none, or no telling where it is."""
        if not self._columns:
            return None
        if self._feed.format != "csv":
            texts = self._fragments.texts(reject.raw)
            return self._key([texts.get(column.name, "") for column in self._columns])
        header = self._header(reject)
        fields = self._fields(reject.raw, len(header))
        if not self.unknown(reject):
            places = self._places(header)
            if places is None:
                return None
            if len(fields) == len(header):
                return self._key([fields[at] for at in places])
            # With a field too few or too many only the ends keep their places.
            if len(places) == 1 and places[0] in (0, len(header) - 1):
                return self._key([fields[0 if places[0] == 0 else -1]])
        if self._uuids != [True]:
            return None
        keys = {key for key in (self._key([field]) for field in fields) if key is not None}
        return keys.pop() if len(keys) == 1 else None

    def holds_several(self, reject: OpenReject) -> bool:
        """Whether the bytes are of more than one row, or may be: of a long one only the beginning is kept."""
        if self._feed.format != "csv":
            return False  # a line is one record, whatever is in it
        header = self._header(reject)
        delimiter = self._feed.dialect.delimiter.encode()
        lines = [line for line in _LINE_END.split(reject.raw) if line.strip()]
        if len(lines) > 1 and len(reject.raw) >= MAX_RAW_BYTES:
            return True
        looks_like_row = self._fragments.row_looks(header)
        # Two rows on one line: with a delimiter between them, or the line end lost.
        rests = [
            delimiter.join(line.split(delimiter)[begin:])
            for line in lines
            for begin in (len(header) - 1, len(header))
        ]
        return sum(map(looks_like_row, lines)) > 1 or any(map(looks_like_row, rests))

    def _header(self, reject: OpenReject) -> tuple[str, ...]:
        return reject.header or self._fragments.names

    def _places(self, header: tuple[str, ...]) -> list[int] | None:
        if not self._feed.dialect.header:
            numbers = [self._feed.columns.index(column) for column in self._columns]
            return [(column.at or at + 1) - 1 for column, at in zip(self._columns, numbers, strict=True)]
        trimmed = [name.strip() for name in header]
        found = [next((trimmed.index(n) for n in names if n in trimmed), None) for names in self._names]
        return None if None in found else [place for place in found if place is not None]

    def _fields(self, raw: bytes, width: int) -> list[str]:
        """By the grammar, or between delimiters where the bytes break it."""
        dialect = self._feed.dialect
        marks = (dialect.delimiter, dialect.quote or "", dialect.escape or "")
        text = raw + b"\n"
        grammar = Grammar(width, *(mark.encode() for mark in marks))
        split = split_quoted(text, 0, text.index(b"\n"), len(text), grammar)
        whole = split is not None and split[1] == len(text)
        fields = split[0] if split is not None and whole else raw.split(dialect.delimiter.encode())
        return [field.decode(errors="replace") for field in fields]

    def _key(self, texts: list[str]) -> Key | None:
        """However a UUID is written: a reject may be one for that alone."""
        key: list[str | UUID] = []
        for text, is_uuid in zip(texts, self._uuids, strict=True):
            bare = text.strip().strip('"').strip()
            if not bare:
                return None
            try:
                key.append(UUID(bare) if is_uuid else bare)
            except ValueError:
                return None
        return tuple(key) or None
