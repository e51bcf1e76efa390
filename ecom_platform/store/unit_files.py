"""The files of a unit of work, as they are on disk: still what was claimed, or not, or unreadable.

Belongs here: reading them by their feed, what they are before and after, and that they are on the disk before
COMMIT. Does not belong here: what becomes of their rows (``sink``).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecom_platform import durable
from ecom_platform.errors import IngestError
from ecom_platform.feeds.feed import Feed
from ecom_platform.feeds.travel import declaration_hash
from ecom_platform.files.chunks import FeedChunk, FileFacts
from ecom_platform.files.opening import EventFile
from ecom_platform.files.readers import decoder_of, look_over
from ecom_platform.files.unreadable import FileReason, UnreadableFile
from ecom_platform.store.outcome import Stamp, UnitFile

# What a disk or a file server says of one file, while others of the same folder may be well.
_READ_ERRORS = frozenset(
    getattr(errno, name)
    for name in ("EIO", "ESTALE", "EBADMSG", "EUCLEAN", "EREMOTEIO", "ENODATA", "ETIMEDOUT")
    if hasattr(errno, name)
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that turned out unreadable, and what it was then: it may be another by now."""

    error: UnreadableFile
    stamp: Stamp | None
    # It was given a second look.
    final: bool

    def holds(self, file: UnitFile) -> bool:
        """Whether it is still the same file. One that could not be read may be by now, though it is."""
        if self.final:
            return True
        same = self.stamp is not None and self.stamp == _stamp(file)
        return same and self.error.reason is not FileReason.READ_ERROR


class NotAsClaimedError(Exception):
    """Files turned out unreadable after some of their rows were sent: the unit starts over without them."""

    def __init__(self, verdicts: dict[int, Unreadable]) -> None:
        super().__init__(", ".join(str(verdict.error) for verdict in verdicts.values()))
        self.verdicts = verdicts


class ChangedError(Exception):
    """Files were written to while they were read: the unit starts over without them."""

    def __init__(self, file_ids: set[int]) -> None:
        super().__init__(f"changed: {file_ids}")
        self.file_ids = file_ids


class Reading:
    """How the files of a feed are read."""

    def __init__(self, feed: Feed) -> None:
        self._decoder = decoder_of(feed)
        self._facts: dict[int, FileFacts] = {}
        self.declaration = declaration_hash(feed)

    def chunks(self, file: UnitFile, source: EventFile, now: datetime) -> Iterator[FeedChunk]:
        """The records of a file."""
        if file.file_id not in self._facts:
            self._facts[file.file_id] = look_over(self._decoder.feed, Path(file.path))
        return self._decoder.decode(source.stream, self._facts[file.file_id], now)

    def raw_records(
        self, file: UnitFile, source: EventFile, lines: npt.NDArray[np.int64]
    ) -> Iterator[tuple[int, bytes]]:
        """The records that start at these lines, as bytes."""
        return self._decoder.raw_records(source.stream, self._facts[file.file_id], lines)


def concerns_one_file(error: OSError, path: Path) -> bool:
    """Whether it is this file that cannot be read, and not its folder or all of the disk."""
    if error.errno not in _READ_ERRORS:
        return False
    try:
        with os.scandir(path.parent) as entries:
            next(entries, None)
    except OSError:
        return False
    return True


def read_error(error: OSError) -> UnreadableFile:
    return UnreadableFile(FileReason.READ_ERROR, error.strerror or str(error))


def _stamp(file: UnitFile) -> Stamp | None:
    """What a file is now; ``None`` of what is none. Opened, since NFS is up to date only then."""
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return Stamp.of(status) if stat.S_ISREG(status.st_mode) else None


def stamps_as_claimed(files: Iterable[UnitFile]) -> dict[int, Stamp | None]:
    """What the files are before they are read. Raises :class:`ChangedError` if some have grown by now."""
    stamps = {file.file_id: _stamp(file) for file in files}
    sizes = {file.file_id: file.size for file in files}
    _refuse_changed(
        key
        for key, stamp in stamps.items()
        if stamp is not None and sizes[key] is not None and stamp.size != sizes[key]
    )
    return stamps


def check_unchanged(files: Iterable[UnitFile], stamps: dict[int, Stamp | None]) -> None:
    """A renamed file may still be open in its writer: what was read must still be what is there."""
    _refuse_changed(
        file.file_id
        for file in files
        if stamps[file.file_id] is not None and stamps[file.file_id] != _stamp(file)
    )


def is_kept(file: UnitFile, stamps: dict[int, Stamp | None]) -> bool:
    """Whether what is read is what the archive will have; a copy of an object is not."""
    return stamps[file.file_id] is not None and file.etag is None


@contextmanager
def on_their_way_to_disk(files: Iterable[UnitFile]) -> Iterator[Callable[[], None]]:
    """Writes files to the disk while they are read; gives a function that waits until they are there.

    The ledger calls them loaded only after it: what the archive then holds outlives a loss of power.
    """
    syncing = durable.Syncing(Path(file.path) for file in files)

    def wait() -> None:
        try:
            syncing.wait()
        except OSError as error:
            raise IngestError(
                f"{error.filename or 'A file'} cannot be written to the disk: {error.strerror or error}.",
                "Nothing of the unit was stored. Check the disk of the landing zone, and run again.",
            ) from error

    try:
        yield wait
    finally:
        syncing.abandon()


def _refuse_changed(file_ids: Iterable[int]) -> None:
    changed = set(file_ids)
    if changed:
        raise ChangedError(changed)
