"""Rows that a replay of rejects has stored, while their table is made anew.

Belongs here: which of them the new table would lack, and taking over those that mean the same there. Does not
belong here: the new table itself (``shadow``), replaying (``rejects``).

A row that was corrected by hand is in no file. It is taken over where the declaration changes neither what
values mean nor by what rows are known, and where it is certain which row it is: of its file the old table has
as many rows that the new one lacks as lines were loaded by a replay that are refused as they stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ecom_platform.errors import FeedError
from ecom_platform.store.connection import Connection
from ecom_platform.store.conninfo import quoted
from ecom_platform.store.feed_table import FeedTable
from ecom_platform.store.statements import queries


@dataclass(frozen=True, slots=True)
class Replays:
    """What replays have changed. ``carried`` are files and lines whose rows are taken over, ``reopened``
    those that would be refused again; ``seen`` is another after every replay."""

    seen: tuple[object, ...]
    carried: list[tuple[int, str, int]]
    reopened: list[tuple[int, str, int]]


class CorrectedRows:
    """Of the feed of ``table``; ``sql`` gives a statement of ``rebuild.sql`` by its name."""

    def __init__(self, table: FeedTable, sql: Callable[..., bytes]) -> None:
        self._table, self._sql = table, sql
        self._same_key = " AND ".join(f"n.{quoted(name)} = o.{quoted(name)}" for name in table.key)

    def look(self, connection: Connection, *, same_meaning: bool) -> Replays:
        """``same_meaning``: whether a row of the old table is the same in the new one."""
        seen = queries("rebuild").replays_of_feed(connection, feed=self._table.feed.name)
        lines: list[tuple[int, str, int]] = [
            (file_id, name, line) for file_id, name, line in connection.execute(self._sql("reopened"))
        ]
        wanted = Counter(file_id for file_id, _, _ in lines)
        found: dict[int, int] = {}
        if wanted and same_meaning:
            rows = connection.execute(self._sql("corrected_rows", same_key=self._same_key), [list(wanted)])
            found = dict(rows.fetchall())
        certain = {file_id for file_id, count in wanted.items() if found.get(file_id) == count}
        carried = [line for line in lines if line[0] in certain]
        return Replays(tuple(seen), carried, [line for line in lines if line[0] not in certain])

    def carry(self, connection: Connection, replays: Replays, there: Collection[str]) -> None:
        """Take over what is ``carried``; ``there`` are the columns that the old table has."""
        files = sorted({file_id for file_id, _, _ in replays.carried})
        if not files:
            return
        names = [quoted(name) for name in self._table.types if name in there]
        places = {"columns": ", ".join(names), "same_key": self._same_key}
        stored = connection.execute(self._sql("carry_rows", **places), [files]).rowcount
        if stored != len(replays.carried):
            raise FeedError(
                f"Of {len(replays.carried):,} corrected rows of the feed {self._table.feed.name} "
                f"{stored:,} could be taken over.",
                "Nothing was changed: rebuild again.",
            )
        connection.execute(self._sql("carry_rejects"), [files])
        connection.execute(self._sql("carry_counts"))
