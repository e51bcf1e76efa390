"""Of rows of one key the newest stays, whichever comes first (``on_conflict: update``).

Belongs here: what becomes of the rows that a unit of work has staged, where stored ones may be replaced. Does
not belong here: the order of rows and the statements (``sql/newer_rows.sql``), what is counted of them and
everything else between BEGIN and COMMIT (``sink``).

The stored rows of all staged keys are locked first, then the keys that had none are inserted. What another
unit has stored in between is locked in a second look. From there on nobody else changes any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ecom_platform.store import adbc
from ecom_platform.store.feed_table import FeedTable

_FILE = "newer_rows"


class RowGoneError(Exception):
    """A row kept one of ours out and was deleted before it could be looked at: the unit starts over."""


def settle_newer_rows(
    session: adbc.Session, table: FeedTable, is_refusal: Callable[[str | None], bool]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Let the newest of staged and stored rows be stored, and note which files' rows were replaced by which.

    Returns how many rows of each file came to which verdict (``inserted``, ``updated``, ``stale``, ``within``
    or ``across`` for duplicates), and the rows that PostgreSQL refused. Raises :class:`RowGoneError`, and the
    driver's errors.
    """
    session.run(table.sql("empty_ranked", _FILE))
    session.run("SAVEPOINT newer")
    try:
        _settle(session, table)
        refused: list[dict[str, Any]] = []
    except adbc.Error as error:
        if not is_refusal(error.sqlstate):
            raise
        session.run("ROLLBACK TO SAVEPOINT newer")
        for name in ("empty_tried", "judge_each"):
            session.run(table.sql(name, _FILE))
        refused = session.rows(table.sql("refused_rows"))
    session.run("RELEASE SAVEPOINT newer")
    return session.rows(table.sql("verdicts", _FILE)), refused


def _settle(session: adbc.Session, table: FeedTable) -> None:
    for _ in range(2):
        for name in ("lock_stored", "empty_ranks", "rank", "insert_new"):
            session.run(table.sql(name, _FILE))
        (answer,) = session.rows(table.sql("all_known", _FILE))
        if answer["known"]:
            break
    else:
        raise RowGoneError("A row that another transaction had stored was deleted.")
    for name in ("judge", "replace", "note_replaced"):
        session.run(table.sql(name, _FILE))
