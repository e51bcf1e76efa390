"""Objects that are too large for one request: put, or copied, in parts.

Belongs here: the requests of one upload, and that one which fails leaves nothing behind. Does not belong
here: what an answer means, or asking again (``objects``, whose client is used).

An upload appears as a whole when it is completed, and only where nothing is. One whose program was killed is
kept by the store, unseen, until a rule of the bucket's life cycle takes it away. The client's own managed
transfers do the same without that condition (s3transfer 0.19): of two that put something under one key the
later would win. Limits: Amazon S3 User Guide, "Amazon S3 multipart upload limits".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

# One request puts or copies so much and no more.
LARGEST_REQUEST = 5 * 1024**3
_PART_BYTES = 256 * 1024**2
_MOST_PARTS = 10_000
_AT_ONCE = 4


def copy(
    client: Any, target: Mapping[str, str], source: Mapping[str, str], etag: str, size: int, **how: Any
) -> Any:
    """Let the object ``source`` with this ETag be at ``target``, where nothing is; ``how`` it is kept there.
    Raises the client's errors."""

    def part(upload: Mapping[str, str], number: int, start: int, end: int) -> str:
        wanted = f"bytes={start}-{end - 1}"
        answer = client.upload_part_copy(
            **upload, PartNumber=number, CopySource=source, CopySourceIfMatch=etag, CopySourceRange=wanted
        )
        return str(answer["CopyPartResult"]["ETag"])

    return _upload(client, target, size, part, how)


def put(client: Any, target: Mapping[str, str], path: Path, size: int, **how: Any) -> Any:
    """The same of the file ``path``."""
    from s3transfer.utils import ReadFileChunk

    def part(upload: Mapping[str, str], number: int, start: int, end: int) -> str:
        with ReadFileChunk.from_filename(str(path), start, end - start) as body:
            return str(client.upload_part(**upload, PartNumber=number, Body=body)["ETag"])

    return _upload(client, target, size, part, how)


def _upload(
    client: Any,
    target: Mapping[str, str],
    size: int,
    part: Callable[[Mapping[str, str], int, int, int], str],
    how: Mapping[str, Any],
) -> Any:
    begun = client.create_multipart_upload(**target, **how)
    upload = {**target, "UploadId": begun["UploadId"]}
    length = max(_PART_BYTES, -(-size // _MOST_PARTS))
    starts = range(0, size, length)
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="parts")
    try:
        etags = [
            pool.submit(part, upload, number, start, min(start + length, size))
            for number, start in enumerate(starts, 1)
        ]
        parts = [{"PartNumber": number, "ETag": etag.result()} for number, etag in enumerate(etags, 1)]
        return client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
    except BaseException:
        pool.shutdown(cancel_futures=True)
        with suppress(Exception):  # what failed is told; of one that was completed there is nothing left
            client.abort_multipart_upload(**upload)
        raise
    finally:
        pool.shutdown()
