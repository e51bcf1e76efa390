"""Looking at the landing folder again and again, and claiming what rests.

Belongs here: a ``lookout.Lookout`` of folders. Does not belong here: what is done with what is claimed
(``streaming``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ecom_platform.feeds.feed import Feed
from ecom_platform.landing.claims import Claim
from ecom_platform.landing.folder.claim import claim_files
from ecom_platform.landing.folder.placing import Placing
from ecom_platform.landing.folder.watch import Watch
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.landing.landed import LandedFile, Scan
from ecom_platform.store.connection import Database

# Looking costs 20 microseconds and a file's wait for the next look is half of this on average.
LOOK_SECONDS = 0.05


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
