"""Of rows of one key the newest stays, whichever comes first (``on_conflict: update``).

Belongs here: what becomes of a buffer of rows where stored ones may be replaced. Does not belong here: the
order of rows and the statements (``sql/newer_rows.sql``), what is counted of them and everything else between
BEGIN and COMMIT (``sink``).

Most keys come once in a buffer. Of these the stored rows are looked for and locked first, by keys alone: rows
without one are new and are copied into the table; each of the others is compared with the one that is stored.
Rows whose key comes several times, few as a rule, are ranked together with the stored ones. What another unit
has stored in between is locked in a second look; from there on nobody else changes any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from ecom_platform.feeds import arrow
from ecom_platform.store import adbc
from ecom_platform.store.feed_table import FeedTable

_FILE = "newer_rows"
_NUMBER = "Number"


class RowGoneError(Exception):
    """A row kept one of ours out and was deleted before it could be looked at: the unit starts over."""


class NewerRows:
    """What a unit of work, in its transaction, does with rows of one feed.

    ``copy_new`` copies rows into the feed's table, or gives ``False`` and has stored none. The temporary
    tables ``staged``, ``fresh`` and ``tried`` are the sink's.
    """

    def __init__(
        self,
        session: adbc.Session,
        table: FeedTable,
        is_refusal: Callable[[str | None], bool],
        copy_new: Callable[[pa.Table], bool],
    ) -> None:
        self._session = session
        self._table = table
        self._is_refusal = is_refusal
        self._copy_new = copy_new

    def is_empty(self) -> bool:
        """Whether no row is stored."""
        (answer,) = self._session.rows(self._sql("is_empty"))
        return bool(answer["empty"])

    def prepare(self) -> None:
        """Wait until no other unit compares rows of this feed; from then until COMMIT none does."""
        self._session.run(self._sql("take_turns"))
        self._session.run(self._sql("create_ranked"))

    def settle(self, single: pa.Table, others: pa.Table) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Let the newest of these rows and the stored ones be stored, and note whose rows were replaced.

        Both are in the order of their key; each key of ``single`` comes once, and in ``single`` alone.
        Returns how many rows of each file came to which verdict (``inserted``, ``updated``, ``stale``,
        ``within`` or ``across`` for duplicates), but for what ``copy_new`` has stored, and the rows that
        PostgreSQL refused. Raises :class:`RowGoneError`, and the driver's errors.
        """
        self._run("empty_ranked")
        known = self._known(single)
        if not self._copy_new(single.filter(arrow.booleans(~known))):
            # Some have been stored meanwhile, or are refused: all are looked at together.
            self._run("empty_ranked")
            single, others = single.slice(0, 0), pa.concat_tables([single, others])
            known = known[:0]
        numbers = pa.array(np.flatnonzero(known))
        paired = single.take(numbers).append_column(_NUMBER, numbers)
        self._copy(paired, "single_rows")
        self._copy(others, "staged")
        return self._compare(bool(paired.num_rows), bool(others.num_rows))

    def _known(self, single: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of the rows have a stored one. It is locked."""
        known = np.zeros(single.num_rows, dtype=np.bool_)
        keys = single.select(self._table.key)
        self._copy(keys.append_column(_NUMBER, pa.array(np.arange(single.num_rows))), "single_keys")
        self._run("lock_single")
        known[self._session.table(self._sql("known_numbers"))[_NUMBER].to_numpy()] = True
        return known

    def _compare(self, paired: bool, ranked: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        self._session.run("SAVEPOINT newer")
        refused: list[dict[str, Any]] = []
        try:
            if paired:
                self._run("pair", "replace_paired", "note_paired", "judge_paired")
            if ranked:
                self._rank()
        except adbc.Error as error:
            if not self._is_refusal(error.sqlstate):
                raise
            self._session.run("ROLLBACK TO SAVEPOINT newer")
            self._run("stage_paired", "empty_tried", "judge_each")
            refused = self._session.rows(self._table.sql("refused_rows"))
        self._session.run("RELEASE SAVEPOINT newer")
        return self._session.rows(self._sql("verdicts")), refused

    def _rank(self) -> None:
        for _ in range(2):
            self._run("lock_stored", "empty_ranks", "rank", "insert_new")
            (answer,) = self._session.rows(self._sql("all_known"))
            if answer["known"]:
                break
        else:
            raise RowGoneError("A row that another transaction had stored was deleted.")
        self._run("judge", "replace", "note_replaced")

    def _copy(self, rows: pa.Table, temporary: str) -> None:
        if rows.num_rows:
            self._session.copy(temporary, rows, temporary=True)

    def _run(self, *names: str) -> None:
        for name in names:
            self._session.run(self._sql(name))

    def _sql(self, name: str) -> str:
        return self._table.sql(name, _FILE)
