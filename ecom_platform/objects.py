"""Objects of a bucket, by the S3 protocol: what is asked of a store, and what its answers mean.

Belongs here: listing, reading a range, conditional writes, copies and deletions; repeating what may be
repeated, and errors that name the variable to correct. The one module that imports the client, when it is
first needed. Does not belong here: what keys mean (``landing``), or settings.

Credentials come from where every program of the kind finds them (the environment, a profile, the machine's
role), are the client's affair, and are never in what is passed around: a :class:`Location` may travel and be
shown.
"""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from ecom_platform import object_parts
from ecom_platform.errors import StorageError, StoreAwayError
from ecom_platform.waits import spoken

log = logging.getLogger(__name__)

# What is repeated at once by the client: throttling, faults of the store, connections that break.
_ATTEMPTS = 8
# The same for whoever comes again soon and has to answer until then, such as a sensor.
_HURRIED_ATTEMPTS = 2
# How long credentials may have expired before it is an error: whoever renews them does so meanwhile.
CREDENTIALS_SECONDS = 60.0
_CREDENTIALS_LOOK_SECONDS = 2.0
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_HURRIED_CONNECT_SECONDS, _HURRIED_READ_SECONDS = 3, 10
_CONNECTIONS = 32
_BLOCK = 1 << 20

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_NOT_MET = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT})
_THROTTLED = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"})
_NOT_ALLOWED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})

# In what a store keeps beside an object: by whose request it was put.
_PUT_MARK = "ecom-put"

