"""Where the files of a round land: in a folder, or in a bucket.

Belongs here: letting files land, whether all are put away, what was loaded, and what is left that should not
be, for either. Does not belong here: the product's own looks at these places (a bucket is asked by the
server's client), the database's tables, or breaking anything.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ecom_platform.landing.bucket.bucket_zone import ARCHIVE, HIGHEST, MARKER, OURS, BucketZone
from ecom_platform.landing.bucket.object_claim import TAG_NAME
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.settings import load_settings
from ecom_platform.store import ledger
from ecom_platform.store.connection import Database
from ecom_platform.store.ledger import FileState
from ecom_platform.variable_reader import MOVE, TAG
from ecom_platform_tests.s3_server import CREDENTIALS, S3Server
from ecom_platform_tests.torture.store import Store

# A file of no feed, which waits whatever happens.
NOBODYS = "nobodys.csv"


class Landing(Protocol):
    """Where the files of one round land."""

    @property
    def environment(self) -> dict[str, str]:
        """What programs are told of it."""

    @property
    def units(self) -> Path:
        """The folder of the unit files."""

    def producing(self) -> AbstractContextManager[Path]:
        """A folder whose files have landed by the end of the block."""

    def ours(self) -> list[str]:
        """What is loaded; or, before anything is, what is claimed."""

    def drop_again(self, name: str, number: int) -> bool:
        """Let one of :meth:`ours` land once more, by a name of its own; whether it was still there."""

    def is_put_away(self) -> bool:
        """Whether nothing that is loaded is still to be put away."""

    def contents(self, states: Mapping[int, FileState]) -> dict[int, Path]:
        """The bytes of each loaded file."""

    def differences(self, states: Mapping[int, FileState]) -> list[str]:
        """What lies where it should not, or not where it should."""

    def remove(self) -> None:
        """Remove what the round's folder does not go with."""


@dataclass(frozen=True)
class InFolder:
    database: Database
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {}

    @property
    def zone(self) -> LandingZone:
        return LandingZone.of(load_settings({"ECOM_HOME": str(self.home)}))

    @property
    def units(self) -> Path:
        return self.zone.units

    @contextmanager
    def producing(self) -> Iterator[Path]:
        self.zone.prepare()
        yield self.zone.landing

    def ours(self) -> list[str]:
        zone = self.zone
        known = sorted(zone.archive.rglob("*.csv")) or sorted(zone.claimed.rglob("*.csv"))
        return [str(path) for path in known]

    def drop_again(self, name: str, number: int) -> bool:
        path = Path(name)
        folder = (self.zone.landing / _landed_as(self.database, path.name)).parent
        hidden = folder / f".{number}.tmp"
        with suppress(FileNotFoundError):
            shutil.copy(path, hidden)
            hidden.rename(folder / f"redropped-{number}-{path.name}")
            return True
        return False

    def is_put_away(self) -> bool:
        return not any(self.zone.claimed.rglob("*.csv"))

    def contents(self, states: Mapping[int, FileState]) -> dict[int, Path]:
        return {file_id: self.zone.path_of(state) for file_id, state in states.items()}

    def differences(self, states: Mapping[int, FileState]) -> list[str]:  # noqa: ARG002 (the folders tell)
        zone, found = self.zone, list[str]()
        for folder in (zone.landing, zone.claimed, zone.units):
            rest = [path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder)]
            names = [str(path.relative_to(folder)) for path in rest]
            found += [f"{name} is left in {folder.name}" for name in names if name != NOBODYS]
        if not (zone.landing / NOBODYS).is_file():
            found.append(f"{NOBODYS}, which is of no feed, does not wait any more")
        return found

    def remove(self) -> None:
        """It lies in the home."""


def _landed_as(database: Database, numbered: str) -> str:
    """By what name the file had landed that is called ``<file_id>-<name>`` now."""
    file_id = int(numbered.partition("-")[0])
    with database.open() as connection:
        return ledger.states(connection, [file_id])[file_id].name


