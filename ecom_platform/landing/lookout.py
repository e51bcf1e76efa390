"""Looking again and again at where files land: what may be claimed by now, and claiming it.

Belongs here: what whoever looks for long needs of a landing zone, and how it is had of folders. Does not
belong here: the same of a bucket (``bucket.object_lookout``), or what is done with what is claimed
(``streaming``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.claim import Claim, claim_files
from ecom_platform.landing.placing import Placing
from ecom_platform.landing.scan import LandedFile, Scan
from ecom_platform.landing.watch import Watch
from ecom_platform.landing.zone import LandingZone
from ecom_platform.store.connection import Database

# Looking costs 20 microseconds and a file's wait for the next look is half of this on average.
LOOK_SECONDS = 0.05


class Lookout(Protocol):
    """A landing zone, looked at as often as :meth:`look` is called."""

    @property
    def pause_seconds(self) -> float:
        """From the beginning of one look to that of the next, where nothing is left of the last."""

    def look(self) -> Scan:
        """What rests now, oldest first, and what does not yet. Raises :class:`StorageError`."""

    def put_back(self, files: Sequence[LandedFile]) -> None:
        """Of the last look these were not claimed, for want of time: the next look has them as well."""

    def expected(self, files: Iterable[LandedFile]) -> dict[str, LandedFile]:
        """What may be claimed of them: by present names, under those that they are to have in the ledger."""

    def waiting(self, files: Iterable[LandedFile]) -> dict[str, str]:
        """Which of them are of no feed, and what each looks like."""

    def place(self, found: Scan) -> Scan:
        """``found`` without what waits, the rest where it is to be claimed. Whoever calls this holds the
        ingest lock."""

    def claim(self, files: Sequence[LandedFile]) -> Claim: ...

    def be_patient(self, names: Iterable[str]) -> None:
        """Files of these names came back, since their writers were still at work: let them rest longer."""


class FolderLookout:
    """The landing folder. ``produced`` names files that this program has made itself; without feeds in
    ``declared`` no file is placed by its header."""

    def __init__(
        self,
        database: Database,
        zone: LandingZone,
        settle_seconds: float,
        declared: Mapping[str, Feed],
        produced: Collection[str] = (),
    ) -> None:
        self._database, self._zone = database, zone
        self._watch = Watch(zone.landing, settle_seconds, feeds=zone.feeds)
        self._placing = Placing(zone.landing, declared, produced) if declared else None

    @property
    def pause_seconds(self) -> float:
        return LOOK_SECONDS

    def look(self) -> Scan:
        return self._watch.look()

    def put_back(self, files: Sequence[LandedFile]) -> None:
        """They are in the folder, where the next look finds them."""

    def expected(self, files: Iterable[LandedFile]) -> dict[str, LandedFile]:
        if self._placing is None:
            return {file.name: file for file in files}
        return self._placing.sort(files).expected

    def waiting(self, files: Iterable[LandedFile]) -> dict[str, str]:
        return {} if self._placing is None else self._placing.sort(files).waiting

    def place(self, found: Scan) -> Scan:
        return found if self._placing is None else self._placing.place(found)[0]

    def claim(self, files: Sequence[LandedFile]) -> Claim:
        return claim_files(self._database, self._zone, files)

    def be_patient(self, names: Iterable[str]) -> None:
        self._watch.be_patient(names)
