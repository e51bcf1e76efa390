"""Files found by the names that they landed by, whatever has become of them.

Belongs here: looking for them in every folder of the zone, and deleting them. Does not belong here: whose
they are, or what goes with them in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.kept_names import REASON_SUFFIX, numbered
from ecom_platform.store import ledger
from ecom_platform.store.connection import Connection

_BLOCK = 1024**2


def line_counts(connection: Connection, zone: LandingZone, names: Sequence[str]) -> dict[str, int]:
    """Line ends of the newest file of each name: still landing, claimed, archived or in quarantine."""
    paths = {name: zone.landing / name for name in names}
    for state in ledger.newest_by_name(connection, names):
        paths[state.name] = zone.path_of(state)
    found: dict[str, int] = {}
    for name, path in paths.items():
        with suppress(FileNotFoundError):
            found[name] = _lines(path)
    return found


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))


def discards(
    connection: Connection, zone: LandingZone, file_ids: Collection[int], names: Collection[str]
) -> list[Callable[[], None]]:
    """What deletes each of these: where the ledger has them; and what bears one of the ``names`` and either
    waits to be claimed or has a number that the ledger does not know."""
    places = {zone.path_of(state) for state in ledger.states(connection, file_ids).values()}
    strangers = {}
    for folder in (*zone.unfinished_and_refused, *zone.archive_days()):
        for path in folder.iterdir():
            ours = numbered(path.name)
            if ours is not None and ours[1] in names:
                strangers[path] = ours[0]
    known = ledger.states(connection, set(strangers.values()))
    places.update(path for path, number in strangers.items() if number not in known)
    places.update(_waiting(zone, names))
    there = sorted(path for path in places if path.is_file() and not path.is_symlink())
    return [partial(_delete, path) for path in there]


def _waiting(zone: LandingZone, names: Collection[str]) -> Iterator[Path]:
    for path in zone.landing.iterdir():
        ours = numbered(path.name)
        if path.name in names or (ours is not None and ours[1] in names):
            yield path


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        path.with_name(path.name + REASON_SUFFIX).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be deleted: {error.strerror}.",
            "No row was removed. Make its folder writable and try again; what is gone is passed over.",
        ) from error
