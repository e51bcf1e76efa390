"""What the torture calls as it must be in a bucket, and what it does not: without Spark, against a real S3
server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from ecom_platform.settings import Settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.variable_reader import LEAVE, MOVE, TAG
from ecom_platform_tests.integration.test_bucket import Bucket, settings_for
from ecom_platform_tests.landing import csv_file, line
from ecom_platform_tests.s3_server import CREDENTIALS, S3Server
from ecom_platform_tests.torture.landings import NOBODYS, InBucket
from ecom_platform_tests.torture.store import Store


class Loaded:
    """Three objects, loaded by what is done with them, and the torture's look at them."""

    def __init__(self, s3: S3Server, settings: Settings, database: Database, home: Path, done: str) -> None:
        self.bucket = Bucket(s3, settings_for(settings, database, s3), database, home)
        prefix = self.bucket.location.prefix
        self.landing = InBucket(database, Store(s3), prefix, done, home, home / "copies")
        self.contents = [csv_file(line()) for _ in range(3)]
        with self.landing.producing() as folder:
            for number, content in enumerate(self.contents):
                (folder / f"{number}.csv").write_bytes(content)
            (folder / NOBODYS).write_bytes(b"no,header\n1,2\n")
        self.bucket.settings = dataclasses.replace(self.bucket.settings, landing_done=done)
        assert len(self.bucket.ingest()) == 3

    @property
    def states(self) -> dict[int, ledger.FileState]:
        with self.bucket.database.open() as connection:
            rows = connection.execute("SELECT file_id FROM ingested_files").fetchall()
            return ledger.states(connection, [row[0] for row in rows])

    def execute(self, statement: str) -> None:
        with self.bucket.database.transaction() as connection:
            connection.execute(statement.encode())

    def delete(self, key: str) -> None:
        location = self.bucket.location
        self.bucket.s3.client.delete_object(Bucket=location.bucket, Key=location.prefix + key)

    def untag(self, key: str) -> None:
        location = self.bucket.location
        self.bucket.s3.client.delete_object_tagging(Bucket=location.bucket, Key=location.prefix + key)


@pytest.fixture
def loaded(
    s3: S3Server,
    settings: Settings,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Loaded:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return Loaded(s3, settings, database, tmp_path, request.param)


@pytest.mark.parametrize("loaded", [MOVE, LEAVE, TAG], indirect=True)
def test_what_was_loaded_is_as_it_must_be(loaded: Loaded) -> None:
    assert loaded.landing.is_put_away()
    assert loaded.landing.differences(loaded.states) == []
    paths = loaded.landing.contents(loaded.states).values()
    assert sorted(path.read_bytes() for path in paths) == sorted(loaded.contents)
    name = loaded.landing.ours()[0]
    assert loaded.landing.drop_again(name, 7)
    assert any("redropped-7" in found for found in loaded.landing.differences(loaded.states))
    assert len(loaded.bucket.ingest()) == 1
    assert loaded.landing.differences(loaded.states) == []


def _archived(loaded: Loaded) -> str:
    return loaded.bucket.keys(".ecom/archive/")[0]


def _twice(loaded: Loaded) -> None:
    key = _archived(loaded)
    loaded.bucket.put_as(key.replace("/1-", "/9-"), loaded.contents[0])


WRONG: dict[str, tuple[str, str, Callable[[Loaded], None]]] = {
    "not in the archive": (MOVE, "is not in the bucket", lambda one: one.delete(_archived(one))),
    "put away twice": (MOVE, "is in the bucket, and should not be", _twice),
    "left where it landed": (
        MOVE, "a.csv is in the bucket, and should not be", lambda one: one.bucket.put_as("a.csv", b"x\n")
    ),
    "a number that nobody has written down": (
        MOVE, "the number noted is 0", lambda one: one.bucket.put_as(".ecom/highest-number", b"0\n")
    ),
    "left claimed": (
        MOVE,
        "1 is claimed, and should not be",
        lambda one: one.execute("INSERT INTO claimed_objects VALUES (1, 'x', 'x', 1)"),
    ),
    "nobody's file is gone": (
        MOVE, "nobodys.csv is not in the bucket", lambda one: one.delete(NOBODYS)
    ),
    "not claimed any more": (
        LEAVE, "1 is not claimed", lambda one: one.execute("DELETE FROM claimed_objects WHERE file_id = 1")
    ),
    "another version": (LEAVE, "claimed as", lambda one: one.bucket.put_as("1.csv", b"x\n")),
    "something of ours": (
        LEAVE, "is in the bucket, and should not be", lambda one: one.bucket.put_as(".ecom/zone-id", b"x")
    ),
    "without its tag": (TAG, "1.csv has the tags []", lambda one: one.untag("1.csv")),
    "not known to be tagged": (
        TAG, "is to be tagged", lambda one: one.execute("UPDATE claimed_objects SET tagged_at = NULL")
    ),
}  # fmt: skip


@pytest.mark.parametrize(("loaded", "said", "break_it"), WRONG.values(), ids=list(WRONG), indirect=["loaded"])
def test_what_is_not_is_found(loaded: Loaded, said: str, break_it: Callable[[Loaded], None]) -> None:
    break_it(loaded)
    found = loaded.landing.differences(loaded.states)
    assert any(said in one for one in found), found
