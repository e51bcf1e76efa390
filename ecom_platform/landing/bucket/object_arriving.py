"""Files of this machine, put into the bucket as objects that have landed.

Belongs here: letting them land whole, all of them or none, in the place of nothing. Does not belong here:
claiming them (``object_claim``).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ecom_platform.errors import StorageError
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
