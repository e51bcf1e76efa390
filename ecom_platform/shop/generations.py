"""The record of the generator's runs: what each wrote, whether there may be another, taking the rows out.

Belongs here: the table ``generations``, and the rows of generated files. Does not belong here: the generator
(``generator``), its files on disk (``removal``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from ecom_platform.errors import UsageError
from ecom_platform.settings import Settings
from ecom_platform.shop import SQL
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.statements import queries


@dataclass(frozen=True, slots=True)
class Generation:
    """One run of the generator: its inputs, and the files it wrote."""

    run_id: str
    seed: int
    as_of: datetime
    events: int
    rows_per_file: int
    users: int
    days: int
    files: int
    file_names: list[str]
    seconds: float


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
    require_not_off(settings)
    if settings.shop_open:
        return
    with database.open() as connection:
        if _ask().has_generations(connection):
            return
    raise _closed(
        f"{database.description} is a server of your own, and invented events would get among its own"
    )


def require_not_off(settings: Settings) -> None:
    """Raises :class:`UsageError` where ``ECOM_SHOP`` is off."""
    if settings.shop is False:
        raise _closed("ECOM_SHOP is off")


def _closed(reason: str) -> UsageError:
    return UsageError(
        f"Nothing is generated: {reason}.",
        "To load the files that have landed: `ecom ingest`, in the UI the job `ingest`. If invented events "
        "are wanted in this database, set ECOM_SHOP=on; `ecom shop remove` takes them out again.",
    )


def record(connection: Connection, generation: Generation) -> int:
    """Write down one run of the generator; returns its id."""
    return int(_ask().record(connection, **asdict(generation)))


def latest(connection: Connection, run_id: str) -> Generation | None:
    """The generation of ``run_id``, else the newest of any run, else ``None``."""
    row = _ask().latest(connection, run_id=run_id)
    return None if row is None else Generation(*row[1:])


def file_names(connection: Connection) -> set[str]:
    """The names of every file that was generated."""
    return {name for (name,) in _ask().file_names(connection)}


def file_ids(connection: Connection) -> list[int]:
    """The ledger's numbers of generated files, and of others that have the bytes of one."""
    return [int(file_id) for (file_id,) in _ask().file_ids(connection)]


def count(connection: Connection, file_ids: Collection[int]) -> GeneratedRows:
    """What :func:`remove` would delete."""
    return GeneratedRows(*_ask().count_rows(connection, file_ids=list(file_ids)))


def remove(connection: Connection, file_ids: Sequence[int]) -> GeneratedRows:
    """Delete the rows of these files, their ledger, and the record of every generation; the caller commits.

    Micro-batches and measured figures stay: they tell how loading went, whatever was loaded.
    """
    ask, ids = _ask(), list(file_ids)
    events = ask.remove_events(connection, file_ids=ids)
    ask.forget_lost(connection, file_ids=ids)
    rejects = ask.remove_rejects(connection, file_ids=ids)
    ask.release_twins(connection, file_ids=ids)
    files = ask.remove_files(connection, file_ids=ids)
    return GeneratedRows(int(ask.remove_generations(connection)), int(files), int(events), int(rejects))


def _ask() -> Any:
    return queries("generations", SQL)
