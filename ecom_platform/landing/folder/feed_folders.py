"""The folders of a feed, by another name.

Belongs here: moving what lies in them, so that whoever is killed goes on. Does not belong here: what of the
feed is elsewhere (``tables.renaming``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ecom_platform import durable
from ecom_platform.errors import StorageError
from ecom_platform.landing.folder.no_replace import move
from ecom_platform.landing.folder.zone import LandingZone


def rename_folders(
    zone: LandingZone, old: str, new: str, hook: Callable[[str], None] = lambda step: None
) -> list[str]:
    """Let what lies in the folders of ``old`` lie in those of ``new``; returns the folders that had any."""
    moved = []
    for name, folder in _folders(zone):
        if _move_folder(folder / old, folder / new):
            moved.append(name)
        hook(name)
    return moved


def _folders(zone: LandingZone) -> Iterator[tuple[str, Path]]:
    """Those that have folders of feeds."""
    yield "landing", zone.landing
    for folder in (zone.claimed, zone.archive, zone.quarantine, zone.unloaded):
        yield folder.name, folder


def _move_folder(source: Path, target: Path) -> bool:
    """Let what is in ``source`` be in ``target``; whether there was something to move."""
    if not source.is_dir() or source.is_symlink():
        return False
    try:
        if not os.path.lexists(target):
            source.rename(target)
        else:
            _merge(source, target)
        durable.sync(target.parent)
    except OSError as error:
        raise StorageError(
            f"{source} cannot be moved to {target}: {error.strerror or error}.",
            "Make both writable, and run the command again: it goes on from here.",
        ) from error
    return True


def _merge(source: Path, target: Path) -> None:
    """Into a folder that is there: nothing of what it has is replaced."""
    for path in sorted(source.iterdir()):
        if path.is_dir() and not path.is_symlink():
            (target / path.name).mkdir(exist_ok=True)
            _merge(path, target / path.name)
        else:
            move(path, target, [path.name])
    source.rmdir()
