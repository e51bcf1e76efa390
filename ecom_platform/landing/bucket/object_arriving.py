"""Files of this machine, put into the bucket as objects that have landed.

Belongs here: letting them land whole, all of them or none, in the place of nothing. Does not belong here:
claiming them (``object_claim``).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ecom_platform.errors import StorageError
from ecom_platform.landing.arriving import folder_of_feed, require_files
from ecom_platform.landing.bucket.bucket_zone import BucketZone

_REQUESTS = 16


def let_land(zone: BucketZone, folder: Path, names: Sequence[str]) -> None:
    """Put the files of ``folder`` into the zone by these names, each whole by one request.

    Raises :class:`StorageError` where one cannot be put or something has its key; those that were put are
    deleted then.
    """
    bucket = zone.bucket

    def put(name: str) -> None:
        if not bucket.put_new(name, (folder / name).read_bytes()):
            raise StorageError(
                f"{zone.location.url_of(name)} cannot be written: another object is there.",
                "Nothing was overwritten. Run again; the names are made of the time.",
            )

    pool = ThreadPoolExecutor(_REQUESTS, thread_name_prefix="put")
    try:
        puts = [pool.submit(put, name) for name in names]
        for done in puts:
            done.result()
    except BaseException:
        pool.shutdown(cancel_futures=True)
        for name, done in zip(names, puts, strict=True):
            if done.done() and not done.cancelled() and done.exception() is None:
                bucket.delete_whatever(name)
        raise
    finally:
        pool.shutdown()


def bring_in(zone: BucketZone, feed: str, files: Sequence[Path]) -> list[str]:
    """Put ``files`` where objects of the feed land, and return the keys under which they did.

    What is there is not replaced: another file of a name lands under a name of its own. Raises
    :class:`UsageError` before anything is put, and :class:`StorageError`: what was put is deleted then.
    """
    require_files(files)
    bucket, folder, brought = zone.bucket, folder_of_feed(feed), list[str]()
    try:
        for path in files:
            key = folder + path.name
            if not bucket.put_file_new(key, path):
                key = f"{folder}{secrets.token_hex(8)}-{path.name}"
                if not bucket.put_file_new(key, path):
                    raise StorageError(
                        f"{path} cannot be put as {zone.location.url_of(key)}: another object is there.",
                        "Nothing was overwritten. Run again.",
                    )
            brought.append(key)
    except BaseException:
        for key in brought:
            bucket.delete_whatever(key)
        raise
    return brought
