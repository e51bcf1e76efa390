"""A feed's table, in SQL: its columns, its key, and the statements of the sink for it.

Belongs here: what follows from the declaration for PostgreSQL. Does not belong here: making the table
(``feed_tables``), or what the statements do (``sql/sink.sql``).

The key is what makes two rows the same: declared columns, or ``row_id``, which is made from the row, from its
place in the file, or from its key and how-manieth it is with it in its file (``feeds.feed``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from psycopg.sql import SQL

from ecom_platform.feeds.feed import Column, Feed
from ecom_platform.feeds.packaged import TOP_FEED
from ecom_platform.store.conninfo import literal, quoted
from ecom_platform.store.row_conditions import row_conditions
from ecom_platform.store.statements import has_statement, text

ROW_ID, EXTRA, LINE = "row_id", "extra", "line_number"
# What tables may have beside the declared columns.
RESERVED = ("file_id", "ingested_at", ROW_ID, EXTRA, LINE)

_PLACE = re.compile(r"\{([a-z]\w*)\}")


class FeedTable:
    """The table of ``feed``; ``schema`` is ``None`` for the platform's own, where sessions look first."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.schema = feed.schema
        self.name = feed.table
        self._statements: dict[tuple[str, str], str] = {}

    @property
    def derived(self) -> bool:
        """Whether rows are known by a ``row_id`` of ours."""
        return self.feed.identity is not None or self.feed.numbered

    @property
    def updates(self) -> bool:
        """Whether a later row of the same key takes the place of the stored one, which has its line then."""
        return self.feed.on_conflict == "update"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return (ROW_ID,) if self.derived else self.feed.primary_key

    @property
    def qualified(self) -> str:
        """Its name as SQL writes it."""
        schema = f"{quoted(self.schema)}." if self.schema else ""
        return f"{schema}{quoted(self.name)}"

    @cached_property
    def types(self) -> dict[str, str]:
        """Type by column: the declared ones and ours that come with the rows, in the order of the table."""
        declared = {column.name: column.type for column in self.feed.columns}
        extra = {EXTRA: "jsonb"} if self.feed.extra == "store" else {}
        derived = {ROW_ID: "uuid"} if self.derived else {}
        return {**declared, **extra, **derived}

    @property
    def lineage(self) -> dict[str, str]:
        """Type by column of what says where a row is from: its file, its line where a later row may take its
        place, and when it was stored. None of them is ever null."""
        line = {LINE: "bigint"} if self.updates else {}
        return {**line, "file_id": "bigint", "ingested_at": "timestamptz"}

    @property
    def has_uuid(self) -> bool:
        """Whether a row's key stands in its bytes, and is known there by its form."""
        return [self.types[name] for name in self.key] == ["uuid"] and not self.derived

    @property
    def told_of_replays(self) -> str:
        """The function, if there is one, that wants to know the keys of rows which a replay has stored."""
        return f"replayed_{self.feed.name}"

    @property
    def compared(self) -> tuple[str, ...]:
        """What has to be the same in two rows of one key. Nothing where rows are known by their content or
        their place, since then it is the same, and where another content is no conflict."""
        if self.feed.identity is not None or self.feed.on_conflict == "ignore":
            return ()
        return tuple(name for name in self.types if name not in self.key)

    def sql(self, name: str, file: str = "sink") -> str:
        """The statement ``name`` of ``<file>.sql`` for this table.

        ``{columns}`` and its kin are what follows from the declaration; ``{name}`` also stands for another
        statement of the same file, or of ``parts.sql``: a part that several have.
        """
        known = self._statements.get((file, name))
        if known is None:
            known = self._statements[file, name] = self.filled(text(file, name), file)
        return known

    def filled(self, statement: str, file: str) -> str:
        """A statement of ``<file>.sql`` with its places filled."""
        return _PLACE.sub(lambda place: self._part(place[1], file), statement)

    def query(self, name: str, file: str) -> SQL:
        """The same for psycopg, which sees what a constant is and what is not."""
        return SQL(self.sql(name, file))

    def _part(self, name: str, file: str) -> str:
        if name in self._fragments:
            return self._fragments[name]
        return self.sql(name, file if has_statement(file, name) else "parts")

    @cached_property
    def _fragments(self) -> dict[str, str]:
        # Not a comparison of nothing with nothing, which SQL has no words for.
        compared_s = _listed(self.compared, "s.") or "1"
        compared_t = _listed(self.compared, "t.") or "1"
        own = self.feed.name == TOP_FEED
        return {
            "table": self.qualified,
            "table_text": literal(self.qualified),
            "definition": self.definition(),
            "time": quoted(self.time_column.name) if self.time_column else "",
            "feed_text": literal(self.feed.name),
            "key_array": f"ARRAY[{', '.join(literal(name) for name in sorted(self.key))}]::text[]",
            "lost_rows": "lost_events" if own else "lost_rows",
            "lost_feed": "true" if own else f"l.feed = {literal(self.feed.name)}",
            "lost_key": f"l.{quoted(self.key[0])} = e.{quoted(self.key[0])}"
            if own
            else f"l.row_key = ROW({_listed(self.key, 'e.')})::text",
            "key_text": literal(_listed(self.key)),
            "definitions": self._defined(self.types),
            "key_definitions": self._defined(self.key),
            "columns": _listed(self.types),
            "columns_s": _listed(self.types, "s."),
            "compared": "".join(f"{quoted(name)}, " for name in self.compared),
            "new_values": "".join(f"s.{quoted(name)}, " for name in self.compared),
            "by_version": f"{self._version()} NULLS FIRST, " if self.feed.version else "",
            "is_later": self._is_later(),
            "replaced_rows": text("parts", "replaced_sums") if self.updates else "",
            "broken_rules": "".join(
                f", count(*) FILTER (WHERE NOT ({condition.sql}))" for condition in row_conditions(self.feed)
            ),
            "key": _listed(self.key),
            "told_of_replays": quoted(self.told_of_replays),
            "key_placeholders": ", ".join("%s" for _ in self.key),
            "key_s": _listed(self.key, "s."),
            "key_given": " AND ".join(f"e.{quoted(name)} = %s::{self.types[name]}" for name in self.key),
            "same_key": " AND ".join(f"e.{quoted(name)} = s.{quoted(name)}" for name in self.key),
            "same_key_f": " AND ".join(f"f.{quoted(name)} = s.{quoted(name)}" for name in self.key),
            "same_key_t": " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in self.key),
            "same_key_ef": " AND ".join(f"e.{quoted(name)} = f.{quoted(name)}" for name in self.key),
            "key_f": _listed(self.key, "f."),
            "same_line": f" AND e.{LINE} = f.{LINE}" if self.updates else "",
            "stored_columns": _listed((*self.compared, "file_id")),
            "compared_s": compared_s,
            "compared_t": compared_t,
            "placeholders": ", ".join("%s" for _ in self.types),
            "typed_placeholders": ", ".join(f"%s::{kind}" for kind in self.types.values()),
            "declared_types": ", ".join(
                f"({literal(name)}, '{kind}'::regtype)" for name, kind in self.types.items()
            ),
        }

    def _version(self, prefix: str = "") -> str:
        """The column of the version, of which the higher counts: a text by its bytes."""
        name = self.feed.version or ""
        return f"{prefix}{quoted(name)}" + (' COLLATE "C"' if self.types[name] == "text" else "")

    def _is_later(self) -> str:
        """Whether the row ``s`` is behind the stored one, ``t``, in the order of ``newer_rows.sql``."""
        places = (", ".join(f'{row}."{part}"' for part in ("Landed", "Landing")) for row in ("s", "t"))
        behind = "ROW({}, s.line_number, s.file_id) > ROW({}, coalesce(t.line_number, 0), t.file_id)"
        later = behind.format(*places)
        if self.feed.version is None:
            return later
        new, old = self._version("s."), self._version("t.")
        return (
            f"CASE WHEN {new} IS NOT DISTINCT FROM {old} THEN {later} "
            f"ELSE coalesce({new} > {old}, {old} IS NULL) END"
        )

    def _defined(self, names: Iterable[str]) -> str:
        return ", ".join(f"{quoted(name)} {self.type_of(name)}" for name in names)

    def type_of(self, name: str) -> str:
        """A column's type; a text of the key is sorted by its bytes, as Arrow sorts."""
        kind = self.types[name]
        return f'{kind} COLLATE "C"' if kind == "text" and name in self.key else kind

    def definition(self) -> str:
        """The columns of the table itself."""
        nullable = {column.name for column in self.feed.columns if column.nullable} | {EXTRA}
        lines = [
            f"{quoted(name)} {self.type_of(name)}{'' if name in nullable else ' NOT NULL'}"
            for name in self.types
        ]
        default = {"ingested_at": " DEFAULT now()"}
        lines += [f"{name} {kind} NOT NULL{default.get(name, '')}" for name, kind in self.lineage.items()]
        lines.append(f"PRIMARY KEY ({_listed(self.key)})")
        return ",\n    ".join(lines)

    @property
    def time_column(self) -> Column | None:
        """The column with the role of time."""
        wanted = self.feed.roles.get("time")
        return next((column for column in self.feed.columns if column.name == wanted), None)


def _listed(names: Iterable[str], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{quoted(name)}" for name in names)