# Of an object that is marked, since a copy with metadata of its own has none of the source's.
_MARK = "ecom-returned"
_KEPT_WITH_A_COPY = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
)

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Location:
    """A part of a bucket: keys that begin with ``prefix`` (empty, or ending in a slash)."""

    bucket: str
    prefix: str = ""
    # None: Amazon's own.
    endpoint: str | None = None

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def url_of(self, key: str) -> str:
        return f"{self.url}{key}"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object, as it was when it was looked at. ``key`` is what follows the prefix."""

    key: str
    etag: str
    size: int
    modified: datetime


class ObjectChangedError(Exception):
    """An object is not what it was: it was rewritten, or it is gone. Whoever claimed it claims it anew."""

    def __init__(self, url: str, *, gone: bool) -> None:
        super().__init__(f"{url} {'is gone' if gone else 'was rewritten'}")
        self.gone = gone


class Bucket:
    """The objects of a location. Keys are relative to its prefix; safe between threads, not over a fork.

    ``hurried``: a store that is away is an error at once, and so are credentials that have expired.
    """

    def __init__(self, location: Location, *, hurried: bool = False) -> None:
        self.location, self._hurried = location, hurried
        self._client, self._stale = self._new_client(), False

    # -- looking -------------------------------------------------------------------------------------

    def level(self, folder: str = "") -> tuple[list[StoredObject], list[str]]:
        """The objects right below ``folder``, and what has more below it: each as its part of the key."""
        objects: list[StoredObject] = []
        folders: list[str] = []
        for page in self._pages(folder, Delimiter="/"):
            objects += map(self._object, page.get("Contents", ()))
            folders += [self._key(entry["Prefix"]) for entry in page.get("CommonPrefixes", ())]
        return objects, folders

    def below(self, folder: str) -> Iterator[StoredObject]:
        """Every object below ``folder``, in the order of keys."""
        for page in self._pages(folder):
            yield from map(self._object, page.get("Contents", ()))

    def head(self, key: str) -> StoredObject | None:
        """The object as it is now; nothing where there is none."""
        answer = self._head(key)
        if answer is None:
            return None
        return StoredObject(key, answer["ETag"], answer["ContentLength"], answer["LastModified"])

    def _head(self, key: str) -> dict[str, Any] | None:
        return self._unless(HTTPStatus.NOT_FOUND, lambda: self._client.head_object(**self._of(key)), key)

    # -- reading -------------------------------------------------------------------------------------

    def read(self, key: str) -> bytes | None:
        """All of a small object; nothing where there is none."""
        return self._unless(
            HTTPStatus.NOT_FOUND, lambda: self._client.get_object(**self._of(key))["Body"].read(), key
        )

    def read_range(
        self, key: str, etag: str, start: int, length: int, into: Callable[[bytes], object]
    ) -> None:
        """``length`` bytes from ``start`` on of the object with this ETag, handed over in pieces. A
        connection that breaks is taken up where it broke. Raises :class:`ObjectChangedError`."""
        at, end, failures = start, start + length, 0
        from botocore.exceptions import BotoCoreError

        while at < end:
            body = self._conditional(key, self._body(key, etag, f"bytes={at}-{end - 1}"))
            before = at
            try:
                while at < end and (piece := body.read(min(_BLOCK, end - at))):
                    into(piece)
                    at += len(piece)
            except (BotoCoreError, OSError) as error:
                log.info("%s breaks off at byte %d: %s", self.location.url_of(key), at, type(error).__name__)
            finally:
                body.close()
            failures = 0 if at > before else failures + 1
            if failures > _ATTEMPTS:
                raise StorageError(
                    f"{self.location.url_of(key)} cannot be read: each answer breaks off at byte {at}.",
                    "Look at the store and the way to it; nothing was lost. Run `ecom ingest` again.",
                )

    # -- writing -------------------------------------------------------------------------------------

    def put(self, key: str, data: bytes) -> None:
        self._ask(lambda: self._client.put_object(**self._of(key), Body=data), key)

    def put_new(self, key: str, data: bytes) -> bool:
        """Make an object where there is none; whether this call made it. An answer that was lost after the
        store had written is answered by looking: no two callers may write the same ``data``."""
        made = self._unless(
            _NOT_MET, lambda: self._client.put_object(**self._of(key), Body=data, IfNoneMatch="*"), key
        )
        return made is not None or self.read(key) == data

    def put_file_new(self, key: str, path: Path) -> bool:
        """The same of a whole file. It is known again by a mark that is this call's own."""
        mark = {_PUT_MARK: secrets.token_hex(16)}

        def put() -> Any:
            size = path.stat().st_size
            if size > object_parts.LARGEST_REQUEST:
                return object_parts.put(self._client, self._of(key), path, size, Metadata=mark)
            with path.open("rb") as file:
                return self._client.put_object(**self._of(key), Body=file, IfNoneMatch="*", Metadata=mark)

        # An upload in parts that was completed by a request whose answer was lost is not found any more.
        if self._unless((*_NOT_MET, HTTPStatus.NOT_FOUND), put, key) is not None:
            return True
        there = self._unless(HTTPStatus.NOT_FOUND, lambda: self._client.head_object(**self._of(key)), key)
        return there is not None and there.get("Metadata") == mark

    def copy(self, key: str, etag: str, target: str, size: int) -> None:
        """Let the object with this ETag be at ``target`` as well. Raises :class:`ObjectChangedError`, and
        :class:`StorageError` where another object is there."""
        if self._copy(key, etag, size, target):
            return
        there = self.head(target)
        if there is None:
            raise ObjectChangedError(self.location.url_of(key), gone=self.head(key) is None)
        if there.size != size:
            raise StorageError(
                f"{self.location.url_of(key)} cannot be put away as {self.location.url_of(target)}: another "
                "object is there.",
                "Nothing was overwritten. Move that one away, and run this again.",
            )

    def copy_marked(self, found: StoredObject, target: str, mark: str) -> bool:
        """Let the object be at ``target`` as well, where anybody may put objects, with ``mark`` in its
        metadata; whether it is. ``False`` where another object is there. Raises :class:`ObjectChangedError`.

        The mark tells ours from somebody else's, when the answer was lost.
        """
        head = self._conditional(
            found.key, lambda: self._client.head_object(**self._of(found.key), IfMatch=found.etag)
        )
        kept = {name: head[name] for name in _KEPT_WITH_A_COPY if name in head}
        kept["Metadata"] = {**head.get("Metadata", {}), _MARK: mark}
        if self._copy(found.key, found.etag, found.size, target, **kept):
            return True
        there = self._head(target)
        if there is None:
            raise ObjectChangedError(self.location.url_of(found.key), gone=self.head(found.key) is None)
        return bool(there.get("Metadata", {}).get(_MARK) == mark)

    def _copy(self, key: str, etag: str, size: int, target: str, **instead: Any) -> bool:
        """Copy the object with this ETag to where nothing is; whether the store says that it did. What is
        kept beside it goes along where it is copied by one request, or is what is said ``instead``."""
        source = self._of(key)

        def copy() -> Any:
            if size > object_parts.LARGEST_REQUEST:
                return object_parts.copy(self._client, self._of(target), source, etag, size, **instead)
            replaced = {"MetadataDirective": "REPLACE", **instead} if instead else {}
            return self._client.copy_object(
                **self._of(target), **replaced, CopySource=source, CopySourceIfMatch=etag, IfNoneMatch="*"
            )

        return self._unless((*_NOT_MET, HTTPStatus.NOT_FOUND), copy, key) is not None

    def mark_of(self, key: str, etag: str) -> str | None:
        """The mark that the object with this ETag was given; nothing where it has none, or is another."""
        there = self._head(key)
        if there is None or there["ETag"] != etag:
            return None
        mark: str | None = there.get("Metadata", {}).get(_MARK)
        return mark

    def tag(self, key: str, etag: str, name: str, value: str) -> None:
        """Give the object with this ETag one more tag; those that it has stay. Raises
        :class:`ObjectChangedError`.

        A tag is put without a condition: if it went to an object that came meanwhile, it is taken off again.
        """
        self._require(key, etag)
        self._ask(lambda: self._put_tags(key, {**self._tags(key), name: value}), key)
        try:
            self._require(key, etag)
        except ObjectChangedError as error:
            if not error.gone:
                rest = {other: text for other, text in self._tags(key).items() if other != name}
                self._ask(lambda: self._put_tags(key, rest), key)
            raise

    def _require(self, key: str, etag: str) -> None:
        there = self._head(key)
        if there is None or there["ETag"] != etag:
            raise ObjectChangedError(self.location.url_of(key), gone=there is None)

    def _tags(self, key: str) -> dict[str, str]:
        answer = self._ask(lambda: self._client.get_object_tagging(**self._of(key)), key)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def _put_tags(self, key: str, tags: dict[str, str]) -> Any:
        wanted = [{"Key": name, "Value": value} for name, value in tags.items()]
        return self._client.put_object_tagging(**self._of(key), Tagging={"TagSet": wanted})

    def delete(self, key: str, etag: str) -> bool:
        """Delete the object with this ETag; ``False`` where another one has its key by now."""
        deleted = self._unless(
            (*_NOT_MET, HTTPStatus.NOT_FOUND),
            lambda: self._client.delete_object(**self._of(key), IfMatch=etag),
            key,
        )
        # What was deleted by a request whose answer was lost is gone as well.
        return deleted is not None or self.head(key) is None

    def delete_whatever(self, key: str) -> None:
        """Delete an object of ours."""
        self._ask(lambda: self._client.delete_object(**self._of(key)), key)

    # -- asking --------------------------------------------------------------------------------------

    def _new_client(self) -> Any:
        return _new_client(self.location.endpoint, hurried=self._hurried)

    def _of(self, key: str) -> dict[str, str]:
        return {"Bucket": self.location.bucket, "Key": self.location.prefix + key}

    def _key(self, key: str) -> str:
        return key.removeprefix(self.location.prefix)

    def _object(self, entry: dict[str, Any]) -> StoredObject:
        return StoredObject(self._key(entry["Key"]), entry["ETag"], entry["Size"], entry["LastModified"])

    def _pages(self, folder: str, **options: str) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            page = self._ask(self._listing(folder, options | token), folder)
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _listing(self, folder: str, options: Mapping[str, str]) -> Callable[[], dict[str, Any]]:
        prefix = self.location.prefix + folder
        return lambda: self._client.list_objects_v2(Bucket=self.location.bucket, Prefix=prefix, **options)

    def _body(self, key: str, etag: str, wanted: str) -> Callable[[], Any]:
        return lambda: self._client.get_object(**self._of(key), IfMatch=etag, Range=wanted)["Body"]

    def _conditional(self, key: str, request: Callable[[], _Result]) -> _Result:
        answer = self._unless((*_NOT_MET, HTTPStatus.NOT_FOUND), request, key)
        if answer is None:
            raise ObjectChangedError(self.location.url_of(key), gone=self.head(key) is None)
        return answer

    def _unless(
        self,
        statuses: HTTPStatus | frozenset[HTTPStatus] | tuple[HTTPStatus, ...],
        request: Callable[[], _Result],
        key: str,
    ) -> _Result | None:
        """The answer; nothing where the store says one of ``statuses``."""
        from botocore.exceptions import ClientError

        expected = (statuses,) if isinstance(statuses, HTTPStatus) else statuses
        try:
            return self._ask(request, key, expected)
        except ClientError:
            return None

    def _ask(
        self,
        request: Callable[[], _Result],
        key: str,
        expected: tuple[HTTPStatus, ...] | frozenset[HTTPStatus] = (),
    ) -> _Result:
        """Ask the store; expired credentials are waited for, as whoever renews them does so sooner or later.

        Raises the client's own error for an ``expected`` status, else :class:`StorageError`.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        deadline: float | None = None
        patience = 0.0 if self._hurried else CREDENTIALS_SECONDS
        while True:
            if self._stale:
                self._client, self._stale = self._new_client(), False
            try:
                return request()
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                if status in expected and code != "NoSuchBucket":
                    raise
                if deadline is None:
                    deadline = time.monotonic() + patience
                    if code in _EXPIRED and patience:
                        log.warning(
                            "The credentials for %s have expired: waiting for others, for %s at most.",
                            self.location.url,
                            spoken(patience),
                        )
                if code not in _EXPIRED or time.monotonic() >= deadline:
                    # Whoever asks next asks with the credentials that there are by then.
                    self._stale = code in _EXPIRED or status in _NOT_ALLOWED
                    raise self._refused(key, code, status) from error
            except BotoCoreError as error:
                raise self._unreachable(error) from error
            time.sleep(_CREDENTIALS_LOOK_SECONDS)
            self._stale = True

    def _refused(self, key: str, code: str, status: int | None) -> StorageError:
        url = self.location.url_of(key)
        if code in _EXPIRED:
            return StoreAwayError(
                f"The credentials for {url} have expired.",
                "Renew them (AWS_*, the profile, or the machine's role) and run again; nothing was lost.",
            )
        if code == "NoSuchBucket":
            return StorageError(
                f"There is no bucket {self.location.bucket} at {self._where}.",
                "Create it, or correct ECOM_LANDING_URL and ECOM_LANDING_ENDPOINT.",
            )
        if status in _NOT_ALLOWED:
            return StorageError(
                f"{self._where} refuses the use of {url} ({code or status}).",
                "The credentials (AWS_*, the profile, or the machine's role) must be allowed to list, get, "
                "put and "
                "delete objects below ECOM_LANDING_URL.",
            )
        throttled = status == HTTPStatus.TOO_MANY_REQUESTS or code in _THROTTLED
        away = throttled or status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return (StoreAwayError if away else StorageError)(
            f"{self._where} does not do what it was asked with {url} ({code or status}).",
            "Nothing was lost. Look at the store, and run again; ECOM_LANDING_ENDPOINT says which it is.",
        )

    def _unreachable(self, error: Exception) -> StorageError:
        # Not the words of the error, which may quote the request.
        return StoreAwayError(
            f"{self._where} cannot be reached or asked ({type(error).__name__}).",
            "Check ECOM_LANDING_URL, ECOM_LANDING_ENDPOINT, the region (AWS_REGION) and the credentials "
            "(AWS_*, a "
            "profile, or the machine's role); nothing was lost.",
        )

    @property
    def _where(self) -> str:
        return self.location.endpoint or "Amazon S3"


def bucket_of(location: Location, *, hurried: bool = False) -> Bucket:
    """The bucket, whose connections this process keeps."""
    return _bucket_of(location, hurried, os.getpid())


@lru_cache(maxsize=8)
def _bucket_of(location: Location, hurried: bool, process: int) -> Bucket:  # noqa: ARG001 (connections do not survive a fork)
    return Bucket(location, hurried=hurried)


def download(bucket: Bucket, found: StoredObject, path: Path, length: int | None = None) -> None:
    """Write the object, or its beginning, to ``path``. Raises :class:`ObjectChangedError`, and
    :class:`StorageError` where there is no room."""
    try:
        with path.open("wb") as file:
            if length is None or length > found.size:
                length = found.size
            bucket.read_range(found.key, found.etag, 0, length, file.write)
    except OSError as error:
        raise StorageError(
            f"{bucket.location.url_of(found.key)} cannot be copied to {path.parent}: {error.strerror}.",
            "Make room there, or set TMPDIR to a folder on another disk.",
        ) from error


@contextmanager
def as_file(bucket: Bucket, found: StoredObject, name: str) -> Iterator[Path]:
    """The object as a file of this ``name`` for as long as the block lasts. Raises
    :class:`ObjectChangedError` and :class:`StorageError`."""
    with tempfile.TemporaryDirectory(prefix="ecom-kept-") as folder:
        path = Path(folder, name)
        download(bucket, found, path)
        yield path


def _new_client(endpoint: str | None, *, hurried: bool) -> Any:
    import boto3
    from botocore.config import Config

    # A session of its own: the one that boto3 shares is not safe between threads. It does not know
    # AWS_REGION.
    session = boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)
    return session.client(
        "s3",
        endpoint_url=endpoint,
        # Only Amazon asks which region it is.
        region_name=session.region_name or ("us-east-1" if endpoint else None),
        config=Config(
            retries={
                "mode": "standard",
                "total_max_attempts": _HURRIED_ATTEMPTS if hurried else _ATTEMPTS,
            },
            connect_timeout=_HURRIED_CONNECT_SECONDS if hurried else _CONNECT_SECONDS,
            read_timeout=_HURRIED_READ_SECONDS if hurried else _READ_SECONDS,
            max_pool_connections=_CONNECTIONS,
            s3={"addressing_style": "path"} if endpoint else {},
            # Other stores do not all know the checksums that are Amazon's newest.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
