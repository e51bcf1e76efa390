"""Invented events: whether the generator may write to this database, what of it is there, taking it out.

Belongs here: the decision, and the rows. Does not belong here: the generator (``events.generator``), its
files on disk (``landing.generated``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ecom_platform.errors import UsageError
from ecom_platform.postgres.connection import Connection, Database
from ecom_platform.postgres.statements import queries
from ecom_platform.settings import Settings


@dataclass(frozen=True, slots=True)
class GeneratedRows:
    """What the generator has left in the tables."""

    generations: int
    files: int
    events: int
    rejects: int


def require_shop(settings: Settings, database: Database) -> None:
    """Raises :class:`UsageError` where invented events would get among those of somebody's own.

    They are wanted on the embedded server, and where the database has some already; ``ECOM_SHOP`` decides
    otherwise.
    """
    if settings.shop_open:
        return
    if settings.shop is None:
        with database.open() as connection:
            if queries("generated").has_generations(connection):
                return
        reason = (
            f"{database.description} is a server of your own, and invented events would get among its own"
        )
    else:
        reason = "ECOM_SHOP is off"
    raise UsageError(
        f"Nothing is generated: {reason}.",
        "To load the files that have landed: `ecom ingest`, in the UI the job `ingest`. If invented events "
        "are wanted in this database, set ECOM_SHOP=on; `ecom shop remove` takes them out again.",
    )


def file_names(connection: Connection) -> set[str]:
    """The names of every file that was generated."""
    return {name for (name,) in queries("generated").file_names(connection)}


def file_ids(connection: Connection) -> list[int]:
    """The ledger's numbers of generated files, and of others that have the bytes of one."""
    return [int(file_id) for (file_id,) in queries("generated").file_ids(connection)]


def count(connection: Connection, file_ids: Collection[int]) -> GeneratedRows:
    """What :func:`remove` would delete."""
    return GeneratedRows(*queries("generated").count_rows(connection, file_ids=list(file_ids)))


def remove(connection: Connection, file_ids: Sequence[int]) -> GeneratedRows:
    """Delete the rows of these files, their ledger, and the record of every generation; the caller commits.

    Micro-batches and measured figures stay: they tell how loading went, whatever was loaded.
    """
    ask, ids = queries("generated"), list(file_ids)
    events = ask.remove_events(connection, file_ids=ids)
    ask.forget_lost(connection, file_ids=ids)
    rejects = ask.remove_rejects(connection, file_ids=ids)
    ask.release_twins(connection, file_ids=ids)
    files = ask.remove_files(connection, file_ids=ids)
    return GeneratedRows(int(ask.remove_generations(connection)), int(files), int(events), int(rejects))
