"""Objects of a unit of work as files of the task that loads it.

Belongs here: fetching them, several ranges at a time, exactly as they were claimed. Does not belong here:
asking the store (``objects``), or loading the files (``store.sink``), which cannot tell them from those of a
folder.

A unit reads some files more than once (an encoding to decide, rows that are refused), Parquet is read from
its end, and a connection that breaks in the middle of a transaction would undo all of the unit. So what is
read is a copy: as large as the unit, in the task's temporary folder, gone with it. Those of killed tasks are
removed by later ones.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.file_lock import FileLock
from ecom_platform.objects import Bucket, Location, ObjectChangedError, bucket_of
from ecom_platform.store.outcome import UnitFile

# Ranges of large objects, and how many are on their way at once.
RANGE_BYTES = 8 * 1024**2
_AT_ONCE = 4
_PREFIX, _LOCK = "ecom-objects-", ".lock"
# Nobody has locked a folder that was made just now.
_YOUNG_SECONDS = 60.0


@contextmanager
def fetched(location: Location, files: Sequence[UnitFile]) -> Iterator[tuple[list[UnitFile], list[int]]]:
    """The files as copies of this task, and the ids of those that are no longer what was claimed.

    Raises :class:`StorageError`.
    """
    _remove_left()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = FileLock(folder / _LOCK)
    try:
        lock.try_exclusive()
        yield _fetch(bucket_of(location), folder, files)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _fetch(bucket: Bucket, folder: Path, files: Sequence[UnitFile]) -> tuple[list[UnitFile], list[int]]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch") as pool:
        parts = [
            (file, pool.submit(_fetch_range, bucket, folder / str(file.file_id), file, start))
            for file in files
            for start in range(0, max(file.size or 0, 1), RANGE_BYTES)
        ]
        changed: set[int] = set()
        try:
            for file, part in parts:
                try:
                    part.result()
                except ObjectChangedError:
                    changed.add(file.file_id)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    copies = [
        replace(file, path=str(folder / str(file.file_id))) for file in files if file.file_id not in changed
    ]
    return copies, sorted(changed)


def _fetch_range(bucket: Bucket, path: Path, file: UnitFile, start: int) -> None:
    length = min((file.size or 0) - start, RANGE_BYTES)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as copy:
            copy.seek(start)
            if length > 0:
                bucket.read_range(file.path, file.etag or "", start, length, copy.write)
            elif (found := bucket.head(file.path)) is None or found.etag != file.etag:
                raise ObjectChangedError(bucket.location.url_of(file.path), gone=found is None)
    except OSError as error:
        raise StorageError(
            f"{bucket.location.url_of(file.path)} cannot be copied to {path.parent}: "
            f"{error.strerror or error}.",
            "Make room there, or set TMPDIR to a folder on another disk; nothing of the unit was stored.",
        ) from error


def _remove_left() -> None:
    """Remove what killed tasks have left: the kernel has given their locks back."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _YOUNG_SECONDS:
                continue
            lock = FileLock(folder / _LOCK)
            if lock.try_exclusive():
                shutil.rmtree(folder, ignore_errors=True)
                lock.release()
