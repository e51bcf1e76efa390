"""Files taken out of archive and quarantine, to where nothing looks.

Belongs here: the moves in folders, and undoing them. Does not belong here: which files, or what goes with
them (``tables.unload``), or objects of a bucket (``bucket.object_returning``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ecom_platform import durable
from ecom_platform.errors import StorageError
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.kept_names import REASON_SUFFIX
from ecom_platform.store.ledger import FileState
from ecom_platform.store.outcome import kept_as


class Moves:
    """Files on their way out of archive and quarantine."""

    def __init__(self, zone: LandingZone, files: Sequence[FileState], *, with_reasons: bool = False) -> None:
        self._steps = [(zone.path_of(file), unloaded_path(zone, file.file_id, file.name)) for file in files]
        if with_reasons:
            self._steps += [(_reason_of(source), _reason_of(target)) for source, target in self._steps]
        self._made: list[tuple[Path, Path]] = []

    def make(self) -> None:
        for source, target in self._steps:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                if os.path.lexists(target) and os.path.lexists(source):
                    raise StorageError(
                        f"{source} cannot be moved to {target}: another file is there.",
                        "Nothing was changed. Move that one away.",
                    )
                source.rename(target)
                self._made.append((source, target))
            except FileNotFoundError:
                continue  # gone before, or moved by a run that was killed
            except OSError as error:
                raise StorageError(
                    f"{source} cannot be moved to {target}: {error.strerror}.",
                    "Nothing was changed. Make the folder writable.",
                ) from error
        durable.sync_all({target.parent for _, target in self._made})

    def take_back(self) -> None:
        for source, target in self._made:
            with suppress(OSError):
                target.rename(source)

    def forget_reasons(self) -> None:
        for source, _ in self._steps:
            _reason_of(source).unlink(missing_ok=True)

    @property
    def places(self) -> list[str | None]:
        return [str(target) if os.path.lexists(target) else None for _, target in self._steps]


def _reason_of(path: Path) -> Path:
    return path.with_name(path.name + REASON_SUFFIX)


def unloaded_path(zone: LandingZone, file_id: int, name: str) -> Path:
    """Where a file lies that was taken out."""
    return zone.unloaded / kept_as(file_id, name)