def _hidden(path: Path, folder: Path) -> bool:
    """Of ours, or of whoever has not finished it."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


@dataclass
class InBucket:
    """Below a prefix of its own, ``done`` being what becomes of loaded objects."""

    database: Database
    store: Store
    prefix: str
    done: str
    home: Path
    # For copies of what was loaded.
    copies: Path
    landed: set[str] = field(default_factory=set)

    @property
    def environment(self) -> dict[str, str]:
        return CREDENTIALS | {
            "ECOM_LANDING_URL": f"s3://{self._server.bucket}/{self.prefix}",
            "ECOM_LANDING_ENDPOINT": self.store.endpoint,
            "ECOM_LANDING_DONE": self.done,
        }

    @property
    def zone(self) -> BucketZone:
        zone = BucketZone.of(load_settings({"ECOM_HOME": str(self.home), **self.environment}))
        assert zone is not None
        return zone

    @property
    def _server(self) -> S3Server:
        return self.store.server

    @property
    def units(self) -> Path:
        return self.zone.units

    @contextmanager
    def producing(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            yield folder
            for path in folder.rglob("*"):
                if path.is_file():
                    self._put(path.relative_to(folder).as_posix(), path.read_bytes())

    def _put(self, key: str, content: bytes) -> None:
        self._server.client.put_object(**self._of(key), Body=content)
        self.landed.add(key)

    def _of(self, key: str) -> dict[str, str]:
        return {"Bucket": self._server.bucket, "Key": self.prefix + key}

    def _keys(self) -> list[str]:
        found = self._server.keys(self._server.bucket, self.prefix)
        return [key.removeprefix(self.prefix) for key in found]

    def ours(self) -> list[str]:
        keys = self._keys()
        if archived := [key for key in keys if key.startswith(ARCHIVE)]:
            return archived
        with self.database.open() as connection:
            claimed = {one.key for one in ledger.claimed_objects(connection).values()}
        return [key for key in keys if key in claimed]

    def drop_again(self, name: str, number: int) -> bool:
        base = name.rpartition("/")[2]
        key = _landed_as(self.database, base) if name.startswith(OURS) else name
        folder, slash, _ = key.rpartition("/")
        with suppress(self._server.client.exceptions.NoSuchKey):
            content = self._server.get(self._server.bucket, self.prefix + name)
            self._put(f"{folder}{slash}redropped-{number}-{base}", content)
            return True
        return False

    def is_put_away(self) -> bool:
        with self.database.open() as connection:
            if self.done == MOVE:
                return not ledger.claimed_objects(connection)
            return self.done != TAG or not ledger.untagged_objects(connection, None)

    def contents(self, states: Mapping[int, FileState]) -> dict[int, Path]:
        paths = {}
        for file_id, key in self._expected(states).items():
            paths[file_id] = self.copies / f"{file_id}-{key.rpartition('/')[2]}"
            paths[file_id].parent.mkdir(exist_ok=True)
            paths[file_id].write_bytes(self._server.get(self._server.bucket, self.prefix + key))
        return paths

    def differences(self, states: Mapping[int, FileState]) -> list[str]:
        with self.database.open() as connection:
            claimed = ledger.claimed_objects(connection)
            untagged = ledger.untagged_objects(connection, None)
        moves = self.done == MOVE
        keys = [*self._expected(states).values(), NOBODYS]
        found = _on_one_side("in the bucket", self._keys(), [*keys, HIGHEST, MARKER] if moves else keys)
        found += _on_one_side("claimed", claimed, [] if moves else states)
        if moves:
            noted = int(self._server.get(self._server.bucket, self.prefix + HIGHEST))
            found += [f"the number noted is {noted}"] if noted < max(states) else []
            return found
        found += [f"{one.key} is to be tagged" for one, _ in untagged if self.done == TAG]
        for one in claimed.values():
            etag = self._server.client.head_object(**self._of(one.key))["ETag"]
            found += [f"{one.key} is {etag}, claimed as {one.etag}"] if etag != one.etag else []
            tags = self._server.client.get_object_tagging(**self._of(one.key))["TagSet"]
            wanted = [{"Key": TAG_NAME, "Value": ledger.LOADED}] if self.done == TAG else []
            found += [f"{one.key} has the tags {tags}"] if tags != wanted else []
        return found

    def _expected(self, states: Mapping[int, FileState]) -> dict[int, str]:
        """Where each loaded file lies."""
        if self.done == MOVE:
            return {file_id: self.zone.key_of(state) or "" for file_id, state in states.items()}
        with self.database.open() as connection:
            claimed = ledger.claimed_objects(connection)
        return {file_id: claimed[file_id].key for file_id in states.keys() & claimed.keys()}

    def remove(self) -> None:
        for key in self._keys():
            self._server.client.delete_object(**self._of(key))


def _on_one_side(what: str, there: Iterable[object], expected: Iterable[object]) -> list[str]:
    found, wanted = Counter([*there]), Counter([*expected])
    return [
        *(f"{one} is {what}, and should not be" for one in found - wanted),
        *(f"{one} is not {what}" for one in wanted - found),
    ]
